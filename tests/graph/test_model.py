"""Graphs as values."""

from __future__ import annotations

import dataclasses

import pytest

from ponystudio.graph.model import NODE_ID, Graph, Link, Node, malformed_part

WIRED = Node(
    "c", "t.c", inputs={"z": Link("a", "out"), "b": Link("b", "out"), "x": Link("a", "other")}
)


def test_a_node_tells_from_where_it_is_linked_each_once():
    assert WIRED.sources == ("b", "a")
    assert WIRED.sources is WIRED.sources
    assert Node("a", "t.a").sources == ()


def test_what_was_worked_out_makes_no_other_node():
    fresh = dataclasses.replace(WIRED)
    WIRED.sources  # noqa: B018 - it is remembered
    assert fresh == WIRED
    assert dataclasses.replace(WIRED, inputs={}).sources == ()


def test_an_edit_makes_another_graph():
    before = Graph.of(Node("a", "t.a"), WIRED)
    after = before.with_nodes([Node("a", "t.other"), Node("d", "t.d")])
    assert [node.type for node in after.nodes.values()] == ["t.other", "t.c", "t.d"]
    assert after.nodes["c"] is WIRED
    assert before.nodes["a"].type == "t.a"
    assert list(after.without("a", "d", "gone").nodes) == ["c"]


@pytest.mark.parametrize(
    ("id", "is_one"), [("sampler_2", True), ("_x-1", True), ("2x", False), ("a.b", False)]
)
def test_ids(id, is_one):
    assert bool(NODE_ID.fullmatch(id)) == is_one


@pytest.mark.parametrize(
    ("view", "part"),
    [
        ({}, ""),
        ({"nodes": {}, "frames": [], "notes": [], "more": 1}, ""),
        ({"nodes": []}, "nodes"),
        ({"nodes": {}, "frames": {}}, "frames"),
        ({"notes": "a"}, "notes"),
    ],
)
def test_the_first_part_of_a_view_that_makes_no_sense(view, part):
    assert malformed_part(view) == part
