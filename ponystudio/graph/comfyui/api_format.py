"""ComfyUI's API format: what it was asked to run, node by node.

{"3": {"class_type": "KSampler", "inputs": {"seed": 1, "model": ["4", 0]}, "_meta": {"title": ""}}}
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ponystudio.errors import GraphFileError
from ponystudio.graph.comfyui.source_graph import SourceGraph, SourceNode, Wire


def looks_like(document: Any) -> bool:
    """Whether any value of an object is a node, or the object is a server's request for one."""
    return isinstance(document, Mapping) and (
        any(_is_node(value) for value in document.values())
        or ("prompt" in document and looks_like(document["prompt"]))
    )


def read(document: Mapping[str, Any]) -> SourceGraph:
    """The graph of a parsed document, of which keys that are no nodes are left out.

    Raises GraphFileError where a node is none.
    """
    if not any(_is_node(value) for value in document.values()):
        document = document["prompt"]
    nodes = {str(id): value for id, value in document.items() if _is_node(value)}
    return SourceGraph({id: _node(id, data, nodes) for id, data in nodes.items()})


def _is_node(value: Any) -> bool:
    return isinstance(value, Mapping) and isinstance(value.get("class_type"), str)


def _node(id: str, data: Mapping[str, Any], nodes: Mapping[str, Any]) -> SourceNode:
    inputs = data.get("inputs", {})
    if not isinstance(inputs, Mapping):
        raise GraphFileError("Its inputs are no object.", where=f"node {id}")
    said = data.get("_meta")
    title = said.get("title") if isinstance(said, Mapping) else ""
    return SourceNode(
        id,
        data["class_type"],
        title if isinstance(title, str) else "",
        {str(name): _input(value, nodes) for name, value in inputs.items()},
    )


def _input(value: Any, nodes: Mapping[str, Any]) -> Any:
    match value:
        case [str() | int() as source, int(slot)] if str(source) in nodes:
            return Wire(str(source), slot)
        case {"__value__": literal}:
            return literal
    return value
