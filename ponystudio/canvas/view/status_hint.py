"""A line at a view's foot that says what the gesture in hand does and how to leave it."""

from __future__ import annotations

from PySide6.QtCore import QPointF, QRectF, Qt
from PySide6.QtGui import QFont, QFontMetricsF, QPainter, QPaintEvent
from PySide6.QtWidgets import QWidget

from ponystudio.widgets import theme
from ponystudio.widgets.popup_background import paint_ground
from ponystudio.widgets.primitives import draw_icon

_HIGH, _FOOT = 34, 16


class StatusHint(QWidget):
    """`show_text` shows one line, in which *stars* mark what is semibold; "" hides it."""

    def __init__(self, viewport: QWidget) -> None:
        super().__init__(viewport)
        self._viewport = viewport
        self._parts: list[tuple[str, bool]] = []
        self.setAttribute(Qt.WidgetAttribute.WA_TransparentForMouseEvents)
        self.hide()

    def show_text(self, text: str) -> None:
        parts = [(part, i % 2 == 1) for i, part in enumerate(text.split("*")) if part]
        if parts == self._parts:
            return
        self._parts = parts
        self.setAccessibleName(text.replace("*", ""))
        self.setVisible(bool(parts))
        if parts:
            self._lay_out()
            self.update()

    def _lay_out(self) -> None:
        unit = theme.scale()
        wide = sum(QFontMetricsF(_font(bold)).horizontalAdvance(part) for part, bold in self._parts)
        area = self._viewport.rect()
        width, height = round(wide + 52 * unit), round(_HIGH * unit)
        bottom = area.height() - round(_FOOT * unit)
        self.setGeometry((area.width() - width) // 2, bottom - height, width, height)
        self.raise_()

    def paintEvent(self, event: QPaintEvent) -> None:
        del event
        look, unit = theme.current(), theme.scale()
        painter = QPainter(self)
        paint_ground(painter, self, "card", "line2")
        draw_icon(painter, "info", QPointF(20 * unit, self.height() / 2), look.color("text2"))
        x = 38 * unit
        for part, bold in self._parts:
            font = _font(bold)
            painter.setFont(font)
            painter.setPen(look.color("text" if bold else "text2"))
            wide = QFontMetricsF(font).horizontalAdvance(part)
            area = QRectF(x, 0, wide + 2, self.height())
            painter.drawText(area, Qt.AlignmentFlag.AlignVCenter, part)
            x += wide
        painter.end()


def _font(bold: bool) -> QFont:
    font = QFont(theme.font("body"))
    if bold:
        font.setWeight(QFont.Weight.DemiBold)
    return font
