"""From a file or a journal to what a document begins with. No Qt: it is done in a thread."""

from __future__ import annotations

import hashlib
import os
import shutil
from dataclasses import dataclass, replace
from pathlib import Path

from ponystudio.errors import GraphFileError
from ponystudio.graph.atomic_write import sweep_drafts
from ponystudio.graph.comfyui.importer import Imported
from ponystudio.graph.formats import graph_file
from ponystudio.graph.model import Graph
from ponystudio.pictures.graph_opening import open_file
from ponystudio.studio.documents import file_lock
from ponystudio.studio.documents.file_lock import FileLock, LockHolder
from ponystudio.studio.documents.journal_format import NewerJournal, StoredDocument, replay
from ponystudio.system.regular_file import open_regular, read_regular

# Of what is shown as letters: bytes of a file, letters of a line.
MOST_LETTERS, MOST_LINES, LONGEST_LINE = 2**18, 5000, 160


@dataclass
class LoadedFile:
    """A document's beginning. `path` is None for a graph that came out of a picture, or of another
    tool's file; `imported` is what is to be said of the latter.

    `lock` is the one on writing the file, ours; `holder` who has it instead, `protected` that the
    file may not be written. `stored` is work on this file that was not saved.
    """

    graph: Graph
    title: str
    path: Path | None = None
    digest: str = ""
    lock: FileLock | None = None
    holder: LockHolder | None = None
    protected: bool = False
    stored: StoredDocument | None = None
    stored_lock: FileLock | None = None
    imported: Imported | None = None

    def release(self) -> None:
        _release(self.lock, self.stored_lock)


@dataclass
class RecoveredDocument:
    """A document out of its journal. `changed`: its file is another one now; `gone`: it is not
    there any more; `fresh` is what the file holds (its content `digest`), where nothing unsaved is
    in the document."""

    stored: StoredDocument
    journal_lock: FileLock
    lock: FileLock | None = None
    holder: LockHolder | None = None
    protected: bool = False
    changed: bool = False
    gone: bool = False
    fresh: Graph | None = None
    digest: str = ""

    def release(self) -> None:
        _release(self.lock, self.journal_lock)

    def compare_with_file(self, path: Path) -> None:
        """Lock the file; is it still the one that the journal speaks of?"""
        stored = self.stored
        self.lock, self.holder = lock_for_writing(path)
        digest = digest_of(path)
        if not digest:
            self.gone = True
            stored.drop_saved()
            return
        self.protected = not os.access(path, os.W_OK)
        if digest in stored.pending:  # killed between writing the file and saying so
            stored.end_pending(digest)
        elif digest != stored.digest:
            self.changed = True
            if not stored.dirty:
                try:
                    self.fresh, self.digest = graph_file.read(path), digest
                except GraphFileError:
                    stored.drop_saved()


def _release(*locks: FileLock | None) -> None:
    for lock in locks:
        if lock is not None:
            lock.release()


def load(path: Path, journal: Path | None = None) -> LoadedFile:
    """The graph of a file or a picture, with what a journal knows of it beyond the file.

    Raises GraphFileError.
    """
    digest = "" if graph_file.is_picture(path) else digest_of(path)
    opened = open_file(path)
    graph = opened.graph
    if not opened.own:  # what is saved goes into a file of its own
        return LoadedFile(graph, path.stem, imported=opened.imported)
    sweep_drafts(path.parent, path)
    lock, holder = lock_for_writing(path)
    protected = not os.access(path, os.W_OK)
    stored, stored_lock = _unsaved(digest, journal)
    return LoadedFile(graph, path.stem, path, digest, lock, holder, protected, stored, stored_lock)


def _unsaved(digest: str, journal: Path | None) -> tuple[StoredDocument | None, FileLock | None]:
    """Unsaved work, which counts as the document if it began with what the file holds now."""
    recovered = None if journal is None else recover(journal, with_file=False)
    if recovered is None:
        return None, None
    if recovered.stored.digest != digest:
        recovered.journal_lock.release()
        return None, None
    return recovered.stored, recovered.journal_lock


def recover(journal: Path, *, with_file: bool = True) -> RecoveredDocument | None:
    """The document in a journal; None if another process has it or nothing can be read.

    What cannot be read is kept under another name, never deleted.
    """
    guard = FileLock(journal.with_suffix(".lock"))
    try:
        if not guard.acquire():
            return None
        stored = replay(journal)
    except (OSError, NewerJournal):
        guard.release()
        return None
    if stored is None or stored.lost:
        _keep_damaged(journal, keep=stored is not None)
    if stored is None:
        guard.release()
        return None
    recovered = RecoveredDocument(stored, guard)
    if with_file and stored.path is not None:
        recovered.compare_with_file(stored.path)
    return recovered


def as_letters(path: Path) -> str:
    """The beginning of a file under its name, in lines of a length that nothing is slow to show."""
    try:
        with open_regular(path) as file:
            data = file.read(MOST_LETTERS + 1)
    except (OSError, ValueError) as error:
        return f"{path}\n{error}"
    text = data[:MOST_LETTERS].decode("utf-8", "replace").replace("\0", "\ufffd")
    pieces = [
        line[at : at + LONGEST_LINE]
        for line in text.splitlines()
        for at in range(0, max(len(line), 1), LONGEST_LINE)
    ]
    end = "\n…" if len(data) > MOST_LETTERS or len(pieces) > MOST_LINES else ""
    pieces = pieces[:MOST_LINES]
    return f"{path}\n\n" + "\n".join(pieces) + end


def copy_graph(journal: Path, path: Path) -> None:
    """Put the graph of a journal into a file, without opening a document. Raises GraphFileError,
    NotWritable, StorageFull."""
    try:
        stored = replay(journal)
    except (OSError, NewerJournal) as error:
        raise GraphFileError(f"Its journal cannot be read: {error}.", where=str(journal)) from None
    if stored is None:
        raise GraphFileError("Nothing of its journal can be read.", where=str(journal))
    graph_file.write(stored.graph, path)


def _keep_damaged(journal: Path, *, keep: bool) -> None:
    aside = journal.with_suffix(".damaged")
    try:
        if journal.stat().st_size == 0:
            journal.unlink()
        elif keep:
            shutil.copyfile(journal, aside)
        else:
            journal.replace(aside)
    except OSError:
        pass  # it stays where it is


def lock_for_writing(path: Path) -> tuple[FileLock | None, LockHolder | None]:
    """The lock on writing a file, or who has it. Neither where there can be none."""
    try:
        guard = file_lock.for_file(path)
        return (guard, None) if guard.acquire() else (None, guard.holder())
    except OSError:
        return None, None


def digest_of(path: Path) -> str:
    """The SHA-256 of what is in the file, or "" where there is nothing to read."""
    try:
        return hashlib.sha256(read_regular(path, graph_file.MAX_BYTES)).hexdigest()
    except (OSError, ValueError):
        return ""  # whoever reads it will say why


def with_camera(graph: Graph, camera: object) -> Graph:
    """The graph as it goes into a file: with where the view stands."""
    return graph if camera is None else replace(graph, view={**graph.view, "camera": camera})
