"""ComfyUI's workflow format: a graph as its editor saves it, 0.4 and 1.0.

What the editor resolves before it runs a graph is resolved here: reroutes, primitives, nodes that
pass a wire on, muted and bypassed ones, group nodes and subgraphs. Values stand in order, without
names; `resources/comfyui_nodes.json` has the order of the core nodes.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ponystudio.errors import GraphFileError
from ponystudio.graph.comfyui.core_nodes import Signature, signatures
from ponystudio.graph.comfyui.source_graph import SourceGraph, SourceNode, Wire

# Ids of the borders of a subgraph.
_INSIDE, _OUTSIDE = "-10", "-20"
_NEVER, _BYPASSED = 2, 4
# What a seed is followed by: what is done to it after a run.
_AFTER_RUN = frozenset(("fixed", "increment", "decrement", "randomize", "increment-wrap"))
_AFTER = "control_after_generate"
_NOTES = frozenset(("Note", "MarkdownNote"))
_VIRTUAL = frozenset(("Reroute", "PrimitiveNode", "SetNode", "GetNode", *_NOTES))
# Subgraphs in each other; more is a circle.
_DEEPEST = 32
# Nodes with those inside of subgraphs: two levels that hold each other ten times are a hundred.
_MOST = 100_000


def looks_like(document: Any) -> bool:
    return isinstance(document, Mapping) and isinstance(document.get("nodes"), list)


def read(document: Mapping[str, Any]) -> SourceGraph:
    """The graph of a parsed document. Raises GraphFileError where it is damaged."""
    return _Reading(document).graph()


@dataclass(frozen=True)
class _Literal:
    """What a wire brings where no node that runs is at its other end."""

    value: Any


@dataclass
class _Scope:
    """A graph, or the inside of an instance of a subgraph: `prefix` stands before its ids,
    `instance` is the node that it is inside of, in the scope `outer`."""

    nodes: dict[str, Mapping[str, Any]]
    links: dict[str, tuple[str, int, str, int, str]]
    definition: Mapping[str, Any]
    prefix: str = ""
    outer: _Scope | None = None
    instance: Mapping[str, Any] = field(default_factory=dict)
    depth: int = 0

    def full(self, id: str) -> str:
        return f"{self.prefix}{id}"


@dataclass(frozen=True)
class _Further:
    """The link that leads on, and where it lies."""

    scope: _Scope
    link: str


def _further(scope: _Scope, item: Mapping[str, Any]) -> _Further | None:
    """Along the link of an input."""
    link = item.get("link")
    return None if link is None else _Further(scope, str(link))


class _Reading:
    def __init__(self, document: Mapping[str, Any]) -> None:
        self._document = document
        self._remarks: list[str] = []
        self._definitions = {
            str(item.get("id")): item for item in _definitions(document) if isinstance(item, dict)
        }
        extra = document.get("extra")
        groups = extra.get("groupNodes") if isinstance(extra, Mapping) else None
        self._groups: Mapping[str, Any] = groups if isinstance(groups, Mapping) else {}
        self._inner: dict[tuple[str, str], _Scope] = {}
        self._nodes: dict[str, SourceNode] = {}

    def graph(self) -> SourceGraph:
        top = _scope(self._document)
        self._add(top)
        frames = [_frame(group) for group in _list(self._document, "groups")]
        notes = [_note(node) for node in top.nodes.values() if node.get("type") in _NOTES]
        return SourceGraph(self._nodes, tuple(frames), tuple(notes), tuple(self._remarks))

    def _add(self, scope: _Scope) -> None:
        for id, node in scope.nodes.items():
            type, mode = str(node.get("type")), node.get("mode")
            if type in _VIRTUAL or mode in (_NEVER, _BYPASSED):
                if type not in _VIRTUAL:
                    what = "muted" if mode == _NEVER else "bypassed"
                    self._remarks.append(f"{type} {scope.full(id)} is {what}, and left out")
                continue
            if inner := self._inside(scope, id, node):
                self._add(inner)
                continue
            self._nodes[scope.full(id)] = self._node(scope, id, node)
            if len(self._nodes) > _MOST:
                raise GraphFileError(f"It has more than {_MOST:,} nodes.")

    def _node(self, scope: _Scope, id: str, node: Mapping[str, Any]) -> SourceNode:
        type = str(node["type"])
        inputs: dict[str, Any] = dict(_values(node, signatures().get(type)))
        for item in _mappings(node, "inputs"):
            if item.get("link") is None:
                continue
            found, name = self._trace(scope, str(item["link"])), str(item.get("name"))
            if isinstance(found, _Literal):
                inputs[name] = found.value
            elif found:
                inputs[name] = found
        outputs = _mappings(node, "outputs")
        properties = node.get("properties")
        return SourceNode(
            scope.full(id),
            type,
            str(node.get("title") or ""),
            inputs,
            tuple(str(output.get("name")) for output in outputs),
            _place(node),
            properties if isinstance(properties, Mapping) else {},
        )

    # --- Along wires ------------------------------------------------------------------------------

    def _trace(self, scope: _Scope, link: str) -> Wire | _Literal | None:
        """What is at the beginning of a link."""
        seen: set[tuple[str, str]] = set()
        while (scope.prefix, link) not in seen and link in scope.links:
            seen.add((scope.prefix, link))
            origin, slot, *_ = scope.links[link]
            found = (
                self._outside(scope, slot)
                if origin == _INSIDE
                else self._behind(scope, origin, slot)
            )
            if not isinstance(found, _Further):
                return found
            scope, link = found.scope, found.link
        return None

    def _behind(self, scope: _Scope, id: str, slot: int) -> Wire | _Literal | _Further | None:
        """What an output of a node gives, or where to look further."""
        node = scope.nodes.get(id)
        if node is None or node.get("mode") == _NEVER or node.get("type") in _NOTES:
            return None
        type, inputs = node.get("type"), _mappings(node, "inputs")
        if node.get("mode") == _BYPASSED:
            return _further(scope, _passed_on(node, inputs, slot))
        if type in ("Reroute", "SetNode"):
            return _further(scope, inputs[0] if inputs else {})
        if type == "PrimitiveNode":
            values = node.get("widgets_values")
            return _Literal(values[0]) if isinstance(values, list) and values else None
        if type == "GetNode":
            return self._got(scope, node)
        if inner := self._inside(scope, id, node):
            ending = (
                _Further(inner, link)
                for link, (_, _, target, place, _) in inner.links.items()
                if (target, place) == (_OUTSIDE, slot)
            )
            return next(ending, None)
        return Wire(scope.full(id), slot)

    def _got(self, scope: _Scope, node: Mapping[str, Any]) -> _Further | None:
        """What the node that sets this name is given: in the own graph, else in those around."""
        name, there = _first_value(node), scope
        while there:
            for other in there.nodes.values():
                if other.get("type") == "SetNode" and _first_value(other) == name:
                    inputs = _mappings(other, "inputs")
                    return _further(there, inputs[0] if inputs else {})
            if there.outer is None:
                return None
            there = there.outer
        return None

    def _outside(self, scope: _Scope, slot: int) -> _Literal | _Further | None:
        """What comes in by an input of a subgraph: what its instance is wired to, or its value."""
        declared = _mappings(scope.definition, "inputs")
        if scope.outer is None or not 0 <= slot < len(declared):
            return None
        name = str(declared[slot].get("name"))
        for item in _mappings(scope.instance, "inputs"):
            if item.get("name") == name and item.get("link") is not None:
                return _further(scope.outer, item)
        promoted = _promoted(scope.instance, [str(item.get("name")) for item in declared])
        return _Literal(promoted["-1", name]) if ("-1", name) in promoted else None

    # --- Subgraphs and group nodes ----------------------------------------------------------------

    def _inside(self, scope: _Scope, id: str, node: Mapping[str, Any]) -> _Scope | None:
        """The graph inside of a node, where it has one."""
        key, type = (scope.prefix, id), str(node.get("type"))
        if key in self._inner:
            return self._inner[key]
        definition = self._definitions.get(type)
        if definition is None:
            group = self._groups.get(type.removeprefix("workflow/").removeprefix("workflow>"))
            if not type.startswith("workflow") or not isinstance(group, Mapping):
                return None
            definition = _as_subgraph(group)
        if scope.depth >= _DEEPEST:
            raise GraphFileError("Its subgraphs are inside of each other without end.", where=type)
        inner = _scope(definition)
        inner.prefix, inner.outer, inner.instance = f"{scope.full(id)}:", scope, node
        inner.depth = scope.depth + 1
        if "_group" in definition:
            _fill_group(inner, node)
        else:
            names = [str(item.get("name")) for item in _mappings(definition, "inputs")]
            for (inside, name), value in _promoted(node, names).items():
                if inside in inner.nodes and name != _AFTER:
                    inner.nodes[inside] = _with_value(inner.nodes[inside], name, value)
        self._inner[key] = inner
        return inner


def _scope(graph: Mapping[str, Any]) -> _Scope:
    nodes = {}
    for node in _list(graph, "nodes"):
        if (
            not isinstance(node, Mapping)
            or "id" not in node
            or not isinstance(node.get("type"), str)
        ):
            raise GraphFileError("One of its nodes has no id or no type.", where="nodes")
        nodes[str(node["id"])] = node
    links = {}
    for link in _list(graph, "links"):
        match link:
            case [id, source, slot, target, place, *rest]:
                found = id, source, slot, target, place, rest[0] if rest else ""
            case {"id": id, "origin_id": source, "origin_slot": slot, "target_id": target,
                  "target_slot": place}:  # fmt: skip
                found = id, source, slot, target, place, link.get("type", "")
            case _:
                continue
        id, source, slot, target, place, type = found
        if _is_number(slot) and _is_number(place):
            links[str(id)] = str(source), int(slot), str(target), int(place), str(type)
    return _Scope(nodes, links, graph)


def _definitions(document: Mapping[str, Any]) -> Iterator[Any]:
    """Those of subgraphs, also inside of others."""
    there = document.get("definitions")
    for item in _list(there, "subgraphs") if isinstance(there, Mapping) else []:
        yield item
        if isinstance(item, Mapping):
            yield from _definitions(item)


def _passed_on(
    node: Mapping[str, Any], inputs: Sequence[Mapping[str, Any]], slot: int
) -> Mapping[str, Any]:
    """The input that a bypassed node passes on: the one in the same place where the types are
    equal, else the first of that type."""
    outputs = _mappings(node, "outputs")
    type = outputs[slot].get("type") if 0 <= slot < len(outputs) else None
    fitting = [item for item in inputs if item.get("type") == type]
    if 0 <= slot < len(inputs) and inputs[slot].get("type") == type:
        fitting.insert(0, inputs[slot])
    return fitting[0] if fitting else {}


def _first_value(node: Mapping[str, Any]) -> Any:
    values = node.get("widgets_values")
    return values[0] if isinstance(values, list) and values else None


# --- Values ---------------------------------------------------------------------------------------


def _values(node: Mapping[str, Any], signature: Signature | None) -> Iterator[tuple[str, Any]]:
    """The values of a node by the names of its inputs."""
    named, values = node.get("widgets_values_named"), node.get("widgets_values")
    if isinstance(values, Mapping):
        yield from values.items()
        values = None
    if isinstance(values, list):
        if signature:
            owners = [(name, type, owned) for name, type, owned in signature.inputs if owned]
        else:
            owners = [
                (str(item["name"]), str(item.get("type")), 1)
                for item in _list(node, "inputs")
                if isinstance(item, Mapping) and isinstance(item.get("widget"), Mapping)
            ]
        yield from _in_order(values, owners)
        if not owners and values:
            yield "widgets_values", values
    if isinstance(named, Mapping):
        yield from named.items()


def _in_order(
    values: Sequence[Any], owners: Sequence[tuple[str, str, int]]
) -> Iterator[tuple[str, Any]]:
    """By position: a seed is followed by what is done to it, where that is there."""
    whole = sum(owned for _, _, owned in owners)
    place = 0
    for name, type, owned in owners:
        if place >= len(values):
            return
        yield name, values[place]
        place += 1
        if owned > 1 and place < len(values) and _is_after(values, place, type, whole):
            place += 1


def _is_after(values: Sequence[Any], place: int, type: str, whole: int) -> bool:
    """Whether the value is what follows a seed or a picture, not the next input's."""
    if type != "INT":
        return values[place] == "image" or len(values) >= whole
    return values[place] in _AFTER_RUN or (
        len(values) >= whole and (values[place] is None or isinstance(values[place], bool))
    )


def _promoted(instance: Mapping[str, Any], inputs: Sequence[str]) -> dict[tuple[str, str], Any]:
    """The values of an instance of a subgraph by (id of the inner node, or "-1" for an input of the
    subgraph; name): one for each of its proxies, or for each of its inputs among them."""
    properties = instance.get("properties")
    said = properties.get("proxyWidgets") if isinstance(properties, Mapping) else None
    if isinstance(said, str):
        try:
            said = json.loads(said)
        except ValueError:
            said = None
    proxies = [
        (str(item[0]), str(item[1]))
        for item in (said if isinstance(said, list) else [])
        if isinstance(item, list) and len(item) >= 2
    ]
    values = instance.get("widgets_values")
    values = values if isinstance(values, list) else []
    own = [proxy for proxy in proxies if proxy[0] == "-1"]
    found: dict[tuple[str, str], Any] = {}
    if proxies and len(values) == len(proxies):
        found = dict(zip(proxies, values, strict=True))
    elif own and len(values) == len(own):
        found = dict(zip(own, values, strict=True))
    elif not proxies:  # promoted by inputs alone
        widgets = [
            str(item["name"])
            for item in _list(instance, "inputs")
            if isinstance(item, Mapping) and item.get("widget") and item.get("name") in inputs
        ]
        # What is done to a seed after a run may follow it.
        rest = [value for value in values if value not in _AFTER_RUN]
        for name, value in zip(
            widgets, values if len(values) == len(widgets) else rest, strict=False
        ):
            found["-1", name] = value
    named = instance.get("widgets_values_named")
    for name, value in named.items() if isinstance(named, Mapping) else ():
        found["-1", str(name)] = value
    return {key: value for key, value in found.items() if value is not None}


def _with_value(node: Mapping[str, Any], name: str, value: Any) -> Mapping[str, Any]:
    named = node.get("widgets_values_named")
    return {
        **node,
        "widgets_values_named": {**(named if isinstance(named, Mapping) else {}), name: value},
    }


# --- Group nodes, as subgraphs --------------------------------------------------------------------


def _as_subgraph(group: Mapping[str, Any]) -> dict[str, Any]:
    """A group node's nodes under their places as ids."""
    nodes = [
        {**node, "id": str(place)}
        for place, node in enumerate(_list(group, "nodes"))
        if isinstance(node, Mapping)
    ]
    return {"nodes": nodes, "links": [], "_group": group}


def _fill_group(inner: _Scope, instance: Mapping[str, Any]) -> None:
    """Wire the inside of a group node, and give its nodes the values of the instance: those of all
    of them one after the other."""
    group = inner.definition["_group"]
    counted = 0

    def link(source: str, slot: int, target: str, place: int) -> str:
        nonlocal counted
        counted += 1
        inner.links[f"g{counted}"] = source, slot, target, place, ""
        return f"g{counted}"

    nodes = {id: dict(node) for id, node in inner.nodes.items()}
    for node in nodes.values():
        node["inputs"] = [dict(item, link=None) for item in _list(node, "inputs")]
    inside: set[tuple[str, int]] = set()
    for item in _list(group, "links"):
        if not isinstance(item, list) or len(item) < 4:
            continue
        source, slot, target, place = item[:4]
        inputs = nodes.get(str(target), {}).get("inputs", [])
        if not _is_number(place) or int(place) >= len(inputs):
            continue
        # A reroute's input has no name, and goes by its type.
        inputs[int(place)]["name"] = inputs[int(place)].get("name") or item[-1]
        if source is not None and _is_number(slot):
            inputs[int(place)]["link"] = link(str(source), int(slot), str(target), int(place))
            inside.add((str(source), int(slot)))
    _wire_group_inputs(group, nodes, inner, link)
    values = instance.get("widgets_values")
    rest = list(values) if isinstance(values, list) else []
    for id, node in nodes.items():
        own = node.get("widgets_values")
        if isinstance(own, list) and rest:
            node["widgets_values"], rest = rest[: len(own)], rest[len(own) :]
        inner.nodes[id] = node
    external = {
        (str(_index(entry[0])), int(entry[1]))
        for entry in _list(group, "external")
        if isinstance(entry, list) and len(entry) >= 2 and _is_number(entry[1])
    }
    outward = 0
    for id, node in nodes.items():
        for slot, _ in enumerate(_list(node, "outputs")):
            if (id, slot) in inside and (id, slot) not in external:
                continue
            link(id, slot, _OUTSIDE, outward)
            outward += 1


def _wire_group_inputs(
    group: Mapping[str, Any], nodes: Mapping[str, dict[str, Any]], inner: _Scope, link: Any
) -> None:
    """The unlinked inputs of its nodes, in their order, are the instance's."""
    config = group.get("config")
    config = config if isinstance(config, Mapping) else {}
    declared: list[dict[str, Any]] = []
    for id, node in nodes.items():
        about = config.get(id)
        shown = about.get("input") if isinstance(about, Mapping) else None
        for place, item in enumerate(node["inputs"]):
            if item.get("link") is not None:
                continue
            name = str(item.get("name"))
            said = shown.get(name) if isinstance(shown, Mapping) else None
            name = str(said.get("name") or name) if isinstance(said, Mapping) else name
            if any(other["name"] == name for other in declared):
                name = f"{node.get('title') or node.get('type')} {name}"
            item["link"] = link(_INSIDE, len(declared), id, place)
            declared.append({"name": name})
    inner.definition = {**inner.definition, "inputs": declared}


def _index(node: Any) -> Any:
    return node.get("index") if isinstance(node, Mapping) else node


# --- Where things stand ---------------------------------------------------------------------------


def _place(node: Mapping[str, Any]) -> dict[str, Any]:
    place: dict[str, Any] = {}
    if pos := _pair(node.get("pos")):
        place["pos"] = pos
    flags = node.get("flags")
    if isinstance(flags, Mapping) and flags.get("collapsed"):
        place["collapsed"] = True
    return place


def _frame(group: Any) -> dict[str, Any]:
    bounding = group.get("bounding") if isinstance(group, Mapping) else None
    x, y, w, h = bounding if isinstance(bounding, list) and len(bounding) == 4 else (0, 0, 400, 200)
    title = str(group.get("title", "")) if isinstance(group, Mapping) else ""
    return {"title": title, "pos": [x, y], "size": [w, h]}


def _note(node: Mapping[str, Any]) -> dict[str, Any]:
    values = node.get("widgets_values")
    text = str(values[0]) if isinstance(values, list) and values else ""
    note: dict[str, Any] = {"text": text, "pos": _pair(node.get("pos")) or [0, 0]}
    if size := _pair(node.get("size")):
        note["size"] = size
    return note


def _pair(value: Any) -> list[float] | None:
    """[x, y], also said by {"0": x, "1": y}."""
    if isinstance(value, Mapping):
        value = [value.get("0"), value.get("1")]
    if isinstance(value, list) and len(value) >= 2 and all(map(_is_number, value[:2])):
        return [round(float(number), 1) for number in value[:2]]
    return None


def _is_number(value: Any) -> bool:
    if isinstance(value, str):
        return value.lstrip("-").isdigit()
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < 1e7


def _mappings(data: Mapping[str, Any], name: str) -> list[Mapping[str, Any]]:
    return [item for item in _list(data, name) if isinstance(item, Mapping)]


def _list(data: Mapping[str, Any], name: str) -> list[Any]:
    found = data.get(name)
    return found if isinstance(found, list) else []
