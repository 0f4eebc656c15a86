"""Which LoRAs a prompt is behind: they may bring textual inversions that it can name."""

from __future__ import annotations

from ponystudio.library.file_checks import files_of
from ponystudio.studio.documents.editable_graph import EditableGraph

CLIP, KIND = "clip", "loras"


def loras_behind(document: EditableGraph, id: str) -> tuple[str, ...]:
    """The names of the LoRA files on the way of a node's text encoder."""
    found: list[str] = []
    seen: set[str] = set()
    pending = [id]
    while pending:
        id = pending.pop()
        node = document.graph.nodes.get(id)
        if node is None or id in seen or (spec := document.spec(id)) is None:
            continue
        seen.add(id)
        if node.mode == "normal":
            found += [name for _, kind, name in files_of(node, spec) if kind == KIND and name]
        clips = [item.name for item in spec.inputs if item.type == CLIP]
        pending += [node.inputs[name].source for name in clips if name in node.inputs]
    return tuple(dict.fromkeys(found))
