"""A graph out of whatever file carries one: of ours or of ComfyUI's, by itself or in a picture; or
made of what another program wrote of how a picture was made.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from ponystudio.errors import GraphFileError
from ponystudio.graph.comfyui import api_format, importer, workflow_format
from ponystudio.graph.comfyui.importer import Imported
from ponystudio.graph.comfyui.own_graph import restored
from ponystudio.graph.comfyui.source_graph import parsed
from ponystudio.graph.formats import embedded_metadata, graph_file
from ponystudio.graph.generation import infotext
from ponystudio.graph.generation.generation_graph import graph_of
from ponystudio.graph.generation.generation_params import GenerationParams
from ponystudio.graph.model import Graph
from ponystudio.pictures.picture_graph import picture_fields
from ponystudio.pictures.picture_reader import read_fields
from ponystudio.system.regular_file import read_regular

T = TypeVar("T")
WORKFLOW, PROMPT = "workflow", "prompt"


@dataclass(frozen=True)
class OpenedFile:
    """The graph of a file. `own`: it is a graph file of ours, to save to; else it came out of a
    picture or another tool's file. `imported`: what is to be said of a graph of another tool's."""

    graph: Graph
    own: bool = False
    imported: Imported | None = None


def open_file(path: Path) -> OpenedFile:
    """The graph in a JSON file or in a picture. Raises GraphFileError."""
    if graph_file.is_picture(path):
        return _from_picture(path)
    try:
        return OpenedFile(graph_file.read(path), own=True)
    except GraphFileError as error:
        imported = _import_file(path)
        if imported is None:
            raise error
        return OpenedFile(imported.graph, imported=imported)


def carries_graph(path: Path) -> bool:
    """Whether a picture has a graph in it, or says how it was made. Raises BadInput for one that
    cannot be read."""
    fields = read_fields(path)
    return (
        embedded_metadata.GRAPH in fields
        or any(importer.is_comfyui(parsed(fields.get(name, ""))) for name in (WORKFLOW, PROMPT))
        or _told(fields) is not None
    )


def _from_picture(path: Path) -> OpenedFile:
    fields = picture_fields(path)
    found = [parsed(fields.get(name, "")) for name in (WORKFLOW, PROMPT)]
    if embedded_metadata.GRAPH in fields or not any(map(importer.is_comfyui, found)):
        told = None if embedded_metadata.GRAPH in fields else _told(fields)
        if told is not None:
            imported = _within(path, lambda: graph_of(told))
            return OpenedFile(imported.graph, imported=imported)
        text = embedded_metadata.graph_text(fields, str(path))
        return OpenedFile(graph_file.loads(text, where=str(path)))
    drawn = next(filter(workflow_format.looks_like, found), None)
    ran = next(filter(api_format.looks_like, found), None)
    imported = _within(path, lambda: restored(importer.import_documents(drawn, ran), drawn))
    return OpenedFile(imported.graph, imported=imported)


def _told(fields: Mapping[str, str]) -> GenerationParams | None:
    """How a picture was made, as another program wrote it down."""
    text = fields.get(embedded_metadata.PARAMETERS, "")
    return infotext.read(text) if infotext.looks_like(text) else None


def import_text(text: str) -> Imported | None:
    """The import of a text of another program's; None for any other. Raises GraphFileError for a
    damaged one."""
    document = parsed(text)
    if importer.is_comfyui(document):
        return restored(importer.import_document(document), document)
    return graph_of(infotext.read(text)) if infotext.looks_like(text) else None


def _import_file(path: Path) -> Imported | None:
    """The import of a file of another program's; None for any other."""
    try:
        text = read_regular(path, graph_file.MAX_BYTES).decode("utf-8-sig")
    except (OSError, ValueError):
        return None
    return _within(path, lambda: import_text(text))


def _within(path: Path, work: Callable[[], T]) -> T:
    """What it gives; its errors name the file."""
    try:
        return work()
    except GraphFileError as error:
        where = ": ".join(part for part in (str(path), error.where) if part)
        raise GraphFileError(error.what, where=where, remedy=error.remedy) from None
