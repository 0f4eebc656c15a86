"""How much two pictures differ, pixel by pixel. Runs in a thread; numpy is loaded there."""

from __future__ import annotations

from dataclasses import dataclass

from PySide6.QtCore import QSize, Qt
from PySide6.QtGui import QImage

from ponystudio.studio.results.image_loader import halved

THRESHOLD = 8
_ROWS = 512
# Black, brown, orange, cream: equal steps of lightness, legible without colour.
_RAMP = ((0, 0, 0), (110, 60, 10), (225, 140, 40), (255, 232, 180))
_SHOWN = 512


@dataclass(frozen=True)
class PixelDifference:
    """`share` of the pixels differ by more than THRESHOLD of 255 in some channel; `largest` is the
    largest difference. `size` is at which size they were compared, `scaled` whether one of them
    had to be scaled to it."""

    share: float
    largest: int
    picture: QImage
    size: QSize
    scaled: bool


def compare(a: QImage, b: QImage) -> PixelDifference:
    """Of the two at the size of the smaller one."""
    scaled = a.size() != b.size()
    size = a.size() if a.width() * a.height() <= b.width() * b.height() else b.size()
    first, second = (_as_rgb(image, size) for image in (a, b))
    return _compared(first, second, size, scaled)


def _as_rgb(image: QImage, size: QSize) -> QImage:
    while image.width() >= 2 * size.width() and image.height() >= 2 * size.height():
        image = halved(image)
    if image.size() != size:
        image = image.scaled(
            size, Qt.AspectRatioMode.IgnoreAspectRatio, Qt.TransformationMode.SmoothTransformation
        )
    return image.convertToFormat(QImage.Format.Format_RGB32)


def _compared(a: QImage, b: QImage, size: QSize, scaled: bool) -> PixelDifference:
    import numpy as np

    width, height = size.width(), size.height()
    over = largest = 0
    shown = size.scaled(_SHOWN, _SHOWN, Qt.AspectRatioMode.KeepAspectRatio)
    if shown.width() > width:
        shown = size
    # At the most strongly differing pixel of each cell: a thin line must not vanish.
    strongest = np.zeros((max(1, shown.height()), max(1, shown.width())), np.uint8)
    columns = np.arange(width) * strongest.shape[1] // max(1, width)
    starts = np.searchsorted(columns, np.arange(strongest.shape[1]))
    for top in range(0, height, _ROWS):
        rows = min(_ROWS, height - top)
        parts = []
        for image in (a, b):
            stride = image.bytesPerLine()
            part = np.frombuffer(
                image.constBits(),
                np.uint8,
                rows * stride,
                top * stride,
            )
            pixels = part.reshape(rows, stride)[:, : width * 4].reshape(rows, width, 4)
            parts.append(pixels[..., :3].astype(np.int16))
        difference = np.abs(parts[0] - parts[1]).max(axis=2).astype(np.uint8)
        over += int((difference > THRESHOLD).sum())
        largest = max(largest, int(difference.max(initial=0)))
        narrow = np.maximum.reduceat(difference, starts, axis=1)
        for row in range(rows):
            target = (top + row) * strongest.shape[0] // height
            np.maximum(strongest[target], narrow[row], out=strongest[target])
    return PixelDifference(over / max(1, width * height), largest, _heat(strongest), size, scaled)


def _heat(strongest: object) -> QImage:
    import numpy as np

    values = np.asarray(strongest)
    # Small differences are what one looks for, so they are lifted.
    levels = (np.arange(256) / 255) ** 0.6
    stops = np.linspace(0, 1, len(_RAMP))
    table = np.stack(
        [np.interp(levels, stops, [color[channel] for color in _RAMP]) for channel in (2, 1, 0)],
        axis=1,
    ).astype(np.uint8)
    picture = np.empty((*values.shape, 4), np.uint8)
    picture[..., :3], picture[..., 3] = table[values], 255
    height, width = values.shape
    image = QImage(picture.tobytes(), width, height, width * 4, QImage.Format.Format_RGB32)
    return image.copy()
