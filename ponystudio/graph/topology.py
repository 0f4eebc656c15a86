"""What depends on what.

Plain loops over the graph's own mappings: building a networkx graph first costs several times
what these walks do, and both happen before every run.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace

from ponystudio.api.spec import NodeSpec
from ponystudio.errors import Cycle
from ponystudio.graph.model import Graph, Link, Node


def ancestors(graph: Graph, targets: Iterable[str]) -> set[str]:
    """The targets that exist and all that they depend on."""
    nodes = graph.nodes
    found = {id for id in targets if id in nodes}
    pending = list(found)
    while pending:
        for link in nodes[pending.pop()].inputs.values():
            source = link.source
            if source not in found and source in nodes:
                found.add(source)
                pending.append(source)
    return found


def order(graph: Graph, ids: Iterable[str] | None = None) -> list[str]:
    """These nodes (None: all), every one after those among them that it depends on.

    Depth first, so that one picture is finished before the next is begun and values live short;
    by id where the links leave a choice, so that equal graphs have equal orders. O(nodes + links)
    apart from one sort. Raises Cycle.
    """
    result, cycle = _walk(graph, ids)
    if cycle:
        raise cycle_error(cycle)
    return result


def find_cycle(graph: Graph, ids: Iterable[str] | None = None) -> list[str]:
    """Nodes that wait for each other, each one feeding the next and the last the first; or []."""
    return _walk(graph, ids)[1]


def cycle_error(cycle: list[str]) -> Cycle:
    return Cycle(
        f"These nodes wait for each other in a circle: {' → '.join([*cycle, cycle[0]])}.",
        node=cycle[0],
        remedy="Remove one of these links.",
    )


def _walk(graph: Graph, ids: Iterable[str] | None) -> tuple[list[str], list[str]]:
    """Depth-first post-order and, if it met one, a cycle (the order is then incomplete)."""
    nodes = graph.nodes
    # 1: not seen, 2: its sources are being walked, absent: done or not wanted.
    state = dict.fromkeys(sorted(nodes if ids is None else set(ids) & nodes.keys()), 1)
    result: list[str] = []
    stack: list[str] = []
    for root in list(state):
        if root not in state:
            continue
        stack.append(root)
        while stack:
            id = stack[-1]
            seen = state.get(id)
            if seen == 1:
                state[id] = 2
                inputs = nodes[id].inputs
                # Reversed, for the stack is last in, first out.
                for socket in sorted(inputs, reverse=True) if len(inputs) > 1 else inputs:
                    source = inputs[socket].source
                    mark = state.get(source)
                    if mark == 1:
                        stack.append(source)
                    elif mark == 2:
                        return result, _circle(stack, state, source)
            else:
                stack.pop()
                if seen == 2:
                    del state[id]
                    result.append(id)
    return result, []


def _circle(stack: list[str], state: Mapping[str, int], first: str) -> list[str]:
    """The circle that closes at `first`, from its least id on, for one message a circle."""
    # A node's last place on the stack is the one that is being walked; others only wait there.
    # Each walked node feeds the one below it, so from the top down is downstream.
    path = [id for id in dict.fromkeys(reversed(stack)) if state.get(id) == 2]
    circle = path[: path.index(first) + 1]
    start = circle.index(min(circle))
    return circle[start:] + circle[:start]


def effective(graph: Graph, catalog: Mapping[str, NodeSpec]) -> Graph:
    """The graph that runs: without muted and bypassed nodes, every link leading to its real source.

    Muted: the node and every node that needs it, through a required input, does not run; an
    optional socket or a param fed by it counts as not linked.
    Bypassed: links pass through the node, the n-th output of a type standing for what feeds the
    n-th input of that type (the first, where there are fewer); an output without such an input
    counts as not linked. So whoever reads a bypassed node has the key of what feeds it.
    A graph of normal nodes is returned as it is.
    """
    nodes = graph.nodes
    special = {id: node for id, node in nodes.items() if node.mode != "normal"}
    if not special:
        return graph
    dead = {id for id, node in special.items() if node.mode == "muted"}
    wired: dict[str, Node] = {}
    needed_by: dict[str, list[str]] = {}
    for id, node in nodes.items():
        if id not in special:
            wired[id] = node = _rewired(node, special, catalog)
            spec = catalog.get(node.type)
            for socket, link in node.inputs.items():
                if _needs(spec, socket):
                    needed_by.setdefault(link.source, []).append(id)
    pending = list(dead)
    while pending:
        for id in needed_by.get(pending.pop(), ()):
            if id not in dead:
                dead.add(id)
                pending.append(id)
    return replace(
        graph,
        nodes={id: _without(node, dead) for id, node in wired.items() if id not in dead},
    )


def _needs(spec: NodeSpec | None, socket: str) -> bool:
    """Whether a node cannot run without what is linked to this socket or param."""
    if spec is None:
        return True
    found = spec.input_by_name.get(socket)
    return found is not None and not found.optional


def _rewired(node: Node, special: Mapping[str, Node], catalog: Mapping[str, NodeSpec]) -> Node:
    """The node with links around bypassed nodes."""
    if not any(link.source in special for link in node.inputs.values()):
        return node
    links = ((socket, _follow(link, special, catalog)) for socket, link in node.inputs.items())
    return replace(node, inputs={socket: link for socket, link in links if link})


def _without(node: Node, dead: set[str]) -> Node:
    """The node without its links from these nodes, all of which it can do without."""
    if not any(link.source in dead for link in node.inputs.values()):
        return node
    return replace(
        node, inputs={s: link for s, link in node.inputs.items() if link.source not in dead}
    )


def _follow(
    link: Link, special: Mapping[str, Node], catalog: Mapping[str, NodeSpec]
) -> Link | None:
    """Where a link really comes from, through bypassed nodes; None: from nowhere."""
    seen: set[Link] = set()
    found: Link | None = link
    while found and (node := special.get(found.source)) and node.mode == "bypassed":
        if found in seen:  # bypassed nodes in a circle
            return None
        seen.add(found)
        spec = catalog.get(node.type)
        found = node.inputs.get(passes(spec, found.output)) if spec else None
    return found


def passes(spec: NodeSpec, output: str) -> str:
    """The input that a bypassed node passes on as this output, or ""."""
    if output not in spec.output_by_name:
        return ""
    kind = spec.output_by_name[output].type
    inputs = [item.name for item in spec.inputs if item.type == kind]
    place = [item.name for item in spec.outputs if item.type == kind].index(output)
    return inputs[place if place < len(inputs) else 0] if inputs else ""
