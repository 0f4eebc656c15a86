"""What a scene holds: its cards, wires, frames and notes, which of them are selected, what is
where, and what of it must be painted again."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import contextmanager
from itertools import count
from typing import Any, Literal

from PySide6.QtCore import QObject, QPointF, QRectF
from PySide6.QtWidgets import QGraphicsScene

from ponystudio.api.spec import ParamSpec
from ponystudio.canvas.scene import hit_test
from ponystudio.canvas.scene.items import (
    FrameItem,
    Hit,
    NodeItem,
    NoteItem,
    SocketRef,
    WireItem,
    WireKey,
)
from ponystudio.canvas.scene.spatial_index import SpatialIndex

Mode = Literal["set", "add", "toggle", "remove"]
Detail = Literal["full", "middle", "far"]

# Sockets, rings and shadows reach this far out of a card.
CARD_MARGIN = 14.0


class ItemStore(QGraphicsScene):
    """`selectionChanged` is Qt's."""

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.setItemIndexMethod(QGraphicsScene.ItemIndexMethod.NoIndex)
        self.node_items: dict[str, NodeItem] = {}
        self.wire_items: dict[WireKey, WireItem] = {}
        self.frame_items: list[FrameItem] = []
        self.note_items: list[NoteItem] = []
        self.node_index: SpatialIndex[str] = SpatialIndex()
        self.wire_index: SpatialIndex[WireKey] = SpatialIndex()
        self.wires_of: dict[str, set[WireKey]] = {}
        """The wires into and out of each node."""
        self.detail: Detail = "full"
        self._damaged: list[Callable[[QRectF | None], None]] = []
        self.next_z = count(1)

    # What changed on screen

    def on_damage(self, callback: Callable[[QRectF | None], None]) -> None:
        """Call back with each rect (scene px) that must be painted again, None for all."""
        self._damaged.append(callback)

    def off_damage(self, callback: Callable[[QRectF | None], None]) -> None:
        if callback in self._damaged:
            self._damaged.remove(callback)

    def damage(self, rect: QRectF | None = None) -> None:
        for callback in self._damaged:
            callback(rect)

    def damage_node(self, node: str) -> None:
        if self._damaged and (item := self.node_items.get(node)):
            self.damage(self.card_bounds(item))

    def damage_wire(self, key: WireKey | None) -> None:
        if key and self._damaged and (item := self.wire_items.get(key)):
            if self.detail == "full":
                for box in item.boxes(14.0):
                    self.damage(box)
            else:
                self.damage(item.box)

    def card_bounds(self, item: NodeItem) -> QRectF:
        """All that a card paints: itself, its sockets and the message below it."""
        bounds = item.rect.adjusted(-CARD_MARGIN, -CARD_MARGIN, CARD_MARGIN, CARD_MARGIN)
        return bounds.united(item.message.rect) if item.message else bounds

    @contextmanager
    def silence(self) -> Iterator[None]:
        """Tell of all that changes meanwhile at once: that everything must be painted again."""
        listening, self._damaged = self._damaged, []
        try:
            yield
        finally:
            self._damaged = listening
            self.damage()

    # Selection

    def selected_nodes(self) -> list[str]:
        return [id for id, item in self.node_items.items() if item.selected]

    def selected_wires(self) -> list[WireKey]:
        return [key for key, item in self.wire_items.items() if item.selected]

    def selected_frames(self) -> list[int]:
        return [item.index for item in self.frame_items if item.selected]

    def selected_notes(self) -> list[int]:
        return [item.index for item in self.note_items if item.selected]

    def select(
        self,
        nodes: Iterable[str] = (),
        wires: Iterable[WireKey] = (),
        frames: Iterable[int] = (),
        notes: Iterable[int] = (),
        mode: Mode = "set",
    ) -> None:
        """Change the selection; things that are not there are left out."""
        named: Collection[Any] = [
            *(self.node_items[id] for id in nodes if id in self.node_items),
            *(self.wire_items[key] for key in wires if key in self.wire_items),
            *(self.frame_items[i] for i in frames if i < len(self.frame_items)),
            *(self.note_items[i] for i in notes if i < len(self.note_items)),
        ]
        chosen = {id(item) for item in named}
        changed = False
        for item in self._selectables() if mode == "set" else named:
            inside = id(item) in chosen
            wanted = {
                "set": inside,
                "add": True,
                "toggle": not item.selected,
                "remove": False,
            }[mode]
            if wanted != item.selected:
                item.selected = wanted
                changed = True
                self._damage_item(item)
        if changed:
            self.selectionChanged.emit()

    def clear_selection(self) -> None:
        self.select()

    def select_all(self) -> None:
        self.select(
            self.node_items,
            (),
            range(len(self.frame_items)),
            range(len(self.note_items)),
        )

    def raise_nodes(self, nodes: Iterable[str]) -> None:
        """Put cards above all others, in this order."""
        for id in nodes:
            if item := self.node_items.get(id):
                item.z = next(self.next_z)
                self.damage_node(id)

    def _selectables(self) -> list[Any]:
        return [
            *self.node_items.values(),
            *self.wire_items.values(),
            *self.frame_items,
            *self.note_items,
        ]

    def _damage_item(self, item: Any) -> None:
        if isinstance(item, NodeItem):
            self.damage(self.card_bounds(item))
        elif isinstance(item, WireItem):
            self.damage_wire(item.key)
        else:
            self.damage(item.rect.adjusted(-4, -4, 4, 4))

    # What is where

    def hit(self, pos: QPointF) -> Hit:
        """What is under a point, from the top down."""
        return hit_test.hit(self, pos)

    def socket_at(self, pos: QPointF) -> SocketRef | None:
        return hit_test.socket_at(self, pos)

    def node_at(self, pos: QPointF) -> str | None:
        """The topmost card that holds the point."""
        item = hit_test.card_at(self, pos)
        return item.id if item else None

    def param_at(self, pos: QPointF) -> tuple[str, ParamSpec, QRectF] | None:
        """The param's node, its spec and its field's rect (scene px)."""
        return hit_test.param_at(self, pos)

    def wire_at(self, pos: QPointF, reach: float = 6.0) -> WireKey | None:
        """The wire nearest to the point, if within `reach` scene px."""
        return hit_test.wire_at(self, pos, reach)

    def dot_at(self, pos: QPointF) -> tuple[WireKey, int] | None:
        """The wire and the number of a reroute dot on it."""
        return hit_test.dot_at(self, pos)

    def frame_at(self, pos: QPointF) -> int | None:
        return hit_test.frame_at(self, pos)

    def note_at(self, pos: QPointF) -> int | None:
        return hit_test.note_at(self, pos)

    def nodes_in(self, rect: QRectF, whole: bool = False) -> list[str]:
        """Cards that touch a rect, or lie wholly inside."""
        return hit_test.nodes_in(self, rect, whole)

    def wires_in(self, rect: QRectF) -> list[WireKey]:
        """Wires that may run through a rect."""
        return hit_test.wires_in(self, rect)

    def frame_contents(self, index: int) -> list[str]:
        """The cards lying wholly inside a frame."""
        return self.nodes_in(self.frame_items[index].rect, whole=True)

    def sockets(self, node: str) -> list[SocketRef]:
        """A node's sockets, inputs first, from the top."""
        item = self.node_items[node]
        return [
            SocketRef(node, row.name, row.is_output, row.type)
            for row in (*item.layout.inputs, *item.layout.outputs)
        ]

    def input_pos(self, node: str, name: str) -> QPointF:
        return self.node_items[node].input_pos(name)

    def output_pos(self, node: str, name: str) -> QPointF:
        return self.node_items[node].output_pos(name)

    def socket_pos(self, ref: SocketRef) -> QPointF:
        return (self.output_pos if ref.is_output else self.input_pos)(ref.node, ref.name)

    def bounds(self, nodes: Iterable[str] | None = None) -> QRectF:
        """The box around these cards and the messages below them; None: around all there is.

        Null if there is nothing.
        """
        rect = QRectF()
        for id in self.node_items if nodes is None else nodes:
            if item := self.node_items.get(id):
                rect = rect.united(item.rect)
                if item.message:
                    rect = rect.united(item.message.rect)
        if nodes is None:
            for frame in self.frame_items:
                rect = rect.united(frame.rect)
            for note in self.note_items:
                rect = rect.united(note.rect)
        return rect
