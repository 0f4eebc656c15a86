"""Small copies of picture files, read off the GUI thread."""

from __future__ import annotations

import contextlib
from collections.abc import Callable

from PySide6.QtCore import QObject, QSize, Qt, QThreadPool, Signal
from PySide6.QtGui import QImage, QImageReader

# Cards are at most 480 px wide, and may be looked at closely.
LONGEST = 512


class SmallCopies(QObject):
    """`loaded` brings the picture and the tag that it was asked for with."""

    loaded = Signal(QImage, object)

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._pool = QThreadPool(self)
        self._pool.setMaxThreadCount(1)

    def load(self, path: str, tag: object) -> None:
        def work() -> None:
            picture = small_copy(path)
            if not picture.isNull():
                with contextlib.suppress(RuntimeError):  # the application is gone already
                    self.loaded.emit(picture, tag)

        self._pool.start(work)

    def do(self, work: Callable[[str | None], None], text: str | None) -> None:
        """Something else that is no work for the GUI thread: to write a text down."""
        if text is not None:
            self._pool.start(lambda: work(text))

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
