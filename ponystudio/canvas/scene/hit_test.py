"""What is under a point of the scene."""

from __future__ import annotations

from PySide6.QtCore import QPointF, QRectF

from ponystudio.canvas.scene import wire_geometry
from ponystudio.canvas.scene.item_store import ItemStore, ParamPlace
from ponystudio.canvas.scene.items import NOTHING, Hit, NodeItem, SocketRef, WireKey
from ponystudio.widgets import metrics, theme


def hit(store: ItemStore, pos: QPointF) -> Hit:
    """What is under a point, from the top down."""
    if found := _message_hit(store, pos):
        return found
    if socket := socket_at(store, pos):
        return Hit("socket", socket.node, socket)
    if item := card_at(store, pos):
        return _on_card(store, item, pos)
    if dot := dot_at(store, pos):
        return Hit("dot", wire=dot[0], dot=dot[1])
    if wire := wire_at(store, pos, theme.density().edge):
        return Hit("wire", wire=wire)
    if (note := note_at(store, pos)) is not None:
        return Hit("note", index=note)
    return _frame_hit(store, pos)


def socket_at(store: ItemStore, pos: QPointF) -> SocketRef | None:
    """The nearest socket whose area holds the point and that no card covers."""
    if store.detail != "full":
        return None
    reach = theme.density().socket[0] / 2
    area = QRectF(pos.x() - reach, pos.y() - reach, 2 * reach, 2 * reach)
    for item in _cards_near(store, area):
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


def node_at(store: ItemStore, pos: QPointF) -> str | None:
    """The topmost card that holds the point."""
    item = card_at(store, pos)
    return item.id if item else None


def card_at(store: ItemStore, pos: QPointF) -> NodeItem | None:
    point = QRectF(pos.x(), pos.y(), 0, 0)
    return next((item for item in _cards_near(store, point) if item.rect.contains(pos)), None)


def param_at(store: ItemStore, pos: QPointF) -> ParamPlace | None:
    item = card_at(store, pos) if store.detail == "full" else None
    if item is None:
        return None
    return next((param for param in store.params(item.id) if param.rect.contains(pos)), None)


def wire_at(store: ItemStore, pos: QPointF, reach: float = 6.0) -> WireKey | None:
    """The wire nearest to the point, if within `reach` scene px."""
    x, y = pos.x(), pos.y()
    best, nearest = None, reach
    for key in store.wire_index.near(QRectF(x - reach, y - reach, 2 * reach, 2 * reach)):
        item = store.wire_items[key]
        if item.box.adjusted(-reach, -reach, reach, reach).contains(pos):
            far = wire_geometry.distance(item.points, x, y)
            if far < nearest:
                best, nearest = key, far
    return best


def dot_at(store: ItemStore, pos: QPointF) -> tuple[WireKey, int] | None:
    """The wire and the number of a reroute dot on it."""
    reach = theme.density().dot
    area = QRectF(pos.x() - reach, pos.y() - reach, 2 * reach, 2 * reach)
    for key in store.wire_index.near(area):
        for number, (x, y) in enumerate(store.wire_items[key].dots):
            if area.contains(x, y):
                return key, number
    return None


def frame_at(store: ItemStore, pos: QPointF) -> int | None:
    """The smallest frame that holds the point."""
    found = [item for item in store.frame_items if item.rect.contains(pos)]
    if not found:
        return None
    return min(found, key=lambda item: item.rect.width() * item.rect.height()).index


def note_at(store: ItemStore, pos: QPointF) -> int | None:
    found = [item.index for item in store.note_items if item.rect.contains(pos)]
    return found[-1] if found else None


def _cards_near(store: ItemStore, rect: QRectF) -> list[NodeItem]:
    found = [store.node_items[id] for id in store.node_index.near(rect)]
    return sorted(found, key=lambda item: -item.z)


def _on_card(store: ItemStore, item: NodeItem, pos: QPointF) -> Hit:
    if store.detail != "full":
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


def _message_hit(store: ItemStore, pos: QPointF) -> Hit | None:
    if store.detail != "full":
        return None
    for item in _cards_near(store, QRectF(pos, pos)):
        if item.message and item.message.rect.contains(pos):
            return Hit("message", item.id, button=item.message.button_at(pos))
    return None


def _frame_hit(store: ItemStore, pos: QPointF) -> Hit:
    index = frame_at(store, pos)
    if index is None:
        return NOTHING
    item = store.frame_items[index]
    edge = theme.density().edge
    if item.title_rect.contains(pos):
        return Hit("frame_title", index=index)
    if not item.rect.adjusted(edge, edge, -edge, -edge).contains(pos):
        return Hit("frame_edge", index=index)
    return Hit("frame", index=index)
