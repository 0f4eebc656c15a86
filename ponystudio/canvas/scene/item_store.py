"""What is on the canvas: its cards, wires, frames and notes, which of them are selected, what is
where, and what of it must be painted again."""

from __future__ import annotations

import math
from collections.abc import Collection, Hashable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import count
from typing import Any, Generic, Literal, TypeVar

from PySide6.QtCore import QObject, QPointF, QRectF, Signal

from ponystudio.api.spec import ParamSpec
from ponystudio.canvas.fields.base import Field
from ponystudio.canvas.scene.items import (
    FrameItem,
    NodeItem,
    NoteItem,
    SocketRef,
    WireItem,
    WireKey,
)

Key = TypeVar("Key", bound=Hashable)
Cell = tuple[int, int]

SIZE = 1024


class SpatialIndex(Generic[Key]):
    """Keys by the cells they touch. A key is found if one of its cells is asked for, so ask the
    thing itself whether it is really there.

    Cells are on levels, each with cells twice as large as the one below; a rect stands on the
    first whose cells are no smaller than itself, in four of them at most: what is large costs no
    more than what is small.
    """

    def __init__(self) -> None:
        self._levels: dict[int, dict[Cell, dict[Key, None]]] = {}
        self._where: dict[Key, frozenset[tuple[int, Cell]]] = {}

    def put(self, key: Key, rects: Iterable[QRectF]) -> None:
        cells: set[tuple[int, Cell]] = set()
        for rect in rects:
            level = _level(rect)
            cells.update((level, cell) for cell in _cells(rect, level))
        found = frozenset(cells)
        if self._where.get(key) == found:
            return
        self.drop(key)
        self._where[key] = found
        for level, cell in found:
            self._levels.setdefault(level, {}).setdefault(cell, {})[key] = None

    def drop(self, key: Key) -> None:
        for level, cell in self._where.pop(key, ()):
            cells = self._levels[level]
            keys = cells[cell]
            del keys[key]
            if not keys:
                del cells[cell]

    def near(self, rect: QRectF) -> set[Key]:
        """The keys in all cells that the rect touches."""
        result: set[Key] = set()
        for level, cells in self._levels.items():
            left, top, right, bottom = _span(rect, level)
            if (right - left + 1) * (bottom - top + 1) > len(cells):
                for (i, j), keys in cells.items():
                    if left <= i <= right and top <= j <= bottom:
                        result.update(keys)
                continue
            for cell in _cells(rect, level):
                if found := cells.get(cell):
                    result.update(found)
        return result


def _level(rect: QRectF) -> int:
    """0: cells of SIZE, 1: of twice that, and so on."""
    larger = max(rect.width(), rect.height())
    return math.frexp(larger / SIZE)[1] if larger > SIZE else 0


def _span(rect: QRectF, level: int) -> tuple[int, int, int, int]:
    size = float(SIZE << level)
    left, top = int(rect.left() // size), int(rect.top() // size)
    return left, top, int(rect.right() // size), int(rect.bottom() // size)


def _cells(rect: QRectF, level: int) -> Iterator[Cell]:
    left, top, right, bottom = _span(rect, level)
    if left == right and top == bottom:
        return iter(((left, top),))
    return ((i, j) for i in range(left, right + 1) for j in range(top, bottom + 1))


Mode = Literal["set", "add", "toggle", "remove"]
Detail = Literal["full", "middle", "far"]

# Damage of more items than these is reported as that of everything.
_MANY = 200
# Sockets, rings and shadows reach this far out of a card.
CARD_MARGIN = 14.0


@dataclass(frozen=True, slots=True)
class ParamPlace:
    """One param of a card, and its field's rect in scene px."""

    node: str
    spec: ParamSpec
    field: Field
    rect: QRectF


class ItemStore(QObject):
    """The items, which only SceneSync makes, moves and drops, and the selection among them.

    `damaged` carries the rects (a sequence of QRectF, scene px) that must be painted again, or None
    for everything.
    """

    damaged = Signal(object)
    selection_changed = Signal()

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.node_items: dict[str, NodeItem] = {}
        self.wire_items: dict[WireKey, WireItem] = {}
        self.frame_items: list[FrameItem] = []
        self.note_items: list[NoteItem] = []
        self.node_index: SpatialIndex[str] = SpatialIndex()
        self.wire_index: SpatialIndex[WireKey] = SpatialIndex()
        self.wires_of: dict[str, set[WireKey]] = {}
        """The wires into and out of each node."""
        self._detail: Detail = "full"
        self._heights = count(1)
        self._pending: list[QRectF] | None = None
        self._everything = False

    def adopt(self, draft: ItemStore) -> None:
        """Hold the items of another store, which is not used any more, for its own."""
        self.node_items, self.wire_items = draft.node_items, draft.wire_items
        self.frame_items, self.note_items = draft.frame_items, draft.note_items
        self.node_index, self.wire_index = draft.node_index, draft.wire_index
        self.wires_of, self._heights = draft.wires_of, draft._heights

    @property
    def detail(self) -> Detail:
        """How much of the items shows, as the view that looks at them says."""
        return self._detail

    def set_detail(self, detail: Detail) -> None:
        self._detail = detail

    # What must be painted again

    def damage(self, *rects: QRectF) -> None:
        """These parts look different now; without any: all of it."""
        if not rects:
            self._everything = True
            if self._pending is None:
                self._report()
        elif self._pending is not None:
            self._pending += rects
        else:
            self.damaged.emit(rects)

    def damage_node(self, node: str) -> None:
        if not self._everything and (item := self.node_items.get(node)):
            self.damage(self.card_bounds(item))

    def damage_wire(self, key: WireKey | None) -> None:
        if not key or self._everything or not (item := self.wire_items.get(key)):
            return
        self.damage(*(item.boxes(CARD_MARGIN) if self.detail == "full" else (item.box,)))

    @contextmanager
    def damage_at_once(self, everything: bool = False) -> Iterator[None]:
        """Report the damage of what happens meanwhile together, or as that of everything, which
        spares working out where it is."""
        self._pending, self._everything = [], everything
        try:
            yield
        finally:
            self._report()

    def _report(self) -> None:
        pending, everything = self._pending, self._everything
        self._pending, self._everything = None, False
        if everything or pending:
            self.damaged.emit(None if everything else pending)

    def card_bounds(self, item: NodeItem) -> QRectF:
        """All that a card paints: itself, its sockets and the message below it."""
        bounds = item.rect.adjusted(-CARD_MARGIN, -CARD_MARGIN, CARD_MARGIN, CARD_MARGIN)
        return bounds.united(item.message.rect) if item.message else bounds

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
        changed = []
        for item in self._selectables() if mode == "set" else named:
            wanted = {
                "set": id(item) in chosen,
                "add": True,
                "toggle": not item.selected,
                "remove": False,
            }[mode]
            if wanted != item.selected:
                item.selected = wanted
                changed.append(item)
        if len(changed) > _MANY:
            self.damage()
        else:
            for item in changed:
                self._damage_item(item)
        if changed:
            self.selection_changed.emit()

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
                item.z = self.next_z()
                self.damage_node(id)

    def next_z(self) -> int:
        """The height of a card that lies above all there are."""
        return next(self._heights)

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

    def nodes_in(self, rect: QRectF, whole: bool = False) -> list[str]:
        """Cards that touch a rect, or lie wholly inside."""
        lies = rect.contains if whole else rect.intersects
        return [id for id in self.node_index.near(rect) if lies(self.node_items[id].rect)]

    def wires_in(self, rect: QRectF) -> list[WireKey]:
        """Wires that may run through a rect."""
        near = self.wire_index.near(rect)
        return [k for k in near if rect.intersects(self.wire_items[k].box.adjusted(-1, -1, 1, 1))]

    def frame_contents(self, index: int) -> list[str]:
        """The cards lying wholly inside a frame."""
        return self.nodes_in(self.frame_items[index].rect, whole=True)

    def card_count(self, frame: FrameItem) -> int:
        """How many cards lie wholly inside a frame; counted once until some come or go."""
        if frame.counted < 0:
            frame.counted = len(self.frame_contents(frame.index))
        return frame.counted

    def sockets(self, node: str) -> list[SocketRef]:
        """A node's sockets, inputs first, from the top."""
        item = self.node_items[node]
        return [
            SocketRef(node, row.name, row.is_output, row.type)
            for row in (*item.layout.inputs, *item.layout.outputs)
        ]

    def params(self, node: str) -> list[ParamPlace]:
        """The params that a card shows, from the top; none of one that is not there."""
        if (item := self.node_items.get(node)) is None:
            return []
        return [
            ParamPlace(node, row.spec, row.field, row.rect.translated(item.x, item.y))
            for row in item.layout.params
        ]

    def param(self, node: str, name: str) -> ParamPlace | None:
        return next((param for param in self.params(node) if param.spec.name == name), None)

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
