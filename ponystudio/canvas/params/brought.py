"""Which LoRAs a prompt is behind: they may bring textual inversions that it can name."""

from __future__ import annotations

from collections.abc import Iterator

from ponystudio.api.spec import NodeSpec
from ponystudio.canvas.document import Document
from ponystudio.graph.model import Node

CLIP, KIND = "clip", "loras"


def loras_behind(document: Document, id: str) -> tuple[str, ...]:
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
            found += _files(node, spec)
        clips = [item.name for item in spec.inputs if item.type == CLIP]
        pending += [node.inputs[name].source for name in clips if name in node.inputs]
    return tuple(dict.fromkeys(found))


def _files(node: Node, spec: NodeSpec) -> Iterator[str]:
    for param in spec.params:
        value = node.params.get(param.name, param.default)
        rows = value if param.type == "rows" and isinstance(value, list | tuple) else ()
        columns = [column.name for column in param.fields if column.kind == KIND]
        on = [row for row in rows if isinstance(row, dict) and row.get("on", True)]
        said = [row.get(name) for row in on for name in columns]
        for name in [value, *said] if param.kind == KIND else said:
            if name and isinstance(name, str):
                yield name
