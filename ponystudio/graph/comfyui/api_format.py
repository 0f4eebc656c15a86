"""ComfyUI's API format: what it was asked to run, node by node.

{"3": {"class_type": "KSampler", "inputs": {"seed": 1, "model": ["4", 0]}, "_meta": {"title": ""}}}
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from ponystudio.errors import GraphFileError
from ponystudio.graph.comfyui.source_graph import (
    MOST_NODES,
    SourceGraph,
    SourceNode,
    Wire,
    inside,
    listed,
    parsed,
    slot,
    text,
)
from ponystudio.graph.model import LONGEST_TITLE

# What its editor calls classes, where that is not their name; it says so of every node.
_SHOWN = {
    "CLIPLoader": "Load CLIP",
    "CLIPTextEncode": "CLIP Text Encode (Prompt)",
    "CLIPVisionLoader": "Load CLIP Vision",
    "CheckpointLoaderSimple": "Load Checkpoint",
    "ControlNetApply": "Apply ControlNet",
    "ControlNetApplyAdvanced": "Apply ControlNet",
    "ControlNetLoader": "Load ControlNet Model",
    "ImagePadForOutpaint": "Pad Image for Outpainting",
    "ImageScale": "Upscale Image",
    "ImageScaleBy": "Upscale Image By",
    "ImageScaleToTotalPixels": "Scale Image to Total Pixels",
    "ImageUpscaleWithModel": "Upscale Image (using Model)",
    "LatentUpscale": "Upscale Latent",
    "LatentUpscaleBy": "Upscale Latent By",
    "LoadImageMask": "Load Image (as Mask)",
    "LoraLoader": "Load LoRA",
    "StyleModelApply": "Apply Style Model",
    "StyleModelLoader": "Load Style Model",
    "UNETLoader": "Load Diffusion Model",
    "UpscaleModelLoader": "Load Upscale Model",
    "VAELoader": "Load VAE",
}
_NO_LETTER = re.compile(r"[\W_]+")


def looks_like(document: Any) -> bool:
    """Whether any value of an object is a node, or the object is a server's request for one."""
    return bool(nodes_of(document))


def read(document: Any) -> SourceGraph:
    """The graph of a parsed document, of which keys that are no nodes are left out.

    Raises GraphFileError where a node is none.
    """
    nodes = nodes_of(document)
    if not nodes:
        raise GraphFileError("It has no nodes of ComfyUI's API format.")
    if len(nodes) > MOST_NODES:
        raise GraphFileError(f"It has more than {MOST_NODES:,} nodes.")
    remarks: list[tuple[str, str]] = []
    found = {id: _node(id, data, nodes, remarks) for id, data in nodes.items()}
    return SourceGraph(found, remarks=tuple(remarks))


def write(nodes: Iterable[SourceNode]) -> dict[str, Any]:
    """The document of these nodes; the names of outputs stand in it where they are not known."""
    document: dict[str, Any] = {}
    for node in nodes:
        meta: dict[str, Any] = {"title": node.title or node.type}
        if node.outputs:
            meta["outputs"] = list(node.outputs)
        inputs = {name: literal(value) for name, value in node.inputs.items()}
        document[node.id] = {"inputs": inputs, "class_type": node.type, "_meta": meta}
    return document


def literal(value: Any) -> Any:
    """An input as it is written."""
    if isinstance(value, Wire):
        return [value.source, value.slot]
    # A list would be taken for a wire.
    return {"__value__": value} if isinstance(value, list) else value


def classes(document: Any) -> dict[str, str]:
    """The classes of its nodes, by id."""
    return {id: data["class_type"] for id, data in nodes_of(document).items()}


def nodes_of(document: Any) -> dict[str, Any]:
    """Its nodes, as they are written, also of a request to the server."""
    while isinstance(document, Mapping | str):
        if isinstance(document, str):
            document = parsed(document)
            continue
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
    meta = inside(data, "_meta")
    title = text(meta.get("title"))
    outputs = tuple(text(name) for name in listed(meta, "outputs"))
    return SourceNode(id, type, "" if _is_shown(title, type) else title, inputs, outputs)


def _is_shown(title: str, type: str) -> bool:
    """Whether a title is none of the node's own."""
    return title == _SHOWN.get(type) or _letters(title) == _letters(type)


def _letters(name: str) -> str:
    return _NO_LETTER.sub("", name[:LONGEST_TITLE]).lower()
