"""What of a graph does not depend on the ids of its nodes."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Mapping

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
        params = {k: v for k, v in {**defaults, **node.params}.items() if k not in node.inputs}
        links = {k: [known.get(link.source), link.output] for k, link in node.inputs.items()}
        said = json.dumps([node.type, params, node.mode, links], sort_keys=True)
        known[id] = hashlib.sha256(said.encode()).hexdigest()
    return Counter(known.values())
