"""Graphs that are the same but for ids."""

from __future__ import annotations

from helpers.drops import CATALOG
from ponystudio.graph.graph_shape import shape
from ponystudio.graph.model import Graph, Link, Node


def graph(first="a", second="b", mode="normal", **params):
    made = Node(first, "core.empty_latent", params=params)
    flip = Node(second, "core.flip_latent", inputs={"latent": Link(first, "latent")}, mode=mode)
    return Graph.of(made, flip)


def test_ids_titles_and_defaults_count_for_nothing():
    one = graph(width=64)
    assert shape(one, CATALOG) == shape(graph("x", "y", width=64.0, batch=1), CATALOG)
    titled = Graph(
        {id: Node(id, n.type, 1, n.params, n.inputs, title="t") for id, n in one.nodes.items()}
    )
    assert shape(titled, CATALOG) == shape(one, CATALOG)


def test_values_wires_and_modes_count():
    one = shape(graph(width=64), CATALOG)
    assert one != shape(graph(width=65), CATALOG)
    assert one != shape(graph(width=True), CATALOG)
    assert one != shape(graph(width=64, mode="muted"), CATALOG)
    assert one != shape(Graph.of(*list(graph(width=64).nodes.values())[:1]), CATALOG)
