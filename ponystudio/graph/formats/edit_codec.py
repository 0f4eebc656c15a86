"""Edits as JSON, for the journal: each is an object with its kind under "edit"."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from ponystudio.errors import BadInput
from ponystudio.graph.editing.edits import (
    REMOVED,
    AddNode,
    Compound,
    Connect,
    Disconnect,
    Edit,
    RemoveNode,
    RenameNode,
    ReplaceNode,
    Restore,
    SetMode,
    SetModels,
    SetParam,
    SetTitle,
    SetView,
    changed_keys,
)
from ponystudio.graph.formats.graph_file import FORMAT, VERSION, from_json, to_json
from ponystudio.graph.model import Graph, Node

Json = dict[str, Any]

# Edits that are their fields and nothing else.
_FLAT: Mapping[str, type[Edit]] = {
    "remove_node": RemoveNode,
    "rename_node": RenameNode,
    "connect": Connect,
    "disconnect": Disconnect,
    "set_mode": SetMode,
    "set_models": SetModels,
    "set_title": SetTitle,
}
_FLAT_NAMES = {kind: name for name, kind in _FLAT.items()}


class NoSuchEdit(BadInput):
    """An edit of a kind that cannot be written, or a text that is no edit of this version."""


def encode(edit: Edit) -> Json:
    """The edit as plain JSON values. Raises NoSuchEdit for a kind that is not known here."""
    match edit:
        case SetParam(node, name, value):
            return {"edit": "set_param", "node": node, "name": name} | _value(value)
        case SetView(path, value):
            return {"edit": "set_view", "path": list(path)} | _value(value)
        case Compound(edits):
            return {"edit": "compound", "edits": [encode(item) for item in edits]}
        case AddNode(node, view):
            return {"edit": "add_node", "id": node.id, "node": _node(node), "view": dict(view)}
        case ReplaceNode(node):
            return {"edit": "replace_node", "id": node.id, "node": _node(node)}
        case Restore(nodes, view, models):
            kept = {id: None if node is None else _node(node) for id, node in nodes.items()}
            written = {"edit": "restore", "nodes": kept, "view": view}
            return written if models is None else {**written, "models": models}
    name = _FLAT_NAMES.get(type(edit), "")
    if not name:
        raise NoSuchEdit(f"An edit of the kind {type(edit).__name__} cannot be written.")
    return {"edit": name, **{field: getattr(edit, field) for field in edit.__match_args__}}  # type: ignore[attr-defined]


def decode(data: Any) -> Edit:
    """The edit that `encode` wrote. Raises NoSuchEdit for anything else."""
    try:
        return _decoded(data)
    except NoSuchEdit:
        raise
    except (LookupError, TypeError, ValueError, AttributeError, BadInput) as error:
        raise NoSuchEdit(f"This is no edit: {error}.") from None


def difference(before: Graph, after: Graph) -> Edit:
    """An edit that turns one graph into the other as far as nodes, view and what is known of
    model files go, small when written.

    `edit_between` carries the whole view, which costs nothing in memory but much on paper.
    """
    edits: list[Edit] = []
    if changed := changed_keys(before.nodes, after.nodes):
        edits.append(Restore({id: after.nodes.get(id) for id in sorted(changed)}))
    edits.extend(_view_edits(before.view, after.view))
    if before.models is not after.models and before.models != after.models:
        edits.append(SetModels(after.models))
    return edits[0] if len(edits) == 1 else Compound(tuple(edits))


def _view_edits(before: Mapping[str, Any], after: Mapping[str, Any]) -> Iterator[SetView]:
    for key in sorted(changed_keys(before, after)):
        if key == "nodes" and "nodes" in before and "nodes" in after:
            old, new = before["nodes"], after["nodes"]
            for id in sorted(changed_keys(old, new)):
                yield SetView(("nodes", id), new.get(id, REMOVED))
        else:
            yield SetView((key,), after.get(key, REMOVED))


def _value(value: Any) -> Json:
    return {"removed": True} if value is REMOVED else {"value": value}


def _node(node: Node) -> Json:
    written: Json = to_json(Graph({node.id: node}))["nodes"][node.id]
    return written


def _read_node(id: str, data: Any) -> Node:
    document = {"format": FORMAT, "version": VERSION, "nodes": {id: data}}
    return from_json(document).nodes[id]


def _read_value(data: Json) -> Any:
    return REMOVED if data.get("removed") else data["value"]


def _decoded(data: Json) -> Edit:
    name = data["edit"]
    if name in _FLAT:
        return _FLAT[name](**{key: value for key, value in data.items() if key != "edit"})
    if name not in _READERS:
        raise NoSuchEdit(f"There is no edit {name!r}.")
    return _READERS[name](data)


def _read_restore(data: Json) -> Restore:
    nodes = {
        id: None if node is None else _read_node(id, node) for id, node in data["nodes"].items()
    }
    return Restore(nodes, data["view"], data.get("models"))


_READERS: Mapping[str, Callable[[Json], Edit]] = {
    "set_param": lambda data: SetParam(data["node"], data["name"], _read_value(data)),
    "set_view": lambda data: SetView(tuple(data["path"]), _read_value(data)),
    "compound": lambda data: Compound(tuple(_decoded(item) for item in data["edits"])),
    "add_node": lambda data: AddNode(_read_node(data["id"], data["node"]), data["view"]),
    "replace_node": lambda data: ReplaceNode(_read_node(data["id"], data["node"])),
    "restore": _read_restore,
}
