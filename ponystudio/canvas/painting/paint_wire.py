"""How wires look close by, and the dots that move along them while a run goes on.

Those lie over the kept picture, so that moving them paints nothing again.
"""

from __future__ import annotations

from functools import lru_cache

from PySide6.QtCore import QElapsedTimer, QObject, QPointF, QRect, QRectF, Qt, QTimer
from PySide6.QtGui import QColor, QPainter, QPen, QRegion

from ponystudio.canvas.painting import paint_socket
from ponystudio.canvas.painting.paint_context import PaintContext, Viewport
from ponystudio.canvas.scene.item_store import ItemStore
from ponystudio.canvas.scene.items import WireItem
from ponystudio.studio.documents.editable_graph import NodeStates
from ponystudio.widgets import metrics, theme

_SMOOTH_CASING = 0.8
_DIMMED, _MUTED, _WAITING = 0.28, 0.40, 0.35


def paint_wires(painter: QPainter, parts: list[QRectF], brush: PaintContext) -> None:
    """The wires that run through one of these rects."""
    scene, store = brush.scene, brush.store
    lifted = scene.drag.lifted if scene.drag else frozenset()
    near = [part.adjusted(-12, -12, 12, 12) for part in parts]
    keys = set().union(*(store.wire_index.near(part) for part in near))
    found = [
        item
        for key in keys
        if key not in lifted and (item := store.wire_items[key]).runs_through(near)
    ]
    # Always in one order, or crossings would flicker; the one in hand above the others.
    found.sort(key=lambda item: (_is_lit(item, brush), item.key))
    for item in found:
        paint_wire(painter, item, brush)


def paint_wire(painter: QPainter, item: WireItem, brush: PaintContext) -> None:
    scene = brush.scene
    color = brush.theme.socket(item.type).color
    opacity, dashes, failed = _state(item, brush)
    width = 3.0 if _is_lit(item, brush) else 2.0
    if failed:
        color = brush.color("err")
    painter.setBrush(Qt.BrushStyle.NoBrush)
    if opacity < 1:
        painter.setOpacity(opacity)
    else:
        # A smooth stroke costs six times as much, which shows from farther away, where more
        # wires are seen and the gap that the casing leaves is less than its 1.5 px.
        smooth = brush.zoom >= _SMOOTH_CASING
        painter.setRenderHint(QPainter.RenderHint.Antialiasing, smooth)
        painter.strokePath(item.path, _pen(brush.color("canvas").rgb(), width + 3))
        painter.setRenderHint(QPainter.RenderHint.Antialiasing, True)
    painter.strokePath(item.path, _pen(color.rgb(), width, dashes))
    _paint_dots(painter, item, color, brush)
    if failed:
        _paint_cross(painter, item, brush)
    elif scene.shapes_on_wires and not item.dots:
        middle = item.path.pointAtPercent(0.5)
        painter.translate(middle)
        paint_socket.paint_shape(painter, item.type, "connected", brush)
        painter.translate(-middle)
    if opacity < 1:
        painter.setOpacity(1.0)


def _is_lit(item: WireItem, brush: PaintContext) -> bool:
    scene = brush.scene
    return item.selected or item.key in (scene.hover.wire, scene.overlay.insert)


def _state(item: WireItem, brush: PaintContext) -> tuple[float, tuple[float, ...], bool]:
    """Opacity, dashes (in pen widths) and whether the failure is about this wire."""
    scene, cards = brush.scene, brush.store.node_items
    states = scene.document.states
    source, target = cards.get(item.source), cards.get(item.target)
    end = states[item.target]
    if end.phase == "failed" and end.problem and end.problem.socket == item.input:
        return 1.0, (3.5, 2.5), True
    if scene.drag is not None:
        return _DIMMED, (), False
    if source and target and "muted" in (source.node.mode, target.node.mode):
        return _MUTED, (1.0, 2.5), False
    if end.phase == "not_run":
        return _WAITING, (), False
    return 1.0, (), False


def _paint_dots(painter: QPainter, item: WireItem, color: QColor, brush: PaintContext) -> None:
    hover = brush.scene.hover
    painter.setPen(_pen(brush.color("canvas").rgb(), 1.5))
    painter.setBrush(color)
    for number, (x, y) in enumerate(item.dots):
        lit = hover.wire == item.key and hover.dot == number
        radius = metrics.DOT_RADIUS + (1.5 if lit else 0)
        painter.drawEllipse(QPointF(x, y), radius, radius)


def _paint_cross(painter: QPainter, item: WireItem, brush: PaintContext) -> None:
    """The mark at the middle of a failed wire."""
    middle = item.path.pointAtPercent(0.5)
    painter.setPen(_pen(brush.color("err").rgb(), 1.5))
    painter.setBrush(brush.color("errbg"))
    painter.drawEllipse(middle, 9, 9)
    for dx in (-3.2, 3.2):
        painter.drawLine(middle + QPointF(dx, -3.2), middle + QPointF(-dx, 3.2))


@lru_cache(maxsize=256)
def _pen(rgb: int, width: float, dashes: tuple[float, ...] = ()) -> QPen:
    pen = QPen(QColor(rgb), width, Qt.PenStyle.SolidLine, Qt.PenCapStyle.RoundCap,
               Qt.PenJoinStyle.RoundJoin)  # fmt: skip
    if dashes:
        pen.setDashPattern(list(dashes))
    return pen


SPEED, GAP = 24.0, 14.0  # px a second, px from dot to dot
_INTERVAL = 34  # at most 30 frames a second


class WireAnimation(QObject):
    """The wires into running nodes, and how far their dots have come."""

    def __init__(self, view: Viewport, store: ItemStore, states: NodeStates) -> None:
        super().__init__(view.viewport())
        self._view, self._store, self._states = view, store, states
        self._clock = QElapsedTimer()
        self._timer = QTimer(self, interval=_INTERVAL)
        self._timer.timeout.connect(self._step)
        self._running: frozenset[str] = frozenset()
        self._states.changed.connect(self._state_changed)
        theme.hub.changed.connect(self._start_or_stop)
        self._find_running()

    @property
    def active(self) -> bool:
        """Whether the dots move now."""
        return self._timer.isActive()

    def wires(self) -> list[WireItem]:
        """The wires that dots move on, as far as they show."""
        if self._store.detail != "full":
            return []
        seen = self._view.visible_rect()
        keys = {key for id in self._running for key in self._store.wires_of.get(id, ())}
        found = (self._store.wire_items[key] for key in sorted(keys) if key[0] in self._running)
        return [item for item in found if item.box.intersects(seen)]

    @property
    def offset(self) -> float:
        """How far the dots have come since the last one was where they are."""
        if theme.reduced_motion() or not self.active:
            return 0.0
        return (self._clock.elapsed() / 1000 * SPEED) % GAP

    def _state_changed(self, node: str) -> None:
        if not node:
            self._find_running()
        elif (self._states[node].phase == "running") != (node in self._running):
            self._running ^= {node}
            self._start_or_stop()

    def _find_running(self) -> None:
        states = self._states
        self._running = frozenset(id for id in states if states[id].phase == "running")
        self._start_or_stop()

    def _start_or_stop(self) -> None:
        if not self._running or theme.reduced_motion():
            self._timer.stop()
        elif not self._timer.isActive():
            self._clock.start()
            self._timer.start()

    def _step(self) -> None:
        if not self._view.viewport().isVisible():
            return
        region = QRegion()
        for item in self.wires():
            for box in item.boxes(3.0):
                region += self._view.from_scene_rect(box).toAlignedRect()
        region &= QRect(self._view.viewport().rect())
        if not region.isEmpty():
            self._view.viewport().update(region)
