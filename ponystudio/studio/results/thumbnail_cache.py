"""Small pictures of pictures: made off the GUI thread, kept on disk, the latest used in memory."""

from __future__ import annotations

import contextlib
import hashlib
import os
import secrets
from collections import OrderedDict
from functools import partial
from pathlib import Path

from PySide6.QtCore import QObject, Signal
from PySide6.QtGui import QImage, QImageWriter, QPixmap

from ponystudio.errors import PonyStudioError
from ponystudio.qt.background_tasks import BackgroundTasks
from ponystudio.qt.picture_image import own_image, small_image
from ponystudio.system.regular_file import read_regular

SIDE = 256
MEMORY_BYTES = 96 * 2**20
DISK_BYTES = 512 * 2**20
# One of 256 × 256 pixels that no format makes smaller, and a little more.
MAX_KEPT = 2**19
_TRIM_EVERY = 500


class ThumbnailCache(QObject):
    """`ready` carries the path of a thumbnail that `get` gives from now on.

    `failed` carries one whose file is gone or no picture. `close` it before the application ends.
    """

    ready = Signal(object)
    failed = Signal(object)

    def __init__(self, folder: Path, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._folder = folder
        self._work = BackgroundTasks("thumbnails", threads=2, newest_first=True)
        self._pixmaps: OrderedDict[Path, QPixmap] = OrderedDict()
        self._bytes = 0
        self._pending: set[Path] = set()
        self._failed: set[Path] = set()
        self._written = 0

    def get(self, path: Path) -> QPixmap | None:
        """The thumbnail, its longer side at most 256 px; None while it is being made."""
        if (known := self._pixmaps.get(path)) is not None:
            self._pixmaps.move_to_end(path)
            return known
        if path not in self._pending and path not in self._failed:
            self._pending.add(path)
            self._work.do(partial(self._image, path), partial(self._keep, path), key=path)
        return None

    def is_bad(self, path: Path) -> bool:
        """Whether there is nothing to show."""
        return path in self._failed

    def forget(self, path: Path) -> None:
        """The file has changed or gone."""
        self._failed.discard(path)
        if (known := self._pixmaps.pop(path, None)) is not None:
            self._bytes -= _bytes(known)

    def close(self) -> None:
        self._work.close()

    def _keep(self, path: Path, image: QImage | None) -> None:
        self._pending.discard(path)
        if image is None:
            self._failed.add(path)
            self.failed.emit(path)
            return
        self.forget(path)
        self._pixmaps[path] = pixmap = QPixmap.fromImage(image)
        self._bytes += _bytes(pixmap)
        while self._bytes > MEMORY_BYTES and len(self._pixmaps) > 1:
            _, old = self._pixmaps.popitem(last=False)
            self._bytes -= _bytes(old)
        self.ready.emit(path)

    # --- In the threads ---------------------------------------------------------------------------

    def _image(self, path: Path) -> QImage | None:
        try:
            stat = path.stat()
        except OSError:
            return None
        file = self._folder / _name(path, stat.st_mtime_ns, stat.st_size)
        if (image := _read(file)) is not None:
            # The time of the last use decides who leaves.
            with contextlib.suppress(OSError):
                os.utime(file)
            return image
        image = small(path)
        if image is not None:
            self._write(image, file)
        return image

    def _write(self, image: QImage, file: Path) -> None:
        """Missing thumbnails are made again, so nothing that goes wrong here matters."""
        draft = file.with_name(f".{secrets.token_hex(6)}{file.suffix}")
        with contextlib.suppress(OSError):
            file.parent.mkdir(parents=True, exist_ok=True)
            writer = QImageWriter(str(draft), b"png" if image.hasAlphaChannel() else b"jpeg")
            writer.setQuality(90)
            if writer.write(image):
                draft.replace(file)
            self._written += 1
            if self._written % _TRIM_EVERY == 1:
                trim(self._folder, DISK_BYTES)


def small(path: Path, side: int = SIDE) -> QImage | None:
    """The picture within a square of `side` px; None if it is none."""
    try:
        return small_image(path, side).image
    except PonyStudioError:
        return None


def trim(folder: Path, limit: int) -> None:
    """Remove what was not used for longest until the folder holds at most nine tenths of `limit`
    bytes, if it holds more than that."""
    entries = []
    with contextlib.suppress(OSError), os.scandir(folder) as found:
        for entry in found:
            with contextlib.suppress(OSError):
                stat = entry.stat()
                entries.append((stat.st_mtime, stat.st_size, entry.path))
    total = sum(size for _, size, _ in entries)
    if total <= limit:
        return
    for _, size, path in sorted(entries):
        if total <= limit * 0.9:
            break
        with contextlib.suppress(OSError):
            Path(path).unlink()
            total -= size


def _name(path: Path, mtime: int, size: int) -> str:
    return hashlib.sha256(f"{path}\0{mtime}\0{size}".encode("utf-8", "replace")).hexdigest()[:32]


def _read(file: Path) -> QImage | None:
    """What `_write` wrote."""
    try:
        image = own_image(read_regular(file, MAX_KEPT))
    except OSError:
        return None
    return None if image.isNull() else image


def _bytes(pixmap: QPixmap) -> int:
    return pixmap.width() * pixmap.height() * 4
