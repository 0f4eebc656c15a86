"""ComfyUI's API format: what it was asked to run, node by node.

{"3": {"class_type": "KSampler", "inputs": {"seed": 1, "model": ["4", 0]}, "_meta": {"title": ""}}}
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ponystudio.errors import GraphFileError
from ponystudio.graph.comfyui.source_graph import SourceGraph, SourceNode, Wire, inside, slot, text


def looks_like(document: Any) -> bool:
    """Whether any value of an object is a node, or the object is a server's request for one."""
    return bool(_nodes(document))


def read(document: Any) -> SourceGraph:
    """The graph of a parsed document, of which keys that are no nodes are left out.

    Raises GraphFileError where a node is none.
    """
    nodes = _nodes(document)
    if not nodes:
        raise GraphFileError("It has no nodes of ComfyUI's API format.")
    remarks: list[tuple[str, str]] = []
    found = {id: _node(id, data, nodes, remarks) for id, data in nodes.items()}
    return SourceGraph(found, remarks=tuple(remarks))


def _nodes(document: Any) -> dict[str, Mapping[str, Any]]:
    while isinstance(document, Mapping):
        if found := {str(id): value for id, value in document.items() if _is_node(value)}:
            return found
        document = document.get("prompt")
    return {}


def _is_node(value: Any) -> bool:
    return isinstance(value, Mapping) and isinstance(value.get("class_type"), str)


def _node(
    id: str, data: Mapping[str, Any], nodes: Mapping[str, Any], remarks: list[tuple[str, str]]
) -> SourceNode:
    said, type = data.get("inputs", {}), data["class_type"]
    if not isinstance(said, Mapping):
        raise GraphFileError("Its inputs are no object.", where=f"node {id}")
    inputs: dict[str, Any] = {}
    for name, value in said.items():
        match value:
            case [str() | int() as source, int(place)] if text(source) in nodes:
                if slot(place) is None:
                    remarks.append((id, f"{name} comes from no output, and is left out"))
                else:
                    inputs[name] = Wire(text(source), place)
            case {"__value__": literal}:
                inputs[name] = literal
            case _:
                inputs[name] = value
    return SourceNode(id, type, text(inside(data, "_meta").get("title")), inputs)
