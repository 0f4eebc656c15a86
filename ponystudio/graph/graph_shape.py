"""What of a graph does not depend on the ids of its nodes."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Mapping
from typing import Any

from ponystudio.api.spec import NodeSpec
from ponystudio.graph.model import Graph
from ponystudio.graph.topology import order


def shape(graph: Graph, catalog: Mapping[str, NodeSpec]) -> Counter[str]:
    """A hash for each node, of its type, its params and mode, and all that leads to it: equal for
    graphs whose nodes are the same but for ids, titles and places."""
    known: dict[str, str] = {}
    for id in order(graph):
        node = graph.nodes[id]
        spec = catalog.get(node.type)
        defaults = {param.name: param.default for param in spec.params} if spec else {}
        params = {**defaults, **node.params}
        params = {k: _counted(v) for k, v in params.items() if k not in node.inputs}
        links = {k: [known.get(link.source), link.output] for k, link in node.inputs.items()}
        said = json.dumps([node.type, params, node.mode, links], sort_keys=True)
        known[id] = hashlib.sha256(said.encode()).hexdigest()
    return Counter(known.values())


def _counted(value: Any) -> Any:
    """The value with 8 for 8.0: programs for which they are one write either."""
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, Mapping):
        return {key: _counted(item) for key, item in value.items()}
    return [_counted(item) for item in value] if isinstance(value, list | tuple) else value
