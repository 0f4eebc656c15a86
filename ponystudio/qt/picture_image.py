"""Pictures as QImages. Those of files are decoded by the reader's process: Qt's own decoders, of
which some open what a picture names, see none of them.

For threads: each waits until the picture is there.
"""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from PySide6.QtCore import QBuffer, QByteArray, QIODevice
from PySide6.QtGui import QImage, QImageReader

from ponystudio.pictures.picture_reader import read_pixels, read_thumbnail
from ponystudio.pictures.reader_protocol import PicturePixels


class SmallImage(NamedTuple):
    """A picture that may have been made smaller, upright; `width` and `height` are those of the
    whole one."""

    image: QImage
    width: int
    height: int


def small_image(source: Path | bytes, side: int, *, fill: bool = False) -> SmallImage:
    """A picture, of a file or as its content, within a square of `side` pixels; never enlarged.

    With `fill`: the middle of it as that square. Raises MissingFile, DamagedFile.
    """
    taken = _Image()
    told = read_thumbnail(source, side, taken.room, fill=fill)
    return SmallImage(taken.image, *told.whole)


def whole_image(source: Path | bytes) -> QImage:
    """All of a picture, upright. Raises MissingFile, DamagedFile."""
    taken = _Image()
    read_pixels(source, taken.room)
    return taken.image


def image_within(source: Path, most: int) -> SmallImage:
    """All of a picture in at most so many bytes, smaller by a whole factor if need be.

    Raises MissingFile, DamagedFile.
    """
    taken = _Image()
    told = read_pixels(source, taken.room, most=most)
    return SmallImage(taken.image, *told.whole)


def own_image(data: bytes) -> QImage:
    """A JPEG or PNG that PonyStudio itself has made of plain numbers; null for anything else.

    A format alone does not keep Qt from asking all its decoders, so it is told not to.
    """
    buffer = QBuffer()
    buffer.setData(data)
    buffer.open(QIODevice.OpenModeFlag.ReadOnly)
    reader = QImageReader(buffer, QByteArray(b"png" if data.startswith(b"\x89PNG") else b"jpeg"))
    reader.setAutoDetectImageFormat(False)
    return reader.read()


class _Image:
    """Takes the pixels as the painter draws them, without converting anything."""

    def room(self, pixels: PicturePixels) -> memoryview:
        kind = QImage.Format.Format_ARGB32_Premultiplied
        if pixels.opaque:
            kind = QImage.Format.Format_RGB32
        self.image = QImage(pixels.width, pixels.height, kind)
        if self.image.isNull():
            raise MemoryError
        return memoryview(self.image.bits())
