"""What depends on what.

Plain loops over the graph's own mappings: building a networkx graph first costs several times
what these walks do, and both happen before every run. The circle that people are told of is the one
that the walk met: a second search would only find it again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Set
from dataclasses import replace
from typing import Any

from ponystudio.api.spec import NodeSpec
from ponystudio.errors import Cycle
from ponystudio.graph.model import Graph, Link, Node


def ancestors(graph: Graph, targets: Iterable[str]) -> set[str]:
    """The targets that exist and all that they depend on."""
    nodes = graph.nodes
    found = {id for id in targets if id in nodes}
    pending = list(found)
    while pending:
        for source in nodes[pending.pop()].sources:
            if source not in found and source in nodes:
                found.add(source)
                pending.append(source)
    return found


def dependents(graph: Graph, ids: Iterable[str]) -> set[str]:
    """These and all that depend on them."""
    readers: dict[str, list[str]] = {}
    for node in graph.nodes.values():
        for source in node.sources:
            readers.setdefault(source, []).append(node.id)
    found = set(ids)
    pending = list(found)
    while pending:
        for reader in readers.get(pending.pop(), ()):
            if reader not in found:
                found.add(reader)
                pending.append(reader)
    return found


def without_errors(graph: Graph, ids: Iterable[str], faulty: Iterable[str]) -> list[str]:
    """Those of `ids` that are in the graph and depend on no faulty node, in their order."""
    spoilt = dependents(graph, faulty)
    return [id for id in ids if id in graph.nodes and id not in spoilt]


def order(graph: Graph, ids: Iterable[str] | None = None) -> list[str]:
    """These nodes (None: all), every one after those among them that it depends on.

    Depth first from the ends of the graph, so that one picture is finished before the next is begun
    and values live short; in the graph's own order where the links leave a choice. O(nodes +
    links). Raises Cycle for one among these nodes.
    """
    wanted = graph.nodes.keys() if ids is None else set(ids)
    found, cycle = _remembered_walk(graph)
    if cycle and ids is not None:
        found, cycle = _walk(graph, wanted)
    if cycle:
        raise cycle_error(cycle)
    return [id for id in found if id in wanted]


def find_cycle(graph: Graph, ids: Iterable[str] | None = None) -> list[str]:
    """Nodes that wait for each other, each one feeding the next and the last the first; or []."""
    cycle = _remembered_walk(graph)[1]
    return _walk(graph, set(ids))[1] if cycle and ids is not None else cycle


def cycle_error(cycle: list[str], title_of: Callable[[str], str] = str) -> Cycle:
    """`title_of` says what a node is called, by its id."""
    circle = " → ".join(map(title_of, [*cycle, cycle[0]]))
    return Cycle(
        f"These nodes wait for each other in a circle: {circle}.",
        node=cycle[0],
        remedy="Remove one of these links.",
    )


# Where a graph remembers its walk and what of it runs; checking and planning both need them.
_WALK, _EFFECTIVE = "_walk", "_effective"


def _remembered_walk(graph: Graph) -> tuple[list[str], list[str]]:
    memory: tuple[list[str], list[str]] | None = graph.__dict__.get(_WALK)
    if memory is None:
        memory = graph.__dict__[_WALK] = _walk(graph, graph.nodes.keys())
    return memory


def _walk(graph: Graph, ids: Set[str]) -> tuple[list[str], list[str]]:
    """Depth-first post-order and, if it met one, a cycle (the order is then incomplete)."""
    # With many nodes it is lookups of ids all over memory that take time, so there are few of them.
    waiting = {id: node.sources for id, node in graph.nodes.items() if id in ids}
    read: set[str] = set().union(*waiting.values())
    result: list[str] = []
    # First the ends; what no end depends on lies behind a circle.
    for root in [*(id for id in waiting if id not in read), *waiting]:
        if root not in waiting:
            continue
        # The nodes being walked, each feeding the one before it, and what is left of their sources.
        path, active, left = [root], {root}, [iter(waiting.pop(root))]
        while path:
            for source in left[-1]:
                if source in waiting:
                    path.append(source)
                    active.add(source)
                    left.append(iter(waiting.pop(source)))
                    break
                if source in active:
                    return result, _circle(path[path.index(source) :])
            else:
                left.pop()
                active.discard(path[-1])
                result.append(path.pop())
    return result, []


def _circle(path: list[str]) -> list[str]:
    """A walked circle turned downstream, beginning at its least id: one message a circle."""
    downstream = path[::-1]
    start = downstream.index(min(path))
    return downstream[start:] + downstream[:start]


# What hands on what is written in it; the param is "value".
CONSTANTS = frozenset({"core.int", "core.float", "core.bool", "core.seed", "core.text"})


def known_value(
    nodes: Mapping[str, Node], catalog: Mapping[str, NodeSpec], node: Node, name: str
) -> Any:
    """What a param is before a run: what is written there, else its default, and where a wire
    brings it what is written in the constant that it leads to. None where only a run says it."""
    if link := node.inputs.get(name):
        source = nodes.get(link.source)
        if source is None or source.type not in CONSTANTS or source.inputs:
            return None
        node, name = source, "value"
    spec = catalog.get(node.type)
    param = spec.param_by_name.get(name) if spec else None
    return node.params.get(name, param.default if param else None)


def effective(graph: Graph, catalog: Mapping[str, NodeSpec]) -> Graph:
    """The graph that runs: without muted and bypassed nodes, every link leading to its real source.

    Muted: the node and every node that needs it, through a required input, does not run; an
    optional socket or a param fed by it counts as not linked.
    Bypassed: links pass through the node, the n-th output of a type standing for what feeds the
    n-th input of that type (the first, where there are fewer); an output without such an input
    counts as not linked. So whoever reads a bypassed node has the key of what feeds it.
    A graph of normal nodes is returned as it is.
    """
    special = {id: node for id, node in graph.nodes.items() if node.mode != "normal"}
    if not special:
        return graph
    memory: tuple[Mapping[str, NodeSpec], Graph] | None = graph.__dict__.get(_EFFECTIVE)
    if memory is None or memory[0] is not catalog:
        memory = graph.__dict__[_EFFECTIVE] = (catalog, _effective(graph, special, catalog))
    return memory[1]


def _effective(graph: Graph, special: Mapping[str, Node], catalog: Mapping[str, NodeSpec]) -> Graph:
    dead = {id for id, node in special.items() if node.mode == "muted"}
    wired: dict[str, Node] = {}
    needed_by: dict[str, list[str]] = {}
    for id, node in graph.nodes.items():
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
        found = node.inputs.get(bypass_input(spec, found.output)) if spec else None
    return found


def bypass_input(spec: NodeSpec, output: str) -> str:
    """The input that a bypassed node passes on as this output, or ""."""
    if output not in spec.output_by_name:
        return ""
    kind = spec.output_by_name[output].type
    inputs = [item.name for item in spec.inputs if item.type == kind]
    place = [item.name for item in spec.outputs if item.type == kind].index(output)
    return inputs[place if place < len(inputs) else 0] if inputs else ""


class UpstreamSearch:
    """Which of some wanted nodes is the nearest, or the farthest, of those that feed others.

    Near is by the fewest wires between, far by the most: so nothing wanted feeds the farthest one.
    However many ask, each node is walked over once. In a circle some may not be found.
    """

    def __init__(
        self, graph: Graph, wanted: Callable[[Node], bool], *, farthest: bool = False
    ) -> None:
        self._nodes, self._wanted, self._farthest = graph.nodes, wanted, farthest
        # By node: how many wires lie between it and the wanted ones, and two of those at most.
        self._found: dict[str, tuple[int, tuple[str, ...]]] = {}

    def among(self, sources: Iterable[str]) -> list[Node]:
        """The one in or above these nodes, of as near ones the first two in the sockets' order;
        [] for none."""
        sources = list(sources)
        self._walk(sources)
        return [self._nodes[id] for id in self._best(sources)[1]]

    def _walk(self, sources: Iterable[str]) -> None:
        pending, begun = [id for id in sources if id in self._nodes], set[str]()
        while pending:
            id = pending[-1]
            feeding = self._nodes[id].sources
            if id not in begun and id not in self._found:
                begun.add(id)
                new = (one for one in feeding if one in self._nodes and one not in begun)
                pending += [one for one in new if one not in self._found]
                continue
            if id not in self._found:
                self._found[id] = self._best(feeding)
            pending.pop()

    def _best(self, sources: Iterable[str]) -> tuple[int, tuple[str, ...]]:
        """Of the sources and what was found above them."""
        best: tuple[int, tuple[str, ...]] = (0, ())
        for id in sources:
            if id not in self._nodes:
                continue
            wires, above = self._found.get(id, (0, ()))
            itself = self._wanted(self._nodes[id]) and not (self._farthest and above)
            wires, ids = (1, (id,)) if itself else (wires + 1, above)
            if ids and wires == best[0] and not self._farthest:
                best = (wires, tuple(dict.fromkeys([*best[1], *ids]))[:2])
            elif ids and (not best[1] or (wires >= best[0]) == self._farthest):
                best = (wires, ids)
        return best
