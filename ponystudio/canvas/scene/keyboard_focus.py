"""Where the keyboard's focus goes next: geometry and wires, no keys."""

from __future__ import annotations

from collections.abc import Iterable

from PySide6.QtCore import QPointF, QRectF

from ponystudio.canvas.scene import wire_geometry
from ponystudio.canvas.scene.card_layout import ParamRow, SocketRow
from ponystudio.canvas.scene.item_store import ItemStore
from ponystudio.canvas.scene.items import NOTHING, FocusRef, Hit, SocketRef, WireKey


def step(store: ItemStore, focus: FocusRef, dx: int, dy: int) -> FocusRef | None:
    """The next place in a direction, or None where there is none.

    From a node left and right go along its wires, up and down to the card there. Inside a card up
    and down go through its rows; left of an input and right of an output is a wire, at whose end
    is the next card; up and down go through the wires of an output.
    """
    if focus.kind == "node":
        return _from_node(store, focus.node, dx, dy)
    if focus.kind == "wire":
        return _from_wire(store, focus, dx, dy)
    if dy:
        return _next_row(store, focus, dy)
    if focus.kind == "input" and dx < 0:
        key = (focus.node, focus.name)
        return FocusRef("wire", focus.node, wire=key) if key in store.wire_items else None
    if focus.kind == "output" and dx > 0:
        found = _wires_out(store, focus.node, focus.name)
        return FocusRef("wire", focus.node, wire=found[0]) if found else None
    return _across(store, focus, dx)


def rows(store: ItemStore, node: str) -> list[FocusRef]:
    """All places inside a card, from the top: inputs, outputs, params."""
    layout = store.node_items[node].layout
    own = {row.spec.name for row in layout.params}
    return [
        *(FocusRef("input", node, row.name) for row in layout.inputs if row.name not in own),
        *(FocusRef("output", node, row.name) for row in layout.outputs),
        *(FocusRef("param", node, row.spec.name) for row in layout.params),
    ]


def socket(store: ItemStore, focus: FocusRef) -> SocketRef | None:
    if focus.kind not in ("input", "output") or focus.node not in store.node_items:
        return None
    out = focus.kind == "output"
    found = (r for r in store.sockets(focus.node) if r.name == focus.name and r.is_output == out)
    return next(found, None)


def place(store: ItemStore, focus: FocusRef) -> QPointF | None:
    """Where the focus is, in scene px."""
    if focus.kind == "wire":
        item = store.wire_items.get(focus.wire) if focus.wire else None
        return wire_geometry.middle(item.points) if item else None
    card = store.node_items.get(focus.node)
    if card is None:
        return None
    if focus.kind == "node":
        return QPointF(card.rect.center().x(), card.rect.top() + 16)
    if focus.kind == "param":
        row = param(store, focus)
        return row.rect.center() + card.pos() if row else card.rect.center()
    return (card.output_pos if focus.kind == "output" else card.input_pos)(focus.name)


def param(store: ItemStore, focus: FocusRef) -> ParamRow | None:
    """The row of the param that the focus is on."""
    rows = store.node_items[focus.node].layout.params
    return next((row for row in rows if row.spec.name == focus.name), None)


def area(store: ItemStore, focus: FocusRef) -> QRectF:
    """What the focus, whose place there is, is on, in scene px."""
    if focus.kind == "wire" and focus.wire:
        return store.wire_items[focus.wire].box
    card = store.node_items[focus.node]
    layout = card.layout
    row: ParamRow | SocketRow | None = None
    if focus.kind == "param":
        row = param(store, focus)
    elif focus.kind != "node":
        row = (layout.output if focus.kind == "output" else layout.input)(focus.name)
    if row is None:
        return card.rect
    return (row.hit if isinstance(row, SocketRow) else row.rect).translated(card.pos())


def hit(store: ItemStore, focus: FocusRef | None) -> Hit:
    """What a context menu there is about."""
    if focus is None:
        return NOTHING
    if focus.kind == "wire":
        return Hit("wire", wire=focus.wire)
    if found := socket(store, focus):
        return Hit("socket", focus.node, found)
    return Hit("header", focus.node)


def nearest(
    store: ItemStore, ref: SocketRef, others: Iterable[SocketRef], dx: int, dy: int
) -> SocketRef | None:
    """The socket nearest in a direction."""
    at = store.socket_pos(ref)
    found = [
        (cost, other)
        for other in others
        if other != ref and (cost := _cost(store.socket_pos(other) - at, dx, dy)) is not None
    ]
    return min(found, key=lambda item: item[0])[1] if found else None


def _cost(way: QPointF, dx: int, dy: int) -> float | None:
    """How far something is in a direction, what lies aside counting double; None: not there."""
    along = way.x() * dx + way.y() * dy
    aside = abs(way.x() * dy) + abs(way.y() * dx)
    return along + 2 * aside if along > 1 and aside <= 4 * along else None


def _from_node(store: ItemStore, node: str, dx: int, dy: int) -> FocusRef | None:
    if dx:
        keys = store.wires_of.get(node, ())
        ends = {
            (store.wire_items[key].source if dx < 0 else key[0])
            for key in keys
            if (key[0] == node) == (dx < 0)
        } - {node}
        if ends:
            own = store.node_items[node].rect.top()
            near = min(ends, key=lambda id: abs(store.node_items[id].rect.top() - own))
            return FocusRef("node", near)
    at = store.node_items[node].rect.center()
    found = [
        (cost, id)
        for id, item in store.node_items.items()
        if id != node and (cost := _cost(item.rect.center() - at, dx, dy)) is not None
    ]
    return FocusRef("node", min(found)[1]) if found else None


def _from_wire(store: ItemStore, focus: FocusRef, dx: int, dy: int) -> FocusRef | None:
    wire = store.wire_items.get(focus.wire) if focus.wire else None
    if wire is None:
        return None
    if dx < 0:
        return FocusRef("output", wire.source, wire.output)
    if dx > 0:
        return FocusRef("input", wire.target, wire.input)
    others = _wires_out(store, wire.source, wire.output)
    if len(others) < 2:
        return None
    key = others[(others.index(wire.key) + dy) % len(others)]
    return FocusRef("wire", focus.node, wire=key)


def _wires_out(store: ItemStore, node: str, output: str) -> list[WireKey]:
    """The wires of an output, from the top."""
    keys = [
        key
        for key in store.wires_of.get(node, ())
        if (wire := store.wire_items[key]).source == node and wire.output == output
    ]
    return sorted(keys, key=lambda key: store.wire_items[key].target_pos.y())


def _next_row(store: ItemStore, focus: FocusRef, dy: int) -> FocusRef | None:
    """Up and down within the column of sockets, then through the params, then out to the node."""
    every = rows(store, focus.node)
    column = "output" if focus.kind == "output" else "input"
    found = [ref for ref in every if ref.kind in (column, "param")]
    if focus not in found:
        return None
    index = found.index(focus) + dy
    if index < 0:
        return FocusRef("node", focus.node)
    return found[index] if index < len(found) else None


def _across(store: ItemStore, focus: FocusRef, dx: int) -> FocusRef | None:
    """From an input to the output beside it, and back."""
    want = "output" if dx > 0 else "input"
    found = [ref for ref in rows(store, focus.node) if ref.kind == want]
    at = place(store, focus)
    if not found or at is None:
        return None

    def gap(ref: FocusRef) -> float:
        there = place(store, ref)
        return abs(there.y() - at.y()) if there is not None else 1e9

    return min(found, key=gap)
