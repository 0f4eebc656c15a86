"""The seeds of a run, chosen before it."""

from __future__ import annotations

from helpers.running import make, tiny_catalog
from ponystudio.graph.model import Graph
from ponystudio.studio.runs.seeds import seeds_in


def test_seeds_are_found_where_they_are_used():
    graph = Graph.of(
        make("d", "dice", seed=5),
        make("other", "dice", seed=7),
        make("end", "steps", a=("d", "float")),
    )
    assert seeds_in(graph, tiny_catalog(), None) == {("d", "seed"): 5}
    assert seeds_in(graph, tiny_catalog(), ["other"]) == {("other", "seed"): 7}
