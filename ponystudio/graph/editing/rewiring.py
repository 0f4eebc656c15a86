"""Nodes put into, taken out of and exchanged within a graph whose wires live on."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import replace
from typing import Any

from ponystudio.api.spec import NodeSpec, can_feed
from ponystudio.errors import GraphError
from ponystudio.graph.coercion import coerce
from ponystudio.graph.editing import wiring
from ponystudio.graph.editing.edits import (
    AddNode,
    Compound,
    Connect,
    Edit,
    RemoveNode,
    ReplaceNode,
    edit_between,
)
from ponystudio.graph.editing.node_ids import fresh_id
from ponystudio.graph.editing.wiring import Bridge, Pair, Specs, Wire
from ponystudio.graph.model import Graph, Link, Node
from ponystudio.graph.topology import ancestors, bypass_input, dependents

# From so many nodes on they go in one edit of the whole graph.
_MANY = 64


def new_node(graph: Graph, spec: NodeSpec) -> Node:
    """A node of this kind with an id of its own; its params are those of today."""
    params = {param.name: param.default for param in spec.params}
    return Node(fresh_id(spec.id, graph.nodes), spec.id, spec.version, params)


def insert(graph: Graph, specs: Specs, node: str, wire: Wire) -> list[Edit]:
    """A node of the graph put into a wire; [] if it does not fit there."""
    spec = specs.get(graph.nodes[node].type)
    through = way_through(graph, specs, spec, wire) if spec else None
    link = graph.nodes[wire[0]].inputs.get(wire[1])
    if link is None or through is None or node in (wire[0], link.source):
        return []
    # Only a node that nothing hangs on can be meant to slip into a wire.
    if through[0] in graph.nodes[node].inputs or wiring.wires_from(graph, node, through[1]):
        return []
    if node in ancestors(graph, (link.source,)) or wire[0] in ancestors(graph, (node,)):
        return []
    return [
        Connect(link.source, link.output, node, through[0]),
        Connect(node, through[1], wire[0], wire[1]),
    ]


def insert_new(
    graph: Graph, specs: Specs, spec: NodeSpec, wire: Wire, view: Mapping[str, Any]
) -> tuple[str, list[Edit]]:
    """A new node put into a wire, or only added if it does not fit: its id, and the edits."""
    node = new_node(graph, spec)
    link = graph.nodes[wire[0]].inputs[wire[1]]
    edits: list[Edit] = [AddNode(node, view)]
    if through := way_through(graph, specs, spec, wire):
        edits += [
            Connect(link.source, link.output, node.id, through[0]),
            Connect(node.id, through[1], wire[0], wire[1]),
        ]
    return node.id, edits


def way_through(graph: Graph, specs: Specs, spec: NodeSpec, wire: Wire) -> tuple[str, str] | None:
    """The input and the output by which a wire can lead through a node, or None."""
    link = graph.nodes[wire[0]].inputs.get(wire[1])
    if link is None:
        return None
    given = wiring.output_type(graph, specs, link.source, link.output)
    taken = wiring.input_type(graph, specs, *wire)
    ins = [item for item in spec.inputs if can_feed(given, item.type)]
    outs = [item for item in spec.outputs if can_feed(item.type, taken)]
    if not ins or not outs:
        return None
    ins.sort(key=lambda item: (item.type != given, item.optional))
    outs.sort(key=lambda item: (item.type != taken, item.name != wire[1]))
    return ins[0].name, outs[0].name


def insert_bridge(
    graph: Graph, specs: Specs, bridge: Bridge, pair: Pair, view: Mapping[str, Any]
) -> tuple[str, list[Edit]]:
    """A conversion put between two sockets, with the tools it needs: its id, and the edits."""
    node = new_node(graph, bridge.spec)
    edits: list[Edit] = [
        AddNode(node, view),
        Connect(pair.source, pair.output, node.id, bridge.input),
        *(
            Connect(tool.source, tool.output, node.id, name)
            for name, tool in tools(graph, specs, bridge.spec, pair, {bridge.input}).items()
        ),
        *wiring.connect(graph, Pair(node.id, bridge.output, pair.target, pair.input)),
    ]
    return node.id, edits


def tools(
    graph: Graph, specs: Specs, spec: NodeSpec, pair: Pair, fed: Collection[str]
) -> dict[str, Link]:
    """For the tools a new node needs (its vae, say) those that its neighbours use."""
    found: dict[str, Link] = {}
    after = dependents(graph, [pair.target])
    near = [id for id in _by_nearness(graph, pair) if id not in after]
    for socket in spec.inputs:
        if socket.name in fed or socket.optional or socket.type not in wiring.TOOLS:
            continue
        # What its neighbours use of this type, then any output of it.
        used = (
            link
            for id in [pair.target, *near]
            for name, link in sorted(graph.nodes[id].inputs.items())
            if link.source in graph.nodes
            and link.source not in after
            and wiring.input_type(graph, specs, id, name) == socket.type
        )
        offered = (
            Link(id, output)
            for id in near
            for output, type in wiring.outputs(graph, specs, id)
            if type == socket.type
        )
        if link := next(used, None) or next(offered, None):
            found[socket.name] = link
    return found


def _by_nearness(graph: Graph, pair: Pair) -> list[str]:
    """Upstream of the new wire first, then the rest in the graph's order."""
    upstream = ancestors(graph, (pair.source, pair.target))
    return sorted(graph.nodes, key=lambda id: id not in upstream)


def delete(graph: Graph, ids: Iterable[str]) -> list[Edit]:
    """Nodes away, with their wires, and with the dots that those had at other nodes."""
    gone = {id for id in ids if id in graph.nodes}
    if len(gone) > _MANY:
        return [edit_between(graph, _without(graph, gone))]
    wires = [
        wire for id in sorted(gone) for wire in wiring.wires_from(graph, id) if wire[0] not in gone
    ]
    return [*wiring.disconnect(graph, wires), *(RemoveNode(id) for id in sorted(gone))]


def _without(graph: Graph, gone: Collection[str]) -> Graph:
    """The graph without these nodes, at once: one by one each copies what is left."""
    nodes: dict[str, Node] = {}
    cut: list[Wire] = []
    for id, node in graph.nodes.items():
        if id in gone:
            continue
        if any(source in gone for source in node.sources):
            cut += [(id, name) for name, link in node.inputs.items() if link.source in gone]
            kept = {name: link for name, link in node.inputs.items() if link.source not in gone}
            node = replace(node, inputs=kept)
        nodes[id] = node
    view = dict(graph.view)
    if looks := view.get("nodes"):
        view["nodes"] = {id: look for id, look in looks.items() if id not in gone}
    after = replace(graph, nodes=nodes, view=view)
    return Compound(tuple(wiring.without_dots(after, cut))).apply(after)[0]


def dissolve(graph: Graph, specs: Specs, ids: Iterable[str]) -> list[Edit]:
    """Nodes away, their wires led on: what fed them feeds what they fed, type by type."""
    gone = {id for id in ids if id in graph.nodes}
    keep: list[Edit] = []
    for id in sorted(gone):
        for target, input in wiring.wires_from(graph, id):
            link = graph.nodes[target].inputs[input]
            if target not in gone and (source := _source_beyond(graph, specs, link, gone)):
                keep.append(Connect(source.source, source.output, target, input))
    kept = {(edit.target, edit.input) for edit in keep if isinstance(edit, Connect)}
    lost = [
        wire
        for id in sorted(gone)
        for wire in wiring.wires_from(graph, id)
        if wire[0] not in gone and wire not in kept
    ]
    removals = (RemoveNode(id) for id in sorted(gone))
    return [*keep, *wiring.disconnect(graph, lost), *removals]


def _source_beyond(graph: Graph, specs: Specs, link: Link, gone: Collection[str]) -> Link | None:
    found: Link | None = link
    seen: set[Link] = set()
    while found and found.source in gone and found not in seen:
        seen.add(found)
        node = graph.nodes[found.source]
        spec = specs.get(node.type)
        found = node.inputs.get(bypass_input(spec, found.output)) if spec else None
    return found if found and found.source not in gone else None


def swap(graph: Graph, specs: Specs, id: str, spec: NodeSpec) -> list[Edit]:
    """Another kind of node in the place of one, with its place, title, and all wires and values
    that the new kind has a use for: by name first, then by type."""
    old = graph.nodes[id]
    params = {param.name: param.default for param in spec.params}
    for name, value in old.params.items():
        if (param := spec.param_by_name.get(name)) is not None:
            try:
                params[name] = coerce(param, value, node=id)
            except GraphError:
                pass  # a value of another kind: the new node's own stays
    node = replace(
        Node(id, spec.id, spec.version, params, mode=old.mode, title=old.title, extra=old.extra),
        inputs=_inputs_kept(graph, specs, old, spec),
    )
    renamed = _outputs_kept(graph, specs, id, spec)
    edits: list[Edit] = []
    lost: list[Wire] = []
    for wire in wiring.wires_from(graph, id):
        new = renamed.get(graph.nodes[wire[0]].inputs[wire[1]].output, "")
        if new and can_feed(spec.output_by_name[new].type, wiring.input_type(graph, specs, *wire)):
            edits.append(Connect(id, new, *wire))
        else:
            lost.append(wire)
    dropped = [(id, name) for name in old.inputs if name not in node.inputs]
    return [*wiring.disconnect(graph, [*lost, *dropped]), ReplaceNode(node), *edits]


def _inputs_kept(graph: Graph, specs: Specs, old: Node, spec: NodeSpec) -> dict[str, Link]:
    names = [*spec.input_by_name, *spec.param_by_name]
    kept: dict[str, Link] = {}
    homeless: list[Link] = []
    for name, link in old.inputs.items():
        given = wiring.output_type(graph, specs, link.source, link.output)
        if name in names and can_feed(given, wiring.spec_input_type(spec, name)):
            kept[name] = link
        else:
            homeless.append(link)
    for link in homeless:
        given = wiring.output_type(graph, specs, link.source, link.output)
        free = (s.name for s in spec.inputs if s.name not in kept and can_feed(given, s.type))
        if name := next(free, ""):
            kept[name] = link
    return kept


def _outputs_kept(graph: Graph, specs: Specs, id: str, spec: NodeSpec) -> dict[str, str]:
    """By output of the old kind the one of the new kind that takes its place."""
    kept: dict[str, str] = {}
    old = wiring.outputs(graph, specs, id)
    for name, type in old:
        same = spec.output_by_name.get(name)
        if same and (type == "any" or can_feed(same.type, type)):
            kept[name] = name
    for name, type in old:
        if name not in kept:
            fits = [item.name for item in spec.outputs if item.type == type]
            unused = [item for item in fits if item not in kept.values()]
            if found := next(iter(unused or fits), ""):
                kept[name] = found
    return kept
