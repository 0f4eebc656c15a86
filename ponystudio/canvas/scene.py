"""The scene: a document's graph as cards, wires, frames and notes.

It mirrors the document and never edits it. Gestures ask it what is where, select in it and set
what is shown while they last; views ask it what to paint and are told what changed on screen.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import replace
from itertools import count
from typing import Any, Literal

from PySide6.QtCore import QObject, QPointF, QRectF, Signal
from PySide6.QtWidgets import QGraphicsScene

from ponystudio.api.spec import ParamSpec
from ponystudio.canvas import hits, metrics, mirror, theme
from ponystudio.canvas.card import FieldLike
from ponystudio.canvas.document import Change, Document
from ponystudio.canvas.items import (
    NOTHING,
    FocusRef,
    FrameItem,
    Hit,
    NodeItem,
    NoteItem,
    SocketRef,
    WireItem,
    WireKey,
)
from ponystudio.canvas.overlay import NO_OVERLAY, Overlay, WireDrag
from ponystudio.canvas.paint_far import FarPicture
from ponystudio.canvas.spatial import SpatialIndex

Mode = Literal["set", "add", "toggle", "remove"]
Detail = Literal["full", "middle", "far"]

# Sockets, rings and shadows reach this far out of a card.
CARD_MARGIN = 14.0


# Of changes to more cards than these it is told at once.
_MANY = 200


class GraphScene(QGraphicsScene):
    """`hovered` carries a Hit; `remedy_requested` (node, Problem, which button);
    `more_requested` (node, scene position of the button); `selectionChanged` is Qt's."""

    hovered = Signal(object)
    focus_changed = Signal(object)
    drag_changed = Signal()
    overlay_changed = Signal()
    content_changed = Signal()
    remedy_requested = Signal(str, object, str)
    run_to_requested = Signal(str)
    more_requested = Signal(str, object)
    picture_activated = Signal(str)

    def __init__(self, document: Document, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.setItemIndexMethod(QGraphicsScene.ItemIndexMethod.NoIndex)
        self.document = document
        self.node_items: dict[str, NodeItem] = {}
        self.wire_items: dict[WireKey, WireItem] = {}
        self.frame_items: list[FrameItem] = []
        self.note_items: list[NoteItem] = []
        self.node_index: SpatialIndex[str] = SpatialIndex()
        self.wire_index: SpatialIndex[WireKey] = SpatialIndex()
        self.wires_of: dict[str, set[WireKey]] = {}
        """The wires into and out of each node."""
        self.own_places: dict[str, tuple[float, float]] = {}
        """Where cards are as long as the view does not say it."""
        self.density = metrics.COMFORTABLE
        self.detail: Detail = "full"
        self.services: Any = None
        """What fields need besides their value (canvas.params.field.ParamServices)."""
        self.focus: FocusRef | None = None
        self.hover: Hit = NOTHING
        self.param_hover: tuple[str, str, Any] | None = None
        self.param_focus: tuple[str, str] | None = None
        self.drag: WireDrag | None = None
        self.overlay: Overlay = NO_OVERLAY
        self.open_details: set[str] = set()
        """Nodes whose message card shows its details."""
        self.selection_lost = False
        """Whether something that was selected went with the last change."""
        self.revision = 0
        """Counts the changes of what there is and where."""
        self.far_picture = FarPicture(self)
        self.shapes_on_wires = False
        self._damaged: list[Callable[[QRectF | None], None]] = []
        self._next_z = count(1)
        self._fields: dict[int, tuple[ParamSpec, FieldLike | None]] = {}
        self._field_maker: Callable[[ParamSpec], FieldLike] | Literal[False] | None = None
        document.changed.connect(self._changed)
        document.catalog_changed.connect(self._rebuild)
        document.states.changed.connect(self._state_changed)
        theme.hub.changed.connect(self._theme_changed)
        self.destroyed.connect(mirror.dropped)
        mirror.build(self)

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

    def state(self, node: str) -> Any:
        return self.document.states[node]

    # Fields of params

    def field(self, param: ParamSpec) -> FieldLike | None:
        """The field that shows a param, one for each ParamSpec."""
        found = self._fields.get(id(param))
        if found is None:
            found = self._fields[id(param)] = (param, self._make_field(param))
        return found[1]

    def _make_field(self, param: ParamSpec) -> FieldLike | None:
        if self._field_maker is None:
            try:
                from ponystudio.canvas.params.fields import for_spec
            except ImportError:
                self._field_maker = False
            else:
                self._field_maker = for_spec
        return self._field_maker(param) if self._field_maker else None

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
                item.z = next(self._next_z)
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
        return hits.hit(self, pos)

    def socket_at(self, pos: QPointF) -> SocketRef | None:
        return hits.socket_at(self, pos)

    def node_at(self, pos: QPointF) -> str | None:
        """The topmost card that holds the point."""
        item = hits.card_at(self, pos)
        return item.id if item else None

    def header_at(self, pos: QPointF) -> str | None:
        found = self.hit(pos)
        return found.node if found.part in ("header", "run", "more") else None

    def param_at(self, pos: QPointF) -> tuple[str, ParamSpec, QRectF] | None:
        """The param's node, its spec and its field's rect (scene px)."""
        return hits.param_at(self, pos)

    def wire_at(self, pos: QPointF, reach: float = 6.0) -> WireKey | None:
        """The wire nearest to the point, if within `reach` scene px."""
        return hits.wire_at(self, pos, reach)

    def dot_at(self, pos: QPointF) -> tuple[WireKey, int] | None:
        """The wire and the number of a reroute dot on it."""
        return hits.dot_at(self, pos)

    def frame_at(self, pos: QPointF) -> int | None:
        return hits.frame_at(self, pos)

    def note_at(self, pos: QPointF) -> int | None:
        return hits.note_at(self, pos)

    def nodes_in(self, rect: QRectF, whole: bool = False) -> list[str]:
        """Cards that touch a rect, or lie wholly inside."""
        return hits.nodes_in(self, rect, whole)

    def wires_in(self, rect: QRectF) -> list[WireKey]:
        """Wires that may run through a rect."""
        return hits.wires_in(self, rect)

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
        """The box around these cards; None: around all there is. Null if there is nothing."""
        rect = QRectF()
        for id in self.node_items if nodes is None else nodes:
            if item := self.node_items.get(id):
                rect = rect.united(item.rect)
        if nodes is None:
            for frame in self.frame_items:
                rect = rect.united(frame.rect)
            for note in self.note_items:
                rect = rect.united(note.rect)
        return rect

    # Hover, focus, drags

    def set_hover(self, found: Hit) -> None:
        if found == self.hover:
            return
        before, self.hover = self.hover, found
        for old in (before, found):
            self.damage_node(old.node)
            self.damage_wire(old.wire)
        self.hovered.emit(found)

    def set_param_hover(self, node: str, name: str, part: Any = None) -> None:
        """Which part of which field the pointer is over; node "" for none."""
        self._set_param("param_hover", (node, name, part) if node else None)

    def set_param_focus(self, node: str, name: str = "") -> None:
        """Which field has the keyboard; node "" for none."""
        self._set_param("param_focus", (node, name) if node else None)

    def _set_param(self, attribute: str, value: tuple[Any, ...] | None) -> None:
        before = getattr(self, attribute)
        if before != value:
            setattr(self, attribute, value)
            for found in (before, value):
                if found:
                    self.damage_node(found[0])

    def set_focus(self, focus: FocusRef | None) -> None:
        if focus != self.focus:
            self.focus = focus
            self.overlay_changed.emit()
            self.focus_changed.emit(focus)

    def set_drag(self, drag: WireDrag | None) -> None:
        """Show a wire being dragged; None when it is dropped or let go."""
        before, self.drag = self.drag, drag
        if (before is None) != (drag is None) or (
            before and drag and (before.lifted != drag.lifted or before.fixed != drag.fixed)
        ):
            self.damage()
        self.drag_changed.emit()

    def set_overlay(self, **changes: Any) -> None:
        """Change some of what lies over the graph, e.g. set_overlay(rubber=rect)."""
        overlay = replace(self.overlay, **changes)
        if overlay != self.overlay:
            before, self.overlay = self.overlay, overlay
            for key in {before.insert, overlay.insert}:
                self.damage_wire(key)
            self.overlay_changed.emit()

    def clear_overlay(self) -> None:
        self.set_overlay(**vars(NO_OVERLAY))

    def refresh_message(self, node: str) -> None:
        """Lay a failed node's message card out anew."""
        self.damage_node(node)
        mirror.hang_message(self, self.node_items[node])
        self.damage_node(node)

    def set_density(self, density: metrics.Density) -> None:
        if density != self.density:
            self.density = density
            self._rebuild()

    def set_shapes_on_wires(self, on: bool) -> None:
        self.shapes_on_wires = on
        self.damage()

    # Mirroring

    def _changed(self, change: Change) -> None:
        self.selection_lost = False
        many = len(change.nodes) + len(change.looks) > _MANY
        with self._silence() if many else nullcontext():
            mirror.follow(self, change)
        self.revision += 1
        self.content_changed.emit()
        if self.selection_lost:
            self.selectionChanged.emit()

    def _rebuild(self) -> None:
        chosen = self.selected_nodes()
        with self._silence():
            mirror.build(self)
        self.revision += 1
        self.select(chosen)
        self.content_changed.emit()

    @contextmanager
    def _silence(self) -> Iterator[None]:
        """Tell of all that changes meanwhile at once: that everything must be painted again."""
        listening, self._damaged = self._damaged, []
        try:
            yield
        finally:
            self._damaged = listening
            self.damage()

    def _theme_changed(self) -> None:
        self.revision += 1
        for item in self.node_items.values():
            mirror.hang_message(self, item)
        for note in self.note_items:
            note.document = None
        self.damage()

    def _state_changed(self, node: str) -> None:
        if node:
            mirror.state_changed(self, node)
            return
        for item in self.node_items.values():
            item.state = self.document.states[item.id]
            mirror.hang_message(self, item)
        self.damage()
