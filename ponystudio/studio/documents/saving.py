"""Putting a graph into its file, and what names of files become on the way. No Qt."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ponystudio.errors import BadInput
from ponystudio.graph import atomic_write
from ponystudio.graph.catalog import Catalog
from ponystudio.graph.editing.edits import SetParam
from ponystudio.graph.formats.graph_file import dumps
from ponystudio.graph.model import Graph, Node
from ponystudio.library.model_folders import ModelFolders, is_network
from ponystudio.studio.documents.file_lock import FileLock, LockHolder
from ponystudio.studio.documents.opening import digest_of, lock_for_writing, with_camera

Rename = Callable[[str, str], str]


class ChangedOnDisk(BadInput):
    """The file is not what it was when it was opened or saved last."""


@dataclass(frozen=True)
class SaveJob:
    """The save of one state, as values. `replaceable` tells by its SHA-256 what content may be
    replaced, None: any.

    `announce` is called with the new content's SHA-256 just before the file is replaced.
    """

    number: int
    graph: Graph
    camera: Mapping[str, Any] | None
    catalog: Catalog
    path: Path
    replaceable: Callable[[str], bool] | None
    folders: ModelFolders | None
    announce: Callable[[str], None]


@dataclass(frozen=True)
class Destination:
    """Another file to save into: the lock on it, or who has it instead, and what makes names of
    files lead to the same files from there."""

    lock: FileLock | None
    holder: LockHolder | None
    edits: Sequence[SetParam] = ()


def prepare_destination(
    graph: Graph, catalog: Catalog, old: Path | None, new: Path, folders: ModelFolders | None
) -> Destination:
    """Lock a file that a graph is about to move into from `old`."""
    lock, holder = lock_for_writing(new)
    if holder is not None or folders is None or old is None or old.parent == new.parent:
        return Destination(lock, holder)
    before, after = folders_beside(folders, old), folders_beside(folders, new)
    return Destination(lock, holder, rename_files(graph, catalog, before, after))


def write(job: SaveJob) -> str:
    """Put it into the file, whole or not at all, and give the content's SHA-256.

    Raises ChangedOnDisk, NotWritable, StorageFull.
    """
    there = "" if job.replaceable is None else digest_of(job.path)
    if there and job.replaceable is not None and not job.replaceable(there):
        raise ChangedOnDisk(
            "Another program has changed the file since.",
            where=str(job.path),
            remedy="Your version is safe: save it over the other one, or under another name.",
        )
    graph = with_camera(job.graph, job.camera)
    if job.folders is not None:
        for edit in rename_files(graph, job.catalog, job.folders, job.folders):
            graph, _ = edit.apply(graph)
    data = dumps(graph, job.catalog).encode("utf-8")
    digest = hashlib.sha256(data).hexdigest()
    job.announce(digest)
    atomic_write.sweep_drafts(job.path.parent, job.path)
    atomic_write.write_bytes(job.path, data)
    return digest


def rename_files(
    graph: Graph, catalog: Catalog, before: ModelFolders, after: ModelFolders
) -> list[SetParam]:
    """What makes each file's name lead to the same file from another folder of the graph.

    Paths inside a model folder become names; names of what cannot be found stay as they are, and
    paths to other machines are not touched.
    """

    def rename(kind: str, name: str) -> str:
        if is_network(name):
            return name
        try:
            path = before.resolve(kind, name)
        except BadInput:
            return name
        if not Path(name).is_absolute() and _leads_to(after, kind, name, path):
            return name
        return after.name_for(kind, path)

    edits = (_edits(node, catalog, rename) for node in graph.nodes.values())
    return [edit for some in edits for edit in some]


def _leads_to(folders: ModelFolders, kind: str, name: str, path: Path) -> bool:
    try:
        return folders.resolve(kind, name) == path
    except BadInput:
        return False


def _edits(node: Node, catalog: Catalog, rename: Rename) -> Iterator[SetParam]:
    spec = catalog.get(node.type)
    for param in spec.params if spec else ():
        value = node.params.get(param.name)
        new: Any = value
        if param.type == "file" and isinstance(value, str) and value:
            new = rename(param.kind, value)
        elif param.type == "rows" and isinstance(value, list):
            kinds = {field.name: field.kind for field in param.fields if field.type == "file"}
            new = [_renamed_row(row, kinds, rename) for row in value]
        if new != value:
            yield SetParam(node.id, param.name, new)


def _renamed_row(row: Any, kinds: Mapping[str, str], rename: Rename) -> Any:
    if not isinstance(row, Mapping):
        return row
    names = {
        field: rename(kind, name)
        for field, kind in kinds.items()
        if isinstance(name := row.get(field), str) and name
    }
    return {**row, **names}


def folders_beside(folders: ModelFolders, path: Path | None) -> ModelFolders:
    """The model folders as a graph in this file sees them."""
    return replace(folders, graph_dir=None if path is None else path.parent)
