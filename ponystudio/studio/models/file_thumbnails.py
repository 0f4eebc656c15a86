"""Small pictures of files, made in any thread."""

from __future__ import annotations

import base64
import binascii
from pathlib import Path
from typing import Any

from PySide6.QtCore import QByteArray, QSize, Qt
from PySide6.QtGui import QImage, QImageReader

THUMB = 102  # px: 34 at the finest screen
_SIDECARS = (".preview.png", ".preview.jpg", ".preview.jpeg", ".preview.webp",
             ".png", ".jpg", ".jpeg", ".webp", ".thumb.jpg")  # fmt: skip


def read_thumb(path: Path, side: int = THUMB) -> QImage | None:
    """A picture, as small as it is needed, upright."""
    reader = QImageReader(str(path))
    reader.setAutoTransform(True)
    return _cropped(reader, side)


def sidecar_thumb(path: Path, metadata: Any, side: int = THUMB) -> QImage | None:
    """The picture beside a model file, or the one inside it."""
    for suffix in _SIDECARS:
        beside = path.with_suffix(suffix)
        if beside != path and beside.is_file() and (image := read_thumb(beside, side)) is not None:
            return image
    inside = str(metadata.get("modelspec.thumbnail", ""))
    if inside.startswith("data:image/") and "," in inside:
        try:
            data = base64.b64decode(inside.partition(",")[2], validate=False)
        except binascii.Error:
            return None
        image = QImage.fromData(QByteArray(data))
        if not image.isNull():
            return _square(image, side)
    return None


def _cropped(reader: QImageReader, side: int) -> QImage | None:
    if not reader.canRead():
        return None
    size = reader.size()
    if size.isValid() and not size.isEmpty():
        factor = side / min(size.width(), size.height())
        if factor < 1:
            reader.setScaledSize(
                QSize(max(1, round(size.width() * factor)), max(1, round(size.height() * factor)))
            )
    image = reader.read()
    return None if image.isNull() else _square(image, side)


def _square(image: QImage, side: int) -> QImage:
    """The middle of a picture, as a square."""
    image = image.scaled(
        side,
        side,
        Qt.AspectRatioMode.KeepAspectRatioByExpanding,
        Qt.TransformationMode.SmoothTransformation,
    )
    left, top = (image.width() - side) // 2, (image.height() - side) // 2
    return image.copy(left, top, side, side)
