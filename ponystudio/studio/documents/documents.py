"""The open documents, in the order of their tabs; nothing that is done in one is lost.

Every document has a journal in the data folder until it is closed with nothing unsaved. A document
that is closed with unsaved work keeps its journal and stands under `recent`; those that were open
when the program ended, however it ended, are opened again by `restore`.
"""

from __future__ import annotations

import logging
import secrets
import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from PySide6.QtCore import QObject, QTimer, Signal

from ponystudio.errors import GraphError, PonyStudioError
from ponystudio.graph.catalog import Catalog
from ponystudio.graph.formats.edit_codec import difference
from ponystudio.graph.model import Graph
from ponystudio.library.model_folders import ModelFolders
from ponystudio.qt.background_tasks import BackgroundTasks, in_background
from ponystudio.qt.notification import Notification
from ponystudio.studio.documents import document_notices as notices
from ponystudio.studio.documents import open_documents, opening, saving
from ponystudio.studio.documents.document import Document
from ponystudio.studio.documents.file_lock import FileLock
from ponystudio.studio.documents.journal import Journal
from ponystudio.studio.documents.journal_format import SUFFIX
from ponystudio.studio.documents.journal_writer import JournalWriter
from ponystudio.studio.documents.open_documents import OpenDocuments
from ponystudio.studio.documents.opening import LoadedFile, RecoveredDocument
from ponystudio.studio.documents.recent_files import RecentFile, RecentFiles
from ponystudio.studio.documents.saving import SaveJob
from ponystudio.studio.documents.templates import Template
from ponystudio.studio.restore_guard import Restored, RestoreGuard
from ponystudio.system.file_names import absolute
from ponystudio.system.main_memory import give_back

log = logging.getLogger(__name__)

T = TypeVar("T")


class Documents(QObject):
    """`folder` is the data folder; `folders` tells the model folders. What the `guard` suspects is
    not restored and stands under `recent`.

    `opened`, `about_to_close` (what is being typed belongs to it still), `closed`, `title_changed`
    and `dirty_changed` carry the document,
    `current_changed` it or None, `path_wanted` one that needs a file to be saved in, `notice` a
    Notification for a toast. `restored` comes once, after `restore`. The documents are in the order
    of their tabs.
    """

    opened = Signal(object)
    about_to_close = Signal(object)
    closed = Signal(object)
    current_changed = Signal(object)
    moved = Signal()
    title_changed = Signal(object)
    dirty_changed = Signal(object)
    path_wanted = Signal(object)
    notice = Signal(object)
    restored = Signal()
    _write_failed = Signal(object)

    def __init__(
        self,
        folder: Path,
        catalog: Catalog | None = None,
        folders: Callable[[], ModelFolders] | None = None,
        parent: QObject | None = None,
        *,
        guard: RestoreGuard | None = None,
    ) -> None:
        super().__init__(parent)
        self.folders = folders
        self._guard = guard or RestoreGuard(None, self)
        self._folder = folder / "documents"
        self._session_file = folder / "session.json"
        self._catalog = catalog or Catalog(())
        self._documents: list[Document] = []
        self._current: Document | None = None
        self._stopped = False
        self._surveying = False
        self._write_failed.connect(self._notify_writing)
        self._writer = JournalWriter(self._write_failed.emit)
        self._reading = BackgroundTasks("documents-reading", parent=self)
        self._saving = BackgroundTasks("documents-saving", parent=self)
        self._session_due = QTimer(self, singleShot=True, interval=0)
        self._session_due.timeout.connect(self._store_session)
        # A moment later, when what is closed is gone.
        self._free_due = QTimer(self, singleShot=True, interval=1000)
        self._free_due.timeout.connect(lambda: self._writer.do_slowly(give_back))
        self.recent = RecentFiles(
            folder / "recent.json",
            self._writer.do_slowly,
            self,
            is_held=lambda id: self._guard.suspect("document", id) is not None,
        )
        self.recent.forgotten.connect(self._delete_journal)
        self._moving: list[Document] = []  # to another file, before it is begun

    # --- What is open -----------------------------------------------------------------------------

    def __iter__(self) -> Iterator[Document]:
        return iter(tuple(self._documents))

    def __len__(self) -> int:
        return len(self._documents)

    @property
    def current(self) -> Document | None:
        return self._current

    @property
    def catalog(self) -> Catalog:
        return self._catalog

    def set_catalog(self, catalog: Catalog) -> None:
        self._catalog = catalog
        for document in self._documents:
            document.set_catalog(catalog)

    def at(self, path: Path) -> Document | None:
        """The open document of this file."""
        return next((document for document in self._documents if document.path == path), None)

    def set_current(self, document: Document | None) -> None:
        if document is not self._current:
            self._current = document
            self.current_changed.emit(document)
            self._session_due.start()

    def move(self, document: Document, index: int) -> None:
        """Another place among the tabs."""
        self._documents.remove(document)
        self._documents.insert(index, document)
        self.moved.emit()
        self._session_due.start()

    def begin_showing(self, document: Document) -> None:
        """It is about to be drawn for the first time: should that end the program, a start does
        not do it again."""
        if document.pristine:
            self._guard.end("document", document.id)
        else:
            path = "" if document.path is None else str(document.path)
            self._guard.begin("document", document.id, document.title, path)

    # --- Opening ----------------------------------------------------------------------------------

    def new(self, template: Template | None = None) -> Document:
        """An empty document, or one that begins as a template. Raises GraphFileError."""
        if template is None:
            return self.new_from(Graph(), self.tr("Untitled"))
        return self.new_from(template.graph(), template.title)

    def new_from(self, graph: Graph, title: str) -> Document:
        """A document without a file that begins with this graph."""
        document = self._make()
        document.start(graph, self._free_title(title))
        self._add(document)
        return document

    def open(self, path: Path) -> None:
        """Open a graph file, or the graph that a picture carries; `opened` or `notice` follows."""
        path = absolute(path)
        if (there := self.at(path)) is not None:
            self.set_current(there)
        else:
            self._reading.start(self._open(path), partial(self._not_opened, path.name))

    def open_now(self, path: Path) -> Document:
        """As `open`, at once. Raises GraphFileError."""
        path = absolute(path)
        if (there := self.at(path)) is not None:
            self.set_current(there)
            return there
        return self._add_loaded(self._after_flush(opening.load, path, self._unsaved_journal(path)))

    def reopen(self, entry: RecentFile | None = None) -> None:
        """Open what stands under `recent`; without an entry, what was closed last with unsaved
        work."""
        entry = entry or self.recent.last_unsaved()
        if entry is None:
            return
        if entry.id:
            self._reading.start(self._reopen(entry), partial(self._not_opened, entry.title))
        else:
            self.open(Path(entry.path))

    def reopen_held(self, suspect: Restored) -> None:
        """Open a document all the same that the guard holds back, out of its journal."""
        self._guard.begin("document", suspect.id, suspect.title, suspect.path, is_read=False)
        self.reopen(RecentFile(suspect.title, suspect.path, suspect.id))

    def discard_held(self, suspect: Restored) -> None:
        """Delete the journal of a document that the guard holds back."""
        self.recent.take_unsaved(suspect.id)
        self._delete_journal(suspect.id)
        self._guard.forgive(suspect)

    def restore(self) -> None:
        """Open again what was open last, the one that was shown first; `restored` follows."""
        self._surveying = True
        self._reading.start(self._restore(), lambda _: self.restored.emit())

    def _after_flush(self, read: Callable[..., T], *arguments: Any) -> T:
        """In the thread: read once what was closed before is on the disk and free for others."""
        self.flush()
        return read(*arguments)

    async def _open(self, path: Path) -> None:
        unsaved = self._unsaved_journal(path)
        self._guard.begin("file", str(path), path.name, str(path), is_read=False)
        try:
            loaded = await in_background(self._after_flush, opening.load, path, unsaved)
            self._add_loaded(loaded)
        finally:
            self._guard.end("file", str(path))

    def _unsaved_journal(self, path: Path) -> Path | None:
        """The journal of what was done to this file and not saved."""
        entry = self.recent.last_unsaved(path)
        return self.journal_path(entry.id) if entry else None

    def _add_loaded(self, loaded: LoadedFile) -> Document:
        path, stored = loaded.path, loaded.stored
        if path is not None and (there := self.at(path)) is not None:  # it was asked for twice
            loaded.release()
            self.set_current(there)
            return there
        document = self._make(stored.id if stored else "", loaded.stored_lock)
        if stored is not None:
            document.resume(stored)
            self.recent.take_unsaved(document.id)
        else:
            title = loaded.title if path else self._free_title(loaded.title)
            document.start(loaded.graph, title, path, loaded.digest)
        document.set_lock(loaded.lock)
        document.set_read_only(notices.read_only_reason(loaded.holder, loaded.protected))
        if path is not None:
            self.recent.add(document.title, path)
        self._add(document)
        if loaded.imported:
            document.add_remarks(loaded.imported.remarks)
            self.notice.emit(notices.imported(loaded.title, loaded.imported))
        if stored is not None:
            show_saved = partial(self.revert, document)
            self.notice.emit(notices.unsaved_work_is_back(document, show_saved))
        elif path is not None and (left := self.recent.last_unsaved(path)):
            self.notice.emit(notices.other_work_is_kept(document, partial(self.reopen, left)))
        return document

    def _not_opened(self, name: str, error: PonyStudioError) -> None:
        self.notice.emit(notices.not_opened(name, error))

    async def _reopen(self, entry: RecentFile) -> None:
        journal = self.journal_path(entry.id)
        try:
            recovered = await in_background(self._after_flush, opening.recover, journal)
        except Exception:
            self._guard.end("document", entry.id)
            raise
        there = next((document for document in self if document.id == entry.id), None)
        if there is not None:
            self._guard.end("document", entry.id)
            self.set_current(there)
        elif recovered is None:
            self._guard.end("document", entry.id)
            self.notice.emit(notices.not_reopened(entry.title))
        else:
            self._add_recovered(recovered)
        self.recent.take_unsaved(entry.id)

    async def _restore(self) -> None:
        shelved = frozenset(entry.id for entry in self.recent.entries() if entry.id)
        try:
            session, ids = await in_background(
                open_documents.survey, self._session_file, self._folder, shelved
            )
        finally:
            self._surveying = False
            self._session_due.start()
        back = 0
        for id in self._not_suspect(ids):
            await self._guard.turn()
            try:
                recovered = await in_background(self._recover, id)
                if self._restore_one(recovered, session, current=not back):
                    back += 1
                else:
                    self._guard.end("document", id)
            except Exception:  # the others are to be opened all the same
                self._guard.end("document", id)
                log.exception("A document cannot be opened again.")
        if back and not session.clean:
            self.notice.emit(notices.all_is_back())
        self.restored.emit()

    def _recover(self, id: str) -> RecoveredDocument | None:
        """In the thread."""
        self._guard.begin("document", id, is_read=False, durable=True)
        return opening.recover(self.journal_path(id))

    def _not_suspect(self, ids: Sequence[str]) -> list[str]:
        """Those that may be restored; where the others are kept is told."""
        for suspect in self._guard.suspects:
            if suspect.kind == "document":
                if not self.journal_path(suspect.id).exists():
                    self._guard.forgive(suspect)
                elif all(entry.id != suspect.id for entry in self.recent.entries()):
                    path = Path(suspect.path) if suspect.path else None
                    self.recent.add(suspect.title or self.tr("Untitled"), path, suspect.id)
        return [id for id in ids if self._guard.suspect("document", id) is None]

    def _restore_one(
        self, recovered: RecoveredDocument | None, session: OpenDocuments, *, current: bool
    ) -> bool:
        """Open it among the others in the order of their tabs, unless it was closed already."""
        if recovered is None:
            return False
        stored = recovered.stored
        if stored.closed or stored.pristine:
            # Closed in the last moment: it stands under recent, or is not needed any more.
            recovered.release()
            if not stored.dirty:
                self._delete_journal(stored.id)
            elif all(entry.id != stored.id for entry in self.recent.entries()):
                self.recent.add(stored.title, stored.path, stored.id)
            return False
        ranks = {id: rank for rank, id in enumerate(session.open)}
        rank = ranks.get(stored.id, len(ranks))
        before = [d for d in self._documents if ranks.get(d.id, len(ranks)) <= rank]
        # The one that was shown comes first and stays in front, whatever comes after it.
        self._add_recovered(recovered, len(before), current=current)
        return True

    def _add_recovered(
        self, recovered: RecoveredDocument, index: int | None = None, *, current: bool = True
    ) -> None:
        stored = recovered.stored
        taken = stored.path is not None and self.at(stored.path) is not None
        document = self._make(stored.id, recovered.journal_lock)
        document.resume(stored)
        if recovered.fresh is not None and not taken:
            document.follow_file(recovered.fresh, recovered.digest)
        if taken:  # opened again meanwhile
            document.rename(None, self._free_title(stored.title))
        else:
            document.set_lock(recovered.lock)
            reason = notices.read_only_reason(recovered.holder, recovered.protected)
            document.set_read_only(reason)
        self._add(document, index, current=current)
        for notice in notices.recovery(document, recovered):
            self.notice.emit(notice)

    # --- Closing ----------------------------------------------------------------------------------

    def close(self, document: Document) -> None:
        """Close it without asking: unsaved work can be opened again."""
        self.about_to_close.emit(document)
        if self._is_saving(document):
            self._saving.wait()
        index = self._documents.index(document)
        self._documents.remove(document)
        if document is self._current:
            rest = self._documents[index : index + 1] or self._documents[-1:]
            self.set_current(rest[0] if rest else None)
        notice = self._close_journal(document)
        self._session_due.start()
        self.closed.emit(document)
        if notice is not None:
            self.notice.emit(notice)
        document.deleteLater()
        self._free_due.start()

    def revert(self, document: Document) -> None:
        """Back to what is in the file, as a step that can be undone."""
        if document.saved_graph is not None:
            edit = difference(document.graph, document.saved_graph)
            document.do(edit, self.tr("Back to what was saved"))

    # --- Saving -----------------------------------------------------------------------------------

    def save(self, document: Document, *, force: bool = False) -> bool:
        """Save it into its file; if that fails `notice` follows. False if it needs another file
        first: then `path_wanted` was emitted. `force`: also over what another program wrote."""
        if document.path is None or document.read_only:
            if document.read_only:
                self.notice.emit(notices.read_only(document))
            self.path_wanted.emit(document)
            return False
        job = self._begin_save(document, document.path, None if force else document.wrote)
        failed = partial(self._not_saved, document, job.path)
        self._saving.start(self._save(document, job), failed)
        return True

    def save_as(self, document: Document, path: Path) -> None:
        """Save it into another file, which the user has chosen, and go on with that."""
        path = absolute(path)
        if path == document.path and not document.read_only:
            self.save(document, force=True)
            return
        other = self.at(path)
        if other is not None and other is not document:
            self.notice.emit(notices.open_in_other_tab(path))
            return
        self._moving.append(document)
        failed = partial(self._not_saved, document, path)
        self._saving.start(self._save_as(document, path), failed)

    def save_all(self) -> None:
        """Save all that is not saved; those without a file come to `path_wanted` one by one."""
        for document in self:
            if document.dirty:
                self.save(document)

    def _is_saving(self, document: Document) -> bool:
        """Whether a save of it is on its way."""
        return document.saving or document in self._moving

    def _begin_save(
        self, document: Document, path: Path, replaceable: Callable[[str], bool] | None
    ) -> SaveJob:
        """What is saved is the graph of now, whatever is done to it meanwhile."""
        number = document.begin_saving()
        return SaveJob(
            number,
            document.graph,
            document.current_camera(),
            document.catalog,
            path,
            replaceable,
            saving.folders_beside(self.folders(), path) if self.folders else None,
            partial(document.announce_saving, number),
        )

    async def _save(self, document: Document, job: SaveJob, lock: FileLock | None = None) -> None:
        """`lock` is that on another file than the document's."""
        try:
            digest = await in_background(saving.write, job)
        except BaseException:
            if lock is not None:
                lock.release()
            document.saving_failed()
            raise
        if job.path != document.path or lock is not None:
            document.set_lock(lock)
            document.set_read_only("")
        document.finish_saving(job.number, job.graph, job.path, digest)
        self.recent.add(document.title, job.path)

    async def _save_as(self, document: Document, path: Path) -> None:
        folders = self.folders() if self.folders else None
        graph, catalog, old = document.graph, document.catalog, document.path
        try:
            destination = await in_background(
                saving.prepare_destination, graph, catalog, old, path, folders
            )
        finally:
            self._moving.remove(document)
        if destination.holder is not None:
            self.notice.emit(notices.locked(document, path))
            return
        try:
            document.do_all(destination.edits, self.tr("Names of files"))
        except GraphError:
            pass  # it was edited meanwhile; the names are told as missing if they are
        await self._save(document, self._begin_save(document, path, None), destination.lock)

    def _not_saved(self, document: Document, path: Path, error: PonyStudioError) -> None:
        over = partial(self.save, document, force=True)
        elsewhere = partial(self.path_wanted.emit, document)
        self.notice.emit(notices.not_saved(document, path, error, over, elsewhere))

    # --- The end ----------------------------------------------------------------------------------

    def wait(self) -> None:
        """Until all that was asked for is opened or saved."""
        self._reading.wait()
        self._saving.wait()

    def flush(self) -> bool:
        """Until all journals are written."""
        return self._writer.flush()

    def shutdown(self) -> bool:
        """Keep everything for the next start, and end all threads; False if that failed."""
        if self._stopped:
            return True
        self._stopped = True
        self._reading.finish()
        self._saving.finish()
        self._session_due.stop()
        self._free_due.stop()
        self._store_session(clean=True)
        for document in self._documents:
            if document.pristine:
                document.journal.delete()
            else:
                document.close_journal()
        done = self._writer.stop()
        for document in self._documents:
            document.unlock()
        return done

    # --- Making and keeping -----------------------------------------------------------------------

    def _make(self, id: str = "", journal_lock: FileLock | None = None) -> Document:
        """A document that is not open yet, new or with the journal of this id."""
        id = id or f"{time.strftime('%Y%m%d-%H%M%S')}-{secrets.token_hex(4)}"
        journal = Journal(self._writer, self.journal_path(id))
        lock = journal_lock or FileLock(self.journal_path(id).with_suffix(".lock"))
        document = Document(id, journal, self._catalog, lock, self)
        try:
            lock.acquire()
        except OSError as error:  # the journal will say so, again and again
            self._notify_writing(PonyStudioError(f"{error.strerror}."))
        document.title_changed.connect(partial(self.title_changed.emit, document))
        document.dirty_changed.connect(partial(self.dirty_changed.emit, document))
        return document

    def _add(self, document: Document, index: int | None = None, *, current: bool = True) -> None:
        """Open it: after the others, or at this place; an empty one in front gives way."""
        empty = self._current if self._current and self._current.pristine else None
        self._documents.insert(len(self._documents) if index is None else index, document)
        self.begin_showing(document)
        self.opened.emit(document)
        self._session_due.start()
        if not current:  # nobody sees it yet
            self._guard.drawn("document", document.id, seen=False)
        else:
            self.set_current(document)
            if empty is not None and not document.pristine and not self._is_saving(empty):
                self.close(empty)

    def journal_path(self, id: str) -> Path:
        return self._folder / f"{id}{SUFFIX}"

    def _free_title(self, title: str) -> str:
        """The title, with a number if an open document has it already."""
        taken = {document.title for document in self._documents}
        number, free = 1, title
        while free in taken:
            number += 1
            free = f"{title} {number}"
        return free

    def _close_journal(self, document: Document) -> Notification | None:
        """Keep what is in no file; what is to be told of it."""
        notice = None
        self._guard.end("document", document.id)
        document.set_lock(None)
        if document.dirty:
            document.close_journal({"closed": time.time()}, then=document.unlock)
            self.recent.add(document.title, document.path, document.id)
            reopen = partial(self.reopen, self.recent.last_unsaved())
            notice = notices.closed(document, reopen)
        else:
            document.journal.delete()
            self._writer.do(document.unlock)
        return notice

    def _delete_journal(self, id: str) -> None:
        Journal(self._writer, self.journal_path(id)).delete()

    def _store_session(self, *, clean: bool = False) -> None:
        if self._surveying:  # what was open last is still to be read
            return
        current = self._current.id if self._current else ""
        ids = tuple(document.id for document in self._documents if not document.pristine)
        session = OpenDocuments(ids, current, clean)
        self._writer.do_slowly(partial(open_documents.store, self._session_file, session))

    def _notify_writing(self, error: PonyStudioError | None) -> None:
        self.notice.emit(notices.journal_writing(error))
