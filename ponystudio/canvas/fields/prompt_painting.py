"""What a prompt's field and its editor paint alike: the count of tokens, and where chunks end."""

from __future__ import annotations

from PySide6.QtCore import QPointF, QRectF, Qt
from PySide6.QtGui import QColor, QPainter, QPen

from ponystudio.canvas.fields import field_painting
from ponystudio.canvas.fields.prompt_layout import LINE
from ponystudio.studio.models.token_counter import CHUNK, Count
from ponystudio.widgets import text_layout
from ponystudio.widgets.theme import Theme

INSET = field_painting.TEXT_INSET
TOP = 7.0
COUNTER = 34.0 - TOP
PLAIN_FOOT = 7.0
_BAR = 3.0


def break_place(text: str, place: int) -> int:
    """Where the mark stands: behind the last word before a break, not before the next line."""
    while place > 0 and place <= len(text) and text[place - 1].isspace():
        place -= 1
    return place


def counter_rect(rect: QRectF) -> QRectF:
    """Where the counter stands in a field."""
    return QRectF(rect.left() + INSET, rect.bottom() - 24, rect.width() - 2 * INSET, 16)


def paint_counter(painter: QPainter, rect: QRectF, look: Theme, count: Count | None) -> None:
    """The bar, with an amber tick at each 75, and the numbers; a sign where there are notes."""
    middle = rect.center().y()
    about = "" if count is None or count.exact else "≈ "
    shown = f"{about}{count.tokens} / {count.room}" if count else "–"
    painter.setPen(look.color("err" if count and count.problem else "text3"))
    width = text_layout.draw_right(painter, rect.right(), middle, shown, "mono_caption")
    taken = max(width, 44) + 12
    if count and count.notes:
        place = QRectF(rect.right() - width - 20, middle - 8, 16, 16)
        field_painting.icon(painter, place, "info", look.color("warn"))
        taken += 16
    bar = QRectF(rect.left(), middle - _BAR / 2, rect.width() - taken, _BAR)
    painter.setPen(Qt.PenStyle.NoPen)
    painter.setBrush(look.color("line"))
    painter.drawRoundedRect(bar, _BAR / 2, _BAR / 2)
    if not count or not count.tokens:
        return
    filled = QRectF(bar)
    filled.setWidth(max(_BAR, bar.width() * min(1.0, count.tokens / count.room)))
    painter.setBrush(look.color("accent"))
    painter.drawRoundedRect(filled, _BAR / 2, _BAR / 2)
    for chunk in range(1, count.chunks):
        x = bar.left() + bar.width() * chunk * CHUNK / count.room
        painter.fillRect(QRectF(x - 1, middle - 4.5, 2, 9), look.color("warn"))


def paint_tick(painter: QPainter, at: QPointF, color: QColor, factor: float = 1.0) -> None:
    """The dashed mark in the text where a chunk of 75 tokens ends."""
    pen = QPen(color, 1.5 * factor)
    pen.setDashPattern([2.0, 1.6])
    pen.setCapStyle(Qt.PenCapStyle.FlatCap)
    painter.setPen(pen)
    x = at.x() + 1.5 * factor
    painter.drawLine(QPointF(x, at.y() + 2 * factor), QPointF(x, at.y() + (LINE - 2) * factor))
