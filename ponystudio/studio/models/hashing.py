"""The SHA-256 of model files on demand: read in a thread, kept in the index, given up at once."""

from __future__ import annotations

import time
from functools import partial
from pathlib import Path

from PySide6.QtCore import QObject, Signal

from ponystudio.errors import Cancelled, PonyStudioError
from ponystudio.library.formats.content_id import hashes, identity
from ponystudio.library.model_index import ModelIndex
from ponystudio.qt.background_tasks import BackgroundTasks, in_background

_SETTLE_SECONDS = 0.1
_PROGRESS_BYTES = 64 << 20  # between two words of how far it is


class Hasher(QObject):
    """One file after the other. `progressed` (path, share done) while one is read, `done` (path,
    hash), `failed` (path, error); what was given up ends with `done` and no hash."""

    progressed = Signal(object, float)
    done = Signal(object, str)
    failed = Signal(object, object)

    def __init__(self, index_path: Path | None, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._index_path = index_path
        self._tasks = BackgroundTasks("model hashes", parent=self)
        self._wanted: set[Path] = set()

    def wants(self, path: Path) -> bool:
        """Whether it is being read, or waits for that."""
        return path in self._wanted

    def hash(self, path: Path) -> None:
        if path not in self._wanted:
            self._wanted.add(path)
            self._tasks.start(self._hash(path), partial(self.failed.emit, path))

    def give_up(self, path: Path) -> None:
        self._wanted.discard(path)

    def close(self) -> None:
        self._wanted.clear()
        self._tasks.close()

    async def _hash(self, path: Path) -> None:
        try:
            sha256 = await in_background(self._read, path)
        except Cancelled:
            sha256 = ""
        finally:
            self._wanted.discard(path)
        self.done.emit(path, sha256)

    # In the thread

    def _read(self, path: Path) -> str:
        """Raises Cancelled where nobody wants to know any more."""
        size, last = max(1, path.stat().st_size if path.is_file() else 1), 0

        def on_read(count: int) -> None:
            nonlocal last
            if path not in self._wanted:
                raise Cancelled
            if count - last >= _PROGRESS_BYTES:
                last = count
                self._tasks.post(partial(self.progressed.emit, path, count / size))

        on_read(0)
        while not identity(path).settled:  # of a file that was just written nothing is kept
            time.sleep(_SETTLE_SECONDS)
            on_read(0)
        try:
            index = ModelIndex(self._index_path) if self._index_path is not None else None
        except PonyStudioError:
            index = None
        if index is None:
            return hashes(path, on_read)["sha256"]
        with index:
            return index.sha256(path, on_read)
