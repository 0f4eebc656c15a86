"""The scene: a document's graph as cards, wires, frames and notes.

It mirrors the document and never edits it. Gestures ask it what is where, select in it and set
what is shown while they last; views ask it what to paint and are told what changed on screen.
"""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import replace
from typing import Any

from PySide6.QtCore import QObject, Signal

from ponystudio.api.spec import ParamSpec
from ponystudio.canvas.fields.registry import for_spec
from ponystudio.canvas.painting.badge_fade import BadgeFades
from ponystudio.canvas.painting.paint_overview import OverviewPicture
from ponystudio.canvas.scene import scene_sync
from ponystudio.canvas.scene.card_layout import FieldLike
from ponystudio.canvas.scene.item_store import ItemStore
from ponystudio.canvas.scene.items import NOTHING, FocusRef, Hit
from ponystudio.canvas.scene.overlay import NO_OVERLAY, Overlay, WireDrag
from ponystudio.studio.documents.editable_graph import Change, EditableGraph
from ponystudio.studio.models.field_services import FieldServices
from ponystudio.widgets import theme

# Of changes to more cards than these it is told at once.
_MANY = 200


class GraphScene(ItemStore):
    """`hovered` carries a Hit; `remedy_requested` (node, Problem, which button);
    `more_requested` (node, scene position of the button); `selectionChanged` is Qt's."""

    hovered = Signal(object)
    focus_changed = Signal(object)
    drag_changed = Signal()
    overlay_changed = Signal()
    content_changed = Signal()
    remedy_requested = Signal(str, object, str)
    run_to_requested = Signal(str)
    tokens_requested = Signal(str)
    loras_requested = Signal(str)
    more_requested = Signal(str, object)
    picture_activated = Signal(str)

    def __init__(self, document: EditableGraph, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.document = document
        self.own_places: dict[str, tuple[float, float]] = {}
        """Where cards are as long as the view does not say it."""
        self._density = theme.density()
        self.services = FieldServices.default()
        """What fields need besides their value."""
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
        self.overview = OverviewPicture(self)
        self.fades = BadgeFades(self)
        self.shapes_on_wires = False
        self._fields: dict[int, tuple[ParamSpec, FieldLike | None]] = {}
        document.changed.connect(self._changed)
        document.catalog_changed.connect(self._rebuild)
        document.states.changed.connect(self._state_changed)
        theme.hub.changed.connect(self._theme_changed)
        self.destroyed.connect(scene_sync.dropped)
        scene_sync.build(self)

    # Fields of params

    def field(self, param: ParamSpec) -> FieldLike | None:
        """The field that shows a param, one for each ParamSpec."""
        found = self._fields.get(id(param))
        if found is None:
            found = self._fields[id(param)] = (param, for_spec(param))
        return found[1]

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
        before, self.param_hover = self.param_hover, (node, name, part) if node else None
        self._param_changed(before, self.param_hover)

    def set_param_focus(self, node: str, name: str = "") -> None:
        """Which field has the keyboard; node "" for none."""
        before, self.param_focus = self.param_focus, (node, name) if node else None
        self._param_changed(before, self.param_focus)

    def _param_changed(self, before: tuple[Any, ...] | None, now: tuple[Any, ...] | None) -> None:
        if before != now:
            for found in (before, now):
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
        scene_sync.hang_message(self, self.node_items[node])
        self.damage_node(node)

    def set_shapes_on_wires(self, on: bool) -> None:
        self.shapes_on_wires = on
        self.damage()

    # Mirroring

    def _changed(self, change: Change) -> None:
        self.selection_lost = False
        many = len(change.nodes) + len(change.looks) > _MANY
        with self.silence() if many else nullcontext():
            scene_sync.follow(self, change)
        self.revision += 1
        self.content_changed.emit()
        if self.selection_lost:
            self.selectionChanged.emit()

    def _rebuild(self) -> None:
        chosen = self.selected_nodes()
        with self.silence():
            scene_sync.build(self)
        self.revision += 1
        self.select(chosen)
        self.content_changed.emit()

    def _theme_changed(self) -> None:
        if theme.density() != self._density:
            self._density = theme.density()
            self._rebuild()
        self.revision += 1
        for item in self.node_items.values():
            scene_sync.hang_message(self, item)
        for note in self.note_items:
            note.document = None
        self.damage()

    def _state_changed(self, node: str) -> None:
        if node:
            scene_sync.state_changed(self, node)
            return
        for item in self.node_items.values():
            item.state = self.document.states[item.id]
            scene_sync.hang_message(self, item)
        self.damage()
