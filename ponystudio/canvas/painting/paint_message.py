"""How the card that hangs below a node looks: what failed, or what is offered."""

from __future__ import annotations

from PySide6.QtCore import QPointF, QRectF, Qt
from PySide6.QtGui import QColor, QPainter, QPen, QPolygonF

from ponystudio.canvas.painting.paint_context import PaintContext
from ponystudio.canvas.scene.message_layout import LINE, PAD, TITLE_LINE, Button, Message
from ponystudio.widgets import metrics, text_layout, theme


def paint(painter: QPainter, node: str, message: Message, brush: PaintContext) -> None:
    painter.translate(message.rect.topLeft())
    size = QRectF(0, 0, message.rect.width(), message.rect.height())
    painter.setPen(Qt.PenStyle.NoPen)
    painter.setBrush(brush.color("shadow"))
    painter.drawRoundedRect(size.translated(0, metrics.SHADOW), 8, 8)
    edge, ground = ("err", "errbg") if message.tone == "err" else ("accent", "card")
    painter.setPen(QPen(brush.color(edge), 1))
    painter.setBrush(brush.color(ground))
    painter.drawRoundedRect(size, 8, 8)
    _paint_tip(painter, edge, ground, brush)
    y = PAD + TITLE_LINE / 2
    painter.setPen(brush.color("text"))
    for line in message.title:
        text_layout.draw(painter, PAD, y, line, "title")
        y += TITLE_LINE
    y += 4 - TITLE_LINE / 2 + LINE / 2
    painter.setPen(brush.color("text2"))
    for line in message.lines:
        text_layout.draw(painter, PAD, y, line, "body")
        y += LINE
    hover = brush.scene.hover
    for button in message.buttons:
        lit = hover.part == "message" and hover.node == node and hover.button == button.name
        _paint_button(painter, button, lit, brush)
    y = message.details_top + LINE / 2
    painter.setPen(brush.color("text2"))
    for line in message.details:
        text_layout.draw(painter, PAD, y, line, "mono_caption")
        y += LINE
    painter.translate(-message.rect.topLeft())


def _paint_tip(painter: QPainter, edge: str, ground: str, brush: PaintContext) -> None:
    """The small triangle that points at the card."""
    painter.setPen(Qt.PenStyle.NoPen)
    painter.setBrush(brush.color(ground))
    painter.drawPolygon(QPolygonF([QPointF(28, 1), QPointF(37, -8), QPointF(46, 1)]))
    painter.setPen(QPen(brush.color(edge), 1))
    painter.setBrush(Qt.BrushStyle.NoBrush)
    painter.drawPolyline(QPolygonF([QPointF(28, 0), QPointF(37, -8.5), QPointF(46, 0)]))


def _paint_button(painter: QPainter, button: Button, lit: bool, brush: PaintContext) -> None:
    if button.kind == "link":
        color = brush.color("text" if lit else "text2")
        x, middle = button.rect.left() + 2, button.rect.center().y()
        painter.translate(x, middle - 8)
        painter.strokePath(theme.icon_path(button.icon), theme.icon_pen(color))
        painter.translate(-x, 8 - middle)
        painter.setPen(color)
        text_layout.draw(painter, x + 20, middle, button.text, "body")
        return
    ground = brush.color("fill" if button.kind == "primary" else "card")
    if lit:
        ground = theme.mixed(ground, QColor("white" if brush.theme.dark else "black"), 0.1)
    edge = ground if button.kind == "primary" else brush.color("line2")
    painter.setPen(QPen(edge, 1))
    painter.setBrush(ground)
    painter.drawRoundedRect(button.rect, 6, 6)
    painter.setPen(brush.color("onfill" if button.kind == "primary" else "text"))
    text_layout.draw(
        painter, button.rect.left() + 10, button.rect.center().y(), button.text, "group"
    )
