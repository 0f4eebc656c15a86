"""Edits through JSON and back."""

import json
from dataclasses import dataclass, replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from helpers.graphs import picture
from helpers.random_edits import EDITS
from ponystudio.errors import GraphError
from ponystudio.graph.editing.edits import (
    AddNode,
    Compound,
    Edit,
    Restore,
    SetView,
    edit_between,
)
from ponystudio.graph.formats.edit_codec import NoSuchEdit, decode, difference, encode
from ponystudio.graph.model import Graph, Link, Node


def start() -> Graph:
    view = {"nodes": {"load": {"pos": [0, 0]}, "save": {"pos": [9, 9]}}, "frames": [{"title": "A"}]}
    return replace(picture(), view=view, extra={"kept": 1})


def through_text(edit: Edit) -> Edit:
    return decode(json.loads(json.dumps(encode(edit), allow_nan=False)))


@settings(max_examples=300)
@given(st.lists(EDITS, max_size=10))
def test_a_written_edit_does_what_the_edit_did(edits):
    graph = start()
    for edit in edits:
        try:
            after, _ = edit.apply(graph)
        except GraphError:
            continue
        assert through_text(edit).apply(graph)[0] == after
        back = through_text(edit_between(after, graph))
        assert back.apply(after)[0] == graph
        small = through_text(difference(graph, after))
        assert small.apply(graph)[0] == after
        graph = after


def test_a_whole_node_is_kept():
    node = Node(
        "n",
        "t.x",
        3,
        {"seed": 2**64 - 1, "text": "\U0001f600 \ud800", "rows": [{"on": True}]},
        {},
        "muted",
        "Mine \udc00",
        {"unknown": [1]},
    )
    kept = through_text(Restore({"n": node, "gone": None}))
    assert kept == Restore({"n": node, "gone": None}, None)
    linked = replace(node, inputs={"in": Link("a", "out")})
    assert through_text(AddNode(linked, {"pos": [1, 2]})) == AddNode(linked, {"pos": [1, 2]})


def test_a_difference_names_only_what_differs():
    before = replace(start(), view={"nodes": {f"n{i}": {"pos": [i, 0]} for i in range(1000)}})
    after, _ = SetView(("nodes", "n5", "pos"), [7, 7]).apply(before)
    after, _ = SetView(("frames",), [{"title": "New"}]).apply(after)
    assert len(json.dumps(encode(difference(before, after)))) < 300
    assert difference(before, before) == Compound(())


@pytest.mark.parametrize(
    "data",
    [
        None,
        {},
        {"edit": "explode"},
        {"edit": "set_param", "node": "a"},
        {"edit": "connect", "source": "a"},
        {"edit": "remove_node", "id": "a", "more": 1},
        {"edit": "add_node", "id": "a", "node": {"type": 3}, "view": {}},
        {"edit": "compound", "edits": [{"edit": "explode"}]},
    ],
)
def test_what_is_no_edit_is_refused(data):
    with pytest.raises(NoSuchEdit):
        decode(data)


def test_an_edit_of_an_unknown_kind_is_refused():
    @dataclass(frozen=True)
    class Strange(Edit):
        def apply(self, graph):
            return graph, self

    with pytest.raises(NoSuchEdit):
        encode(Strange())
