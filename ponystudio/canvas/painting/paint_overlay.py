"""What is painted over the graph while a gesture lasts, in px of the viewport."""

from __future__ import annotations

from collections.abc import Iterator

from PySide6.QtCore import QPointF, QRectF, Qt
from PySide6.QtGui import (
    QColor,
    QPainter,
    QPainterPath,
    QPainterPathStroker,
    QPen,
    QPolygonF,
    QRegion,
)

from ponystudio.canvas.painting import paint_socket
from ponystudio.canvas.painting.paint_context import PaintContext, Viewport
from ponystudio.canvas.painting.paint_wire import GAP, WireAnimation
from ponystudio.canvas.scene import wire_geometry
from ponystudio.canvas.scene.item_store import ItemStore
from ponystudio.canvas.scene.items import FocusRef, Refusal, SocketRef, WireItem
from ponystudio.canvas.scene.scene import GraphScene
from ponystudio.widgets import metrics, text_layout, theme

_NO_BRUSH = Qt.BrushStyle.NoBrush


def paint(painter: QPainter, view: Viewport, scene: GraphScene, animation: WireAnimation) -> None:
    brush = PaintContext(scene, view.zoom, scene.store.detail)
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    _paint_moving_dots(painter, view, animation, brush)
    if scene.drag:
        _paint_drag(painter, view, brush)
    _paint_lines(painter, view, brush)
    if scene.focus and view.hasFocus():
        _paint_focus(painter, view, scene.focus, brush)
    if scene.overlay.rubber:
        ground = QColor(brush.color("accent"))
        ground.setAlphaF(0.12)
        painter.setPen(QPen(brush.color("accent"), 1))
        painter.setBrush(ground)
        rect = view.from_scene_rect(scene.overlay.rubber)
        painter.drawRoundedRect(rect.adjusted(0.5, 0.5, -0.5, -0.5), 3, 3)
    if scene.overlay.refusal:
        paint_refusal(painter, view, scene.overlay.refusal, brush)


def refusal_rects(view: Viewport, refusal: Refusal) -> tuple[QRectF, QRectF]:
    """The box of a refusal and, in it, the link to its remedy, in px of the viewport."""
    unit = theme.scale()
    wide = (
        max(text_layout.width(refusal.text, "body"), text_layout.width(refusal.remedy, "body")) + 46
    )
    high = 48 if refusal.remedy else 30
    at = view.from_scene(refusal.pos) + QPointF(16, 14)
    box = QRectF(at.x(), at.y(), wide * unit, high * unit)
    area = QRectF(view.viewport().rect()).adjusted(8, 8, -8, -8)
    if box.right() > area.right():
        box.moveRight(area.right())
    if box.bottom() > area.bottom():
        box.moveBottom(view.from_scene(refusal.pos).y() - 12)
    link = QRectF(box.left(), box.center().y(), box.width(), box.height() / 2)
    return box, link if refusal.remedy else QRectF()


def paint_refusal(painter: QPainter, view: Viewport, refusal: Refusal, brush: PaintContext) -> None:
    unit = theme.scale()
    box, _ = refusal_rects(view, refusal)
    painter.save()
    painter.translate(box.topLeft())
    painter.scale(unit, unit)
    size = QRectF(0, 0, box.width() / unit, box.height() / unit)
    painter.setPen(QPen(brush.color("line2"), 1))
    painter.setBrush(brush.color("card"))
    painter.drawRoundedRect(size.adjusted(0.5, 0.5, -0.5, -0.5), 6, 6)
    painter.translate(10, 7)
    painter.strokePath(theme.icon_path("info"), theme.icon_pen(brush.color("text2")))
    painter.translate(-10, -7)
    painter.setPen(brush.color("text"))
    text_layout.draw(painter, 34, 15, refusal.text, "body")
    painter.setPen(brush.color("accent"))
    if refusal.remedy:
        text_layout.draw(painter, 34, 33, refusal.remedy, "body")
    painter.restore()


def _paint_moving_dots(
    painter: QPainter, view: Viewport, animation: WireAnimation, brush: PaintContext
) -> None:
    """Dots moving towards running nodes, below all that lies above the wires."""
    found = animation.wires()
    if not found:
        return
    painter.save()
    free = QRegion(view.viewport().rect())
    for rect in _above(brush.store, found):
        free -= view.from_scene_rect(rect).toAlignedRect()
    painter.setClipRegion(free, Qt.ClipOperation.IntersectClip)
    painter.setTransform(view.viewportTransform(), True)
    pen = QPen(brush.color("text"), 2.6)
    pen.setCapStyle(Qt.PenCapStyle.RoundCap)
    pen.setDashPattern([0.001, GAP / 2.6])
    pen.setDashOffset(-animation.offset / 2.6)
    for wire in found:
        painter.strokePath(wire.path, pen)
    painter.restore()


def _above(store: ItemStore, found: list[WireItem]) -> Iterator[QRectF]:
    """What covers these wires: cards with their shadows and sockets, messages, reroute dots."""
    near: set[str] = set()
    for wire in found:
        near |= store.node_index.near(wire.box)
        for x, y in wire.dots:
            yield _square(QPointF(x, y), metrics.DOT_RADIUS + 2)
    for id in near:
        item = store.node_items[id]
        yield item.rect.adjusted(-1, -1, 1, metrics.SHADOW)
        for row in (*item.layout.inputs, *item.layout.outputs):
            yield _square(item.pos() + row.centre, 8)
        if item.message:
            yield item.message.rect.adjusted(-1, -metrics.MESSAGE_GAP, 1, metrics.SHADOW)


def _square(at: QPointF, reach: float) -> QRectF:
    return QRectF(at.x() - reach, at.y() - reach, 2 * reach, 2 * reach)


def _paint_drag(painter: QPainter, view: Viewport, brush: PaintContext) -> None:
    """The wires in hand, from the ends that stay to the pointer or the socket that caught it."""
    store, drag = brush.store, brush.scene.drag
    if drag is None:
        return
    painter.save()
    painter.setTransform(view.viewportTransform(), True)
    end = store.socket_pos(drag.target) if drag.target else drag.pointer
    for fixed in drag.fixed:
        start = store.socket_pos(fixed)
        ends = (start, end) if fixed.is_output else (end, start)
        path = wire_geometry.path(wire_geometry.curves(*ends))
        color = brush.theme.socket(_drag_type(fixed, drag.target)).color
        pen = theme.icon_pen(brush.color("canvas"), 6)
        painter.setBrush(_NO_BRUSH)
        painter.strokePath(path, pen)
        painter.strokePath(path, theme.icon_pen(color, 3))
        for at, type in ((start, fixed.type), (end, (drag.target or fixed).type)):
            painter.translate(at)
            paint_socket.paint_shape(painter, type, "connected", brush)
            painter.translate(-at)
    painter.restore()


def _drag_type(fixed: SocketRef, target: SocketRef | None) -> str:
    return target.type if target and fixed.type == "any" else fixed.type


def _paint_lines(painter: QPainter, view: Viewport, brush: PaintContext) -> None:
    overlay = brush.scene.overlay
    painter.setBrush(_NO_BRUSH)
    if overlay.snap_lines:
        painter.setPen(QPen(brush.color("accent"), 1))
        at = view.viewportTransform()
        painter.drawLines([at.map(line) for line in overlay.snap_lines])
    for points, token in ((overlay.cut, "err"), (overlay.reroute, "accent")):
        if len(points) > 1:
            pen = theme.icon_pen(brush.color(token), 1.5)
            pen.setDashPattern([4, 3])
            painter.setPen(pen)
            painter.drawPolyline(QPolygonF([view.from_scene(point) for point in points]))
    if overlay.link:
        painter.setPen(theme.icon_pen(brush.color("accent"), 2))
        line = view.viewportTransform().map(overlay.link)
        painter.drawLine(line)
        painter.setBrush(brush.color("accent"))
        painter.drawEllipse(line.p2(), 4, 4)
        painter.setBrush(_NO_BRUSH)
    for ghost in overlay.ghosts:
        pen = theme.icon_pen(brush.color("accent"), 1.5)
        pen.setDashPattern([4, 3])
        painter.setPen(pen)
        painter.drawRoundedRect(view.from_scene_rect(ghost), 8, 8)


def _paint_focus(painter: QPainter, view: Viewport, focus: FocusRef, brush: PaintContext) -> None:
    """The keyboard's ring, always apart from the selection."""
    store = brush.store
    painter.setBrush(_NO_BRUSH)
    item = store.node_items.get(focus.node)
    if focus.kind == "wire":
        wire = store.wire_items.get(focus.wire) if focus.wire else None
        if wire:
            path = view.viewportTransform().map(wire.path)
            outline = _outline(path, 12)
            painter.setPen(QPen(brush.color("text"), 2))
            painter.drawPath(outline)
        return
    if item is None:
        return
    painter.setPen(QPen(brush.color("text"), 2))
    if focus.kind in ("input", "output"):
        ref = SocketRef(focus.node, focus.name, focus.kind == "output", "any")
        radius = 11 * view.zoom * theme.scale()
        painter.drawEllipse(view.from_scene(store.socket_pos(ref)), radius, radius)
        return
    if focus.kind == "param":
        row = next((row for row in item.layout.params if row.spec.name == focus.name), None)
        if row:
            rect = view.from_scene_rect(row.rect.translated(item.x, item.y))
            painter.drawRoundedRect(rect.adjusted(-3, -3, 3, 3), 7, 7)
        return
    gap = 6.0 * max(1.0, view.zoom * theme.scale())
    radius = metrics.RADIUS * view.zoom * theme.scale() + gap
    rect = view.from_scene_rect(item.rect).adjusted(-gap, -gap, gap, gap)
    painter.drawRoundedRect(rect, radius, radius)


def _outline(path: QPainterPath, width: float) -> QPainterPath:
    stroker = QPainterPathStroker()
    stroker.setWidth(width)
    stroker.setCapStyle(Qt.PenCapStyle.RoundCap)
    return stroker.createStroke(path).simplified()
