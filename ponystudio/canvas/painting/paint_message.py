"""The card that hangs below a failed node: what happened, and what to press."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from PySide6.QtCore import QPointF, QRectF, Qt
from PySide6.QtGui import QColor, QPainter, QPen, QPolygonF

from ponystudio.canvas.scene import error_actions
from ponystudio.canvas.scene.items import NodeItem
from ponystudio.qt.i18n import tr
from ponystudio.studio.documents.node_state import Problem
from ponystudio.widgets import metrics, text_layout, theme

if TYPE_CHECKING:
    from ponystudio.canvas.painting.paint_card import PaintContext

_PAD = 12.0
_WIDTH = 240.0  # at least; wide cards have wide messages
_LINE, _TITLE_LINE = 16.0, 20.0
_BUTTON = 28.0
_DETAIL_LINES = 14


@dataclass(frozen=True)
class Button:
    """`rect` from the message's corner; `kind`: primary, plain or link."""

    name: str
    text: str
    kind: str
    icon: str
    rect: QRectF


@dataclass(frozen=True)
class Message:
    """The layout of a message; `rect` in scene px."""

    rect: QRectF
    title: tuple[str, ...]
    lines: tuple[str, ...]
    details: tuple[str, ...]
    details_top: float
    buttons: tuple[Button, ...]

    def button_at(self, pos: QPointF) -> str:
        local = pos - self.rect.topLeft()
        return next((item.name for item in self.buttons if item.rect.contains(local)), "")


def layout(item: NodeItem, problem: Problem, open_details: bool) -> Message:
    width = max(_WIDTH, item.rect.width())
    room = int(width - 2 * _PAD)
    title = text_layout.wrapped(problem.what.rstrip("."), "title", room)
    lines = text_layout.wrapped(problem.remedy, "body", room) if problem.remedy else ()
    y = _PAD + len(title) * _TITLE_LINE + 4 + len(lines) * _LINE + 10
    buttons: list[Button] = []
    x = _PAD
    for found in error_actions.remedies(item.node, item.spec, problem):
        wide = text_layout.width(found.text, "group") + 20
        if x > _PAD and x + wide > width - _PAD:
            x, y = _PAD, y + _BUTTON + 6
        rect = QRectF(x, y, wide, _BUTTON)
        buttons.append(Button(found.name, found.text, found.kind, "", rect))
        x += wide + 8
    if buttons:
        y += _BUTTON + 8
    foot = y
    if problem.details:
        text = tr("Hide details") if open_details else tr("Show details")
        wide = text_layout.width(text, "body") + 26
        icon = "down" if open_details else "right"
        rect = QRectF(_PAD - 4, foot, wide, 22)
        buttons.append(Button("details", text, "link", icon, rect))
    copy = tr("Copy")
    wide = text_layout.width(copy, "body") + 26
    rect = QRectF(width - _PAD - wide + 4, foot, wide, 22)
    buttons.append(Button("copy", copy, "link", "copy", rect))
    y = foot + 22 + 8
    details: tuple[str, ...] = ()
    if open_details:
        details = text_layout.wrapped(problem.details.strip(), "mono_caption", room)[
            -_DETAIL_LINES:
        ]
        y += len(details) * _LINE + 8
    rect = QRectF(item.x, item.rect.bottom() + metrics.MESSAGE_GAP, width, y)
    return Message(rect, title, lines, details, foot + 22 + 8, tuple(buttons))


def paint(painter: QPainter, item: NodeItem, brush: PaintContext) -> None:
    found: Message = item.message
    painter.translate(found.rect.topLeft())
    size = QRectF(0, 0, found.rect.width(), found.rect.height())
    painter.setPen(Qt.PenStyle.NoPen)
    painter.setBrush(brush.color("shadow"))
    painter.drawRoundedRect(size.translated(0, metrics.SHADOW), 8, 8)
    painter.setPen(QPen(brush.color("err"), 1))
    painter.setBrush(brush.color("errbg"))
    painter.drawRoundedRect(size, 8, 8)
    _paint_tip(painter, brush)
    y = _PAD + _TITLE_LINE / 2
    painter.setPen(brush.color("text"))
    for line in found.title:
        text_layout.draw(painter, _PAD, y, line, "title")
        y += _TITLE_LINE
    y += 4 - _TITLE_LINE / 2 + _LINE / 2
    painter.setPen(brush.color("text2"))
    for line in found.lines:
        text_layout.draw(painter, _PAD, y, line, "body")
        y += _LINE
    hover = brush.scene.hover
    for button in found.buttons:
        lit = hover.part == "message" and hover.node == item.id and hover.button == button.name
        _paint_button(painter, button, lit, brush)
    y = found.details_top + _LINE / 2
    painter.setPen(brush.color("text2"))
    for line in found.details:
        text_layout.draw(painter, _PAD, y, line, "mono_caption")
        y += _LINE
    painter.translate(-found.rect.topLeft())


def _paint_tip(painter: QPainter, brush: PaintContext) -> None:
    """The small triangle that points at the card."""
    painter.setPen(Qt.PenStyle.NoPen)
    painter.setBrush(brush.color("errbg"))
    painter.drawPolygon(QPolygonF([QPointF(28, 1), QPointF(37, -8), QPointF(46, 1)]))
    painter.setPen(QPen(brush.color("err"), 1))
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
