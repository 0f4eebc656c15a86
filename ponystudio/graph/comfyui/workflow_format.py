"""ComfyUI's workflow format: a graph as its editor saves it, 0.4 and 1.0.

What the editor resolves before it runs a graph is resolved here: reroutes, primitives, nodes that
pass a wire on, group nodes and subgraphs. Muted and bypassed nodes stay, and say so.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

from ponystudio.errors import GraphFileError
from ponystudio.graph.comfyui.group_nodes import INSIDE, OUTSIDE, as_subgraph, group_name
from ponystudio.graph.comfyui.mapping import signatures
from ponystudio.graph.comfyui.source_graph import (
    MOST_BENDS,
    MOST_NODES,
    Bend,
    SourceArea,
    SourceGraph,
    SourceNode,
    Wire,
    inside,
    listed,
    number,
    objects,
    size_of,
    slot,
    text,
    whole,
)
from ponystudio.graph.comfyui.use_everywhere import EVERYWHERE, is_sender, links_by_rules
from ponystudio.graph.comfyui.virtual_nodes import (
    GETTERS,
    NOTES,
    REROUTES,
    SETTERS,
    VIRTUAL,
)
from ponystudio.graph.comfyui.widget_values import (
    OWN,
    bare_name,
    first_value,
    named_values,
    promoted_values,
    with_values,
)
from ponystudio.graph.comfyui.workflow_layout import WorkflowLayout
from ponystudio.graph.model import LONGEST_TITLE, Mode

_MODES: Mapping[float | None, Mode] = {2: "muted", 4: "bypassed"}
_WIRING = VIRTUAL | EVERYWHERE
# Subgraphs in each other; more is a circle.
_DEEPEST = 32
# Values of them, those of a subgraph as often as it is there.
_MOST_VALUES = 20_000_000


def looks_like(document: Any) -> bool:
    return isinstance(document, Mapping) and isinstance(document.get("nodes"), list)


def read(document: Any) -> SourceGraph:
    """The graph of a parsed document. Raises GraphFileError where it is damaged."""
    if not looks_like(document):
        raise GraphFileError("It has no nodes of ComfyUI's workflow format.")
    return _Reading(document).graph()


def classes(document: Any) -> dict[str, str]:
    """The classes of its nodes, by id, without those inside of others."""
    nodes = ((text(node.get("id")), node.get("type")) for node in objects(document, "nodes"))
    return {id: type for id, type in nodes if isinstance(type, str)}


def last_id(document: Mapping[str, Any]) -> int:
    """The highest number that a node of it has had; 0 for none."""
    said = document.get("last_node_id"), inside(document, "state").get("lastNodeId")
    return max([0, *filter(None, map(whole, (*said, *classes(document))))])


def inner_graphs(document: Mapping[str, Any]) -> dict[str, str]:
    """The titles of its nodes that have graphs of their own inside, by id."""
    inner = {text(item.get("id")) for item in _definitions(document)}
    groups = inside(inside(document, "extra"), "groupNodes")
    return {
        text(node.get("id")): text(node.get("title")) or type
        for node in objects(document, "nodes")
        if isinstance(type := node.get("type"), str)
        and (type in inner or group_name(type) in groups)
    }


def wires_of(document: Mapping[str, Any]) -> Callable[[str, int], Wire | None]:
    """What says which output of a node that runs stands behind an output of a node of it, by that
    node's id and the number of the output; None where none does. Raises GraphFileError."""
    reading, top = _Reading(document), _Scope(_Blueprint(document))
    return lambda id, out: reading.wire_behind(top, id, out)


@dataclass(frozen=True)
class _Literal:
    """What a wire brings where no node that runs is at its other end."""

    value: Any


@dataclass(frozen=True)
class _Further:
    """The link that leads on, and where it lies; `bends` from its end on, in their areas."""

    scope: _Scope
    link: str
    bends: tuple[Bend, ...] = ()


class _Blueprint:
    """A graph, or a subgraph, as it is written: its nodes by id, and its links by theirs, each with
    the node and the output that it comes from."""

    def __init__(self, graph: Mapping[str, Any]) -> None:
        self.graph = graph
        self.nodes: dict[str, Mapping[str, Any]] = {}
        if len(listed(graph, "nodes")) > MOST_NODES:
            raise GraphFileError(f"It has more than {MOST_NODES:,} nodes.")
        for node in listed(graph, "nodes"):
            id = text(node.get("id")) if isinstance(node, Mapping) else ""
            if not id or not isinstance(node.get("type"), str):
                raise GraphFileError("One of its nodes has no id or no type.", where="nodes")
            self.nodes[id] = node
        self.links: dict[str, tuple[str, int]] = {}
        # By the number of an output of the subgraph.
        self.outward: dict[int, str] = {}
        self.remarks: list[str] = []
        for link in listed(graph, "links"):
            self._add_link(link)
        self._everywhere: dict[tuple[str, int], str] = {}
        self._add_links_of_everywhere()
        self._inputs: dict[str, list[Mapping[str, Any]]] = {}
        self._sizes: dict[str, int] = {}
        self._passed_on: dict[str, dict[str, int]] = {}

    def _add_link(self, link: Any) -> None:
        match link:
            case [id, source, out, target, place, *_]:
                pass
            case {"id": id, "origin_id": source, "origin_slot": out, "target_id": target,
                  "target_slot": place}:  # fmt: skip
                pass
            case _:
                return
        id, source, origin = text(id), text(source), slot(out)
        if origin is None:
            said = f"link {id} comes from no output of node {source}, and is left out"
            self.remarks.append(said)
            return
        self.links[id] = source, origin
        if text(target) == OUTSIDE and (end := slot(place)) is not None:
            self.outward.setdefault(end, id)

    def _add_links_of_everywhere(self) -> None:
        """Those of the Use Everywhere nodes: what they were when the graph was saved, else by the
        rules of the nodes."""
        found: dict[tuple[str, int], tuple[str, int]] = {}
        for item in objects(inside(self.graph, "extra"), "ue_links"):
            source, out = text(item.get("upstream")), slot(item.get("upstream_slot"))
            target, place = text(item.get("downstream")), slot(item.get("downstream_slot"))
            if source and target and out is not None and place is not None:
                found[target, place] = source, out
        if not found and any(map(is_sender, self.nodes.values())):
            found, remarks = links_by_rules(self.graph, self.nodes, self.links)
            self.remarks += remarks
        for i, (end, origin) in enumerate(found.items()):
            self.links[f"everywhere {i}"] = origin
            self._everywhere[end] = f"everywhere {i}"

    def size(self, id: str) -> int:
        """How many values a node says."""
        if id not in self._sizes:
            self._sizes[id] = size_of(self.nodes[id])
        return self._sizes[id]

    def inputs(self, id: str) -> list[Mapping[str, Any]]:
        """A node's, each in its place."""
        if id not in self._inputs:
            self._inputs[id] = objects(self.nodes[id], "inputs")
        return self._inputs[id]

    def link_to(self, id: str, place: int) -> str | None:
        """The link to an input of a node."""
        inputs = self.inputs(id)
        said = text(inputs[place].get("link")) if place < len(inputs) else ""
        return said if said in self.links else self._everywhere.get((id, place))

    def passed_on(self, id: str, out: int) -> int | None:
        """The input that a bypassed node passes on as this output: the one in the same place where
        the types are equal, else the first of that type."""
        outputs, inputs = listed(self.nodes[id], "outputs"), self.inputs(id)
        if out >= len(outputs) or not isinstance(outputs[out], Mapping):
            return None
        type = text(outputs[out].get("type"))
        if out < len(inputs) and text(inputs[out].get("type")) == type:
            return out
        if id not in self._passed_on:
            first = self._passed_on[id] = {}
            for place, item in enumerate(inputs):
                first.setdefault(text(item.get("type")), place)
        return self._passed_on[id].get(type)

    def is_wiring(self, id: str) -> bool:
        """Whether a node does nothing but wire others, or say something."""
        return self.nodes[id]["type"] in _WIRING

    @cached_property
    def input_names(self) -> list[str]:
        return [text(item.get("name")) for item in objects(self.graph, "inputs")]

    @cached_property
    def setters(self) -> dict[str, str]:
        """Ids of the nodes that set a name."""
        found: dict[str, str] = {}
        for id, node in self.nodes.items():
            if node["type"] in SETTERS:
                found.setdefault(text(first_value(node)), id)
        return found

    @cached_property
    def layout(self) -> WorkflowLayout:
        return WorkflowLayout(self.graph, self.nodes.values())

    @cached_property
    def frames(self) -> tuple[Mapping[str, Any], ...]:
        return tuple(map(self.layout.frame, objects(self.graph, "groups")))

    @cached_property
    def notes(self) -> tuple[Mapping[str, Any], ...]:
        found = (node for node in self.nodes.values() if node["type"] in NOTES)
        return tuple(map(self.layout.note, found))


@dataclass(eq=False)
class _Scope:
    """A graph, or the inside of an instance of a subgraph: `prefix` stands before its ids, and is
    the key of its area; `instance` is the id of the node that it is inside of, in the scope
    `outer`, and `mode` what it makes of all that is inside."""

    blueprint: _Blueprint
    prefix: str = ""
    outer: _Scope | None = None
    instance: str = ""
    depth: int = 0
    mode: Mode = "normal"
    # What instances of subgraphs say of values of nodes inside, and of their inputs.
    changed: dict[str, Mapping[str, Any]] = field(default_factory=dict)
    given: dict[str, Any] = field(default_factory=dict)
    # What was found out before.
    inner: dict[str, _Scope | None] = field(default_factory=dict)
    traced: dict[str, Wire | _Literal | None] = field(default_factory=dict)

    def full(self, id: str) -> str:
        return f"{self.prefix}{id}"

    def node(self, id: str) -> Mapping[str, Any] | None:
        return self.changed.get(id) or self.blueprint.nodes.get(id)

    def bends(self, link: str) -> Iterator[Bend]:
        """Those of a link by itself."""
        yield from (Bend(self.prefix, x, y) for x, y in self.blueprint.layout.bends(link))

    def bend_at(self, id: str) -> tuple[Bend, ...]:
        """Where a node stands that passes a wire on."""
        middle = self.blueprint.layout.middle(self.blueprint.nodes[id])
        return (Bend(self.prefix, *middle),) if middle else ()

    @cached_property
    def fed(self) -> dict[str, str]:
        """The links to inputs of the instance, by name."""
        found: dict[str, str] = {}
        if self.outer:
            outer = self.outer.blueprint
            for place, item in enumerate(outer.inputs(self.instance)):
                link = outer.link_to(self.instance, place)
                if link is not None:
                    found.setdefault(text(item.get("name")), link)
        return found


def _further(scope: _Scope, id: str, place: int, bends: tuple[Bend, ...] = ()) -> _Further | None:
    """Along the link of an input."""
    link = scope.blueprint.link_to(id, place)
    return None if link is None else _Further(scope, link, bends)


class _Reading:
    def __init__(self, document: Mapping[str, Any]) -> None:
        self._document = document
        self._remarks: dict[tuple[str, str], None] = {}
        self._areas: dict[str, SourceArea] = {}
        self._definitions = {text(item.get("id")): item for item in _definitions(document)}
        self._blueprints: dict[str, _Blueprint] = {}
        self._groups = inside(inside(document, "extra"), "groupNodes")
        self._nodes: dict[str, SourceNode] = {}
        self._met = self._values = 0

    def graph(self) -> SourceGraph:
        self._add(_Scope(_Blueprint(self._document)))
        return SourceGraph(self._nodes, self._areas, tuple(self._remarks))

    def _add(self, scope: _Scope) -> None:
        self._remarks.update((("", text), None) for text in scope.blueprint.remarks)
        self._areas[scope.prefix] = self._area(scope)
        for id in scope.blueprint.nodes:
            node = scope.node(id) or {}
            self._count(scope.blueprint.size(id), scope.prefix)
            if scope.blueprint.is_wiring(id):
                continue
            if inner := self._inside(scope, id, node):
                self._add(inner)
            else:
                self._nodes[scope.full(id)] = self._node(scope, id, node)

    def _area(self, scope: _Scope) -> SourceArea:
        blueprint, title, around = scope.blueprint, "", ""
        place: Mapping[str, Any] = {}
        self._met += len(blueprint.frames)
        if scope.outer:
            instance = scope.outer.blueprint.nodes[scope.instance]
            name = text(blueprint.graph.get("name")) or group_name(instance["type"])
            title = (text(instance.get("title")) or name)[:LONGEST_TITLE]
            around = scope.outer.prefix
            place = scope.outer.blueprint.layout.place(instance)
        return SourceArea(title, around, place, blueprint.frames, blueprint.notes)

    def _count(self, size: int, prefix: str) -> None:
        """Refuse a small file that says the same again and again."""
        self._met += 1
        self._values += size + size_of(prefix)
        if self._met > MOST_NODES:
            raise GraphFileError(f"It has more than {MOST_NODES:,} nodes.")
        if self._values > _MOST_VALUES:
            raise GraphFileError(f"Its nodes have more than {_MOST_VALUES:,} values.")

    def _node(self, scope: _Scope, id: str, node: Mapping[str, Any]) -> SourceNode:
        type = str(node["type"])
        inputs = named_values(node, signatures().get(type))
        for place, item in enumerate(scope.blueprint.inputs(id)):
            link, name = scope.blueprint.link_to(id, place), text(item.get("name"))
            if link is None or not name:
                continue
            found = self._trace(scope, link)
            if isinstance(found, _Literal):
                inputs[name] = found.value
            elif found:
                inputs[name] = found
        mode = _mode(node, scope.mode)
        return SourceNode(
            scope.full(id),
            type,
            text(node.get("title")),
            inputs,
            tuple(text(output.get("name")) for output in objects(node, "outputs")),
            scope.blueprint.layout.place(node),
            inside(node, "properties"),
            scope.prefix,
            mode,
            self._passed_on(scope, id, node) if mode == "bypassed" else {},
        )

    def _passed_on(self, scope: _Scope, id: str, node: Mapping[str, Any]) -> dict[int, Any]:
        """What a bypassed node gives as its outputs."""
        passed: dict[int, Any] = {}
        for out in range(len(listed(node, "outputs"))):
            place = scope.blueprint.passed_on(id, out)
            link = None if place is None else scope.blueprint.link_to(id, place)
            found = None if link is None else self._trace(scope, link)
            if found is not None:
                passed[out] = found.value if isinstance(found, _Literal) else found
        return passed

    # --- Along wires ------------------------------------------------------------------------------

    def _trace(self, scope: _Scope, link: str) -> Wire | _Literal | None:
        """What is at the beginning of a link."""
        found: Wire | _Literal | _Further | None = _Further(scope, link)
        way: list[_Further] = []
        muted: set[str] = set()
        while isinstance(found, _Further):
            scope, link = found.scope, found.link
            if link in scope.traced:
                bends, found = found.bends, scope.traced[link]
                found = _bent(found, bends)
            elif link not in scope.blueprint.links:
                found = None
            else:
                scope.traced[link] = None  # a circle ends here
                way.append(found)
                origin, out = scope.blueprint.links[link]
                if origin == INSIDE:
                    # Nothing comes through a muted instance, though its nodes are still wired.
                    found = None if scope.prefix in muted else self._outside(scope, out)
                else:
                    found = self._behind(scope, origin, out)
                    if isinstance(found, _Further) and found.scope.outer is scope:
                        instance = scope.node(found.scope.instance) or {}
                        if _mode(instance) == "muted":
                            muted.add(found.scope.prefix)
        for there in reversed(way):
            found = _bent(found, there.scope.bends(there.link))
            there.scope.traced[there.link] = found
            found = _bent(found, there.bends)
        return found

    def wire_behind(self, scope: _Scope, id: str, out: int) -> Wire | None:
        found = self._behind(scope, id, out)
        if isinstance(found, _Further):
            found = self._trace(found.scope, found.link)
        return found if isinstance(found, Wire) else None

    def _behind(self, scope: _Scope, id: str, out: int) -> Wire | _Literal | _Further | None:
        """What an output of a node gives, or where to look further."""
        node = scope.node(id)
        if node is None or node["type"] in NOTES:
            return None
        type, mode = node["type"], _mode(node)
        if type in VIRTUAL and mode == "muted":
            return None
        if type in REROUTES or type in SETTERS:
            return _further(scope, id, 0, scope.bend_at(id))
        if type == "PrimitiveNode":
            value = first_value(node)
            return None if value is None else _Literal(value)
        if type in GETTERS:
            return self._got(scope, id, text(first_value(node)))
        if inner := self._inside(scope, id, node):
            if mode == "bypassed":
                place = scope.blueprint.passed_on(id, out)
                return None if place is None else _further(scope, id, place)
            link = inner.blueprint.outward.get(out)
            return None if link is None else _Further(inner, link)
        return None if scope.blueprint.is_wiring(id) else Wire(scope.full(id), out)

    def _got(self, scope: _Scope, id: str, name: str) -> _Further | None:
        """What the node that sets this name is given: in the own graph, else in those around."""
        there: _Scope | None = scope
        while there:
            if setter := there.blueprint.setters.get(name):
                bends = (*there.bend_at(setter), *scope.bend_at(id))
                return _further(there, setter, 0, bends)
            there = there.outer
        return None

    def _outside(self, scope: _Scope, place: int) -> _Literal | _Further | None:
        """What comes in by an input of a subgraph: what its instance is wired to, or its value."""
        names = scope.blueprint.input_names
        if scope.outer is None or place >= len(names):
            return None
        name = names[place]
        if name in scope.fed:
            return _Further(scope.outer, scope.fed[name])
        return _Literal(scope.given[name]) if name in scope.given else None

    # --- Subgraphs and group nodes ----------------------------------------------------------------

    def _inside(self, scope: _Scope, id: str, node: Mapping[str, Any]) -> _Scope | None:
        """The graph inside of a node, where it has one."""
        if id not in scope.inner:
            scope.inner[id] = self._entered(scope, id, node)
        return scope.inner[id]

    def _entered(self, scope: _Scope, id: str, node: Mapping[str, Any]) -> _Scope | None:
        type = str(node["type"])
        group = inside(self._groups, group_name(type))
        if type not in self._definitions and not group:
            return None
        if scope.depth >= _DEEPEST:
            raise GraphFileError("Its subgraphs are inside of each other without end.", where=type)
        self._count(scope.blueprint.size(id), scope.full(id))
        if type not in self._definitions:
            self._count(size_of(group), "")
            blueprint = _Blueprint(as_subgraph(group, node))
        elif type in self._blueprints:
            blueprint = self._blueprints[type]
        else:
            blueprint = self._blueprints[type] = _Blueprint(self._definitions[type])
        mode = _mode(node, scope.mode)
        inner = _Scope(blueprint, f"{scope.full(id)}:", scope, id, scope.depth + 1, mode)
        if type in self._definitions:
            self._promote(inner, node)
        return inner

    def _promote(self, inner: _Scope, instance: Mapping[str, Any]) -> None:
        """Give the nodes inside the values that the instance has for them."""
        promoted = promoted_values(instance, inner.blueprint.input_names)
        by_node: dict[str, dict[str, Any]] = defaultdict(dict)
        for (id, name), value in promoted.items():
            by_node[id][name] = value
        inner.given = by_node.pop(OWN, {})
        for id, values in by_node.items():
            if node := inner.blueprint.nodes.get(id):
                # One that is an instance itself looks for whose the values are.
                if node["type"] not in self._definitions:
                    values = {bare_name(name): value for name, value in values.items()}
                inner.changed[id] = with_values(node, values)


def _definitions(document: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """Those of subgraphs, also inside of others."""
    rest = [document]
    while rest:
        found = objects(inside(rest.pop(), "definitions"), "subgraphs")
        yield from (item for item in found if text(item.get("id")))
        rest += found


def _mode(node: Mapping[str, Any], around: Mode = "normal") -> Mode:
    """A node's, and what it is inside of one in the mode `around`."""
    own = _MODES.get(number(node.get("mode")), "normal")
    return "muted" if "muted" in (own, around) else around if own == "normal" else own


def _bent(found: Wire | _Literal | None, bends: Iterable[Bend]) -> Wire | _Literal | None:
    """What was found, along further bends."""
    if isinstance(found, Wire) and (bends := tuple(bends)):
        return replace(found, bends=(*found.bends, *bends)[-MOST_BENDS:])
    return found
