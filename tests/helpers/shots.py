"""Pictures of a view, and the colours in them."""

from __future__ import annotations

from PySide6.QtCore import QPointF, QRect, QRectF
from PySide6.QtGui import QColor, QImage

from ponystudio.canvas.view.view import GraphView


def shot(view: GraphView) -> QImage:
    view.backing_store.settle()
    return view.viewport().grab().toImage()


def color_at(view: GraphView, x: float, y: float) -> QColor:
    return shot(view).pixelColor(view.from_scene(QPointF(x, y)).toPoint())


def around(at: QPointF, reach: float) -> QRectF:
    return QRectF(at.x() - reach, at.y() - reach, 2 * reach, 2 * reach)


def on_screen(view: GraphView, rect: QRectF) -> QRect:
    return view.from_scene_rect(rect).toAlignedRect()


def repainted(view: GraphView) -> QImage:
    view.graph_scene.store.damage()
    return shot(view)
