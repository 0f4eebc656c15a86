"""The palette's list: rows of an icon, a title with the met letters marked, and a line of help."""

from __future__ import annotations

from typing import Any

from PySide6.QtCore import (
    QAbstractListModel,
    QModelIndex,
    QPersistentModelIndex,
    QPointF,
    QRectF,
    QSize,
    Qt,
)
from PySide6.QtGui import QFont, QFontMetricsF, QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import (
    QListView,
    QStyle,
    QStyledItemDelegate,
    QStyleOptionViewItem,
    QToolButton,
    QWidget,
)

from ponystudio.canvas.palette.palette_entries import PaletteEntry, PaletteRow, SocketFilter
from ponystudio.qt.plain_text import tip
from ponystudio.widgets import theme
from ponystudio.widgets.primitives import draw_icon


class Chip(QToolButton):
    """The filter: the socket's shape, what it asks for, and a cross that drops it."""

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self._filter: SocketFilter | None = None
        self.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.setToolTip(self.tr("Show all (Tab)"))

    def show_filter(self, filter: SocketFilter | None) -> None:
        self._filter = filter
        self.setVisible(filter is not None)
        if filter:
            self.setText(filter.text)
            self.setAccessibleName(self.tr("Filter: {0}. Press to show all").format(filter.text))
            unit = theme.scale()
            font = theme.font("body")
            self.setFont(font)
            wide = self.fontMetrics().horizontalAdvance(filter.text)
            self.setFixedSize(round(wide + 58 * unit), round(24 * unit))

    def paintEvent(self, event: QPaintEvent) -> None:
        del event
        if self._filter is None:
            return
        look, unit = theme.current(), theme.scale()
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(QPen(look.color("line2"), 1))
        painter.setBrush(look.color("hover") if self.underMouse() else look.color("card"))
        rect = QRectF(self.rect()).adjusted(0.5, 0.5, -0.5, -0.5)
        painter.drawRoundedRect(rect, rect.height() / 2, rect.height() / 2)
        socket = look.socket(self._filter.type)
        painter.save()
        painter.translate(15 * unit, self.height() / 2)
        painter.scale(unit * 0.75, unit * 0.75)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(socket.color)
        painter.drawPath(socket.path)
        painter.restore()
        painter.setFont(self.font())
        painter.setPen(look.color("text"))
        text = QRectF(26 * unit, 0, self.width() - 48 * unit, self.height())
        painter.drawText(text, Qt.AlignmentFlag.AlignVCenter, self._filter.text)
        cross = QPointF(self.width() - 16 * unit, self.height() / 2)
        draw_icon(painter, "close", cross, look.color("text2"), 12)
        painter.end()


class Foot(QWidget):
    """The keys, small, at the bottom."""

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self._left: list[tuple[str, str]] = []
        self._right: list[tuple[str, str]] = []

    def show_keys(self, verb: str, all_of: int) -> None:
        self._left = [("↑ ↓", self.tr("choose")), ("⏎", verb)]
        self._right = [("Tab", self.tr("show all {0}").format(all_of))] if all_of else []
        self.update()

    def paintEvent(self, event: QPaintEvent) -> None:
        del event
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        unit = theme.scale()
        x = 12 * unit
        for key, text in self._left:
            x = self._paint_key(painter, x, key, text) + 12 * unit
        wide = sum(self._width(key, text) for key, text in self._right)
        x = self.width() - 12 * unit - wide
        for key, text in self._right:
            x = self._paint_key(painter, x, key, text)
        painter.end()

    def _width(self, key: str, text: str) -> float:
        metrics = self.fontMetrics()
        return metrics.horizontalAdvance(key + text) + 18 * theme.scale()

    def _paint_key(self, painter: QPainter, x: float, key: str, text: str) -> float:
        look, unit = theme.current(), theme.scale()
        self.setFont(theme.font("caption"))
        metrics = self.fontMetrics()
        wide = metrics.horizontalAdvance(key) + 12 * unit
        box = QRectF(x, self.height() / 2 - 9 * unit, wide, 18 * unit)
        painter.setPen(QPen(look.color("line2"), 1))
        painter.drawRoundedRect(box.adjusted(0.5, 0.5, -0.5, -0.5), 4 * unit, 4 * unit)
        painter.setFont(self.font())
        painter.setPen(look.color("text2"))
        painter.drawText(box, Qt.AlignmentFlag.AlignCenter, key)
        left = box.right() + 6 * unit
        painter.setPen(look.color("text3"))
        area = QRectF(left, 0, self.width(), self.height())
        painter.drawText(area, Qt.AlignmentFlag.AlignVCenter, text)
        return left + metrics.horizontalAdvance(text)


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
            return tip(row.entry.help)
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
