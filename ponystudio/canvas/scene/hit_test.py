"""What is under a point of the scene."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import QPointF, QRectF

from ponystudio.api.spec import ParamSpec
from ponystudio.canvas.scene import wire_geometry
from ponystudio.canvas.scene.items import NOTHING, Hit, NodeItem, SocketRef, WireKey
from ponystudio.widgets import metrics, theme

if TYPE_CHECKING:
    from ponystudio.canvas.scene.item_store import ItemStore


def hit(scene: ItemStore, pos: QPointF) -> Hit:
    if found := _message_hit(scene, pos):
        return found
    if socket := socket_at(scene, pos):
        return Hit("socket", socket.node, socket)
    if item := card_at(scene, pos):
        return _on_card(scene, item, pos)
    if dot := dot_at(scene, pos):
        return Hit("dot", wire=dot[0], dot=dot[1])
    if wire := wire_at(scene, pos, theme.density().edge):
        return Hit("wire", wire=wire)
    if (note := note_at(scene, pos)) is not None:
        return Hit("note", index=note)
    return _frame_hit(scene, pos)


def socket_at(scene: ItemStore, pos: QPointF) -> SocketRef | None:
    """The nearest socket whose area holds the point and that no card covers."""
    if scene.detail != "full":
        return None
    reach = theme.density().socket[0] / 2
    area = QRectF(pos.x() - reach, pos.y() - reach, 2 * reach, 2 * reach)
    for item in _cards_near(scene, area):
        local = QPointF(pos.x() - item.x, pos.y() - item.y)
        if not item.rect.adjusted(-reach, 0, reach, 0).contains(pos):
            continue
        found = [
            row for row in (*item.layout.inputs, *item.layout.outputs) if row.hit.contains(local)
        ]
        if found:
            # Of a collapsed card's, which lie on each other, a connected one comes first.
            row = min(found, key=lambda row: ((row.centre - local).manhattanLength(), row.kind))
            return SocketRef(item.id, row.name, row.is_output, row.type)
        if item.rect.contains(pos):
            return None
    return None


def card_at(scene: ItemStore, pos: QPointF) -> NodeItem | None:
    point = QRectF(pos.x(), pos.y(), 0, 0)
    return next((item for item in _cards_near(scene, point) if item.rect.contains(pos)), None)


def param_at(scene: ItemStore, pos: QPointF) -> tuple[str, ParamSpec, QRectF] | None:
    item = card_at(scene, pos) if scene.detail == "full" else None
    if item is None:
        return None
    for row in item.layout.params:
        rect = row.rect.translated(item.x, item.y)
        if rect.contains(pos):
            return item.id, row.spec, rect
    return None


def wire_at(scene: ItemStore, pos: QPointF, reach: float) -> WireKey | None:
    x, y = pos.x(), pos.y()
    best, nearest = None, reach
    for key in scene.wire_index.near(QRectF(x - reach, y - reach, 2 * reach, 2 * reach)):
        item = scene.wire_items[key]
        if item.box.adjusted(-reach, -reach, reach, reach).contains(pos):
            far = wire_geometry.distance(item.points, x, y)
            if far < nearest:
                best, nearest = key, far
    return best


def dot_at(scene: ItemStore, pos: QPointF) -> tuple[WireKey, int] | None:
    reach = theme.density().dot
    area = QRectF(pos.x() - reach, pos.y() - reach, 2 * reach, 2 * reach)
    for key in scene.wire_index.near(area):
        for number, (x, y) in enumerate(scene.wire_items[key].dots):
            if area.contains(x, y):
                return key, number
    return None


def frame_at(scene: ItemStore, pos: QPointF) -> int | None:
    """The smallest frame that holds the point."""
    found = [item for item in scene.frame_items if item.rect.contains(pos)]
    if not found:
        return None
    return min(found, key=lambda item: item.rect.width() * item.rect.height()).index


def note_at(scene: ItemStore, pos: QPointF) -> int | None:
    found = [item.index for item in scene.note_items if item.rect.contains(pos)]
    return found[-1] if found else None


def nodes_in(scene: ItemStore, rect: QRectF, whole: bool = False) -> list[str]:
    return [
        id
        for id in scene.node_index.near(rect)
        if (
            rect.contains(scene.node_items[id].rect)
            if whole
            else rect.intersects(scene.node_items[id].rect)
        )
    ]


def wires_in(scene: ItemStore, rect: QRectF) -> list[WireKey]:
    return [
        key
        for key in scene.wire_index.near(rect)
        if rect.intersects(scene.wire_items[key].box.adjusted(-1, -1, 1, 1))
    ]


def _cards_near(scene: ItemStore, rect: QRectF) -> list[NodeItem]:
    found = [scene.node_items[id] for id in scene.node_index.near(rect)]
    return sorted(found, key=lambda item: -item.z)


def _on_card(scene: ItemStore, item: NodeItem, pos: QPointF) -> Hit:
    if scene.detail != "full":
        return Hit("header", item.id)
    local = QPointF(pos.x() - item.x, pos.y() - item.y)
    for part, rect in header_buttons(item):
        if rect.contains(local):
            return Hit("run" if part == "run" else "more", item.id)
    layout = item.layout
    if layout.header.contains(local):
        return Hit("header", item.id)
    for row in layout.params:
        if row.rect.contains(local):
            return Hit("param", item.id, param=row.spec.name)
    if layout.picture and layout.picture.contains(local):
        return Hit("picture", item.id)
    if layout.status and layout.status.contains(local):
        return Hit("status", item.id)
    return Hit("body", item.id)


def header_buttons(item: NodeItem) -> list[tuple[str, QRectF]]:
    """The buttons that a hovered card's header shows, in px from the card's corner."""
    if item.layout.collapsed and item.layout.size.width() < 120:
        return []
    right, wide = item.layout.size.width() - 6, theme.density().header_button
    high = min(wide, metrics.HEADER)
    top = (metrics.HEADER - high) / 2
    return [
        ("run", QRectF(right - 2 * wide, top, wide, high)),
        ("more", QRectF(right - wide, top, wide, high)),
    ]


def _message_hit(scene: ItemStore, pos: QPointF) -> Hit | None:
    if scene.detail != "full":
        return None
    for item in _cards_near(scene, QRectF(pos, pos)):
        if item.message and item.message.rect.contains(pos):
            return Hit("message", item.id, button=item.message.button_at(pos))
    return None


def _frame_hit(scene: ItemStore, pos: QPointF) -> Hit:
    index = frame_at(scene, pos)
    if index is None:
        return NOTHING
    item = scene.frame_items[index]
    edge = theme.density().edge
    if item.title_rect.contains(pos):
        return Hit("frame_title", index=index)
    if not item.rect.adjusted(edge, edge, -edge, -edge).contains(pos):
        return Hit("frame_edge", index=index)
    return Hit("frame", index=index)
