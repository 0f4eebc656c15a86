"""A graph out of whatever file carries one, of ours or of another tool's, by itself or in a
picture; where only a text says how a picture was made, the graph that makes it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from ponystudio.errors import BadInput, GraphFileError
from ponystudio.graph.comfyui import api_format, importer, workflow_format
from ponystudio.graph.comfyui.importer import Imported
from ponystudio.graph.comfyui.source_graph import OWN_GRAPH, inside, parsed
from ponystudio.graph.formats import embedded_metadata, graph_file
from ponystudio.graph.model import Graph
from ponystudio.pictures.picture_graph import picture_fields
from ponystudio.pictures.picture_reader import read_fields, read_head
from ponystudio.system.regular_file import read_regular

# What ComfyUI's files need is imported here; what graphs are made of other programs' words by, and
# what a workflow of our own is known by, where such is met: each takes as long as all the rest.
if TYPE_CHECKING:
    from ponystudio.graph.generation.generation_params import GenerationParams

T = TypeVar("T")
# Where ComfyUI's documents stand, and where others put them.
_COMFYUI_FIELDS = ("workflow", "prompt", "parameters", "Description")


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
    if embedded_metadata.GRAPH in fields or any(map(importer.is_comfyui, _documents(fields))):
        return True
    from ponystudio.graph.generation.generation_reading import params_in

    try:
        return params_in(fields) is not None
    except GraphFileError:  # it says that it says nothing
        return False


def _from_picture(path: Path) -> OpenedFile:
    fields = picture_fields(path)
    if embedded_metadata.GRAPH in fields:
        text = fields[embedded_metadata.GRAPH]
        return OpenedFile(graph_file.loads(text, where=str(path)))
    imported = _within(path, lambda: _import_fields(fields, path))
    if imported is None:
        raise embedded_metadata.untold(fields, str(path))
    return OpenedFile(imported.graph, imported=imported)


def _import_fields(fields: Mapping[str, str], path: Path | None = None) -> Imported | None:
    """Of the texts of a picture of another tool's: its graph, else what they say of how it was
    made. None where they say nothing of it. `path` is asked for what they leave out."""
    found = _documents(fields)
    drawn = next(filter(workflow_format.looks_like, found), None)
    ran = next(filter(api_format.looks_like, found), None)
    if drawn is not None or ran is not None:
        return _restored(importer.import_documents(drawn, ran), drawn)
    from ponystudio.graph.generation.generation_reading import params_in

    return _graph_of(params_in(fields), path)


def _documents(fields: Mapping[str, str]) -> list[Any]:
    return [parsed(fields.get(name, "")) for name in _COMFYUI_FIELDS]


def _restored(imported: Imported, workflow: Any) -> Imported:
    """A workflow that we wrote is the graph that it was written from."""
    if not isinstance(workflow, Mapping) or OWN_GRAPH not in inside(workflow, "extra"):
        return imported
    from ponystudio.graph.comfyui.exporting.own_graph import restored

    return restored(imported, workflow)


def _graph_of(params: GenerationParams | None, path: Path | None = None) -> Imported | None:
    from ponystudio.graph.generation.generation_graph import graph_of

    return graph_of(_sized(params, path)) if params else None


def _sized(params: GenerationParams, path: Path | None = None) -> GenerationParams:
    """With the size of the picture, where its texts do not tell it."""
    from ponystudio.graph.generation.generation_reading import of_size

    if params.width and params.height:
        return params
    try:
        head = read_head(path) if path else None
    except BadInput:  # damaged in its pixels
        head = None
    return of_size(params, head.width, head.height) if head else of_size(params, 512, 512)


def import_text(text: str) -> Imported | None:
    """The import of a text of another tool's, a graph or how a picture was made; None for any
    other. Raises GraphFileError for a damaged one."""
    document = parsed(text)
    if importer.is_comfyui(document):
        return _restored(importer.import_document(document), document)
    from ponystudio.graph.generation import civitai
    from ponystudio.graph.generation.generation_reading import params_of, params_of_document

    texts = civitai.comfyui_texts(document)
    if texts and (imported := _import_fields(texts)) is not None:
        return imported
    return _graph_of(params_of(text) if document is None else params_of_document(document))


def _import_file(path: Path) -> Imported | None:
    """The import of a file of another tool's; None for any other."""
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
