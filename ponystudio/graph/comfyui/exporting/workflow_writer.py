"""ComfyUI's workflow format 0.4 is written: nodes and links join a document, which may be one of
theirs with all that it says of other nodes.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import PurePosixPath
from typing import Any

from ponystudio.graph.comfyui.core_nodes import Signature, signatures
from ponystudio.graph.comfyui.exporting.target_graph import TargetNode
from ponystudio.graph.comfyui.source_graph import Wire, inside, listed, objects, text, whole
from ponystudio.graph.comfyui.virtual_nodes import NOTES, TITLES, note_text
from ponystudio.graph.comfyui.widget_values import named_values
from ponystudio.graph.model import Mode, position

VERSION = 0.4
# The values of a node of which nothing else is known than their order.
UNNAMED = "widgets_values"
_MODES: Mapping[Mode, int] = {"normal": 0, "muted": 2, "bypassed": 4}
# Of the cards there, in their units.
_WIDTH, _WIDE = 270, 400
_ROW, _FIELD, _LINES, _PADDING = 20, 24, 120, 16
# What of ours has another name there, as a type of a socket.
_TYPES = {"text": "STRING", "bool": "BOOLEAN", "seed": "INT", "choice": "COMBO", "any": "*"}
# Between columns and rows, where no places are said.
_GAP = 60
_FRESH: Mapping[str, Any] = {
    "last_node_id": 0,
    "last_link_id": 0,
    "nodes": [],
    "links": [],
    "groups": [],
    "config": {},
    "extra": {"ds": {"scale": 1, "offset": [0, 0]}},
    "version": VERSION,
}


def socket_type(type: str) -> str:
    """Their name of a type of a socket of ours."""
    return _TYPES.get(type, type.upper())


class WorkflowWriter:
    """Writes into a document of its own. `sockets` are the inputs and outputs, by name and type, of
    classes that no signature is known of; `models` what a graph knows of files that it names."""

    def __init__(
        self,
        document: Mapping[str, Any] | None = None,
        sockets: Mapping[str, Signature] | None = None,
        models: Mapping[str, Any] | None = None,
    ) -> None:
        self.document: dict[str, Any] = copied(document or _FRESH)
        self.document |= {name: listed(self.document, name) for name in ("nodes", "links")}
        self._signatures = {**(sockets or {}), **signatures()}
        self._models = models or {}
        self._nodes = {text(node.get("id")): node for node in self.document["nodes"]}
        links = listed(self.document, "links")
        self._links = max((id for link in links if (id := _link_id(link))), default=0)
        self._links = max(self._links, whole(self.document.get("last_link_id")) or 0)
        # Those of version 1 are objects.
        self._as_objects = self.document.get("version") == 1

    def add(
        self,
        node: TargetNode,
        place: Mapping[str, Any],
        like: Mapping[str, Any] | None = None,
    ) -> None:
        """A node, without its links. `like`: that of theirs which it stands for; what that says of
        colours and the like stays."""
        same = like is not None and like.get("type") == node.type
        base: dict[str, Any] = copied(like) if like else {}
        if not same:
            for name in ("inputs", "outputs", "widgets_values", "widgets_values_named"):
                base.pop(name, None)
        values = self._values(node, base)
        made: dict[str, Any] = {
            "id": whole(node.id) if whole(node.id) is not None else node.id,
            "type": node.type,
            "pos": [0, 0],
            "size": [0, 0],
            "flags": {},
            "order": len(self._nodes),
            "mode": 0,
            **base,
            "inputs": self._inputs(node, base),
            "outputs": self._outputs(node, base),
            **values,
        }
        made["type"], made["mode"] = node.type, _MODES[node.mode]
        if not same:
            made["size"] = _size(made)
            made["properties"] = self._properties(node, inside(base, "properties"))
        if pos := place.get("pos"):
            made["pos"] = list(pos)
        _set_flag(made, "collapsed", bool(place.get("collapsed")))
        _set_flag(made, "pinned", bool(place.get("pinned")))
        if node.title:
            made["title"] = node.title
        elif not same:
            made.pop("title", None)
        self._nodes[node.id] = made
        self.document["nodes"].append(made)

    def connect(self, wire: Wire, target: str, name: str) -> None:
        """A link from an output to an input of a node, by its name."""
        source, node = self._nodes[wire.source], self._nodes[target]
        self._links += 1
        place = next(i for i, item in enumerate(node["inputs"]) if item.get("name") == name)
        node["inputs"][place]["link"] = self._links
        output = self._output(source, wire.slot)
        output["links"] = [*listed(output, "links"), self._links]
        type = output.get("type", "*")
        ends = [source["id"], wire.slot, node["id"], place, type]
        keys = ("origin_id", "origin_slot", "target_id", "target_slot", "type")
        link = {"id": self._links, **dict(zip(keys, ends, strict=True))}
        self.document["links"].append(link if self._as_objects else [self._links, *ends])

    # --- Nodes that are there already -------------------------------------------------------------

    def set_values(self, id: str, values: Mapping[str, Any]) -> None:
        """Other values of a node; what brought one along a wire does so no more."""
        node = self._nodes[id]
        for place, item in enumerate(objects(node, "inputs")):
            if item.get("name") in values and (link := item.get("link")) is not None:
                node["inputs"][place]["link"] = None
                self._remove_link(link)
        type = str(node["type"])
        node.update(self._values(TargetNode(id, type, values, ""), node))

    def set_title(self, id: str, title: str) -> None:
        node = self._nodes[id]
        if title:
            node["title"] = title
        else:
            node.pop("title", None)

    def set_mode(self, id: str, mode: Mode) -> None:
        self._nodes[id]["mode"] = _MODES[mode]

    def move(self, id: str, place: Mapping[str, Any]) -> None:
        """`place`: by how much it was moved, and the flags that are others."""
        node = self._nodes[id]
        if by := place.get("pos"):
            node["pos"] = moved(node.get("pos"), by)
        for flag in ("collapsed", "pinned"):
            if flag in place:
                _set_flag(node, flag, place[flag])

    def lead(self, link: int, wire: Wire) -> None:
        """A link that is there comes from another output now."""
        source = self._nodes[wire.source]
        for found in self.document["links"]:
            if _link_id(found) != link:
                continue
            if isinstance(found, dict):
                found |= {"origin_id": source["id"], "origin_slot": wire.slot}
            else:
                found[1:3] = source["id"], wire.slot
        output = self._output(source, wire.slot)
        output["links"] = [*listed(output, "links"), link]

    def _remove_link(self, id: Any) -> None:
        links = self.document["links"]
        links[:] = [link for link in links if _link_id(link) != whole(id)]
        for node in self._nodes.values():
            for output in objects(node, "outputs"):
                if id in listed(output, "links"):
                    output["links"].remove(id)

    def change_frames(self, before: Sequence[Any], now: Sequence[Any]) -> None:
        """The frames of a view, of which those `before` were made of the groups that are there."""
        before, now = _objects(before), _objects(now)
        if before == now:
            return
        groups = self.document.setdefault("groups", [])
        # Those before were made of what is inside of subgraphs, which stands there still.
        own = max(len(before) - len(groups), 0)
        known = list(zip(before[own:], groups, strict=False))
        inner = [frame for frame in before[:own] if frame in now]
        kept: list[Any] = []
        for frame in now:
            if frame in inner:
                inner.remove(frame)
                continue
            like = _like(frame, known, ("pos", "size", "title"))
            kept.append({**like, **group(frame)} if like else {**_FRESH_GROUP, **group(frame)})
        for number, made in enumerate(kept, 1):
            made.setdefault("id", number)
        groups[:] = kept

    def change_notes(self, before: Sequence[Any], now: Sequence[Any]) -> None:
        """The notes of a view, of which those `before` were made of the notes that are there."""
        before, now = _objects(before), _objects(now)
        if before == now:
            return
        nodes = self.document["nodes"]
        there = [node for node in nodes if node.get("type") in NOTES]
        own = max(len(before) - len(there), 0)
        known = list(zip(before[own:], there, strict=False))
        inner = [said for said in before[:own] if said in now]
        kept: list[Any] = []
        for said in now:
            if said in inner:
                inner.remove(said)
            elif like := _like(said, known, ("text", "pos", "size")):
                kept.append(like if said in before else _said_anew(like, said))
            else:
                id = max([0, *(n for node in [*nodes, *kept] if (n := whole(node.get("id"))))]) + 1
                kept.append({"id": id, **_FRESH_NOTE, "type": "MarkdownNote", **note(said)})
        nodes[:] = [node for node in nodes if node.get("type") not in NOTES] + kept

    def _output(self, node: dict[str, Any], slot: int) -> dict[str, Any]:
        outputs: list[dict[str, Any]] = node.setdefault("outputs", [])
        while len(outputs) <= slot:
            outputs.append({"name": f"output {len(outputs)}", "type": "*", "links": None})
        return outputs[slot]

    def finish(self) -> dict[str, Any]:
        """The document, with its counters."""
        document = self.document
        ids = [id for node in document["nodes"] if (id := whole(node.get("id"))) is not None]
        state = document.get("state")
        if isinstance(state, dict) and "last_node_id" not in document:
            state["lastNodeId"] = max([whole(state.get("lastNodeId")) or 0, *ids])
            state["lastLinkId"] = self._links
        else:
            last = whole(document.get("last_node_id")) or 0
            document["last_node_id"] = max([last, *ids])
            document["last_link_id"] = self._links
        return document

    # --- Parts of a node --------------------------------------------------------------------------

    def _inputs(self, node: TargetNode, base: Mapping[str, Any]) -> list[dict[str, Any]]:
        """Sockets first, then values, each of which may be wired, too."""
        found = [{**item, "link": None} for item in objects(base, "inputs")]
        names = {item.get("name") for item in found}
        signature = self._signatures.get(node.type) or _guessed(node)
        optional = signature.optional
        for of_values in (False, True):
            for name, type, values in signature.inputs:
                if name in names or bool(values) != of_values:
                    continue
                item: dict[str, Any] = {"name": name, "type": type, "link": None}
                if name in optional and not values:
                    item["shape"] = 7  # hollow
                if values:
                    item["widget"] = {"name": name}
                # A document that has no values among inputs was written before there were any.
                if not values or not base or isinstance(node.inputs.get(name), Wire):
                    found.append(item)
                    names.add(name)
        return found

    def _outputs(self, node: TargetNode, base: Mapping[str, Any]) -> list[dict[str, Any]]:
        if known := objects(base, "outputs"):
            return [{**item, "links": None} for item in known]
        signature = self._signatures.get(node.type)
        return [
            {"name": name, "type": type, "links": None, "slot_index": slot}
            for slot, (name, type) in enumerate(signature.outputs if signature else ())
        ]

    def _values(self, node: TargetNode, base: Mapping[str, Any]) -> dict[str, Any]:
        """In their order, and by their names."""
        if isinstance(unnamed := node.inputs.get(UNNAMED), list):
            return {UNNAMED: unnamed}
        signature = self._signatures.get(node.type) or _guessed(node)
        given = {name: value for name, value in node.inputs.items() if not isinstance(value, Wire)}
        named = {**named_values(base, signature), **given}
        known = base.get("widgets_values")
        if isinstance(known, Mapping):  # by their names there, too
            return {"widgets_values": {**known, **given}}
        known = listed(base, "widgets_values")
        owners = [owner for owner in signature.inputs if owner[2]]
        before = known if len(known) >= sum(owned for _, _, owned in owners) else []
        found: list[Any] = []
        for name, type, owned in owners:
            found.append(named.get(name, signature.defaults.get(name)))
            if owned > 1:
                after = "fixed" if type == "INT" else "image"
                found.append(before[len(found)] if before else after)
        found += before[len(found) :]
        values: dict[str, Any] = {"widgets_values": found} if found or known else {}
        if given and (not base or "widgets_values_named" in base):
            values["widgets_values_named"] = {**inside(base, "widgets_values_named"), **given}
        return values

    def _properties(self, node: TargetNode, known: Mapping[str, Any]) -> dict[str, Any]:
        made = {**known, "Node name for S&R": node.type}
        if node.type in signatures():
            made["cnr_id"] = "comfy-core"
        if models := [said for value in node.inputs.values() if (said := self._model(value))]:
            made["models"] = models
        return made

    def _model(self, value: Any) -> dict[str, str] | None:
        """Where the model that a value names can be had, where that is known."""
        known = inside(self._models, value) if isinstance(value, str) else {}
        url, kind, sha256 = (text(known.get(name)) for name in ("url", "kind", "sha256"))
        if not url or not kind:
            return None
        said = {"name": PurePosixPath(value).name, "url": url, "directory": kind}
        return said | {"hash": sha256, "hash_type": "SHA256"} if sha256 else said


def laid_out(
    nodes: Iterable[TargetNode], places: Mapping[str, Mapping[str, Any]]
) -> Iterator[tuple[TargetNode, dict[str, Any]]]:
    """Where each stands: as in the view of our graph, or in columns from left to right. What stands
    beside a node is small, above it."""
    columns: dict[str, int] = {}
    heights: dict[int, float] = {}
    above: dict[str, int] = {}
    main: dict[str, dict[str, Any]] = {}
    rest: list[TargetNode] = []
    for node in nodes:
        wires = [value for value in node.inputs.values() if isinstance(value, Wire)]
        column = max((columns.get(wire.source, 0) + 1 for wire in wires), default=0)
        columns[node.id] = column
        if node.beside:
            rest.append(node)
            continue
        place = dict(inside(places, node.ours))
        if pos := position(place.get("pos")):
            place["pos"] = list(pos)
        else:
            y = heights.get(column, 0.0)
            heights[column] = y + 260
            place["pos"] = [column * (_WIDE + _GAP), y]
        main[node.ours] = place
        yield node, place
    for node in rest:
        above[node.ours] = above.get(node.ours, 0) + 1
        x, y = main.get(node.ours, {}).get("pos", (0, 0))
        yield node, {"pos": [x, y - above[node.ours] * 2 * _ROW - _ROW], "collapsed": True}


def moved(pos: Any, by: Sequence[float]) -> list[float]:
    """A place of theirs, also one by {"0": x, "1": y}, that much farther."""
    if isinstance(pos, Mapping):
        pos = [pos.get("0", 0), pos.get("1", 0)]
    return [x + dx for x, dx in zip(pos or (0, 0), by, strict=False)]


def _objects(entries: Sequence[Any]) -> list[Mapping[str, Any]]:
    return [entry for entry in entries if isinstance(entry, Mapping)]


def group(frame: Mapping[str, Any]) -> dict[str, Any]:
    """What a group of theirs says of a frame."""
    x, y = position(frame.get("pos")) or (0, 0)
    width, height = position(frame.get("size")) or (400, 200)
    return {"title": text(frame.get("title")), "bounding": [x, y, width, height]}


def note(said: Mapping[str, Any]) -> dict[str, Any]:
    """What a node of theirs says of a note."""
    return {
        "pos": list(position(said.get("pos")) or (0, 0)),
        "size": list(position(said.get("size")) or (_WIDTH, _LINES)),
        "widgets_values": [text(said.get("text"))],
    }


def _said_anew(like: Mapping[str, Any], said: Mapping[str, Any]) -> dict[str, Any]:
    """The node that a note was made of, as the note is now; of a label the text is its title."""
    made = note(said)
    if like.get("type") in TITLES:
        (words,) = made.pop("widgets_values")
        if words != note_text(like):
            made["title"] = words
    return {**like, **made}


_FRESH_GROUP: Mapping[str, Any] = {"color": "#3f789e", "font_size": 24, "flags": {}}
_FRESH_NOTE: Mapping[str, Any] = {
    "flags": {},
    "order": 0,
    "mode": 0,
    "inputs": [],
    "outputs": [],
    "properties": {},
}


def _like(
    said: Mapping[str, Any], known: list[tuple[Any, Any]], by: Iterable[str]
) -> dict[str, Any] | None:
    """What of theirs a frame or a note was made of, taken out of those that are known: an equal
    one's, else that of one with which it has a part in common."""
    for part in (None, *by):
        for entry in known:
            before = entry[0]
            if before == said if part is None else before.get(part) == said.get(part):
                known.remove(entry)
                return dict(entry[1])
    return None


def _size(made: Mapping[str, Any]) -> list[float]:
    """About how large a node is there."""
    sockets = [item for item in made["inputs"] if "widget" not in item]
    fields = listed(made, "widgets_values")
    lines = any(item.get("type") == "STRING" for item in made["inputs"] if "widget" in item)
    height = max(len(sockets), len(made["outputs"])) * _ROW + len(fields) * _FIELD + _PADDING
    return [_WIDE if lines else _WIDTH, height + (_LINES if lines else 0)]


def _set_flag(made: dict[str, Any], name: str, value: bool) -> None:
    flags = dict(inside(made, "flags"))
    if value:
        flags[name] = True
    else:
        flags.pop(name, None)
    made["flags"] = flags


def _guessed(node: TargetNode) -> Signature:
    """What a class that is not known takes, by what it is given."""

    def type_of(value: Any) -> str:
        kinds = ((bool, "BOOLEAN"), (int, "INT"), (float, "FLOAT"), (str, "STRING"))
        return next((name for kind, name in kinds if isinstance(value, kind)), "*")

    inputs = [
        (name, "*" if isinstance(value, Wire) else type_of(value), int(not isinstance(value, Wire)))
        for name, value in node.inputs.items()
        if name != UNNAMED
    ]
    # A whole number of that name is taken for a seed, which owns two.
    seeds = [(n, t, 2 if t == "INT" and "seed" in n else values) for n, t, values in inputs]
    return Signature(tuple(seeds), ())


def _link_id(link: Any) -> int | None:
    if isinstance(link, Sequence) and link:
        return whole(link[0])
    return whole(link.get("id")) if isinstance(link, Mapping) else None


def copied(value: Any) -> Any:
    """A copy of plain JSON values."""
    if isinstance(value, Mapping):
        return {key: copied(item) for key, item in value.items()}
    return [copied(item) for item in value] if isinstance(value, list) else value
