"""How documents get into their files."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject

from ponystudio.errors import GraphError, PonyStudioError
from ponystudio.graph.editing.edits import SetParam
from ponystudio.qt.background_tasks import BackgroundTasks
from ponystudio.qt.notification import Notification
from ponystudio.studio.documents import opening, saving
from ponystudio.studio.documents.document import Document
from ponystudio.studio.documents.file_lock import FileLock, LockHolder
from ponystudio.studio.documents.opener import absolute
from ponystudio.studio.documents.saving import ChangedOnDisk, SaveJob

if TYPE_CHECKING:
    from ponystudio.studio.documents.documents import Documents

Taken = tuple[FileLock | None, LockHolder | None, list[SetParam]]


class Saver(QObject):
    """Part of Documents."""

    def __init__(self, documents: Documents, files: BackgroundTasks) -> None:
        super().__init__(documents)
        self._documents = documents
        self._files = files
        self._taking: list[Document] = []

    def is_at(self, document: Document) -> bool:
        """Whether a save of it is on its way."""
        return document.saving or document in self._taking

    def save(self, document: Document, *, force: bool = False) -> bool:
        if document.path is None or document.read_only:
            if document.read_only:
                title = self.tr("%1 cannot be saved here").replace("%1", document.title)
                self._documents.notice.emit(Notification(title, document.read_only, kind="warn"))
            self._documents.path_wanted.emit(document)
            return False
        self._write(document, document.path, None if force else document.wrote)
        return True

    def save_as(self, document: Document, path: Path) -> None:
        path = absolute(path)
        if path == document.path and not document.read_only:
            self.save(document, force=True)
            return
        other = self._documents.at(path)
        if other is not None and other is not document:
            title = self.tr("%1 is open in another tab").replace("%1", path.name)
            text = self.tr("Close that tab, or choose another name.")
            self._documents.notice.emit(Notification(title, text, kind="warn"))
            return
        self._taking.append(document)
        self._files.do(
            partial(self._taken, document.path, path, document),
            partial(self._go_on_at, document, path),
            partial(self._not_taken, document, path),
        )

    def _taken(self, old: Path | None, new: Path, document: Document) -> Taken:
        """In the thread: the lock on the new file, and how names of files read from there."""
        lock, holder = opening.lock_for_writing(new)
        folders = self._documents.folders
        if holder is not None or folders is None or old is None or old.parent == new.parent:
            return lock, holder, []
        known = folders()
        return (
            lock,
            holder,
            saving.rename_files(
                document.graph,
                document.catalog,
                saving.folders_beside(known, old),
                saving.folders_beside(known, new),
            ),
        )

    def _go_on_at(self, document: Document, path: Path, taken: Taken) -> None:
        self._taking.remove(document)
        lock, holder, edits = taken
        if holder is not None:
            title = self.tr("%1 cannot be saved there").replace("%1", document.title)
            text = self.tr("%1 is open in another PonyStudio.").replace("%1", path.name)
            self._documents.notice.emit(Notification(title, text, kind="warn"))
            return
        try:
            document.do_all(edits, self.tr("Names of files"))
        except GraphError:
            pass  # it was edited meanwhile; the names are told as missing if they are
        self._write(document, path, None, lock)

    def _not_taken(self, document: Document, path: Path, error: PonyStudioError) -> None:
        self._taking.remove(document)
        self._not_saved(document, path, error)

    def _write(
        self,
        document: Document,
        path: Path,
        replaceable: Callable[[str], bool] | None,
        lock: FileLock | None = None,
    ) -> None:
        number = document.begin_saving()
        graph, folders = document.graph, self._documents.folders
        job = SaveJob(
            graph,
            document.current_camera(),
            document.catalog,
            path,
            replaceable,
            saving.folders_beside(folders(), path) if folders else None,
            partial(document.about_to_save, number),
        )

        def saved(digest: str) -> None:
            if path != document.path or lock is not None:
                document.set_lock(lock)
                document.set_read_only("")
            document.was_saved(number, graph, path, digest)
            self._documents.recent.add(document.title, path)
            self._documents.saved.emit(document)

        def failed(error: PonyStudioError) -> None:
            if lock is not None:
                lock.release()
            document.was_not_saved()
            self._not_saved(document, path, error)

        self._files.do(partial(saving.write, job), saved, failed)

    def _not_saved(self, document: Document, path: Path, error: PonyStudioError) -> None:
        documents = self._documents
        elsewhere = (self.tr("Save as…"), partial(documents.path_wanted.emit, document))
        if isinstance(error, ChangedOnDisk):
            title = self.tr("%1 was changed by another program").replace("%1", path.name)
            over = (self.tr("Save over it"), partial(documents.save, document, force=True))
            notice = Notification.of(title, error, over, elsewhere)
        else:
            title = self.tr("%1 is not saved").replace("%1", document.title)
            notice = Notification.of(title, error, elsewhere)
        documents.notice.emit(notice)
