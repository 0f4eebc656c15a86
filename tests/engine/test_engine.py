"""What may be asked of an engine while it runs."""

from __future__ import annotations

import threading

import pytest

from helpers.engine_nodes import SEEN, Studio, graph, make
from ponystudio.engine.engine import Engine
from ponystudio.engine.run_services import RunObserver

SUM = graph(
    make("two", "number", value=2.0),
    make("sum", "add", a=("two", "float"), b=("two", "float")),
    make("note", "note", a=("sum", "float")),
)


@pytest.fixture
def studio(tmp_path):
    with Studio(tmp_path) as studio:
        yield studio


def test_the_part_without_errors_is_planned(studio):
    broken = SUM.with_nodes(
        [make("half", "add", a=("two", "float")), make("end", "note", a=("half", "float"))]
    )
    said, keys, errors = studio.engine.preview_plan(studio.request(broken))
    assert said.keys() == keys.keys() == {"two", "sum", "note"}
    assert [(error.node, error.socket) for error in errors] == [("half", "b")]


def test_nothing_sound_is_no_plan(studio):
    broken = graph(make("half", "add"), make("end", "note", a=("half", "float")))
    said, keys, errors = studio.engine.preview_plan(studio.request(broken))
    assert (said, keys) == ({}, {})
    assert {error.node for error in errors} == {"half"}
    assert studio.engine.preview_plan(studio.request(graph(make("n", "number"))))[2]


def test_what_is_sound_runs_and_what_is_not_is_named(studio):
    broken = SUM.with_nodes(
        [
            make("half", "add", a=("two", "float")),
            make("end", "note", a=("half", "float")),
            # Two circles: the check tells of one at a time.
            make("c1", "add", a=("c2", "float"), b=("two", "float")),
            make("c2", "add", a=("c1", "float"), b=("two", "float")),
            make("c3", "add", a=("c3", "float"), b=("two", "float")),
            make("e1", "note", a=("c2", "float")),
            make("e2", "note", a=("c3", "float")),
        ]
    )
    request, errors = studio.engine.runnable_part(studio.request(broken))
    assert request.targets == ("note",)
    assert {error.node for error in errors} == {"half", "c1", "c3"}
    assert not studio.engine.check(request)
    # As chosen nodes, too; and one alone is refused.
    chosen = studio.request(broken, targets=("end", "sum"))
    assert studio.engine.runnable_part(chosen)[0].targets == ("sum",)
    assert studio.engine.runnable_part(studio.request(broken, targets=("end",)))[0] is None


def test_keys_in_short_change_with_what_they_stand_for(studio):
    _, before, _ = studio.engine.preview_plan(studio.request(SUM))
    _, again, _ = studio.engine.preview_plan(studio.request(SUM))
    changed = SUM.with_nodes([make("two", "number", value=3.0)])
    _, after, _ = studio.engine.preview_plan(studio.request(changed))
    assert before == again
    assert all(before[id] != after[id] for id in before)


def test_plans_during_runs_harm_neither(studio):
    """Runs and plans of changing graphs at once: every run is right, every plan is whole."""
    stop = threading.Event()
    plans: list[int] = []

    def ask() -> None:
        while not stop.is_set():
            for value in range(5):
                changed = SUM.with_nodes([make("two", "number", value=float(value))])
                plans.append(len(studio.engine.preview_plan(studio.request(changed, scope="x"))[0]))
            studio.engine.memory()

    thread = threading.Thread(target=ask)
    thread.start()
    try:
        for round in range(60):
            value = float(round % 7)
            changed = SUM.with_nodes([make("two", "number", value=value)])
            studio.run(changed, scope="x")
            (step,) = (
                i for i in studio.events if i["event"] == "node_started" and i["node"] == "note"
            )
            assert step["why"]
    finally:
        stop.set()
        thread.join()
    expected = [2 * float(round % 7) for round in range(60)]
    assert expected == SEEN
    assert set(plans) == {3}


def test_memory_is_known_and_a_clear_keeps_what_a_run_uses(studio):
    studio.run(SUM)
    use = studio.engine.memory()
    assert use.device == "CPU"
    assert use.results > 0
    assert 0 < use.free <= use.total
    engine: Engine = studio.engine
    plan = engine.plan(studio.request(SUM, targets=("sum",)))
    assert engine.results.pin(plan.needed)
    engine.clear()
    assert set(engine.explain(studio.request(SUM, targets=("sum",))).values()) == {
        "cached: memory",
        "not needed",
    }
    engine.results.unpin(plan.needed)
    engine.clear()
    assert engine.memory().results == 0


def test_between_the_nodes_of_a_run_there_is_time_for_other_things(studio):
    moments: list[int] = []

    class Observer(RunObserver):
        def between_nodes(self) -> None:
            moments.append(len(studio.told("node_finished")))

    request = studio.request(SUM)
    assert not studio.engine.check(request)
    studio.engine.run(request, observer=Observer())
    assert moments == [0, 1, 2]
