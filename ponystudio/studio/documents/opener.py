"""How documents come to be open: from files, pictures, journals and the last session."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from PySide6.QtCore import QObject

from ponystudio.errors import PonyStudioError
from ponystudio.qt.background_tasks import BackgroundTasks
from ponystudio.qt.notification import Notification
from ponystudio.studio.documents import open_documents, opening
from ponystudio.studio.documents.document import Document
from ponystudio.studio.documents.file_lock import LockHolder
from ponystudio.studio.documents.open_documents import OpenDocuments
from ponystudio.studio.documents.opening import LoadedFile, RecoveredDocument
from ponystudio.studio.documents.recent_files import RecentFile

if TYPE_CHECKING:
    from ponystudio.studio.documents.documents import Documents

T = TypeVar("T")


class Opener(QObject):
    """Part of Documents."""

    def __init__(self, documents: Documents, files: BackgroundTasks) -> None:
        super().__init__(documents)
        self._documents = documents
        self._files = files

    def open(self, path: Path) -> None:
        path = absolute(path)
        if (there := self._documents.at(path)) is not None:
            self._documents.set_current(there)
            return
        self._files.do(
            partial(self._settled, opening.load, path, self._unsaved(path)),
            self._opened,
            partial(self._not_opened, path.name),
        )

    def open_now(self, path: Path) -> Document:
        path = absolute(path)
        there = self._documents.at(path)
        if there is not None:
            self._documents.set_current(there)
            return there
        return self._opened(self._settled(opening.load, path, self._unsaved(path)))

    def reopen(self, entry: RecentFile) -> None:
        if not entry.id:
            self.open(Path(entry.path))
            return
        self._files.do(
            partial(self._settled, opening.recover, self._documents.journal_path(entry.id)),
            partial(self._reopened, entry),
            partial(self._not_opened, entry.title),
        )

    def restore(self, file: Path, folder: Path) -> None:
        shelved = frozenset(entry.id for entry in self._documents.recent.entries() if entry.id)
        self._files.do(
            partial(open_documents.survey, file, folder, shelved),
            lambda found: self._restore(*found),
            lambda _: self._documents.restored.emit(),
        )

    def _settled(self, job: Callable[..., T], *arguments: Any) -> T:
        """Do it once what was closed before is on the disk and free for others."""
        self._documents.flush()
        return job(*arguments)

    # --- Files ------------------------------------------------------------------------------------

    def _unsaved(self, path: Path) -> Path | None:
        """The journal of what was done to this file and not saved."""
        entry = self._documents.recent.last_unsaved(path)
        return self._documents.journal_path(entry.id) if entry else None

    def _opened(self, loaded: LoadedFile) -> Document:
        documents = self._documents
        if loaded.path is not None and (there := documents.at(loaded.path)) is not None:
            for lock in (loaded.lock, loaded.stored_lock):
                if lock is not None:
                    lock.release()
            documents.set_current(there)  # it was asked for twice
            return there
        stored = loaded.stored
        document = documents.make(stored.id if stored else "", loaded.stored_lock)
        if stored is not None:
            document.resume(stored)
            documents.recent.taken(document.id)
        else:
            title = loaded.title if loaded.path else documents.free_title(loaded.title)
            document.start(loaded.graph, title, loaded.path, loaded.digest)
        self._secure(document, loaded)
        if loaded.path is not None:
            documents.recent.add(document.title, loaded.path)
        documents.add(document)
        if stored is not None:
            self._tell(
                self.tr("What was not saved in %1 is back"),
                document,
                actions=((self.tr("Show what is saved"), partial(documents.revert, document)),),
            )
        elif loaded.path is not None and (left := documents.recent.last_unsaved(loaded.path)):
            self._tell(
                self.tr("%1 was changed by another program"),
                document,
                self.tr("What you did to it before that is kept, too."),
                ((self.tr("Open that"), partial(self.reopen, left)),),
            )
        return document

    def _not_opened(self, name: str, error: PonyStudioError) -> None:
        title = self.tr("%1 cannot be opened").replace("%1", name)
        self._documents.notice.emit(Notification.of(title, error))

    def _secure(self, document: Document, found: LoadedFile | RecoveredDocument) -> None:
        """Only who has the lock may write the file."""
        document.lock = found.lock
        if found.holder is not None:
            document.set_read_only(self._held_by(found.holder))
        elif found.protected:
            document.set_read_only(self.tr("The file may not be written to."))

    def _held_by(self, holder: LockHolder) -> str:
        if holder.pid == os.getpid():
            return self.tr("It is open in another tab.")
        return self.tr("It is open in another PonyStudio (process %1).").replace(
            "%1", str(holder.pid or "?")
        )

    # --- Journals ---------------------------------------------------------------------------------

    def _reopened(self, entry: RecentFile, recovered: RecoveredDocument | None) -> None:
        documents = self._documents
        there = next((document for document in documents if document.id == entry.id), None)
        if there is not None:
            documents.set_current(there)
        elif recovered is None:
            title = self.tr("%1 cannot be opened again").replace("%1", entry.title)
            text = self.tr("Nothing of it can be read any more, or another PonyStudio has it.")
            documents.notice.emit(Notification(title, text, kind="warn"))
        else:
            self._adopt(recovered)
        documents.recent.taken(entry.id)

    def _adopt(
        self, found: RecoveredDocument, index: int | None = None, *, current: bool = True
    ) -> None:
        stored, documents = found.stored, self._documents
        taken = stored.path is not None and documents.at(stored.path) is not None
        document = documents.make(stored.id, found.journal_lock)
        document.resume(stored)
        if found.fresh is not None and not taken:
            document.follow_file(found.fresh, found.digest)
        if taken:  # opened anew meanwhile
            document.rename(None, documents.free_title(stored.title))
        else:
            self._secure(document, found)
        documents.add(document, index, current=current)
        if found.gone:
            self._tell(
                self.tr("The file of %1 is not there any more"),
                document,
                self.tr("Save it to have it back."),
            )
        elif found.changed and found.fresh is None:
            self._tell(
                self.tr("%1 was changed by another program"),
                document,
                self.tr("Here it is as you left it."),
            )
        if stored.lost:
            self._tell(
                self.tr("The last changes to %1 are lost"),
                document,
                self.tr("Its journal is damaged; what can be read of it is here."),
            )

    def _tell(
        self,
        title: str,
        document: Document,
        text: str = "",
        actions: tuple[tuple[str, partial[None]], ...] = (),
    ) -> None:
        kind = "info" if actions else "warn"
        self._documents.notice.emit(
            Notification(title.replace("%1", document.title), text, actions, kind)  # type: ignore[arg-type]
        )

    # --- The last session -------------------------------------------------------------------------

    def _restore(self, session: OpenDocuments, ids: Iterable[str]) -> None:
        back: list[str] = []
        for id in ids:
            self._files.do(
                partial(opening.recover, self._documents.journal_path(id)),
                partial(self._restored_one, session, back),
                lambda _: None,
            )
        self._files.do(
            lambda: None,
            lambda _: self._restored_all(session, back),
            lambda _: self._documents.restored.emit(),
        )

    def _restored_one(
        self, session: OpenDocuments, back: list[str], found: RecoveredDocument | None
    ) -> None:
        if found is None:
            return
        stored = found.stored
        if stored.closed or stored.pristine:
            self._shelve(found)
            return
        ranks = {id: rank for rank, id in enumerate(session.open)}
        rank = ranks.get(stored.id, len(ranks))
        before = [d for d in self._documents if ranks.get(d.id, len(ranks)) <= rank]
        back.append(stored.id)
        # The one that was shown comes first and stays in front, whatever comes after it.
        self._adopt(found, len(before), current=len(back) == 1)

    def _shelve(self, found: RecoveredDocument) -> None:
        """Closed in the last moment: it stands under recent, or is not needed any more."""
        found.journal_lock.release()
        if found.lock is not None:
            found.lock.release()
        stored, recent = found.stored, self._documents.recent
        if not stored.dirty:
            recent.forgotten.emit(stored.id)
        elif all(entry.id != stored.id for entry in recent.entries()):
            recent.add(stored.title, stored.path, stored.id)

    def _restored_all(self, session: OpenDocuments, back: list[str]) -> None:
        if back and not session.clean:
            title = self.tr("Everything is back")
            text = self.tr("PonyStudio ended unexpectedly. Your documents are as you left them.")
            self._documents.notice.emit(Notification(title, text, kind="ok"))
        self._documents.restored.emit()


def absolute(path: Path) -> Path:
    """Without following links: a file is known by the name that the user gave it."""
    return Path(os.path.abspath(path))  # noqa: PTH100
