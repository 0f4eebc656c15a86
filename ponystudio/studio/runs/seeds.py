"""The seeds of a run, chosen before it: what is shown is what is used."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Literal

from ponystudio.api.spec import NodeSpec
from ponystudio.errors import GraphError
from ponystudio.graph.editing.edits import Edit, SetParam
from ponystudio.graph.model import Graph
from ponystudio.graph.topology import ancestors, effective, without_errors
from ponystudio.graph.validation import effective_targets

SeedMode = Literal["fixed", "next", "random"]
MODES: tuple[SeedMode, ...] = ("fixed", "next", "random")
LIMIT = 2**64

Place = tuple[str, str]
"""A node and a param of it."""
SeedSet = tuple[tuple[str, str, int], ...]
"""(node, param, seed) of every seed of one picture."""


def random_seed() -> int:
    """Short enough to be read out, and to be taken by every other tool."""
    return random.randrange(2**32)


def seeds_in(
    graph: Graph,
    catalog: Mapping[str, NodeSpec],
    targets: Iterable[str] | None,
    faulty: Iterable[str] = (),
) -> dict[Place, int]:
    """The seeds that a run of these targets uses and may roll: not wired, not locked."""
    nodes = effective(graph, catalog).nodes
    found: dict[Place, int] = {}
    looks: Mapping[str, Any] = graph.view.get("nodes", {})
    for id in needed(graph, catalog, targets, faulty):
        node = nodes[id]
        spec = catalog.get(node.type)
        locked = looks.get(id, {}).get("locked", ())
        for param in spec.params if spec else ():
            if param.type == "seed" and param.name not in node.inputs and param.name not in locked:
                value = node.params.get(param.name, param.default)
                found[id, param.name] = value if isinstance(value, int) else 0
    return found


def needed(
    graph: Graph,
    catalog: Mapping[str, NodeSpec],
    targets: Iterable[str] | None,
    faulty: Iterable[str] = (),
) -> set[str]:
    """The nodes that a run of these targets is about, without those that depend on faulty ones."""
    running = effective(graph, catalog)
    return ancestors(running, without_errors(running, _targets(graph, catalog, targets), faulty))


def choose_seeds(
    seeds: Mapping[Place, int],
    mode: SeedMode,
    count: int,
    last: Mapping[Place, int],
    fresh: Callable[[Place], bool] = lambda _: False,
    draw: Callable[[], int] = random_seed,
) -> list[SeedSet]:
    """The seeds of `count` pictures.

    A seed that the last run (`last`) did not use was set by hand or came back by undoing: it is
    used once as it is shown, unless it is `fresh`, as made with its node, and the mode is random.
    Fixed ones count up from picture to picture: the same picture twice is of no use.
    """
    seed_sets: list[SeedSet] = []
    current = dict(seeds)
    for index in range(count):
        for place, value in current.items():
            used = index > 0 or (mode != "fixed" and last.get(place) == value)
            if mode == "random" and (used or fresh(place)):
                current[place] = draw()
            elif mode != "random" and used:
                current[place] = (value + 1) % LIMIT
        seed_sets.append(tuple((node, name, value) for (node, name), value in current.items()))
    return seed_sets


def edits(graph: Graph, seed_set: SeedSet) -> list[Edit]:
    """What writes these seeds into the graph, where they differ."""
    return [
        SetParam(node, name, value)
        for node, name, value in seed_set
        if node in graph.nodes and graph.nodes[node].params.get(name) != value
    ]


def with_seeds(graph: Graph, seed_set: SeedSet) -> Graph:
    for edit in edits(graph, seed_set):
        graph, _ = edit.apply(graph)
    return graph


def _targets(
    graph: Graph, catalog: Mapping[str, NodeSpec], targets: Iterable[str] | None
) -> list[str]:
    if targets is not None:
        return list(targets)
    try:
        return effective_targets(graph, catalog)
    except GraphError:
        return []  # the run will be refused, with its reason
