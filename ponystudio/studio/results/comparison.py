"""Comparing two pictures off the GUI thread: what made them, and their pixels."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from PySide6.QtCore import QObject, Signal
from PySide6.QtGui import QImage

from ponystudio.api.spec import NodeSpec
from ponystudio.qt.background_tasks import BackgroundTasks
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
    _graphs = Signal(object, object, str)
    _pixels = Signal(object, object)

    def __init__(
        self,
        loader: ImageLoader,
        work: BackgroundTasks,
        catalog: Callable[[], Mapping[str, NodeSpec]],
        parent: QObject | None = None,
    ) -> None:
        super().__init__(parent)
        self._loader, self._work, self._catalog = loader, work, catalog
        self._finding: Finding | None = None
        self._measured_pair: Pair | None = None
        loader.loaded.connect(self._measure)
        self._graphs.connect(self._on_graphs)
        self._pixels.connect(self._on_pixels)

    @property
    def finding(self) -> Finding | None:
        return self._finding

    def compare(self, a: Path | None, b: Path | None) -> None:
        """Begin with a pair; None for either: nothing to compare."""
        if a is None or b is None or a == b:
            if self._finding is not None:
                self._finding = self._measured_pair = None
                self.changed.emit()
            return
        pair = (a, b)
        if self._finding is not None and self._finding.pair == pair:
            return
        self._finding, self._measured_pair = Finding(pair), None
        self._work.do(lambda: self._read(pair), key=(id(self), "graphs"))
        self.changed.emit()
        self._measure()

    def _measure(self, _path: object = None) -> None:
        """As soon as both pictures are decoded."""
        if self._finding is None or self._measured_pair == self._finding.pair:
            return
        pair = self._finding.pair
        loaded = [self._loader.get(path) for path in pair]
        if loaded[0] is None or loaded[1] is None:
            return
        self._measured_pair = pair
        first, second = loaded[0].levels[0], loaded[1].levels[0]
        self._work.do(lambda: self._count(pair, first, second), key=(id(self), "pixels"))

    def _on_graphs(
        self, pair: Pair, found: graph_diff.GraphComparison | None, lacking: str
    ) -> None:
        if self._finding is not None and self._finding.pair == pair:
            self._finding = replace(self._finding, graphs=found, lacking=lacking)
            self.changed.emit()

    def _on_pixels(self, pair: Pair, found: pixel_diff.PixelDifference) -> None:
        if self._finding is not None and self._finding.pair == pair:
            self._finding = replace(self._finding, pixels=found)
            self.changed.emit()

    # --- In the thread ----------------------------------------------------------------------------

    def _read(self, pair: Pair) -> None:
        a, b = (read_graph(path) for path in pair)
        if a is not None and b is not None:
            self._graphs.emit(pair, graph_diff.compare(a, b, self._catalog()), "")
        else:
            lacking = "both" if a is None and b is None else "A" if a is None else "B"
            self._graphs.emit(pair, None, lacking)

    def _count(self, pair: Pair, a: QImage, b: QImage) -> None:
        self._pixels.emit(pair, pixel_diff.compare(a, b))
