"""The undo stack: random edits undone exactly, merging, sealing, forgetting."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from helpers.graphs import picture
from helpers.random_edits import EDITS
from ponystudio.errors import GraphError
from ponystudio.graph.editing.edits import SetParam
from ponystudio.graph.editing.undo_history import LIMIT, UndoHistory, states
from ponystudio.graph.model import Graph, Node

SCRIPTS = st.lists(
    st.tuples(EDITS, st.sampled_from(["", "a", "b"]), st.integers(0, 9)), max_size=12
)


def start() -> Graph:
    view = {"nodes": {"load": {"pos": [0, 0]}, "save": {"pos": [9, 9]}}, "frames": [{"title": "A"}]}
    return replace(picture(), view=view, extra={"kept": 1})


def played(script) -> UndoHistory:
    """A history of random edits, with some undone on the way."""
    history = UndoHistory(start())
    for edit, merge, number in script:
        if number == 0:
            history.go_to(number % (history.index + 1))
        if number == 1:
            history.seal()
        try:
            history.do(edit, "x", merge)
        except GraphError:
            continue
    return history


def change(history: UndoHistory, name: str, value: int, merge: str = "") -> None:
    history.do(SetParam("a", name, value), f"Change {name}", merge)


def test_edits_of_one_gesture_are_one_step_unless_it_was_sealed():
    history = UndoHistory(Graph.of(Node("a", "t.x")))
    for value in range(5):
        change(history, "x", value, "drag")
    change(history, "y", 1, "other")
    assert [step.text for step in history.record().steps] == ["Change x", "Change y"]
    history.go_to(1)
    history.seal()
    change(history, "x", 9, "drag")
    assert (len(history), history.index, history.sealed) == (2, 2, 1)
    assert history.graph.nodes["a"].params == {"x": 9}
    history.go_to(0)
    change(history, "z", 1)
    assert history.sealed == -1
    with pytest.raises(GraphError):
        history.go_to(2)


def test_a_step_alone_joins_no_gesture():
    history = UndoHistory(Graph.of(Node("a", "t.x")))
    change(history, "x", 1, "drag")
    history.do(SetParam("a", "x", 2), "Change x", "drag", alone=True)
    assert len(history) == 2


def test_the_oldest_step_goes_when_there_are_too_many_and_the_seal_with_it():
    history = UndoHistory(Graph.of(Node("a", "t.x")))
    change(history, "x", 0)
    history.seal()
    for value in range(1, LIMIT + 1):
        change(history, "x", value)
    assert (len(history), history.index, history.sealed) == (LIMIT, LIMIT, 0)
    change(history, "x", -1)
    assert history.sealed == -1
    history.go_to(0)
    assert history.graph.nodes["a"].params == {"x": 1}
    assert history.last is None
    assert history.next is not None


@settings(max_examples=100)
@given(SCRIPTS)
def test_the_states_of_a_history_are_found_from_the_present_one(script):
    history = played(script)
    expected = states(history.graph, history.record())
    assert len(expected) == len(history) + 1
    for index in (*range(len(history), -1, -1), *range(len(history) + 1)):
        history.go_to(index)
        assert history.graph == expected[index]
        assert states(history.graph, history.record()) == expected


@settings(max_examples=100)
@given(SCRIPTS)
def test_a_history_is_made_again_from_its_record(script):
    history = played(script)
    again = UndoHistory(history.graph, history.record())
    assert again.record() == history.record()
    history.go_to(0)
    again.go_to(0)
    assert again.graph == history.graph == start()
