"""Small parts of the palette: its filter chip, its line of keys."""

from __future__ import annotations

from PySide6.QtCore import QPointF, QRectF, Qt
from PySide6.QtGui import QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import QToolButton, QWidget

from ponystudio.canvas.palette.palette_entries import SocketFilter
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
