"""Thumbnails in rows and columns under headings by day."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import groupby

from PySide6.QtCore import QPoint, QRect, Qt
from PySide6.QtGui import QPainter
from PySide6.QtWidgets import QWidget

from ponystudio.app.gallery.thumbnail_view import ThumbnailView
from ponystudio.studio.results.result_library import ResultList
from ponystudio.studio.results.result_texts import day
from ponystudio.studio.results.thumbnail_cache import ThumbnailCache
from ponystudio.widgets import theme
from ponystudio.widgets.primitives import px

_GAP, _HEADING, _MARGIN = 6, 26, 6


@dataclass(frozen=True)
class _GridSection:
    title: str
    first: int
    count: int
    top: int
    """Where its first row of pictures begins, from the top of all."""


class ThumbnailGrid(ThumbnailView):
    """As many columns as fit, at least `columns`, of squares at least `side` px wide."""

    def __init__(
        self,
        listing: ResultList,
        thumbnails: ThumbnailCache,
        side: int = 72,
        columns: int = 3,
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(listing, thumbnails, parent)
        self._least, self._fewest = side, columns
        self._columns, self._side = columns, side
        self._sections: list[_GridSection] = []
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setVerticalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAsNeeded)

    def cell(self, row: int) -> QRect:
        section = self._section(row)
        line, column = divmod(row - section.first, self._columns)
        step = self._side + px(_GAP)
        top = section.top + line * step - self.verticalScrollBar().value()
        return QRect(px(_MARGIN) + column * step, top, self._side, self._side)

    def visible_rows(self, area: QRect) -> Iterator[int]:
        offset, step = self.verticalScrollBar().value(), self._side + px(_GAP)
        for section in self._sections:
            lines = -(-section.count // self._columns)
            first = (area.top() + offset - section.top) // step
            last = (area.bottom() + offset - section.top) // step
            for line in range(max(0, first), min(lines, last + 1)):
                start = section.first + line * self._columns
                yield from range(start, min(start + self._columns, section.first + section.count))

    def row_at(self, point: QPoint) -> int:
        for row in self.visible_rows(QRect(point, point)):
            if self.cell(row).contains(point):
                return row
        return -1

    def neighbour(self, row: int, way: str) -> int:
        last = len(self.pictures) - 1
        if way in ("home", "end"):
            return 0 if way == "home" else last
        if way in ("left", "right"):
            return max(0, min(last, row + (1 if way == "right" else -1)))
        lines = 1
        if way.startswith("page"):
            lines = max(1, self.viewport().height() // (self._side + px(_GAP)) - 1)
        sign = 1 if way.endswith("down") else -1
        for _ in range(lines):
            row = self._line_beside(row, sign)
        return row

    def _line_beside(self, row: int, sign: int) -> int:
        """The picture above or below, across headings, in the same column where there is one."""
        number = self._section_number(row)
        section = self._sections[number]
        column = (row - section.first) % self._columns
        target = row - column + sign * self._columns
        if not section.first <= target < section.first + section.count:
            number += sign
            if not 0 <= number < len(self._sections):
                return row
            section = self._sections[number]
            lines = -(-section.count // self._columns)
            target = section.first + (0 if sign > 0 else (lines - 1) * self._columns)
        return min(target + column, section.first + section.count - 1)

    def arrange(self) -> None:
        width = self.viewport().width() - 2 * px(_MARGIN)
        gap = px(_GAP)
        self._columns = max(self._fewest, (width + gap) // (px(self._least) + gap))
        self._side = max(8, (width - gap * (self._columns - 1)) // self._columns)
        headed = groupby(enumerate(self.pictures), key=lambda entry: day(entry[1].time))
        days = [(title, [row for row, _ in entries]) for title, entries in headed]
        self._sections.clear()
        top = px(_MARGIN)
        for number, (title, rows) in enumerate(days):
            # What is all of one day needs no heading.
            if len(days) > 1:
                top += px(_HEADING) + (px(4) if number else 0)
            self._sections.append(
                _GridSection(title if len(days) > 1 else "", rows[0], len(rows), top)
            )
            top += -(-len(rows) // self._columns) * (self._side + gap)
        bar = self.verticalScrollBar()
        bar.setRange(0, max(0, top + px(_MARGIN) - self.viewport().height()))
        bar.setPageStep(self.viewport().height())
        bar.setSingleStep(self._side // 2)

    def show_row(self, row: int) -> None:
        cell, bar = self.cell(row), self.verticalScrollBar()
        margin = px(_MARGIN)
        if cell.top() < margin:
            heading = px(_HEADING) if row - self._section(row).first < self._columns else 0
            bar.setValue(bar.value() + cell.top() - margin - heading)
        elif cell.bottom() > self.viewport().height() - margin:
            bar.setValue(bar.value() + cell.bottom() - self.viewport().height() + margin)

    def paint_ground(self, painter: QPainter, area: QRect) -> None:
        offset = self.verticalScrollBar().value()
        painter.setFont(theme.font("group"))
        painter.setPen(theme.current().color("text3"))
        for section in self._sections:
            heading = QRect(
                px(_MARGIN), section.top - offset - px(_HEADING), self.width(), px(_HEADING) - px(2)
            )
            if section.title and heading.intersects(area):
                flags = Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter
                painter.drawText(heading, flags, section.title)

    def scrollContentsBy(self, _dx: int, _dy: int) -> None:
        bar = self.verticalScrollBar()
        if bar.maximum() and bar.value() > bar.maximum() - 2 * bar.pageStep():
            self.listing.more()
        self.viewport().update()

    def _section_number(self, row: int) -> int:
        return bisect_right([section.first for section in self._sections], row) - 1

    def _section(self, row: int) -> _GridSection:
        return self._sections[self._section_number(row)]
