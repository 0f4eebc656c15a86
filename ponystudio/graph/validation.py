"""What is wrong with a graph, found before anything runs: one named error for each place."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from ponystudio.api.spec import NodeSpec, ParamSpec, can_feed
from ponystudio.errors import (
    BrokenLink,
    GraphError,
    MissingInput,
    NothingToRun,
    TypeMismatch,
    UnknownNode,
    UnknownParam,
    UnknownSocket,
)
from ponystudio.graph.catalog import did_you_mean, known_elsewhere
from ponystudio.graph.coercion import coerce
from ponystudio.graph.model import Graph, Link, Node
from ponystudio.graph.name_tokens import check_names
from ponystudio.graph.placeholder import pack_of, reason_of, stands_for
from ponystudio.graph.plain_json import shown
from ponystudio.graph.topology import (
    CONSTANTS,
    ancestors,
    cycle_error,
    effective,
    find_cycle,
    known_value,
)

__all__ = ["check", "coerce", "effective_targets", "titles"]

# What a node is called in the text of an error about another one, by its id.
TitleOf = Callable[[str], str]


def titles(graph: Graph, catalog: Mapping[str, NodeSpec]) -> TitleOf:
    """What nodes are called on their cards, for those who do not see their ids."""

    def title_of(id: str) -> str:
        node = graph.nodes.get(id)
        spec = catalog.get(node.type) if node else None
        return (node.title if node else "") or (spec.title if spec else "") or id

    return title_of


def check(
    graph: Graph,
    catalog: Mapping[str, NodeSpec],
    *,
    targets: Iterable[str] | None = None,
    title_of: TitleOf = str,
) -> list[GraphError]:
    """Every error that would keep the graph from running, by node id; [] for none.

    With `targets` only of those and of what they depend on; that none of them runs is an error.
    Muted and bypassed nodes, and nodes that need a muted one, do not run and so have no errors.

    The catalog must be immutable: an unchanged node is not looked at again under the same one.
    """
    running = effective(graph, catalog)
    nodes = running.nodes
    errors: list[GraphError] = []
    ids: Iterable[str] = nodes
    if targets is not None:
        targets = list(targets)
        errors += [_no_such_node(id, graph) for id in targets if id not in graph.nodes]
        ids = ancestors(running, targets)
        if not ids and not errors:
            errors.append(_nothing_chosen_runs(targets))
    bad = [id for id in ids if not _known_good(nodes[id], nodes, catalog)]
    for id in sorted(bad):
        found = list(_errors(nodes[id], graph, running, catalog, title_of))
        if found:
            errors += found
        else:
            _note_good(nodes[id], nodes, catalog)
    # What the names of files say depends on the whole graph: that is looked at anew each time.
    errors += check_names(running, catalog, sorted(set(ids).difference(e.node for e in errors)))
    cycle = find_cycle(running, None if targets is None else ids)
    return [*errors, cycle_error(cycle, title_of)] if cycle else errors


def effective_targets(graph: Graph, catalog: Mapping[str, NodeSpec]) -> list[str]:
    """The nodes that a run is made for: those with effects that run. Raises NothingToRun."""
    with_effects = {type for type, spec in catalog.items() if spec.effects}
    found = [
        id for id, node in effective(graph, catalog).nodes.items() if node.type in with_effects
    ]
    if found:
        return sorted(found)
    if any(node.type in with_effects for node in graph.nodes.values()):
        raise NothingToRun(
            "Every node that saves or shows something is muted, bypassed or needs a muted node.",
            remedy="Unmute one of them.",
        )
    raise NothingToRun(
        "No node of this graph saves or shows anything.",
        remedy="Add a node such as Save image, or choose the nodes to run.",
    )


def _nothing_chosen_runs(targets: list[str]) -> NothingToRun:
    if not targets:
        return NothingToRun("No node is chosen to run.", remedy="Choose one.")
    return NothingToRun(
        "What is chosen to run is muted, bypassed or needs a muted node.",
        where=", ".join(sorted(targets)[:8]),
        node=min(targets),
        remedy="Unmute it, or choose another node.",
    )


def _known_good(node: Node, nodes: Mapping[str, Node], catalog: Mapping[str, NodeSpec]) -> bool:
    memory = node._checked
    if memory is None or memory[0] is not catalog:
        return False
    for source, known in zip(node.sources, memory[1], strict=True):
        other = nodes.get(source)
        if other is None or _counting(other) != known:
            return False
    return True


def _note_good(node: Node, nodes: Mapping[str, Node], catalog: Mapping[str, NodeSpec]) -> None:
    """Remember the catalog and of the sources that on which alone goodness depends."""
    node.remember("_checked", (catalog, tuple([_counting(nodes[id]) for id in node.sources])))


def _counting(source: Node) -> object:
    """Its type; of a constant, which is looked at as if it stood where it leads, all."""
    return source if source.type in CONSTANTS else source.type


def _errors(
    node: Node, graph: Graph, running: Graph, catalog: Mapping[str, NodeSpec], title_of: TitleOf
) -> Iterator[GraphError]:
    spec = catalog.get(node.type)
    if spec is None and (stood_for := stands_for(node)):
        pack, reason = pack_of(node), reason_of(node)
        yield UnknownNode(
            f"{shown(stood_for)} of ComfyUI is not known here"
            + (f": {reason}" if reason else f"; it comes with the node pack {pack}" if pack else "")
            + ".",
            node=node.id,
            remedy=("" if reason else known_elsewhere(stood_for, catalog))
            or "Put another node in its place, or bypass it; what it does not feed runs.",
        )
        return
    if spec is None:
        yield UnknownNode(
            f"There is no node type {shown(node.type)} here.",
            node=node.id,
            remedy=known_elsewhere(node.type, catalog)
            or did_you_mean(node.type, catalog)
            or "Install the node pack that it comes from.",
        )
        return
    if node.version != spec.version:
        yield _other_version(node, spec)
        return
    yield from _param_errors(node, spec)
    for socket, link in node.inputs.items():
        if error := _link_error(node, spec, socket, link, graph, running, catalog, title_of):
            yield error
        elif (param := spec.param_by_name.get(socket)) and (
            (value := known_value(running.nodes, catalog, node, socket)) is not None
        ):
            yield from _value_errors(node, param, value)
    for item in spec.inputs:
        if not item.optional and item.name not in node.inputs:
            yield _missing_input(node, item.name, item.type, graph, title_of)
    if spec.effects and not node.inputs and all(item.optional for item in spec.inputs):
        kinds = " or ".join(dict.fromkeys(item.type for item in spec.inputs))
        if kinds:
            yield MissingInput(
                "There is nothing for it to work on.",
                node=node.id,
                socket=spec.inputs[0].name,
                remedy=f"Wire a {kinds} into it.",
            )


def _param_errors(node: Node, spec: NodeSpec) -> Iterator[GraphError]:
    for name, value in node.params.items():
        param = spec.param_by_name.get(name)
        if param is None:
            yield UnknownParam(
                f"{spec.id} has no param {shown(name)}.",
                node=node.id,
                socket=name,
                remedy=did_you_mean(name, spec.param_by_name)
                or f"It has: {', '.join(spec.param_by_name) or 'none'}.",
            )
        elif name not in node.inputs:
            yield from _value_errors(node, param, value)


def _value_errors(node: Node, param: ParamSpec, value: Any) -> Iterator[GraphError]:
    try:
        coerce(param, value, node=node.id)
    except GraphError as error:
        yield error


def _link_error(
    node: Node,
    spec: NodeSpec,
    socket: str,
    link: Link,
    graph: Graph,
    running: Graph,
    catalog: Mapping[str, NodeSpec],
    title_of: TitleOf,
) -> GraphError | None:
    """What is wrong with one link into a node, looked at from the node outwards."""
    wanted = spec.input_by_name.get(socket) or spec.param_by_name.get(socket)
    if wanted is None:
        names = [*spec.input_by_name, *spec.param_by_name]
        return UnknownSocket(
            f"{spec.id} has no socket {shown(socket)}.",
            node=node.id,
            socket=socket,
            remedy=did_you_mean(socket, names) or f"It has: {', '.join(names) or 'none'}.",
        )
    source = running.nodes.get(link.source)
    if source is None:
        return BrokenLink(
            f"The link comes from {shown(link.source)}, which is not in the graph.",
            node=node.id,
            socket=socket,
            remedy=did_you_mean(link.source, graph.nodes) or "Link it to another node.",
        )
    offered = catalog.get(source.type)
    if offered is None:  # said at the source, where it can be put right
        return None
    output = offered.output_by_name.get(link.output)
    if output is None:
        return UnknownSocket(
            f"The link comes from {title_of(source.id)}.{link.output}, but {offered.id} has no "
            "such output.",
            node=node.id,
            socket=socket,
            remedy=did_you_mean(link.output, offered.output_by_name)
            or f"It has: {', '.join(offered.output_by_name) or 'none'}.",
        )
    target_type = wanted.socket_type if isinstance(wanted, ParamSpec) else wanted.type
    if not can_feed(output.type, target_type):
        return TypeMismatch(
            f"{title_of(source.id)}.{output.name} gives {output.type}, this takes {target_type}.",
            node=node.id,
            socket=socket,
            remedy=f"Link it to an output of type {target_type}.",
        )
    return None


def _missing_input(
    node: Node, socket: str, type: str, graph: Graph, title_of: TitleOf
) -> MissingInput:
    written = graph.nodes[node.id].inputs.get(socket)
    if written:
        source = title_of(written.source)
        return MissingInput(
            f"The link comes from {source}, which is bypassed and has nothing "
            f"of type {type} to pass on.",
            node=node.id,
            socket=socket,
            remedy=f"Turn {source} on again, or link something else.",
        )
    return MissingInput(
        f"Nothing is linked to {shown(socket)}.",
        node=node.id,
        socket=socket,
        remedy=f"Link it to an output of type {type}.",
    )


def _other_version(node: Node, spec: NodeSpec) -> UnknownNode:
    newer = node.version > spec.version
    return UnknownNode(
        f"The node was made with version {node.version} of {spec.id}; "
        f"version {spec.version} is installed.",
        node=node.id,
        remedy=f"Update {spec.pack or 'the pack it comes from'}."
        if newer
        else "It could not be upgraded; put a new one in its place.",
    )


def _no_such_node(id: str, graph: Graph) -> UnknownNode:
    return UnknownNode(
        f"There is no node {shown(id)} in the graph.",
        node=id,
        remedy=did_you_mean(id, graph.nodes)
        or f"It has: {', '.join(sorted(graph.nodes)[:8]) or 'none'}.",
    )
