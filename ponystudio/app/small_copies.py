"""Small copies of picture files, read off the GUI thread."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from pathlib import Path

from PySide6.QtCore import QObject, QSize, Qt, QThreadPool, Signal
from PySide6.QtGui import QImage, QImageReader

# Cards are at most 480 px wide, and may be looked at closely.
LONGEST = 512

Then = Callable[[QImage, int], object]


class SmallCopies(QObject):
    """`load` calls back with a picture and the time that its file was written at."""

    _loaded = Signal(object, QImage, object)

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._pool = QThreadPool(self)
        self._pool.setMaxThreadCount(1)
        self._loaded.connect(lambda then, picture, time: then(picture, time))

    def load(self, path: str, then: Then) -> None:
        """Nothing is called for what is no picture, or gone."""

        def work() -> None:
            with contextlib.suppress(OSError):
                written = Path(path).stat().st_mtime_ns
                picture = small_copy(path)
                if not picture.isNull():
                    with contextlib.suppress(RuntimeError):  # the application is gone already
                        self._loaded.emit(then, picture, written)

        self._pool.start(work)

    def do(self, work: Callable[[], object]) -> None:
        """Something else that is no work for the GUI thread."""
        self._pool.start(work)

    def close(self) -> None:
        self._pool.waitForDone()


def small_copy(path: str) -> QImage:
    """The picture, no longer than 512 px a side; null if the file is none."""
    reader = QImageReader(path)
    reader.setAutoTransform(True)
    whole = reader.size()
    if whole.isValid() and max(whole.width(), whole.height()) > LONGEST:
        fitting = whole.scaled(QSize(LONGEST, LONGEST), Qt.AspectRatioMode.KeepAspectRatio)
        reader.setScaledSize(fitting.expandedTo(QSize(1, 1)))
    return reader.read()
