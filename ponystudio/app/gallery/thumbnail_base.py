"""Thumbnails of which some are chosen: what grid and filmstrip have in common.

Only what is visible is painted, and only that is asked of the thumbnails.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator
from pathlib import Path

from PySide6.QtCore import QPoint, QPointF, QRect, QSize, Qt
from PySide6.QtGui import (
    QAccessible,
    QAccessibleEvent,
    QBrush,
    QPainter,
    QPaintEvent,
    QPen,
    QPixmap,
    QTransform,
)
from PySide6.QtWidgets import QAbstractScrollArea, QFrame, QWidget

from ponystudio.app.gallery.last_clicked import LastClicked
from ponystudio.studio.results.picture_record import PictureRecord
from ponystudio.studio.results.result_library import ResultList
from ponystudio.studio.results.result_texts import described
from ponystudio.studio.results.thumbnail_cache import ThumbnailCache
from ponystudio.widgets import theme
from ponystudio.widgets.common import rounded
from ponystudio.widgets.primitives import draw_icon, px

_CELLS_KEPT = 500


class ThumbnailBase(QAbstractScrollArea):
    """Pictures in cells, some of them chosen.

    Whoever derives places the cells: `cell`, `visible_rows`, `row_at`, `neighbour`, `arrange`.
    """

    def __init__(
        self, listing: ResultList, thumbnails: ThumbnailCache, parent: QWidget | None = None
    ) -> None:
        super().__init__(parent)
        self.listing, self._thumbnails = listing, thumbnails
        self._cells: OrderedDict[tuple[Path, int, int, float], QPixmap] = OrderedDict()
        self._selected: dict[Path, None] = {}
        self._current: Path | None = None
        self._anchor: Path | None = None
        self._hovered = -1
        self.last_clicked = LastClicked(self)
        self.last_clicked.changed.connect(self.viewport().update)
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setAccessibleName(self.tr("Results"))
        self.viewport().setMouseTracking(True)
        self.viewport().setAutoFillBackground(False)
        self.viewport().setAttribute(Qt.WidgetAttribute.WA_NoSystemBackground, False)
        listing.changed.connect(self._listed)
        thumbnails.ready.connect(self._thumbnail_ready)
        theme.hub.changed.connect(self._restyled)

    # --- What derives -----------------------------------------------------------------------------

    def cell(self, row: int) -> QRect:
        """Where a picture is painted, in the viewport."""
        raise NotImplementedError

    def visible_rows(self, area: QRect) -> Iterator[int]:
        raise NotImplementedError

    def row_at(self, point: QPoint) -> int:
        raise NotImplementedError

    def neighbour(self, row: int, way: str) -> int:
        raise NotImplementedError

    def arrange(self) -> None:
        """The number of pictures or the size has changed."""
        raise NotImplementedError

    def show_row(self, row: int) -> None:
        """Scroll until the cell is visible."""
        raise NotImplementedError

    def paint_more(self, painter: QPainter, row: int, cell: QRect) -> None:
        """On top of a cell."""

    def paint_ground(self, painter: QPainter, area: QRect) -> None:
        """Below all cells."""

    # --- Selection --------------------------------------------------------------------------------

    @property
    def pictures(self) -> tuple[PictureRecord, ...]:
        return self.listing.pictures

    @property
    def current(self) -> PictureRecord | None:
        return self.listing.at(self._current)

    def selected(self) -> list[PictureRecord]:
        """In the order in which they were chosen."""
        found = (self.listing.at(path) for path in self._selected)
        return [picture for picture in found if picture is not None]

    def select(self, paths: list[Path], current: Path | None = None) -> None:
        """Choose these; the last of them is the current one unless `current` says."""
        current = current or (paths[-1] if paths else None)
        moved = current != self._current
        self._selected, self._current = dict.fromkeys(paths), current
        if moved:
            self._describe_current()
        self.viewport().update()

    def choose(self, row: int, modifiers: Qt.KeyboardModifier) -> None:
        """As a click or a key does: alone, one more or less (Ctrl), up to here (Shift)."""
        path = self.pictures[row].path
        if modifiers & Qt.KeyboardModifier.ShiftModifier and self._anchor is not None:
            start = max(0, self.listing.row(self._anchor))
            low, high = min(start, row), max(start, row)
            self.select([picture.path for picture in self.pictures[low : high + 1]], path)
        elif modifiers & Qt.KeyboardModifier.ControlModifier:
            self._anchor = path
            left = [known for known in self._selected if known != path]
            self.select(left if path in self._selected else [*left, path], path)
        else:
            self._anchor = path
            self.select([path])
        self.show_row(row)

    def select_all(self) -> None:
        self.select([picture.path for picture in self.pictures], self._current)

    def _describe_current(self) -> None:
        if (picture := self.current) is not None:
            row = self.listing.row(picture.path)
            place = self.tr("%d of %d") % (row + 1, len(self.pictures))
            self.setAccessibleDescription(f"{described(picture)}\n{place}")
            if QAccessible.isActive():
                event = QAccessibleEvent(self, QAccessible.Event.DescriptionChanged)
                QAccessible.updateAccessibility(event)

    # --- Painting ---------------------------------------------------------------------------------

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self.viewport())
        painter.fillRect(event.rect(), theme.current().color("panel"))
        self.paint_ground(painter, event.rect())
        for row in self.visible_rows(event.rect()):
            self._paint_cell(painter, row)

    def _paint_cell(self, painter: QPainter, row: int) -> None:
        picture, cell, look = self.pictures[row], self.cell(row), theme.current()
        pixmap = self._cell_pixmap(picture.path, cell.size())
        if pixmap is not None:
            painter.drawPixmap(cell.topLeft(), pixmap)
        else:
            rounded(painter, cell, px(4), look.color("field"), QPen(Qt.PenStyle.NoPen))
            if self._thumbnails.is_bad(picture.path):
                draw_icon(painter, "alert", cell.toRectF().center(), look.color("text3"))
        if row == self._hovered:
            rounded(painter, cell, px(4), None, QPen(look.color("text3"), 1))
        if picture.path in self._selected:
            grown = cell.adjusted(-px(3), -px(3), px(3), px(3))
            rounded(painter, grown, px(6), None, QPen(look.color("accent"), px(2)))
        if picture.starred:
            self._paint_star(painter, cell)
        self.paint_more(painter, row, cell)
        if self.last_clicked and picture.path == self._current:
            grown = cell.adjusted(-px(5), -px(5), px(5), px(5))
            rounded(painter, grown, px(8), None, QPen(look.color("text"), px(1)))

    def _paint_star(self, painter: QPainter, cell: QRect) -> None:
        look, side = theme.current(), px(20)
        if cell.width() < 2 * side:
            return
        box = QRect(cell.right() - side - px(2), cell.top() + px(3), side, side)
        rounded(painter, box, px(4), look.color("panel"), QPen(Qt.PenStyle.NoPen))
        draw_icon(painter, "star", box.toRectF().center(), look.color("warn"))

    def _cell_pixmap(self, path: Path, size: QSize) -> QPixmap | None:
        """The thumbnail, cut to fill the cell, with round corners."""
        ratio = self.devicePixelRatioF()
        key = (path, size.width(), size.height(), ratio)
        if (known := self._cells.get(key)) is not None:
            self._cells.move_to_end(key)
            return known
        thumbnail = self._thumbnails.get(path)
        if thumbnail is None:
            return None
        self._cells[key] = made = cut(thumbnail, size, ratio)
        if len(self._cells) > _CELLS_KEPT:
            self._cells.popitem(last=False)
        return made

    # --- Changes ----------------------------------------------------------------------------------

    def _listed(self) -> None:
        gone = [path for path in self._selected if self.listing.row(path) < 0]
        self._hovered = -1
        self.arrange()
        if gone:
            left = [path for path in self._selected if path not in gone]
            self.select(left, self._current if self._current not in gone else None)
        self.viewport().update()

    def _thumbnail_ready(self, path: Path) -> None:
        for key in [key for key in self._cells if key[0] == path]:
            del self._cells[key]
        row = self.listing.row(path)
        if row >= 0:
            cell = self.cell(row).adjusted(-px(6), -px(6), px(6), px(6))
            self.viewport().update(cell)

    def _restyled(self) -> None:
        self._cells.clear()
        self.arrange()
        self.viewport().update()


def cut(thumbnail: QPixmap, size: QSize, ratio: float) -> QPixmap:
    device = QSize(round(size.width() * ratio), round(size.height() * ratio))
    filled = thumbnail.scaled(
        device,
        Qt.AspectRatioMode.KeepAspectRatioByExpanding,
        Qt.TransformationMode.SmoothTransformation,
    )
    result = QPixmap(device)
    result.fill(Qt.GlobalColor.transparent)
    painter = QPainter(result)
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    painter.setPen(Qt.PenStyle.NoPen)
    brush = QBrush(filled)
    shift = QPointF(device.width() - filled.width(), device.height() - filled.height()) / 2
    brush.setTransform(QTransform.fromTranslate(round(shift.x()), round(shift.y())))
    painter.setBrush(brush)
    radius = px(4) * ratio
    painter.drawRoundedRect(result.rect(), radius, radius)
    painter.end()
    result.setDevicePixelRatio(ratio)
    return result
