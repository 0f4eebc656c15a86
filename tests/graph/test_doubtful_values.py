"""Values that our params do not take: those that are slips, and those that are in doubt."""

from __future__ import annotations

import pytest

from helpers.drops import CATALOG
from ponystudio.graph.doubtful_values import doubts, without_slips
from ponystudio.graph.model import Graph, Node


def sample(**params):
    return Graph.of(Node("a", "core.sample", params=params))


@pytest.mark.parametrize(
    ("name", "said", "meant"),
    [("steps", 20.0, 20), ("steps", " 20 ", 20), ("cfg", "4.5", 4.5), ("cfg", "4", 4),
     ("seed", "7.0", 7)],
)  # fmt: skip
def test_slips_are_what_was_meant(name, said, meant):
    graph = without_slips(sample(**{name: said}), CATALOG)
    assert graph.nodes["a"].params == {name: meant}
    assert list(doubts(graph, CATALOG)) == []


@pytest.mark.parametrize(
    ("name", "said"),
    [("steps", 20.5), ("steps", "1e3"), ("steps", True), ("cfg", "9" * 400), ("sampler", "x"),
     ("cfg", "99999"), ("steps", None)],
)  # fmt: skip
def test_all_else_is_kept_and_told(name, said):
    graph = sample(**{name: said})
    assert without_slips(graph, CATALOG) is graph
    ((node, text),) = doubts(graph, CATALOG)
    assert node == "a"
    assert text.startswith(f"{name} is kept, and in doubt: ")


def test_nodes_and_params_that_are_not_known_have_no_doubts():
    graph = Graph.of(Node("a", "comfyui.X", params={"x": 1}), Node("b", "core.sample", 1, {"y": 2}))
    assert without_slips(graph, CATALOG) is graph
    assert list(doubts(graph, CATALOG)) == []
