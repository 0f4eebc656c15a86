"""Comparing two pictures off the GUI thread: what made them, and their pixels."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from PySide6.QtCore import QObject, Signal
from PySide6.QtGui import QImage

from ponystudio.api.spec import NodeSpec
from ponystudio.qt.background_tasks import BackgroundTasks, in_background
from ponystudio.studio.results import graph_diff, pixel_diff
from ponystudio.studio.results.image_loader import ImageLoader
from ponystudio.studio.results.picture_record import read_graph

Pair = tuple[Path, Path]


@dataclass(frozen=True)
class Finding:
    """What is known so far of a pair. `graphs` is None until read and where one has no graph,
    which `lacking` names: "A", "B", "both" or ""."""

    pair: Pair
    graphs: graph_diff.GraphComparison | None = None
    lacking: str = ""
    pixels: pixel_diff.PixelDifference | None = None


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
        self._add(pixels=await in_background(pixel_diff.compare, first, second))

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
