"""Two pictures compared: which is looked at (B), with which (A), and how; what made them, and how
much they differ, pixel by pixel.

Reading and counting run in threads, where numpy is loaded.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, Literal

from PySide6.QtCore import QObject, QSize, Qt, Signal
from PySide6.QtGui import QImage

from ponystudio.api.spec import NodeSpec
from ponystudio.qt.background_tasks import BackgroundTasks, in_background
from ponystudio.studio.results import graph_diff
from ponystudio.studio.results.image_loader import ImageLoader, halved
from ponystudio.studio.results.picture_record import read_graph

Pair = tuple[Path, Path]


@dataclass(frozen=True)
class Finding:
    """What is known so far of a pair. `graphs` is None until read and where one has no graph,
    which `lacking` names: "A", "B", "both" or ""."""

    pair: Pair
    graphs: graph_diff.GraphComparison | None = None
    lacking: str = ""
    pixels: PixelDifference | None = None


class Comparer(QObject):
    """`changed` when more is known of the pair; the latest pair alone counts."""

    changed = Signal()

    def __init__(
        self,
        loader: ImageLoader,
        tasks: BackgroundTasks,
        catalog: Callable[[], Mapping[str, NodeSpec]],
        parent: QObject | None = None,
    ) -> None:
        super().__init__(parent)
        self._loader, self._tasks, self._catalog = loader, tasks, catalog
        self._finding: Finding | None = None
        self._measured: Pair | None = None
        self._graphs, self._pixels = (id(self), "graphs"), (id(self), "pixels")
        loader.loaded.connect(self._measure)
        self.destroyed.connect(partial(_drop, tasks, self._graphs, self._pixels))

    @property
    def finding(self) -> Finding | None:
        return self._finding

    def compare(self, a: Path | None, b: Path | None) -> None:
        """Begin with a pair; None for either: nothing to compare."""
        pair = None if a is None or b is None or a == b else (a, b)
        if pair == (self._finding and self._finding.pair):
            return
        _drop(self._tasks, self._graphs, self._pixels)
        self._finding, self._measured = Finding(pair) if pair else None, None
        if pair is not None:
            self._tasks.start(self._compare_graphs(pair), key=self._graphs)
        self.changed.emit()
        self._measure()

    def _measure(self, _path: object = None) -> None:
        """As soon as both pictures are decoded."""
        if self._finding is None or self._measured == self._finding.pair:
            return
        pair = self._finding.pair
        first, second = (self._loader.get(path) for path in pair)
        if first is not None and second is not None:
            self._measured = pair
            images = first.levels[0], second.levels[0]
            self._tasks.start(self._compare_pixels(*images), key=self._pixels)

    async def _compare_graphs(self, pair: Pair) -> None:
        found, lacking = await in_background(_graph_differences, *pair, self._catalog())
        self._add(graphs=found, lacking=lacking)

    async def _compare_pixels(self, first: QImage, second: QImage) -> None:
        self._add(pixels=await in_background(compare, first, second))

    def _add(self, **known: Any) -> None:
        assert self._finding is not None
        self._finding = replace(self._finding, **known)
        self.changed.emit()


def _graph_differences(
    a: Path, b: Path, catalog: Mapping[str, NodeSpec]
) -> tuple[graph_diff.GraphComparison | None, str]:
    """What differs in the graphs of two pictures, or which of them has none."""
    first, second = read_graph(a), read_graph(b)
    if first is not None and second is not None:
        return graph_diff.compare(first, second, catalog), ""
    return None, "both" if first is second else "A" if first is None else "B"


def _drop(tasks: BackgroundTasks, *keys: Hashable) -> None:
    for key in keys:
        tasks.drop(key)


Mode = Literal["one", "slide", "flicker", "side"]


@dataclass(frozen=True)
class ComparedPair:
    """`last` is how two pictures were compared before, for the next time there are two."""

    a: Path | None = None
    b: Path | None = None
    mode: Mode = "one"
    last: Mode = "slide"

    def clicked(self, path: Path, adding: bool) -> ComparedPair:
        """A plain click moves B; with `adding` the former B becomes A, and one that is chosen
        leaves."""
        if not adding or self.b is None:
            return replace(self, b=path, mode=self.mode if self._can_compare(path) else "one")
        if path == self.b:
            return self if self.a is None else replace(self, a=None, b=self.a, mode="one")
        if path == self.a:
            return replace(self, a=None, mode="one")
        return replace(self, a=self.b, b=path, mode=self._comparing())

    def marked(self, path: Path) -> ComparedPair:
        """This one becomes A."""
        if self.b is None or path == self.b:
            return self.swapped() if self.a is not None else replace(self, b=path)
        return replace(self, a=path, mode=self._comparing())

    def shown(self, paths: Sequence[Path]) -> ComparedPair:
        """One picture alone, or the last two compared."""
        if not paths:
            return self
        if len(paths) == 1:
            return replace(self, a=None, b=paths[0], mode="one")
        return replace(self, a=paths[-2], b=paths[-1], mode=self._comparing())

    def swapped(self) -> ComparedPair:
        return replace(self, a=self.b, b=self.a) if self.a is not None else self

    def moved(self, order: Sequence[Path], step: int) -> ComparedPair:
        """B goes on in the list, past A: to compare a picture with itself shows nothing."""
        if not order:
            return self
        row = order.index(self.b) if self.b in order else -step
        row = max(0, min(len(order) - 1, row + step))
        if self.mode != "one" and order[row] == self.a:
            row += step
        if not 0 <= row < len(order):
            return self
        return replace(self, b=order[row])

    def with_mode(self, mode: Mode, order: Sequence[Path]) -> ComparedPair:
        """To compare without an A takes the picture that was made before B."""
        if mode == "one":
            return replace(self, mode=mode)
        a = self.a if self.a != self.b else None
        if a is None and self.b in order:
            row = order.index(self.b)
            a = order[row + 1] if row + 1 < len(order) else order[row - 1] if row else None
        if a is None:
            return self
        return replace(self, a=a, mode=mode, last=mode)

    def existing(self, order: Sequence[Path]) -> ComparedPair:
        """Without pictures that are gone; B's place is taken by A or by the latest."""
        there = set(order)
        a = self.a if self.a in there else None
        b = self.b if self.b in there else None
        if b is None:
            a, b = None, a or (order[0] if order else None)
        return replace(self, a=a, b=b, mode=self.mode if a is not None else "one")

    def _can_compare(self, b: Path) -> bool:
        return self.a is not None and self.a != b

    def _comparing(self) -> Mode:
        return self.mode if self.mode != "one" else self.last


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
