"""What was open lately: files, and documents that were closed with work that is in no file."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from PySide6.QtCore import QObject, Signal

from ponystudio.studio.json_store import read_json, write_json

MOST_FILES = 40
MOST_UNSAVED = 100
LONGEST = 60 * 86_400.0


@dataclass(frozen=True)
class RecentFile:
    """A file by its `path`, or unsaved work by the `id` of its journal, or both."""

    title: str
    path: str = ""
    id: str = ""
    time: float = 0.0

    @property
    def unsaved(self) -> bool:
        return bool(self.id)


@dataclass(frozen=True)
class _Stored:
    """The file as it is written."""

    version: int = 1
    entries: tuple[RecentFile, ...] = ()


class RecentFiles(QObject):
    """Newest first. Entries are told as they were: nobody looks whether a file is still there.

    `write` has a job done in some other thread; what `is_held` says of an id is kept until somebody
    decides, however old it is; `forgotten` carries the id of a journal that
    nobody can come back to any more.
    """

    changed = Signal()
    forgotten = Signal(str)

    def __init__(
        self,
        file: Path,
        write: Callable[[Callable[[], None]], None],
        parent: QObject | None = None,
        *,
        is_held: Callable[[str], bool] = lambda _: False,
    ) -> None:
        super().__init__(parent)
        self._file = file
        self._write = write
        self._is_held = is_held
        self._entries = (read_json(file, _Stored) or _Stored()).entries

    def entries(self) -> tuple[RecentFile, ...]:
        return self._entries

    def add(self, title: str, path: Path | None = None, id: str = "") -> None:
        """Put it first; a file stands there once, and once more with unsaved work."""
        entry = RecentFile(title, "" if path is None else str(path), id, time.time())
        others = (
            other for other in self._entries if (other.id or other.path) != (entry.id or entry.path)
        )
        self._set((entry, *others))

    def take_unsaved(self, id: str) -> None:
        """The unsaved work of this id is open again: its journal is no longer ours to forget."""
        self._set(tuple(entry for entry in self._entries if entry.id != id))

    def forget(self, entry: RecentFile) -> None:
        self._set(tuple(other for other in self._entries if other != entry))
        if entry.id:
            self.forgotten.emit(entry.id)

    def last_unsaved(self, path: Path | None = None) -> RecentFile | None:
        """The unsaved work closed last, of all or of one file."""
        wanted = None if path is None else str(path)
        return next(
            (e for e in self._entries if e.id and (wanted is None or e.path == wanted)), None
        )

    def _set(self, entries: tuple[RecentFile, ...]) -> None:
        kept = self._limited(entries)
        gone = {entry.id for entry in entries if entry.id} - {entry.id for entry in kept}
        if kept == self._entries:
            return
        self._entries = kept
        self._write(lambda: write_json(self._file, _Stored(entries=kept)))
        for id in gone:
            self.forgotten.emit(id)
        self.changed.emit()

    def _limited(self, entries: tuple[RecentFile, ...]) -> tuple[RecentFile, ...]:
        oldest = time.time() - LONGEST
        files = [entry for entry in entries if not entry.id][:MOST_FILES]
        unsaved = [entry for entry in entries if entry.id and entry.time > oldest][:MOST_UNSAVED]
        held = [entry for entry in entries if entry.id and self._is_held(entry.id)]
        kept = {*files, *unsaved, *held}
        return tuple(entry for entry in entries if entry in kept)
