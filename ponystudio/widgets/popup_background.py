"""The ground of what floats over the canvas."""

from __future__ import annotations

from PySide6.QtCore import QRectF
from PySide6.QtGui import QPainter, QPen
from PySide6.QtWidgets import QWidget

from ponystudio.widgets import theme


def paint_ground(
    painter: QPainter, widget: QWidget, ground: str = "panel", line: str = "line", radius: int = 7
) -> None:
    """Fill a widget, with a line around and round corners; tokens of the look."""
    look = theme.current()
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    painter.setPen(QPen(look.color(line), 1))
    painter.setBrush(look.color(ground))
    rect = QRectF(widget.rect()).adjusted(0.5, 0.5, -0.5, -0.5)
    painter.drawRoundedRect(rect, radius, radius)
