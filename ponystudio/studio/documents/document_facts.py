"""What the runner asks of a document that may have a file, a title and a name of its own."""

from __future__ import annotations

from pathlib import Path

from ponystudio.studio.documents.editable_graph import EditableGraph


def scope_of(document: object) -> str:
    """What a document is known by in caches, queue and history: the same after a restart."""
    return str(getattr(document, "id", "") or f"document-{id(document):x}")


def title_of(document: EditableGraph) -> str:
    return str(getattr(document, "title", ""))


def folder_of(document: EditableGraph) -> Path | None:
    """The folder of its file, beside which it may name files."""
    path = getattr(document, "path", None)
    return path.parent if isinstance(path, Path) else None


def as_made(document: EditableGraph, place: tuple[str, str]) -> bool:
    """Whether a seed is still the one that its node came with."""
    node, name = place
    spec = document.spec(node)
    param = spec.param_by_name.get(name) if spec else None
    value = document.graph.nodes[node].params.get(name, param.default if param else None)
    return param is not None and value == param.default
