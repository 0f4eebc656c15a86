"""Putting a graph into its file, and what names of files become on the way. No Qt."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ponystudio.errors import BadInput
from ponystudio.graph import atomic_write
from ponystudio.graph.catalog import Catalog
from ponystudio.graph.editing.edits import Edit
from ponystudio.graph.editing.rebinding import rebinding
from ponystudio.graph.file_uses import file_uses
from ponystudio.graph.formats.graph_file import dumps
from ponystudio.graph.model import Graph
from ponystudio.library.model_folders import ModelFolders, is_network
from ponystudio.studio.documents.file_lock import FileLock, LockHolder
from ponystudio.studio.documents.opening import digest_of, lock_for_writing, with_camera


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
    edits: Sequence[Edit] = ()


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
) -> list[Edit]:
    """What makes each file's name lead to the same file from another folder of the graph.

    Paths inside a model folder become names; names of what cannot be found stay, but for the
    slashes, which are POSIX's, and paths to other machines are not touched. What the graph knows of
    the files goes with their names.
    """

    def rename(kind: str, name: str) -> str:
        if is_network(name):
            return name
        posix, path = name.replace("\\", "/"), before.find(kind, name)
        if path is None:
            return posix
        if not Path(posix).is_absolute() and after.find(kind, posix) == path:
            return posix
        return after.name_for(kind, path)

    names = {use.file: rename(*use.file) for use in file_uses(graph, catalog)}
    changed = {file: name for file, name in names.items() if name != file[1]}
    return rebinding(graph, catalog, changed)


def folders_beside(folders: ModelFolders, path: Path | None) -> ModelFolders:
    """The model folders as a graph in this file sees them."""
    return replace(folders, graph_dir=None if path is None else path.parent)
