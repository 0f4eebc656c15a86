"""The palette's list: rows of an icon, a title with the met letters marked, and a line of help."""

from __future__ import annotations

from typing import Any

from PySide6.QtCore import (
    QAbstractListModel,
    QModelIndex,
    QPersistentModelIndex,
    QRectF,
    QSize,
    Qt,
)
from PySide6.QtGui import QFont, QFontMetricsF, QPainter, QPen
from PySide6.QtWidgets import QListView, QStyle, QStyledItemDelegate, QStyleOptionViewItem, QWidget

from ponystudio.canvas.palette.palette_entries import PaletteEntry, PaletteRow
from ponystudio.widgets import theme
from ponystudio.widgets.primitives import draw_icon

ROW, HEADING = 44, 28
_TILE = 26
Index = QModelIndex | QPersistentModelIndex
_ROOT = QModelIndex()


class RowModel(QAbstractListModel):
    """Rows as a model; headings cannot be chosen."""

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self.rows: list[PaletteRow] = []

    def show(self, rows: list[PaletteRow]) -> None:
        self.beginResetModel()
        self.rows = rows
        self.endResetModel()

    def rowCount(self, parent: Index = _ROOT) -> int:
        return 0 if parent.isValid() else len(self.rows)

    def data(self, index: Index, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        row = self.rows[index.row()]
        if role == Qt.ItemDataRole.DisplayRole:
            return row.entry.title if row.entry else row.heading
        if role == Qt.ItemDataRole.UserRole:
            return row
        if role == Qt.ItemDataRole.AccessibleDescriptionRole and row.entry:
            return f"{row.entry.help} {row.entry.group}".strip()
        if role == Qt.ItemDataRole.ToolTipRole and row.entry:
            return row.entry.help
        return None

    def flags(self, index: Index) -> Qt.ItemFlag:
        if self.rows[index.row()].entry is None:
            return Qt.ItemFlag.NoItemFlags
        return Qt.ItemFlag.ItemIsEnabled | Qt.ItemFlag.ItemIsSelectable


class RowList(QListView):
    """Shows rows; the keyboard stays with the search field."""

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self.row_model = RowModel(self)
        self.setModel(self.row_model)
        self.setItemDelegate(RowDelegate(self))
        self.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.setMouseTracking(True)
        self.setUniformItemSizes(False)
        self.setFrameShape(QListView.Shape.NoFrame)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setVerticalScrollMode(QListView.ScrollMode.ScrollPerPixel)
        self.setAccessibleName(self.tr("Found"))
        self.entered.connect(self._hover)

    def show_rows(self, rows: list[PaletteRow]) -> None:
        self.row_model.show(rows)
        self.scrollToTop()
        self.step(1, from_start=True)

    def current(self) -> PaletteEntry | None:
        index = self.currentIndex()
        return self.row_model.rows[index.row()].entry if index.isValid() else None

    def step(self, by: int, from_start: bool = False) -> None:
        """To the next entry, over headings, around the ends."""
        entries = [i for i, row in enumerate(self.row_model.rows) if row.entry]
        if not entries:
            return
        now = self.currentIndex().row()
        if from_start or now not in entries:
            place = 0
        else:
            place = entries.index(now) + by
            place = place % len(entries) if abs(by) == 1 else max(0, min(place, len(entries) - 1))
        index = self.row_model.index(entries[place])
        self.setCurrentIndex(index)
        if place == 0:
            self.scrollToTop()
        else:
            self.scrollTo(index)

    def height_of_rows(self) -> int:
        rows = self.row_model.rows
        total = sum(ROW if row.entry else HEADING for row in rows)
        return round(total * theme.scale()) + (6 if rows else 0)

    def _hover(self, index: QModelIndex) -> None:
        if self.row_model.rows[index.row()].entry:
            self.setCurrentIndex(index)


class RowDelegate(QStyledItemDelegate):
    def sizeHint(self, option: QStyleOptionViewItem, index: Index) -> QSize:
        del option
        row: PaletteRow = index.data(Qt.ItemDataRole.UserRole)
        return QSize(100, round((ROW if row.entry else HEADING) * theme.scale()))

    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: Index) -> None:
        row: PaletteRow = index.data(Qt.ItemDataRole.UserRole)
        rect = QRectF(option.rect)
        chosen = bool(option.state & QStyle.StateFlag.State_Selected)
        painter.save()
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        if row.entry:
            _paint_entry(painter, rect, row.entry, row.places, chosen)
        else:
            painter.setFont(theme.font("group"))
            painter.setPen(theme.current().color("text3"))
            unit = theme.scale()
            area = rect.adjusted(12 * unit, 6 * unit, -12 * unit, 0)
            painter.drawText(area, Qt.AlignmentFlag.AlignVCenter, row.heading)
        painter.restore()


def _paint_entry(
    painter: QPainter, rect: QRectF, entry: PaletteEntry, places: tuple[int, ...], chosen: bool
) -> None:
    look, unit = theme.current(), theme.scale()
    if chosen:
        painter.fillRect(rect, look.color("tint"))
    group = look.group(entry.group)
    side = _TILE * unit
    tile = QRectF(rect.left() + 12 * unit, rect.center().y() - side / 2, side, side)
    painter.setPen(Qt.PenStyle.NoPen)
    painter.setBrush(group.header)
    painter.drawRoundedRect(tile, 5 * unit, 5 * unit)
    draw_icon(painter, entry.icon or group.icon, tile.center(), look.color("text"), 14)
    right = rect.right() - 12 * unit
    if chosen:
        right = _paint_return_key(painter, rect, right, look) - 8 * unit
    painter.setFont(theme.font("body"))
    painter.setPen(look.color("text2" if chosen else "text3"))
    wide = QFontMetricsF(theme.font("body")).horizontalAdvance(entry.group)
    painter.drawText(
        QRectF(right - wide, rect.top(), wide + 1, rect.height()),
        Qt.AlignmentFlag.AlignVCenter,
        entry.group,
    )
    left = tile.right() + 8 * unit
    half = rect.height() / 2
    room = right - wide - 12 * unit - left
    paint_title(painter, QRectF(left, rect.top() + 4 * unit, room, half), entry.title, places)
    caption = theme.font("caption")
    painter.setFont(caption)
    painter.setPen(look.color("text2" if chosen else "text3"))
    painter.drawText(
        QRectF(left, rect.top() + half - 1 * unit, room, half - 3 * unit),
        Qt.AlignmentFlag.AlignVCenter,
        QFontMetricsF(caption).elidedText(entry.help, Qt.TextElideMode.ElideRight, room),
    )


def paint_title(painter: QPainter, rect: QRectF, title: str, places: tuple[int, ...]) -> None:
    """The title, the met letters in the accent and semibold."""
    look = theme.current()
    plain = theme.font("body")
    bold = QFont(plain)
    bold.setWeight(QFont.Weight.DemiBold)
    title = QFontMetricsF(bold).elidedText(title, Qt.TextElideMode.ElideRight, rect.width())
    met = set(places)
    x, start = rect.left(), 0
    while start < len(title):
        end = start + 1
        while end < len(title) and (end in met) == (start in met):
            end += 1
        part, marked = title[start:end], start in met
        font = bold if marked else plain
        painter.setFont(font)
        painter.setPen(look.color("accent" if marked else "text"))
        wide = QFontMetricsF(font).horizontalAdvance(part)
        painter.drawText(
            QRectF(x, rect.top(), wide + 2, rect.height()), Qt.AlignmentFlag.AlignVCenter, part
        )
        x, start = x + wide, end


def _paint_return_key(painter: QPainter, rect: QRectF, right: float, look: theme.Theme) -> float:
    """The key that takes the chosen row; returns its left edge."""
    unit = theme.scale()
    key = QRectF(right - 22 * unit, rect.center().y() - 9 * unit, 22 * unit, 18 * unit)
    painter.setBrush(Qt.BrushStyle.NoBrush)
    painter.setPen(QPen(look.color("text3"), 1))
    painter.drawRoundedRect(key.adjusted(0.5, 0.5, -0.5, -0.5), 4 * unit, 4 * unit)
    painter.setFont(theme.font("caption"))
    painter.setPen(look.color("text2"))
    painter.drawText(key, Qt.AlignmentFlag.AlignCenter, "⏎")
    return key.left()
