"""Paints a part of a scene: what is in it, in what detail, in what order."""

from __future__ import annotations

import math
from functools import lru_cache
from typing import TYPE_CHECKING, Literal

from PySide6.QtCore import QPointF, QRectF, Qt
from PySide6.QtGui import QPainter, QPen, QPolygonF, QRegion, QTransform

from ponystudio.canvas import metrics, paint_card, paint_far, paint_frame, paint_wire, theme
from ponystudio.canvas.paint_card import Brush

if TYPE_CHECKING:
    from ponystudio.canvas.items import NodeItem
    from ponystudio.canvas.scene import GraphScene

Detail = Literal["full", "middle", "far"]

# Card widths on screen, in px, over which there is more to see.
FULL, MIDDLE = 120.0, 60.0
# What things cost to paint, measured on this class of machine.
_CARD_MS = {"full": 0.6, "middle": 0.04, "far": 0.004}
_WIRE_MS = {"full": 0.08, "middle": 0.02, "far": 0.004}


def detail(zoom: float) -> Detail:
    width = metrics.WIDTH * zoom
    return "full" if width > FULL else "middle" if width > MIDDLE else "far"


def cost_ms(scene: GraphScene, rect: QRectF, zoom: float) -> float:
    """About how long a rect takes to paint."""
    level = detail(zoom)
    cards = len(scene.node_index.near(rect))
    wires = len(scene.wire_index.near(rect))
    return cards * _CARD_MS[level] + wires * _WIRE_MS[level]


def paint(
    painter: QPainter, scene: GraphScene, at: QTransform, region: QRegion, zoom: float
) -> None:
    """Paint a region of a viewport whose transform is `at`."""
    brush = Brush(scene, zoom, detail(zoom))
    area = QRectF(region.boundingRect())
    painter.fillRect(area, brush.theme.color("canvas"))
    if zoom >= 0.5:
        _paint_grid(painter, at, area)
    back, _ = at.inverted()
    rect = back.mapRect(area)
    painter.setTransform(at, True)
    near = rect.adjusted(-8, -8, 8, 8)
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    for frame in scene.frame_items:
        if frame.rect.intersects(near):
            paint_frame.paint_frame(painter, frame, brush)
    for note in scene.note_items:
        if note.rect.intersects(near):
            paint_frame.paint_note(painter, note, brush)
    parts = [back.mapRect(QRectF(part)) for part in region] if region.rectCount() > 1 else [rect]
    if brush.detail == "full":
        paint_wire.paint_wires(painter, scene, rect, parts, brush)
        for item in cards_in(scene, rect, parts):
            paint_card.paint(painter, item, brush)
    else:
        paint_far.paint(painter, scene, rect, brush)


def paint_rough(painter: QPainter, scene: GraphScene, at: QTransform, region: QRegion) -> None:
    """As from far away, whatever the zoom: what is shown while a zoom lasts."""
    area = QRectF(region.boundingRect())
    brush = Brush(scene, at.m11(), "far")
    painter.fillRect(area, brush.theme.color("canvas"))
    back, _ = at.inverted()
    painter.setTransform(at, True)
    for frame in scene.frame_items:
        paint_frame.paint_frame(painter, frame, brush)
    paint_far.paint(painter, scene, back.mapRect(area), brush)


def cards_in(scene: GraphScene, rect: QRectF, parts: list[QRectF]) -> list[NodeItem]:
    """The cards that touch one of the parts, all of which lie in the rect, bottom up."""
    found = []
    for id in scene.node_index.near(rect.adjusted(-40, -40, 40, 40)):
        item = scene.node_items[id]
        bounds = scene.card_bounds(item)
        if any(bounds.intersects(part) for part in parts):
            found.append(item)
    found.sort(key=lambda item: item.z)
    return found


def _paint_grid(painter: QPainter, at: QTransform, area: QRectF) -> None:
    """A dot of 2 px every 24 scene px."""
    step = metrics.DOTS * at.m11()
    left = math.floor((area.left() - at.dx()) / step)
    top = math.floor((area.top() - at.dy()) / step)
    columns = math.ceil(area.width() / step) + 2
    rows = math.ceil(area.height() / step) + 2
    xs = [round(at.dx() + (left + i) * step) for i in range(columns)]
    ys = [round(at.dy() + (top + j) * step) for j in range(rows)]
    painter.setRenderHint(QPainter.RenderHint.Antialiasing, False)
    painter.setPen(QPen(theme.current().color("grid"), 2, Qt.PenStyle.SolidLine,
                        Qt.PenCapStyle.SquareCap))  # fmt: skip
    painter.drawPoints(QPolygonF([QPointF(x, y) for y in ys for x in xs]))


__all__ = ["cards_in", "cost_ms", "detail", "lru_cache", "paint", "paint_rough"]
