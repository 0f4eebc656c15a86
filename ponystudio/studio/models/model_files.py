"""What is known of the files that params name: where they are, what they are, how they look as
small pictures.

Found out in the background, once each; asking again costs nothing.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from functools import partial
from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING

from PySide6.QtCore import QCoreApplication, QObject, Qt, QTimer, Signal
from PySide6.QtGui import QGuiApplication, QImage

from ponystudio.errors import UsageError
from ponystudio.library.model_folders import ModelFolders
from ponystudio.qt.background_tasks import BackgroundTasks
from ponystudio.studio.models.model_summary import THUMB, ModelSummary

if TYPE_CHECKING:  # imported when the first file is looked into
    from ponystudio.library.recognition.model_file import ModelFile
    from ponystudio.library.recognition.model_notes import ModelNotes
    from ponystudio.studio.models.file_reader import FileReader

MAX_PICTURES = 160
_STEP = 64
RECHECK_SECONDS = 2.0


class PreviewPictureCache(QObject):
    """`changed` when a sharper one is there."""

    changed = Signal()

    def __init__(self, facts: FileFacts, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._facts = facts
        self._pictures: OrderedDict[tuple[Path, float, int], QImage | None] = OrderedDict()

    def get(self, fact: ModelSummary | None, side: int) -> QImage | None:
        """The picture at least that wide, a small one until it is read; None: there is none."""
        if fact is None or fact.thumb is None or fact.path is None or side <= THUMB:
            return fact.thumb if fact else None
        side = -(-side // _STEP) * _STEP  # a window that is pulled wider asks for few sizes
        key = (fact.path, fact.modified, side)
        if key in self._pictures:
            self._pictures.move_to_end(key)
        else:
            self._pictures[key] = None
            self._facts.picture(fact.path, side, partial(self._have, key))
            while len(self._pictures) > MAX_PICTURES:
                self._pictures.popitem(last=False)
        sharp = self._pictures[key]
        return fact.thumb if sharp is None else sharp

    def _have(self, key: tuple[Path, float, int], image: QImage | None) -> None:
        if key in self._pictures and image is not None:
            self._pictures[key] = image
            self.changed.emit()


class FileFacts(QObject):
    """`changed` fires when something asked for became known, `rechecked` when names may mean other
    files now. `unused_lines`: what in the settings of other tools, as last read, leads to no
    folder."""

    changed = Signal()
    rechecked = Signal()

    def __init__(self, folders: Callable[[], ModelFolders], index_path: Path | None = None) -> None:
        super().__init__()
        self._folders, self._index_path = folders, index_path
        self._known: dict[tuple[str, str], ModelSummary] = {}
        self._pending: set[tuple[str, str]] = set()
        self._stale: set[tuple[str, str]] = set()
        self._recheck_at: dict[tuple[str, str], float] = {}
        self._names: dict[str, list[str]] = {}
        self.unused_lines: list[str] = []
        self._background = BackgroundTasks("model files", newest_first=True)
        self._open_reader: FileReader | None = None
        self._last_folders: ModelFolders | None = None
        app = QCoreApplication.instance()
        if isinstance(app, QGuiApplication):
            app.applicationStateChanged.connect(self._app_state)

    def get(self, kind: str, name: str) -> ModelSummary | None:
        """What is known of a file by its name in a graph; None while it is found out. One that is
        missing is looked for again, as the run that finds it may repaint its card."""
        key = (kind, name)
        found = self._known.get(key)
        recheck = (
            found is not None and found.missing and monotonic() > self._recheck_at.get(key, 0.0)
        )
        if (found is None or recheck or key in self._stale) and key not in self._pending:
            self._pending.add(key)
            self._stale.discard(key)
            self._recheck_at[key] = monotonic() + RECHECK_SECONDS
            folders = self._present()
            self._background.do(
                lambda: self._reader().summary(kind, name, folders),
                lambda fact: self._done(key, fact),
                key=key,
            )
        return found

    def _present(self) -> ModelFolders:
        """The folders as they are now, found out once where many files are asked for at once."""
        if self._last_folders is None:
            self._last_folders = self._folders()
            QTimer.singleShot(0, self, self._forget_folders)
        return self._last_folders

    def _forget_folders(self) -> None:
        self._last_folders = None

    def names(self, kind: str) -> list[str] | None:
        """The files of a kind as last seen, None before the first look; call `refresh`."""
        return self._names.get(kind)

    def refresh(self, kind: str) -> None:
        """List the files of a kind anew, and see whether they are what they were."""
        folders = self._folders()
        self._stale.update(key for key in self._known if key[0] == kind)
        self._background.do(
            lambda: _names(folders, kind),
            lambda found: self._listed(kind, *found),
            key=("names", kind),
        )

    def list_now(self, kind: str, done: Callable[[list[str]], None]) -> None:
        """The files of a kind as they are now, for `done`."""
        folders = self._folders()
        self._background.do(lambda: _names(folders, kind)[0], done)

    def refresh_file(self, kind: str, name: str) -> None:
        """More may be known of this file now."""
        self._stale.add((kind, name))
        self.changed.emit()

    def examine(
        self, path: Path, done: Callable[[tuple[ModelFile, ModelNotes] | None], None]
    ) -> None:
        """What a model file is and says of itself, for `done`; None where it is none. Only what
        was asked last is answered for certain."""
        self._background.do(lambda: self._reader().examine(path), done, key="examine")

    def picture(self, path: Path, side: int, done: Callable[[QImage | None], None]) -> None:
        """The picture that belongs to a model file as a square of that size, for `done`."""
        self._background.do(
            lambda: self._reader().picture(path, side), done, key=("picture", path, side)
        )

    def forget(self) -> None:
        """The folders are others now."""
        self._background.forget()
        self._forget_folders()
        kinds = list(self._names)
        self._known.clear()
        self._names.clear()
        self._stale = set(self._pending)  # what is being looked at may be found in the old ones
        self._pending.clear()
        for kind in kinds:
            self.refresh(kind)
        self.changed.emit()
        self.rechecked.emit()

    def recheck(self) -> None:
        """Names may mean other files now, beside another graph, say: look at them again."""
        self._forget_folders()
        if self._known or self._pending:
            self._stale.update(self._known, self._pending)
            self.changed.emit()
        self.rechecked.emit()

    def _app_state(self, state: Qt.ApplicationState) -> None:
        """Whoever comes back from another program may have put files where they were missing."""
        if state == Qt.ApplicationState.ApplicationActive:
            self.recheck()

    def name_for(self, kind: str, path: Path) -> str:
        """What a graph should call a file."""
        return self._folders().name_for(kind, path)

    def folder(self, kind: str) -> Path | None:
        """Where a person would look for files of a kind."""
        folders = self._folders().folders(kind)
        return folders[0] if folders else None

    def _done(self, key: tuple[str, str], fact: ModelSummary) -> None:
        self._pending.discard(key)
        if self._known.get(key) != fact:
            self._known[key] = fact
            self.changed.emit()

    def _listed(self, kind: str, names: list[str], unused_lines: list[str]) -> None:
        self._names[kind] = names
        self.unused_lines = unused_lines
        self.changed.emit()

    # On the thread

    def _reader(self) -> FileReader:
        if self._open_reader is None:
            from ponystudio.studio.models.file_reader import FileReader

            self._open_reader = FileReader(self._index_path)
        return self._open_reader

    def close(self) -> None:
        """Look into no more files, and let go of the index."""
        self._background.close()
        if self._open_reader is not None:
            self._open_reader.close()


def _names(folders: ModelFolders, kind: str) -> tuple[list[str], list[str]]:
    """The files of a kind, and what of other tools' settings was of no use."""
    try:
        return folders.names(kind), folders.unused_lines()
    except UsageError as error:
        return [], [str(error)]
