"""Whole pictures, decoded off the GUI thread and kept in sizes that halve, so that even 16,384
pixels a side zoom smoothly: a view draws from the size that is just large enough."""

from __future__ import annotations

import time
from collections import OrderedDict
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from PySide6.QtCore import QObject, QRectF, QSize, Qt, Signal
from PySide6.QtGui import QImage, QPainter

from ponystudio.errors import PonyStudioError
from ponystudio.qt.background_tasks import BackgroundTasks
from ponystudio.qt.picture_image import image_within
from ponystudio.system.file_names import why_absent

MEMORY_BYTES = 1536 * 2**20
MIN_PICTURES = 2
# So many bytes in any case, or times the file's length, are made of a picture: what is more has no
# more to show, for no file tells so little of so much.
LEAST_BYTES, BYTES_PER_BYTE = 128 * 2**20, 64
_SMALLEST = 512
_MAX_PENDING = 4
_BAND_PIXELS = 2**20  # some milliseconds


@dataclass(frozen=True)
class Pyramid:
    """A picture, at a half, a quarter, ...; the first level has all that is kept of it. `size` is
    the whole picture's."""

    levels: tuple[QImage, ...]
    size: QSize

    @property
    def bytes(self) -> int:
        return sum(level.sizeInBytes() for level in self.levels)

    def level(self, scale: float) -> tuple[QImage, float]:
        """The smallest level that has enough pixels for `scale` (device px a picture px), and its
        own scale against the whole picture."""
        kept = self.levels[0].width() / max(1, self.size.width())
        chosen = 0
        while chosen + 1 < len(self.levels) and scale <= kept * 0.5 ** (chosen + 1):
            chosen += 1
        image = self.levels[chosen]
        return image, image.width() / max(1, self.size.width())

    def source(self, image: QImage, part: QRectF) -> QRectF:
        """Where `part` of the whole picture (in 0..1) lies in one of the levels."""
        w, h = image.width(), image.height()
        return QRectF(part.x() * w, part.y() * h, part.width() * w, part.height() * h)


class ImageLoader(QObject):
    """`loaded` carries the path of a picture that `get` gives from now on; `failed` carries a path
    and the reason in plain words. `close` it before the application ends."""

    loaded = Signal(object)
    failed = Signal(object, str)

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._work = BackgroundTasks("pictures", newest_first=True)
        self._pyramids: OrderedDict[Path, Pyramid] = OrderedDict()
        self._pending: dict[Path, None] = {}
        self._failed: dict[Path, str] = {}

    def get(self, path: Path) -> Pyramid | None:
        """The picture; None while it is decoded, or where that failed."""
        if (known := self._pyramids.get(path)) is not None:
            self._pyramids.move_to_end(path)
            return known
        if path not in self._pending and path not in self._failed:
            # Who leafs through quickly does not want all that was passed.
            while len(self._pending) >= _MAX_PENDING:
                oldest = next(iter(self._pending))
                del self._pending[oldest]
                self._work.drop(oldest)
            self._pending[path] = None
            self._work.do(partial(decoded, path), partial(self._keep, path), key=path)
        return None

    def problem(self, path: Path) -> str:
        """Why there is no picture, or ""."""
        return self._failed.get(path, "")

    def forget(self, path: Path) -> None:
        """The file has changed or gone."""
        self._pyramids.pop(path, None)
        self._failed.pop(path, None)

    def close(self) -> None:
        self._work.close()

    def _keep(self, path: Path, decoded: tuple[Pyramid | None, str]) -> None:
        pyramid, reason = decoded
        self._pending.pop(path, None)
        if pyramid is None:
            self._failed[path] = reason
            self.failed.emit(path, reason)
            return
        self._pyramids[path] = pyramid
        self._pyramids.move_to_end(path)
        while (
            len(self._pyramids) > MIN_PICTURES
            and sum(kept.bytes for kept in self._pyramids.values()) > MEMORY_BYTES
        ):
            self._pyramids.popitem(last=False)
        self.loaded.emit(path)


def decoded(path: Path) -> tuple[Pyramid | None, str]:
    """The picture in all its sizes, or None and why not."""
    try:
        most = max(LEAST_BYTES, BYTES_PER_BYTE * path.stat().st_size)
        found = image_within(path, most)
    except OSError:
        return None, why_absent(path) or "The file is no longer there."
    except PonyStudioError as error:
        return None, error.what
    levels = [found.image]
    while max(levels[-1].width(), levels[-1].height()) > 2 * _SMALLEST:
        levels.append(halved(levels[-1]))
    return Pyramid(tuple(levels), QSize(found.width, found.height)), ""


def halved(image: QImage) -> QImage:
    """At half its size, row band by row band: PySide scales with Python's lock held, and the
    window must not wait for a second."""
    width, height = max(1, image.width() // 2), max(1, image.height() // 2)
    result = QImage(width, height, image.format())
    painter = QPainter(result)
    painter.setCompositionMode(QPainter.CompositionMode.CompositionMode_Source)
    rows = max(1, _BAND_PIXELS // image.width())
    for top in range(0, height, rows):
        count = min(rows, height - top)
        # The last band takes an odd row along.
        below = image.height() if top + count == height else 2 * (top + count)
        band = image.copy(0, 2 * top, image.width(), below - 2 * top)
        part = band.scaled(
            width,
            count,
            Qt.AspectRatioMode.IgnoreAspectRatio,
            Qt.TransformationMode.SmoothTransformation,
        )
        painter.drawImage(0, top, part)
        time.sleep(0)
    painter.end()
    return result
