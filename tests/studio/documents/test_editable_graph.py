"""Documents: one way to change the graph, and back again."""

import pytest

from ponystudio.errors import GraphError
from ponystudio.graph.editing.edits import AddNode, RemoveNode, SetParam, SetView
from ponystudio.graph.editing.undo_history import LIMIT
from ponystudio.graph.model import Graph, Node
from ponystudio.studio.documents.editable_graph import Change, EditableGraph, Record, gesture


@pytest.fixture
def document(qapp):
    return EditableGraph(Graph.of(Node("a", "test.add"), Node("b", "test.add")))


def test_edits_are_undone_exactly(document):
    before = document.graph
    document.do(AddNode(Node("c", "test.add"), {"pos": [8, 16]}), "Add")
    document.do(RemoveNode("a"), "Delete")
    after = document.graph
    document.undo()
    document.undo()
    assert document.graph == before
    document.redo()
    document.redo()
    assert document.graph == after


def test_a_change_names_what_differs(document):
    changes: list[Change] = []
    document.changed.connect(changes.append)
    document.do(SetView(("nodes", "b", "pos"), [1, 2]), "Move")
    document.do(SetParam("a", "by", 3), "Change by")
    assert [(set(c.nodes), set(c.looks), c.view) for c in changes] == [
        (set(), {"b"}, True),
        ({"a"}, set(), False),
    ]


def test_a_drag_is_one_step_however_long(document):
    before, drag = document.graph, gesture("move")
    for x in range(3000):
        document.do(SetView(("nodes", "a", "pos"), [x, 0]), "Move", drag)
    document.do(SetView(("nodes", "a", "pos"), [0, 1]), "Move", gesture("move"))
    assert document.undo_count == 2
    document.undo()
    assert document.graph.view["nodes"]["a"]["pos"] == [2999, 0]
    document.undo()
    assert document.graph == before
    document.redo()
    assert document.graph.view["nodes"]["a"]["pos"] == [2999, 0]


def test_the_oldest_of_too_many_steps_goes(document):
    for value in range(LIMIT + 20):
        document.do(SetParam("a", "by", value), "Change by")
    assert document.undo_count == LIMIT
    while document.can_undo:
        document.undo()
    assert document.graph.nodes["a"].params == {"by": 19}


def test_what_is_done_by_the_way_is_undone_with_the_gesture_before_it(document):
    before = document.graph
    document.do(SetParam("a", "by", 3), "Change by", gesture("typing"))
    for seed in (7, 8):
        document.do_automatic([SetParam("b", "by", seed)], "New seed")
    after = document.graph
    assert document.undo_count == 1
    document.undo()
    assert document.graph == before
    document.redo()
    assert document.graph == after
    document.do(RemoveNode("a"), "Delete")
    for seed in (9, 10):
        document.do_automatic([SetParam("b", "by", seed)], "New seed")
    assert document.undo_count == 3


def test_what_is_recorded_can_be_done_again(document):
    records: list[Record] = []
    document.recorded.connect(records.append)
    document.do(SetParam("a", "by", 3), "Change by", "typing#1")
    document.do(SetParam("a", "by", 4), "Change by", "typing#1")
    document.do(RemoveNode("b"), "Delete")
    document.undo()
    document.undo()
    document.redo()
    assert [(r.kind, r.index) for r in records[3:]] == [("to", 1), ("to", 0), ("to", 1)]

    copy = EditableGraph(Graph.of(Node("a", "test.add"), Node("b", "test.add")))
    for record in records:
        if record.edit is not None:
            copy.do(record.edit, record.text, record.merge)
        else:
            copy.go_to(record.index)
    assert copy.graph == document.graph
    assert copy.undo_count == document.undo_count == 2
    assert copy.undo_index == document.undo_index == 1


def test_what_cannot_be_done_changes_nothing(document):
    before = document.graph
    with pytest.raises(GraphError):
        document.do_all([RemoveNode("a"), RemoveNode("nobody")], "Delete")
    assert document.graph is before
    assert document.undo_count == 0


def test_an_edit_that_changes_nothing_is_no_step(document):
    document.do(SetView(("nodes", "a", "pos"), [1, 2]), "Move")
    document.do(SetView(("nodes", "a", "pos"), [1, 2]), "Move")
    assert document.undo_count == 1


def test_states_leave_with_their_node(document):
    document.states.update("a", phase="running", step=3)
    document.do(RemoveNode("a"), "Delete")
    document.undo()
    assert document.states["a"].phase == "rest"


def test_many_states_that_change_at_once_are_told_of_as_all(document):
    told = []
    document.states.changed.connect(told.append)
    with document.states.at_once():
        for name in ("a", "b", "a"):
            document.states.update(name, phase="running", step=len(told) + 1)
        document.states.update("a", step=2)
        assert told == []
    assert told == ["a", "b"], "each once"
    with document.states.at_once():
        for i in range(1000):
            document.states.update(f"n{i}", phase="done")
    assert told == ["a", "b", ""]
    assert document.states["n999"].phase == "done"
