"""A document of the studio: its file, its title, its journal, whether it is saved."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from PySide6.QtCore import QObject, Signal

from ponystudio.graph.catalog import Catalog
from ponystudio.graph.comfyui.importer import Remark
from ponystudio.graph.formats.edit_codec import difference
from ponystudio.graph.model import Graph
from ponystudio.graph.placeholder import stands_for
from ponystudio.qt.i18n import tr
from ponystudio.studio.documents.editable_graph import EditableGraph, Problem, Record
from ponystudio.studio.documents.file_lock import FileLock
from ponystudio.studio.documents.journal import AppliedEdit, Content, Journal
from ponystudio.studio.documents.journal_format import (
    Line,
    StoredDocument,
    compacted_lines,
    header,
)

Camera = Mapping[str, Any]


class Document(EditableGraph):
    """Made by Documents alone.

    `path` is None until it is saved. `dirty`: the graph differs from the one in its file (or, for
    one without a file, from the one it began with). `read_only` says why it cannot be saved where
    it lies, or "". `camera`, {center, zoom}, is where the view should begin. `journal_lock` keeps
    other processes from its journal.
    """

    title_changed = Signal()
    remarked = Signal()
    dirty_changed = Signal()
    _content_wanted = Signal()

    def __init__(
        self,
        id: str,
        journal: Journal,
        catalog: Catalog,
        journal_lock: FileLock | None = None,
        parent: QObject | None = None,
    ) -> None:
        super().__init__(None, catalog, parent)
        self.id = id
        self.journal = journal
        self.camera: Camera | None = None
        self._lock: FileLock | None = None
        self._journal_lock = journal_lock
        self._camera_source: Callable[[], Camera] | None = None
        self._path: Path | None = None
        self._title = ""
        self._read_only = ""
        self._remarks: tuple[Remark, ...] = ()
        self._saved: Graph | None = self.graph
        self._digest = ""
        self._dirty = False
        self._written = self.graph
        self._save_number = 0
        self._saves_running = 0
        self._content_is_due = False
        self._announced_digests: set[str] = set()
        self._last_save: Line | None = None
        self.changed.connect(self._update_dirty)
        self.recorded.connect(self._write_record)
        self._content_wanted.connect(self.compact)
        journal.set_source(self._content_wanted.emit)  # from the writer's thread to this one

    @property
    def path(self) -> Path | None:
        return self._path

    @property
    def folder(self) -> Path | None:
        """Where names of files beside the graph are looked for."""
        return None if self._path is None else self._path.parent

    @property
    def title(self) -> str:
        return self._title

    @property
    def dirty(self) -> bool:
        return self._dirty

    @property
    def read_only(self) -> str:
        return self._read_only

    @property
    def remarks(self) -> tuple[Remark, ...]:
        """What was to be said of graphs of other tools that came into it since it was opened."""
        return self._remarks

    def add_remarks(self, remarks: Iterable[Remark]) -> None:
        self._remarks = (*self._remarks, *remarks)
        self.remarked.emit()

    @property
    def problems(self) -> list[Problem]:
        """What keeps the document as a whole from working here."""
        return _problems(self.graph, self.catalog)

    @property
    def digest(self) -> str:
        """The content of its file, as far as this document knows."""
        return self._digest

    @property
    def saved_graph(self) -> Graph | None:
        """What is in its file, or what it began with; None if that is not known."""
        return self._saved

    @property
    def saving(self) -> bool:
        """A save is on its way to the disk."""
        return self._saves_running > 0

    @property
    def pristine(self) -> bool:
        """Nothing was ever done in it: closing it loses nothing at all."""
        return self._path is None and not self.undo_count and not self.graph.nodes

    def start(self, graph: Graph, title: str, path: Path | None = None, digest: str = "") -> None:
        """The beginning of a document: a graph as it was in a file, or a new one."""
        self._path, self._title, self._digest = path, title, digest
        self.camera = graph.view.get("camera")
        self.journal.begin(self.id, title, path, graph)
        self._note({"mark": 0})
        self._last_save = {"saved": 0, "path": _text(path), "sha256": digest}
        self._note(self._last_save)
        self._saved = self._written = graph
        super().replace_graph(graph)
        self._update_dirty()

    def resume(self, stored: StoredDocument) -> None:
        """Go on where a journal ends, with all that can be undone."""
        self._path, self._title, self._digest = stored.path, stored.title, stored.digest
        self._saved = stored.saved
        self._save_number = max(stored.marks, default=0)
        self._last_save = {"saved": 0, "path": _text(stored.path), "sha256": stored.digest}
        self.camera = stored.camera or stored.graph.view.get("camera")
        self._written = stored.graph
        self.journal.resume(stored.lines, stored.intact_bytes)
        self._note({"opened": time.time()})
        self.restore(stored.graph, stored.history.record())
        self._update_dirty()
        if self.journal.long:
            self.compact()

    def replace_graph(self, graph: Graph) -> None:
        """Another graph, without a way back: only for what is in a file anyway."""
        self.start(graph, self._title, self._path, self._digest)

    def begin_saving(self) -> int:
        """The number of the present state, which is about to be saved.

        `finish_saving` or `saving_failed` must follow.
        """
        self.seal()
        self._save_number += 1
        self._saves_running += 1
        self._note({"seal": self._save_number})
        return self._save_number

    def announce_saving(self, number: int, digest: str) -> None:
        """Called from the thread that writes the file: the journal must know of it first, for who
        is killed right after could not tell that file from one of another program."""
        self._announced_digests.add(digest)
        self._note({"saving": number, "sha256": digest})
        self.journal.writer.sync()

    def wrote(self, digest: str) -> bool:
        """Whether a file of this content is this document's own, and no other program's work."""
        return digest == self._digest or digest in self._announced_digests

    def finish_saving(self, number: int, graph: Graph, path: Path, digest: str) -> None:
        """The sealed state of this number, `graph`, is in the file now."""
        self._saved, self._digest = graph, digest
        self._last_save = {"saved": number, "path": _text(path), "sha256": digest}
        self._note(self._last_save)
        self.rename(path, path.stem)
        self._update_dirty()
        self._end_save()
        if not self._saves_running:
            self._announced_digests.clear()
            if self.journal.long:
                self.compact()

    def follow_file(self, graph: Graph, digest: str) -> None:
        """The file holds another graph now, and nothing here is worth more than that."""
        if (graph.models, graph.extra) != (self.graph.models, self.graph.extra):
            self.start(graph, self._title, self._path, digest)
        elif self._path is not None:
            edit = difference(self.graph, graph)
            self.do(edit, self.tr("What another program changed"))
            self.finish_saving(self.begin_saving(), self.graph, self._path, digest)

    def saving_failed(self) -> None:
        self._end_save()

    def _end_save(self) -> None:
        self._saves_running -= 1
        if self._content_is_due and not self._saves_running:
            self.compact()

    def rename(self, path: Path | None, title: str) -> None:
        if (path, title) == (self._path, self._title):
            return
        self._path, self._title = path, title
        self._note({"named": _text(path), "title": title})
        self.title_changed.emit()

    def set_read_only(self, reason: str) -> None:
        if reason != self._read_only:
            self._read_only = reason
            self.title_changed.emit()

    def set_lock(self, lock: FileLock | None) -> None:
        """Another lock on writing its file."""
        if self._lock is not None:
            self._lock.release()
        self._lock = lock

    def unlock(self) -> None:
        """Let others write its file and its journal. May be called from the writer's thread."""
        for lock in (self._lock, self._journal_lock):
            if lock is not None:
                lock.release()

    def set_camera_source(self, source: Callable[[], Camera]) -> None:
        """`source` tells where the view stands, as long as there is one."""
        self._camera_source = source

    def note_camera(self) -> None:
        """Note in the journal where the view stands."""
        if (camera := self.current_camera()) is not None:
            self._note({"camera": dict(camera)})

    def current_camera(self) -> Camera | None:
        """Where the view stands, or stood last."""
        if self._camera_source is not None:
            try:
                self.camera = self._camera_source()
            except RuntimeError:  # the view is gone already
                self._camera_source = None
        return self.camera

    def compact(self) -> None:
        """Have the journal written anew, with what the undo history holds."""
        self._content_is_due = self.saving
        if not self.saving:
            self.journal.rewrite(self._content(), len(self.undo_record().steps) + 4)

    def close_journal(self, *last: Line, then: Callable[[], object] = lambda: None) -> None:
        """Keep where the view stands, and these lines; `then` is called, from the writer's thread,
        once the journal is safe."""
        self.note_camera()
        for line in last:
            self._note(line)
        self.journal.close(self._content(*last), then)

    def _content(self, *last: Line) -> Content:
        """A journal of this document as it is, all values that stay as they are."""
        head = header(self.id, self._title, self._path, Graph(), time.time())
        camera = [] if self.camera is None else [{"camera": dict(self.camera)}]
        graph, record, saved = self.graph, self.undo_record(), self._saved
        save = self._last_save
        return lambda: (*compacted_lines(head, graph, record, saved, save), *camera, *last)

    def _note(self, line: Line) -> None:
        self.journal.add(line)

    def _write_record(self, record: Record) -> None:
        before, self._written = self._written, self.graph
        if record.edit is None:
            self.journal.add({"to": record.index})
        else:
            done = AppliedEdit(record.edit, record.text, record.merge, before, self.graph)
            self.journal.add(done)
        if self.journal.far_too_long:
            self.compact()

    def _update_dirty(self, _change: object = None) -> None:
        dirty = self.graph != self._saved
        if dirty != self._dirty:
            self._dirty = dirty
            self.dirty_changed.emit()


def _problems(graph: Graph, catalog: Catalog) -> list[Problem]:
    if not catalog:
        return []
    newer = {
        node.type
        for node in graph.nodes.values()
        if (spec := catalog.get(node.type)) is not None and node.version > spec.version
    }
    problems = []
    if theirs := sorted({name for node in graph.nodes.values() if (name := stands_for(node))}):
        problems.append(
            Problem(
                tr("Some nodes of ComfyUI are not known here: %1.").replace("%1", _few(theirs)),
                tr("What they do not feed runs. Nothing of them is lost."),
                "UnknownNode",
                details="\n".join(theirs),
            )
        )
    own = {node.type for node in graph.nodes.values() if not stands_for(node)}
    if unknown := sorted(type for type in own if type not in catalog):
        problems.append(
            Problem(
                tr("Some kinds of nodes are not installed: %1.").replace("%1", _few(unknown)),
                tr("Install the packs they come from. Nothing of them is lost meanwhile."),
                "UnknownNode",
                details="\n".join(unknown),
            )
        )
    if newer:
        problems.append(
            Problem(
                tr("Some nodes are of a newer version: %1.").replace("%1", _few(sorted(newer))),
                tr("Update PonyStudio or the packs they come from."),
                "GraphFileError",
                details="\n".join(sorted(newer)),
            )
        )
    return problems


def _few(names: list[str]) -> str:
    return ", ".join(names[:3]) + (", …" if len(names) > 3 else "")


def _text(path: Path | None) -> str | None:
    return None if path is None else str(path)
