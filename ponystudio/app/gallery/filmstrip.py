"""Thumbnails in one line, the latest first, with the time below each."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from PySide6.QtCore import QPoint, QRect, Qt, Signal
from PySide6.QtGui import QPainter, QPen, QWheelEvent
from PySide6.QtWidgets import QWidget

from ponystudio.app.gallery.thumbnail_view import ThumbnailView
from ponystudio.studio.results.result_library import ResultList
from ponystudio.studio.results.result_texts import when
from ponystudio.studio.results.thumbnail_cache import ThumbnailCache
from ponystudio.widgets import theme
from ponystudio.widgets.common import rounded
from ponystudio.widgets.primitives import px

_CELL, _CELL_HEIGHT, _GAP, _MARGIN, _CAPTION = 80, 72, 8, 16, 22
_TOP = 10


class Filmstrip(ThumbnailView):
    """The gallery's line of pictures, marked A and B. `clicked` (picture, keyboard modifiers)."""

    clicked = Signal(object, object)

    def __init__(
        self, listing: ResultList, thumbnails: ThumbnailCache, parent: QWidget | None = None
    ) -> None:
        super().__init__(listing, thumbnails, parent)
        self._marks: dict[Path, str] = {}
        self.setVerticalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self._restyled()

    def mark(self, a: Path | None, b: Path | None, compared: bool) -> None:
        """Show which picture is A and which B, or which one is looked at; B is scrolled to."""
        chosen = [path for path in (a, b) if path is not None]
        self._marks = {a: "A", b: "B"} if compared and a is not None and b is not None else {}
        moved = chosen != list(self._selected)
        self.select(chosen, b)
        if moved and (row := self.listing.row(b)) >= 0:
            self.show_row(row)

    def choose(self, row: int, modifiers: Qt.KeyboardModifier) -> None:
        self.clicked.emit(self.pictures[row], modifiers)

    def cell(self, row: int) -> QRect:
        left = px(_MARGIN) + row * self._step - self.horizontalScrollBar().value()
        return QRect(left, px(_TOP), px(_CELL), px(_CELL_HEIGHT))

    def visible_rows(self, area: QRect) -> Iterator[int]:
        offset = self.horizontalScrollBar().value() - px(_MARGIN)
        first = (area.left() + offset) // self._step
        last = (area.right() + offset) // self._step
        return iter(range(max(0, first), min(len(self.pictures), last + 1)))

    def row_at(self, point: QPoint) -> int:
        for row in self.visible_rows(QRect(point, point)):
            if self.cell(row).adjusted(0, 0, 0, px(_CAPTION)).contains(point):
                return row
        return -1

    def neighbour(self, row: int, way: str) -> int:
        last = len(self.pictures) - 1
        page = max(1, self.viewport().width() // self._step - 1)
        steps = {"left": -1, "up": -1, "right": 1, "down": 1, "page_up": -page, "page_down": page}
        if way in steps:
            return max(0, min(last, row + steps[way]))
        return 0 if way == "home" else last

    def arrange(self) -> None:
        bar = self.horizontalScrollBar()
        length = 2 * px(_MARGIN) + len(self.pictures) * self._step - px(_GAP)
        bar.setRange(0, max(0, length - self.viewport().width()))
        bar.setPageStep(self.viewport().width())
        bar.setSingleStep(self._step)

    def show_row(self, row: int) -> None:
        """One more is kept in sight, so that one sees that it goes on."""
        cell, bar, margin = self.cell(row), self.horizontalScrollBar(), self._step
        if cell.left() < margin:
            bar.setValue(bar.value() + cell.left() - margin)
        elif cell.right() > self.viewport().width() - margin:
            bar.setValue(bar.value() + cell.right() - self.viewport().width() + margin)

    def paint_more(self, painter: QPainter, row: int, cell: QRect) -> None:
        look, picture = theme.current(), self.pictures[row]
        painter.setFont(theme.font("mono_caption"))
        chosen = picture.path in self._selected
        painter.setPen(look.color("text2" if chosen else "text3"))
        below = QRect(cell.left(), cell.bottom() + px(4), cell.width(), px(_CAPTION) - px(4))
        painter.drawText(below, Qt.AlignmentFlag.AlignCenter, when(picture.time))
        if mark := self._marks.get(picture.path):
            box = QRect(cell.left() + px(3), cell.top() + px(3), px(20), px(20))
            paint_mark(painter, box, mark)

    def wheelEvent(self, event: QWheelEvent) -> None:
        """Either way of turning goes along the line."""
        delta = event.pixelDelta() if not event.pixelDelta().isNull() else event.angleDelta()
        turned = delta.x() if abs(delta.x()) > abs(delta.y()) else delta.y()
        bar = self.horizontalScrollBar()
        bar.setValue(bar.value() - turned)
        event.accept()

    def scrollContentsBy(self, _dx: int, _dy: int) -> None:
        bar = self.horizontalScrollBar()
        if bar.maximum() and bar.value() > bar.maximum() - 2 * bar.pageStep():
            self.listing.more()
        self.viewport().update()

    @property
    def _step(self) -> int:
        return px(_CELL) + px(_GAP)

    def _restyled(self) -> None:
        self.setFixedHeight(px(_TOP + _CELL_HEIGHT + _CAPTION + 10))
        super()._restyled()


def paint_mark(painter: QPainter, box: QRect, mark: str) -> None:
    """A on tint, B on the fill: told apart by letter first, then by ground."""
    look = theme.current()
    ground, ink = ("tint", "accent") if mark == "A" else ("fill", "onfill")
    rounded(painter, box, px(4), look.color(ground), QPen(Qt.PenStyle.NoPen))
    font = theme.font("group")
    painter.setFont(font)
    painter.setPen(look.color(ink))
    painter.drawText(box, Qt.AlignmentFlag.AlignCenter, mark)
