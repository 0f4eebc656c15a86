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
    assert set(studio.explain(SUM, targets=("sum",)).values()) == {
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
