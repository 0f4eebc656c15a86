"""The index of results: every picture in the output folder, with how it was made.

All reading and writing happens in a thread of its own; answers come by signals. It only reads
pictures, and what has vanished it forgets without a word.
"""

from __future__ import annotations

import logging
import os
import sqlite3
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from itertools import islice
from pathlib import Path

from PySide6.QtCore import QFileSystemWatcher, QObject, QTimer, Signal

from ponystudio.qt.background_tasks import BackgroundTasks
from ponystudio.studio.results.picture_record import PictureRecord, is_picture_name, read_picture
from ponystudio.studio.results.result_table import Answer, Query, ResultTable

__all__ = ["Answer", "Query", "ResultIndex"]

_BATCH = 100
# After which an index that could not be opened is tried again.
_RETRY_SECONDS = 10.0
_WATCHED_FOLDERS = 200
# Folders change many times while a picture is written.
_SETTLE_MS = 400
_CHANGED_MS = 60
_log = logging.getLogger(__name__)


class ResultIndex(QObject):
    """`changed`: ask again. `answered` carries an Answer. `added` carries the
    PictureRecord of one just made.

    `close` it before the application ends.
    """

    changed = Signal()
    answered = Signal(object)
    added = Signal(object)

    def __init__(self, database: Path, folder: Path, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._database, self._folder = database, folder
        self._store: ResultTable | None = None
        self._retry_at = 0.0
        self._work = BackgroundTasks("results")
        self._watcher = QFileSystemWatcher(self)
        self._settle_timer = QTimer(self, singleShot=True, interval=_SETTLE_MS)
        self._change_timer = QTimer(self, singleShot=True, interval=_CHANGED_MS)
        self._settle_timer.timeout.connect(self.scan)
        self._change_timer.timeout.connect(self.changed)
        self._watcher.directoryChanged.connect(self._folder_changed)
        self._recent: deque[PictureRecord] = deque(maxlen=100)

    @property
    def folder(self) -> Path:
        """The output folder."""
        return self._folder

    def set_folder(self, folder: Path) -> None:
        """Another output folder. What is known of the old one stays known."""
        if folder != self._folder:
            self._folder = folder
            self.scan()

    def is_watched(self, folder: Path) -> bool:
        """Whether pictures that others put into the folder are noticed yet."""
        return str(folder) in self._watcher.directories()

    def scan(self) -> None:
        """Look for pictures that came, changed or went, in the background."""
        folder = self._folder
        self._work.do(partial(self._scan, folder), self._watch, key="scan")

    def add(self, path: Path | str) -> None:
        """A picture was just made."""
        made = Path(path)
        self._work.do(partial(self._add, made), self._remember)

    def latest(self, count: int) -> list[PictureRecord]:
        """The latest pictures made since the app began, the last one first."""
        return list(islice(self._recent, count))

    def ask(self, query: Query) -> None:
        """`answered` comes with this query. A query that waits is replaced by a later equal one."""
        self._work.do(partial(self._answer, query), self.answered.emit, key=query)

    def star(self, paths: Iterable[Path], on: bool) -> None:
        names = [str(path) for path in paths]
        self._work.do(lambda: self._with(lambda store: store.star(names, on)))

    def forget(self, paths: Iterable[Path]) -> None:
        """These files are gone."""
        names = [str(path) for path in paths]
        self._work.do(lambda: self._with(lambda store: store.mark_gone(names)))

    def close(self) -> None:
        self._settle_timer.stop()
        self._change_timer.stop()
        self._work.close()
        if self._store is not None and not self._work.busy:
            self._store.close()
            self._store = None

    def _remember(self, picture: PictureRecord | None) -> None:
        if picture is not None:
            self._recent.appendleft(picture)
            self.added.emit(picture)

    def _changed_soon(self) -> None:
        # Not restarted: while pictures pour in, lists still follow.
        if not self._change_timer.isActive():
            self._change_timer.start()

    def _folder_changed(self, _path: str) -> None:
        if not self._work.closing:
            self._settle_timer.start()

    def _watch(self, folders: list[str]) -> None:
        if not folders:  # none was looked through
            return
        watched = set(self._watcher.directories())
        wanted = set(folders[:_WATCHED_FOLDERS])
        if gone := sorted(watched - wanted):
            self._watcher.removePaths(gone)
        if new := sorted(folder for folder in wanted - watched if Path(folder).is_dir()):
            self._watcher.addPaths(new)

    # --- In the thread ----------------------------------------------------------------------------

    def _opened(self) -> ResultTable | None:
        if self._store is None and time.monotonic() >= self._retry_at:
            try:
                self._store = ResultTable(self._database)
            except (OSError, sqlite3.Error) as error:
                self._retry_at = time.monotonic() + _RETRY_SECONDS
                _log.info("The index of results cannot be kept: %s", error)
        return self._store

    def _with(self, change: Callable[[ResultTable], None]) -> None:
        store = self._opened()
        if store is None:
            return
        try:
            change(store)
        except sqlite3.Error as error:  # a full disk: the list is stale, nothing is lost
            _log.info("The index of results cannot be written: %s", error)
            return
        self._work.post(self._changed_soon)

    def _answer(self, query: Query) -> Answer:
        store = self._opened()
        try:
            return store.find(query) if store else Answer(query)
        except sqlite3.Error as error:
            _log.info("The index of results cannot be read: %s", error)
            return Answer(query)

    def _add(self, path: Path) -> PictureRecord | None:
        picture = read_picture(path)
        if picture is not None:
            self._with(lambda store: store.put([picture]))
        return picture

    def _scan(self, folder: Path) -> list[str]:
        """The folders that were met, this one first; none where nothing could be seen."""
        store = self._opened()
        # A drive that is not there is no reason to forget what is on it.
        if store is None or not folder.is_dir():
            return []
        try:
            return self._compare(store, folder)
        except sqlite3.Error as error:
            _log.info("The index of results cannot be renewed: %s", error)
            return []

    def _compare(self, store: ResultTable, folder: Path) -> list[str]:
        known = store.stamps(folder)
        folders: list[str] = [str(folder)]
        batch: list[PictureRecord] = []
        for entry in _entries(folder, folders):
            if self._work.closing:
                return []
            try:
                stat = entry.stat()
            except OSError:
                continue
            if known.pop(entry.path, None) == (stat.st_mtime_ns, stat.st_size):
                continue
            if picture := read_picture(Path(entry.path)):
                batch.append(picture)
            if len(batch) >= _BATCH:
                self._put(store, batch)
        self._put(store, batch)
        missing = [path for path in known if not Path(path).exists()]
        if missing:
            self._with(lambda store: store.mark_gone(missing))
        return folders

    def _put(self, store: ResultTable, batch: list[PictureRecord]) -> None:
        if batch:
            store.put(batch)
            batch.clear()
            self._work.post(self._changed_soon)


def _entries(folder: Path, folders: list[str]) -> Iterator[os.DirEntry[str]]:
    """The pictures in and below a folder; `folders` takes the folders that were met."""
    pending = [str(folder)]
    while pending:
        try:
            with os.scandir(pending.pop()) as entries:
                found = list(entries)
        except OSError:
            continue
        for entry in found:
            if entry.name.startswith("."):
                continue
            try:
                if entry.is_dir(follow_symlinks=False):
                    pending.append(entry.path)
                    folders.append(entry.path)
                elif is_picture_name(entry.name) and entry.is_file():
                    yield entry
            except OSError:  # a link to itself, or into a folder that is closed
                continue
