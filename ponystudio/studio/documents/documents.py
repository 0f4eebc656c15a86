"""The open documents, in the order of their tabs; nothing that is done in one is lost.

Every document has a journal in the data folder until it is closed with nothing unsaved. A document
that is closed with unsaved work keeps its journal and stands under `recent`; those that were open
when the program ended, however it ended, are opened again by `restore`.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

from PySide6.QtCore import QObject, QTimer, Signal

from ponystudio.errors import PonyStudioError
from ponystudio.graph.catalog import Catalog
from ponystudio.graph.formats.edit_codec import difference
from ponystudio.graph.model import Graph
from ponystudio.library.model_folders import ModelFolders
from ponystudio.qt.background_tasks import BackgroundTasks
from ponystudio.qt.notification import Notification
from ponystudio.studio.documents import open_documents
from ponystudio.studio.documents.document import Document
from ponystudio.studio.documents.file_lock import FileLock
from ponystudio.studio.documents.journal import Journal
from ponystudio.studio.documents.journal_format import SUFFIX
from ponystudio.studio.documents.journal_writer import JournalWriter
from ponystudio.studio.documents.open_documents import OpenDocuments
from ponystudio.studio.documents.opener import Opener
from ponystudio.studio.documents.recent_files import RecentFile, RecentFiles
from ponystudio.studio.documents.saver import Saver
from ponystudio.studio.documents.templates import Template


class Documents(QObject):
    """`folder` is the data folder; `folders` tells the model folders.

    `opened`, `closed`, `title_changed`, `dirty_changed` and `saved` carry the document,
    `current_changed` it or None, `path_wanted` one that needs a file to be saved in, `notice` a
    Notice for a toast. `restored` comes once, after `restore`. The documents are in the order of
    their tabs.
    """

    opened = Signal(object)
    closed = Signal(object)
    current_changed = Signal(object)
    moved = Signal()
    title_changed = Signal(object)
    dirty_changed = Signal(object)
    saved = Signal(object)
    path_wanted = Signal(object)
    notice = Signal(object)
    restored = Signal()
    _kept = Signal(object)

    def __init__(
        self,
        folder: Path,
        catalog: Catalog | None = None,
        folders: Callable[[], ModelFolders] | None = None,
        parent: QObject | None = None,
    ) -> None:
        super().__init__(parent)
        self.folders = folders
        self._folder = folder / "documents"
        self._session_file = folder / "session.json"
        self._catalog = catalog or Catalog(())
        self._documents: list[Document] = []
        self._current: Document | None = None
        self._stopped = False
        self._kept.connect(self._tell_kept)
        self._writer = JournalWriter(self._kept.emit)
        self._reading = BackgroundTasks("documents-reading", parent=self)
        self._saving = BackgroundTasks("documents-saving", parent=self)
        self._session_due = QTimer(self, singleShot=True, interval=0)
        self._session_due.timeout.connect(self._keep_session)
        self.recent = RecentFiles(folder / "recent.json", self._writer.do_slowly, self)
        self.recent.forgotten.connect(self._delete_journal)
        self._opener = Opener(self, self._reading)
        self._saver = Saver(self, self._saving)

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

    # --- Opening and closing ----------------------------------------------------------------------

    def new(self, template: Template | None = None) -> Document:
        """An empty document, or one that begins as a template. Raises GraphFileError."""
        if template is None:
            return self.new_from(Graph(), self.tr("Untitled"))
        return self.new_from(template.graph(), template.title)

    def new_from(self, graph: Graph, title: str) -> Document:
        """A document without a file that begins with this graph."""
        document = self.make()
        document.start(graph, self.free_title(title))
        self.add(document)
        return document

    def open(self, path: Path) -> None:
        """Open a graph file, or the graph that a picture carries; `opened` or `notice` follows."""
        self._opener.open(path)

    def open_now(self, path: Path) -> Document:
        """As `open`, at once. Raises GraphFileError."""
        return self._opener.open_now(path)

    def reopen(self, entry: RecentFile | None = None) -> None:
        """Open what stands under `recent`; without an entry, what was closed last with unsaved
        work."""
        entry = entry or self.recent.last_unsaved()
        if entry is not None:
            self._opener.reopen(entry)

    def restore(self) -> None:
        """Open again what was open last, the one that was shown first; `restored` follows."""
        self._opener.restore(self._session_file, self._folder)

    def close(self, document: Document) -> None:
        """Close it without asking: unsaved work can be opened again."""
        if self._saver.is_at(document):
            self._saving.wait()
        index = self._documents.index(document)
        document.note_camera()
        self._documents.remove(document)
        if document is self._current:
            rest = self._documents[index : index + 1] or self._documents[-1:]
            self.set_current(rest[0] if rest else None)
        notice = self._put_away(document)
        self._session_due.start()
        self.closed.emit(document)
        if notice is not None:
            self.notice.emit(notice)
        document.deleteLater()

    def revert(self, document: Document) -> None:
        """Back to what is in the file, as a step that can be undone."""
        if document.saved_graph is not None:
            edit = difference(document.graph, document.saved_graph)
            document.do(edit, self.tr("Back to what was saved"))

    # --- Saving -----------------------------------------------------------------------------------

    def save(self, document: Document, *, force: bool = False) -> bool:
        """Save it into its file; `saved` or `notice` follows. False if it needs another file first:
        then `path_wanted` was emitted. `force`: also over what another program has written."""
        return self._saver.save(document, force=force)

    def save_as(self, document: Document, path: Path) -> None:
        """Save it into another file, which the user has chosen, and go on with that."""
        self._saver.save_as(document, path)

    def save_all(self) -> None:
        """Save all that is not saved; those without a file come to `path_wanted` one by one."""
        for document in self:
            if document.dirty:
                self.save(document)

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
        self._keep_session(clean=True)
        for document in self._documents:
            if document.pristine:
                document.journal.delete()
            else:
                document.note_camera()
                document.journal.close()
        done = self._writer.stop()
        for document in self._documents:
            document.unlock()
        return done

    # --- For Opener and Saver ---------------------------------------------------------------------

    def make(self, id: str = "", journal_lock: FileLock | None = None) -> Document:
        """A document that is not open yet, new or with the journal of this id."""
        id = id or f"{time.strftime('%Y%m%d-%H%M%S')}-{secrets.token_hex(4)}"
        journal = Journal(self._writer, self.journal_path(id))
        document = Document(id, journal, self._catalog, self)
        document.journal_lock = journal_lock or FileLock(self.journal_path(id).with_suffix(".lock"))
        try:
            document.journal_lock.acquire()
        except OSError as error:  # the journal will say so, again and again
            self._tell_kept(PonyStudioError(f"{error.strerror}."))
        document.title_changed.connect(partial(self.title_changed.emit, document))
        document.dirty_changed.connect(partial(self.dirty_changed.emit, document))
        return document

    def add(self, document: Document, index: int | None = None, *, current: bool = True) -> None:
        """Open it: after the others, or at this place; an empty one in front gives way."""
        empty = self._current if self._current and self._current.pristine else None
        self._documents.insert(len(self._documents) if index is None else index, document)
        self.opened.emit(document)
        self._session_due.start()
        if current:
            self.set_current(document)
            if empty is not None and not document.pristine:
                self.close(empty)

    def journal_path(self, id: str) -> Path:
        return self._folder / f"{id}{SUFFIX}"

    def free_title(self, title: str) -> str:
        """The title, with a number if an open document has it already."""
        taken = {document.title for document in self._documents}
        number, free = 1, title
        while free in taken:
            number += 1
            free = f"{title} {number}"
        return free

    # --- Keeping ----------------------------------------------------------------------------------

    def _put_away(self, document: Document) -> Notification | None:
        """Keep what is in no file; what is to be told of it."""
        notice = None
        if document.dirty:
            document.journal.add({"closed": time.time()})
            document.journal.close()
            self.recent.add(document.title, document.path, document.id)
            reopen = partial(self.reopen, self.recent.last_unsaved())
            notice = Notification(
                self.closed_words(document),
                self.tr("What was not saved is kept."),
                ((self.tr("Open again"), reopen),),
            )
        else:
            document.journal.delete()
        document.set_lock(None)
        self._writer.do(document.unlock)
        return notice

    def closed_words(self, document: Document) -> str:
        """The title of the notice that it is closed."""
        return self.tr("%1 is closed").replace("%1", document.title)

    def _delete_journal(self, id: str) -> None:
        Journal(self._writer, self.journal_path(id)).delete()

    def _keep_session(self, *, clean: bool = False) -> None:
        current = self._current.id if self._current else ""
        ids = tuple(document.id for document in self._documents if not document.pristine)
        session = OpenDocuments(ids, current, clean)
        self._writer.do_slowly(partial(open_documents.store, self._session_file, session))

    def _tell_kept(self, error: PonyStudioError | None) -> None:
        if error is None:
            title = self.tr("Changes are kept safe again")
            self.notice.emit(Notification(title, kind="ok"))
        else:
            title = self.tr("What you do now could be lost")
            self.notice.emit(Notification.of(title, error))
