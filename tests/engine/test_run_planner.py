"""Which part of a graph has no errors, and what is planned of it."""

from __future__ import annotations

import pytest

from helpers.engine_nodes import Studio, graph, make

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
