"""Values that other programs wrote, and that are not of the kind, or among the choices, that our
params take."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from ponystudio.api.spec import NodeSpec, ParamSpec
from ponystudio.errors import GraphError
from ponystudio.graph.coercion import coerce
from ponystudio.graph.model import Graph, Node

_AS_NUMBER = re.compile(r"\s*+[+-]?[0-9]{1,20}(\.[0-9]{0,20})?\s*+", re.ASCII)


def without_slips(graph: Graph, catalog: Mapping[str, NodeSpec]) -> Graph:
    """The graph with numbers in the place of what other programs read as those: 20.0 where a whole
    number is wanted, "20" where any is."""
    nodes: dict[str, Node] = {}
    for node, spec, value, _ in _wrong(graph, catalog):
        meant = _meant(spec, value)
        if meant is not None and _error(spec, meant) is None:
            node = nodes.get(node.id, node)
            nodes[node.id] = replace(node, params={**node.params, spec.name: meant})
    return graph.with_nodes(nodes.values()) if nodes else graph


def doubts(graph: Graph, catalog: Mapping[str, NodeSpec]) -> Iterator[tuple[str, str]]:
    """What is wrong with values, each with the id of its node."""
    for node, spec, _, error in _wrong(graph, catalog):
        yield node.id, f"{spec.name} is kept, and in doubt: {error.what}"


def _wrong(
    graph: Graph, catalog: Mapping[str, NodeSpec]
) -> Iterator[tuple[Node, ParamSpec, Any, GraphError]]:
    for node in graph.nodes.values():
        specs = catalog[node.type].param_by_name if node.type in catalog else {}
        for name, value in node.params.items():
            if (spec := specs.get(name)) and (error := _error(spec, value)):
                yield node, spec, value, error


def _error(spec: ParamSpec, value: Any) -> GraphError | None:
    try:
        coerce(spec, value)
    except GraphError as error:
        return error
    return None


def _meant(spec: ParamSpec, value: Any) -> Any:
    if isinstance(value, str) and _AS_NUMBER.fullmatch(value):
        value = float(value) if "." in value else int(value)
    if spec.type in ("int", "seed") and isinstance(value, float) and value.is_integer():
        return int(value)
    return value
