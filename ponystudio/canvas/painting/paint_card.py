"""How a card looks close by, in each of its states, and while one turns into another."""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from typing import Any

from PySide6.QtCore import QElapsedTimer, QObject, QPointF, QRectF, QSizeF, Qt, QTimer
from PySide6.QtGui import QColor, QPainter, QPainterPath, QPen

from ponystudio.canvas.fields.field_context import FieldContext
from ponystudio.canvas.painting import paint_message, paint_picture, paint_socket
from ponystudio.canvas.painting.paint_context import PaintContext
from ponystudio.canvas.scene import card_status, hit_test
from ponystudio.canvas.scene.card_status import CardStatus, status
from ponystudio.canvas.scene.item_store import ItemStore
from ponystudio.canvas.scene.items import NodeItem
from ponystudio.studio.documents.editable_graph import NodeState
from ponystudio.widgets import metrics, text_layout, theme

_NO_PEN = Qt.PenStyle.NoPen
_NO_BRUSH = Qt.BrushStyle.NoBrush
ICON_GAP = 10.0


def paint(painter: QPainter, item: NodeItem, brush: PaintContext, fades: BadgeFades) -> None:
    state = brush.scene.document.states[item.id]
    muted = item.node.mode == "muted"
    painter.translate(item.x, item.y)
    if muted:
        # Wires that run below must not show through, nor a shadow.
        painter.fillPath(_rounded(item.layout.size), brush.color("canvas"))
        painter.setOpacity(0.55)
    _paint_ground(painter, item, brush)
    _paint_header(painter, item, state, brush)
    if not item.layout.collapsed:
        _paint_params(painter, item, brush)
        if item.layout.picture:
            paint_picture.paint(painter, item.layout.picture, state, brush)
        _paint_status(painter, item, state, brush, fades.of(item.id))
    _paint_edge(painter, item, state, brush)
    paint_socket.paint_sockets(painter, item, state, brush)
    if muted:
        painter.setOpacity(1.0)
    painter.translate(-item.x, -item.y)


def paint_messages(painter: QPainter, items: Iterable[NodeItem], brush: PaintContext) -> None:
    """What hangs below failed cards, above all cards."""
    for item in items:
        if item.message:
            paint_message.paint(painter, item.id, item.message, brush)


def icon(painter: QPainter, x: float, y: float, name: str, color: QColor) -> None:
    """An icon whose box of 16 px has its corner there."""
    painter.translate(x, y)
    painter.strokePath(theme.icon_path(name), pen_of(color.rgb()))
    painter.translate(-x, -y)


@lru_cache(maxsize=64)
def pen_of(rgb: int, width: float = 1.5) -> QPen:
    return theme.icon_pen(QColor(rgb), width)


def _paint_ground(painter: QPainter, item: NodeItem, brush: PaintContext) -> None:
    """Shadow, body and header."""
    size, look = item.layout.size, brush.theme
    body, header = _rounded(size), _header_path(size.width(), item.layout.collapsed)
    if item.node.mode != "muted":
        painter.translate(0, metrics.SHADOW)
        painter.fillPath(body, look.color("shadow"))
        painter.translate(0, -metrics.SHADOW)
    painter.fillPath(body, _body_color(item, brush))
    painter.fillPath(header, _header_color(item, brush))


def _body_color(item: NodeItem, brush: PaintContext) -> QColor:
    if item.node.mode == "bypassed":
        return brush.color("panel")
    if brush.scene.hover.node == item.id:
        return theme.mixed(brush.color("card"), brush.color("line2"), 0.22)
    return brush.color("card")


def _header_color(item: NodeItem, brush: PaintContext) -> QColor:
    if not item.hue:
        return brush.color("warnbg")
    if item.node.mode == "bypassed":
        return brush.theme.group("util").header
    return brush.theme.group(item.hue).header


def _paint_header(painter: QPainter, item: NodeItem, state: NodeState, brush: PaintContext) -> None:
    width = item.layout.size.width()
    middle = metrics.HEADER / 2
    group = brush.theme.group(item.spec.group) if item.spec else None
    icon(painter, 12, middle - 8, group.icon if group else "note", brush.color("text2"))
    right = width - ICON_GAP - _paint_signs(painter, item, state, brush)
    painter.setPen(brush.color("text"))
    title = text_layout.elided(item.title, "node", int(right - 36 - 6))
    text_layout.draw(painter, 36, middle, title, "node")


def _paint_signs(painter: QPainter, item: NodeItem, state: NodeState, brush: PaintContext) -> float:
    """What stands at the right of a header; gives its width."""
    hover = brush.scene.hover
    right, middle = item.layout.size.width(), metrics.HEADER / 2
    if hover.node == item.id and brush.scene.drag is None:
        buttons = hit_test.header_buttons(item)
        for part, rect in buttons:
            lit = hover.part == part
            if lit:
                painter.setPen(_NO_PEN)
                painter.setBrush(theme.mixed(_header_color(item, brush),
                                             brush.color("text"), 0.16))  # fmt: skip
                painter.drawRoundedRect(rect, metrics.FIELD_RADIUS, metrics.FIELD_RADIUS)
            icon(painter, rect.center().x() - 8, rect.center().y() - 8,
                 "play" if part == "run" else "more",
                 brush.color("text" if lit else "text2"))  # fmt: skip
        return right - buttons[0][1].left() if buttons else 0.0
    if item.layout.collapsed and state.phase == "running" and (text := card_status.percent(state)):
        painter.setPen(brush.color("text"))
        return text_layout.draw_right(painter, right - ICON_GAP, middle, text, "mono")
    name, token = _sign(item, state)
    if not name:
        return 0.0
    icon(painter, right - ICON_GAP - 16, middle - 8, name, brush.color(token))
    return 20.0


def _sign(item: NodeItem, state: NodeState) -> tuple[str, str]:
    """The icon that a header shows by itself: only what must be seen from afar, or all there is
    to see of a collapsed card."""
    if item.node.mode == "muted":
        return "mute", "text2"
    if item.node.mode == "bypassed":
        return "bypass", "text2"
    if state.phase == "failed":
        return "alert", "err"
    if item.layout.collapsed:
        shown = card_status.status(item.node, item.spec, state)
        return ("", "") if shown.text_color == "text3" else (shown.icon, shown.color)
    if state.notes:
        return "info", "text2"
    if item.looks.get("pinned"):
        return "lock", "text2"
    return "", ""


def _paint_params(painter: QPainter, item: NodeItem, brush: PaintContext) -> None:
    scene = brush.scene
    hover, focus = scene.param_hover, scene.param_focus
    for row in item.layout.params:
        name = row.spec.name
        ctx = FieldContext.of(
            scene.document,
            item.id,
            row.spec,
            scene.services,
            hovered=_part(hover[2]) if hover and hover[:2] == (item.id, name) else "",
            focused=focus == (item.id, name),
        )
        row.field.paint(painter, row.rect, ctx)


def _part(part: Any) -> str:
    return part if isinstance(part, str) and part else "value"


def _paint_status(
    painter: QPainter, item: NodeItem, state: NodeState, brush: PaintContext, fade: Fade | None
) -> None:
    rect = item.layout.status
    if rect is None:
        return
    shown = card_status.status(item.node, item.spec, state)
    painter.setRenderHint(QPainter.RenderHint.Antialiasing, False)
    if shown.share is not None:
        bar = QRectF(rect.left(), rect.top(), rect.width(), metrics.PROGRESS)
        painter.fillRect(bar, brush.color("line"))
        bar.setWidth(rect.width() * shown.share)
        painter.fillRect(bar, brush.color("accent"))
    else:
        thin = max(1.0, 1.01 / painter.transform().m11())  # or it falls between two rows of px
        painter.fillRect(QRectF(rect.left(), rect.top(), rect.width(), thin), brush.color("line"))
    painter.setRenderHint(QPainter.RenderHint.Antialiasing, True)
    if fade is None:
        _paint_badge(painter, rect, shown, brush)
        return
    before, share = fade
    whole = painter.opacity()
    for badge, opacity in ((before, 1 - share), (shown, share)):
        painter.setOpacity(whole * opacity)
        _paint_badge(painter, rect, badge, brush)
    painter.setOpacity(whole)


def _paint_badge(
    painter: QPainter, rect: QRectF, shown: card_status.CardStatus, brush: PaintContext
) -> None:
    """The sign and the words of a status line."""
    middle = rect.center().y() + 0.5
    icon(painter, 12, middle - 8, shown.icon, brush.color(shown.color))
    text, right = _fitting(shown, int(rect.width() - 36 - 12))
    if right:
        painter.setPen(brush.color("text2"))
        text_layout.draw_right(painter, rect.right() - 12, middle, right, "mono_caption")
    painter.setPen(brush.color(shown.text_color))
    text_layout.draw(painter, 36, middle, text, "caption")


@lru_cache(maxsize=4096)
def _fitting(shown: card_status.CardStatus, room: int) -> tuple[str, str]:
    """Text and time, as long as fit: a status is never cut short by dots."""
    short = shown.short or shown.text
    for text, right in (
        (shown.text, shown.right),
        (short, shown.right),
        (short, shown.right_short),
    ):
        taken = text_layout.width(right, "mono_caption") + 8 if right else 0
        if text_layout.width(text, "caption") + taken <= room:
            return text, right
    return short, ""


def _paint_edge(painter: QPainter, item: NodeItem, state: NodeState, brush: PaintContext) -> None:
    token, width, dashed = _edge(item, state, brush)
    pen = QPen(brush.color(token), width)
    if dashed:
        pen.setDashPattern([4 / width, 3 / width])
    painter.setPen(pen)
    painter.setBrush(_NO_BRUSH)
    out = (width - 1) / 2
    rect = QRectF(QPointF(), item.layout.size).adjusted(-out, -out, out, out)
    radius = metrics.RADIUS + out
    painter.drawRoundedRect(rect, radius, radius)


def _edge(item: NodeItem, state: NodeState, brush: PaintContext) -> tuple[str, float, bool]:
    """Colour token, width and whether dashed."""
    if item.selected:
        return ("err" if state.phase == "failed" else "accent"), 2.0, False
    if state.phase == "failed":
        return "err", 2.0, False
    if state.phase == "running":
        return "accent", 1.5, False
    if item.spec is None:
        return "warn", 1.25, True
    if item.node.mode == "bypassed":
        return "text3", 1.25, True
    return ("line2" if brush.scene.hover.node == item.id else "line"), 1.0, False


@lru_cache(maxsize=512)
def _rounded_path(width: float, height: float) -> QPainterPath:
    path = QPainterPath()
    path.addRoundedRect(0, 0, width, height, metrics.RADIUS, metrics.RADIUS)
    return path


def _rounded(size: QSizeF) -> QPainterPath:
    return _rounded_path(size.width(), size.height())


@lru_cache(maxsize=128)
def _header_path(width: float, alone: bool) -> QPainterPath:
    if alone:
        return _rounded_path(width, metrics.COLLAPSED)
    path, r, h = QPainterPath(), metrics.RADIUS, metrics.HEADER
    path.moveTo(0, h)
    path.lineTo(0, r)
    path.arcTo(0, 0, 2 * r, 2 * r, 180, -90)
    path.lineTo(width - r, 0)
    path.arcTo(width - 2 * r, 0, 2 * r, 2 * r, 90, -90)
    path.lineTo(width, h)
    path.closeSubpath()
    return path


CROSS_MS = 120
_INTERVAL = 16
# When more change at once nobody follows them, and painting would take the time of the change.
_MOST = 60

Fade = tuple[CardStatus, float]


class BadgeFades(QObject):
    """The status lines of cards that are changing now."""

    def __init__(self, store: ItemStore, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._store = store
        self._clock = QElapsedTimer()
        self._clock.start()
        self._since: dict[str, tuple[CardStatus, int]] = {}
        self._timer = QTimer(self, interval=_INTERVAL)
        self._timer.timeout.connect(self._step)

    @property
    def active(self) -> bool:
        """Whether one is under way."""
        return self._timer.isActive()

    def begin(self, node: str, before: NodeState, after: NodeState) -> None:
        """This node's status line becomes another; progress and times just change."""
        seen = self._store.detail == "full"
        if not seen or theme.reduced_motion() or len(self._since) >= _MOST:
            return
        item = self._store.node_items[node]
        old, new = (status(item.node, item.spec, state) for state in (before, after))
        if (old.icon, old.color) == (new.icon, new.color):
            return
        self._since[node] = old, self._clock.elapsed()
        self._timer.start()

    def of(self, node: str) -> Fade | None:
        entry = self._since.get(node)
        if entry is None:
            return None
        before, start = entry
        share = (self._clock.elapsed() - start) / CROSS_MS
        return (before, share) if share < 1 else None

    def _step(self) -> None:
        for node in list(self._since):
            item = self._store.node_items.get(node)
            if item is not None and item.layout.status:
                self._store.damage(item.layout.status.translated(item.x, item.y))
            if self.of(node) is None:
                del self._since[node]
        if not self._since:
            self._timer.stop()
