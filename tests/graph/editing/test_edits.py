from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from helpers.graphs import node, picture
from helpers.random_edits import EDITS
from ponystudio.errors import (
    BrokenLink,
    Cycle,
    GraphError,
    ParamChoice,
    ParamRange,
    ParamType,
    UnknownNode,
    UnknownParam,
    UnknownSocket,
)
from ponystudio.graph.editing.edits import (
    REMOVED,
    AddNode,
    Compound,
    Connect,
    Disconnect,
    Edit,
    RemoveNode,
    RenameNode,
    ReplaceNode,
    SetMode,
    SetParam,
    SetView,
)
from ponystudio.graph.formats.graph_file import dumps
from ponystudio.graph.model import Graph, Link, Node
from ponystudio.graph.topology import find_cycle


def start() -> Graph:
    view = {"nodes": {"load": {"pos": [0, 0]}, "save": {"pos": [9, 9]}}, "frames": [{"title": "A"}]}
    return replace(picture(), view=view, extra={"kept": 1})


@settings(max_examples=300)
@given(st.lists(EDITS, max_size=8))
def test_a_compound_is_its_edits_one_after_the_other(edits: list[Edit]):
    one, whole = start(), start()
    try:
        for edit in edits:
            one, _ = edit.apply(one)
    except GraphError:
        with pytest.raises(GraphError):
            Compound(edits).apply(whole)
    else:
        after, inverse = Compound(edits).apply(whole)
        assert after == one
        assert inverse.apply(after)[0] == whole
    assert whole == start(), "what was there is not touched"


@settings(max_examples=300)
@given(st.lists(EDITS, max_size=12))
def test_any_sequence_is_undone_and_redone_exactly(edits: list[Edit]):
    graph = start()
    before = dumps(graph)
    steps: list[tuple[Graph, Edit, Graph]] = []
    for edit in edits:
        try:
            edited, undo = edit.apply(graph)
        except GraphError:
            continue
        steps.append((graph, undo, edited))
        graph = edited
        assert not find_cycle(graph)
    for earlier, undo, later in reversed(steps):
        graph, redo = undo.apply(graph)
        assert graph == earlier
        again, undo_again = redo.apply(graph)
        assert again == later
        assert undo_again.apply(again)[0] == earlier
    assert dumps(graph) == before


@given(EDITS)
def test_an_edit_leaves_the_graph_that_it_is_given_alone(edit: Edit):
    graph = start()
    try:
        edit.apply(graph)
    except GraphError:
        pass
    assert graph == start()


def test_what_an_edit_does_not_touch_is_shared():
    graph = start()
    edited, _ = SetParam("sample", "seed", 2).apply(graph)
    assert edited.nodes["sample"].params["seed"] == 2
    assert edited.nodes["load"] is graph.nodes["load"]
    assert edited.view is graph.view


def test_a_value_given_to_an_edit_can_be_changed_afterwards():
    rows = [{"on": True}]
    edited, _ = SetParam("sample", "stack", rows).apply(start())
    rows[0]["on"] = False
    assert edited.nodes["sample"].params["stack"] == [{"on": True}]


def test_add_places_the_node_and_links_it():
    graph, undo = AddNode(node("two", "t.save", latent="sample.latent"), {"pos": [1, 2]}).apply(
        start()
    )
    assert graph.nodes["two"].inputs == {"latent": Link("sample", "latent")}
    assert graph.view["nodes"]["two"] == {"pos": [1, 2]}
    assert undo.apply(graph)[0] == start()


def test_remove_takes_links_on_both_sides_and_the_looks():
    graph, _ = RemoveNode("load").apply(start())
    assert "load" not in graph.nodes
    assert graph.nodes["text"].inputs == {}
    assert set(graph.nodes["sample"].inputs) == {"positive"}
    assert graph.view["nodes"] == {"save": {"pos": [9, 9]}}


def test_rename_is_followed_by_links_and_looks():
    graph, _ = RenameNode("load", "checkpoint").apply(start())
    assert graph.nodes["checkpoint"].id == "checkpoint"
    assert graph.nodes["text"].inputs["clip"] == Link("checkpoint", "clip")
    assert graph.view["nodes"] == {"checkpoint": {"pos": [0, 0]}, "save": {"pos": [9, 9]}}


def test_connect_takes_the_place_of_the_link_there():
    graph, _ = AddNode(node("other", "t.load")).apply(start())
    graph, _ = Connect("other", "model", "sample", "model").apply(graph)
    assert graph.nodes["sample"].inputs["model"] == Link("other", "model")


def test_removing_a_param_leaves_the_default():
    graph, _ = SetParam("sample", "seed", REMOVED).apply(start())
    assert "seed" not in graph.nodes["sample"].params


def test_view_paths_make_objects_and_extend_lists():
    graph, _ = SetView(("nodes", "sample", "pos"), [3, 4]).apply(start())
    graph, _ = SetView(("frames", 1), {"title": "B"}).apply(graph)
    graph, _ = SetView(("frames", 0), REMOVED).apply(graph)
    graph, _ = SetView(("notes",), [{"text": "hello"}]).apply(graph)
    assert graph.view["nodes"]["sample"] == {"pos": [3, 4]}
    assert graph.view["frames"] == [{"title": "B"}]
    assert graph.view["notes"] == [{"text": "hello"}]


class CountedList(list):
    """Tells how often it is gone through."""

    walks = 0

    def __iter__(self):
        type(self).walks += 1
        return super().__iter__()


def test_many_edits_of_a_list_copy_it_once(monkeypatch):
    frames = CountedList({"title": str(i)} for i in range(100))
    before = Graph(view={"frames": frames})
    edits = [SetView(("frames", i), {"title": "new"}) for i in range(100)]
    edits += [SetView(("frames", 100), {"title": "last"}), SetView(("frames", 0), REMOVED)]
    CountedList.walks = 0
    after, undo = Compound(edits).apply(before)
    assert CountedList.walks == 1
    assert after.view["frames"] == [{"title": "new"}] * 99 + [{"title": "last"}]
    assert undo.apply(after)[0] == before
    assert frames[0] == {"title": "0"}


@pytest.mark.parametrize(
    ("edit", "error", "words"),
    [
        (AddNode(Node("load", "t.x")), GraphError, "already a node load"),
        (AddNode(Node("a b", "t.x")), GraphError, "cannot be the id"),
        (AddNode(node("new", "t.save", latent="smaple.latent")), BrokenLink, "mean sample"),
        (AddNode(node("new", "t.save", latent="new.latent")), Cycle, "new → new"),
        (ReplaceNode(Node("new", "t.x")), UnknownNode, "no node 'new'"),
        (RemoveNode("smaple"), UnknownNode, "mean sample"),
        (RenameNode("load", "save"), GraphError, "already a node save"),
        (SetParam("sample", "seed", float("nan")), ParamRange, "sample.seed"),
        (SetParam("sample", "seed", {1, 2}), ParamType, "sample.seed"),
        (SetParam("sample", "steps", REMOVED), UnknownParam, "'steps'"),
        (Connect("save", "x", "load", "y"), Cycle, "load → sample → save → load"),
        (Connect("nowhere", "x", "load", "y"), BrokenLink, "nowhere"),
        (Disconnect("sample", "postive"), UnknownSocket, "mean positive"),
        (SetMode("sample", "asleep"), ParamChoice, "asleep"),  # type: ignore[arg-type]
        (SetView(("frames", 7), 1), GraphError, "view.frames.7"),
        (SetView(("frames", "x"), 1), GraphError, "no such place"),
        (SetView((), 1), GraphError, "no such place"),
        (SetView((), {"nodes": None}), GraphError, "no such place"),
        (SetView(("nodes",), []), GraphError, "view.nodes"),
        (SetView(("frames",), {}), GraphError, "view.frames"),
    ],
)
def test_refused(edit, error, words):
    graph = start()
    with pytest.raises(error, match=words) as caught:
        edit.apply(graph)
    assert type(caught.value) is error


def test_a_compound_edit_is_made_whole_or_not_at_all():
    edits = Compound([SetParam("sample", "seed", 5), RemoveNode("nowhere")])
    graph = start()
    with pytest.raises(UnknownNode):
        edits.apply(graph)
    assert graph == start()


def test_a_link_that_was_broken_before_does_not_stand_in_the_way():
    graph = start().with_nodes([Node("x", "t.x", inputs={"in": Link("gone", "out")})])
    edited, _ = SetParam("x", "a", 1).apply(graph)
    edited, _ = Connect("load", "model", "x", "model").apply(edited)
    assert edited.nodes["x"].inputs["in"] == Link("gone", "out")
