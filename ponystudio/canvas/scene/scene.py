"""The scene: a document's graph as cards, wires, frames and notes, and what is done with them.

It follows the document and never edits it. Gestures select in its store and set what is shown while
they last; views paint the store and are told what changed on screen.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from PySide6.QtCore import QObject, Signal
from PySide6.QtWidgets import QGraphicsScene

from ponystudio.canvas.scene.item_store import ItemStore
from ponystudio.canvas.scene.items import NO_OVERLAY, NOTHING, FocusRef, Hit, Overlay, WireDrag
from ponystudio.canvas.scene.scene_sync import SceneSync
from ponystudio.studio.documents.editable_graph import EditableGraph
from ponystudio.studio.models.field_services import FieldServices


class GraphScene(QGraphicsScene):
    """`store` holds the items, `sync` keeps them true to the document. Besides, what lies over
    them: hover, focus, the wire in hand.

    `remedy_requested` (node, Problem, which button); `offer_answered` (node, whether it is taken);
    `more_requested` (node, scene position of the button).
    """

    focus_changed = Signal(object)
    drag_changed = Signal()
    overlay_changed = Signal()
    remedy_requested = Signal(str, object, str)
    offer_answered = Signal(str, bool)
    run_to_requested = Signal(str)
    tokens_requested = Signal(str)
    loras_requested = Signal(str)
    more_requested = Signal(str, object)
    picture_activated = Signal(str)

    def __init__(
        self,
        document: EditableGraph,
        services: FieldServices | None = None,
        parent: QObject | None = None,
    ) -> None:
        super().__init__(parent)
        self.setItemIndexMethod(QGraphicsScene.ItemIndexMethod.NoIndex)
        self.document = document
        self.store = ItemStore(self)
        self.sync = SceneSync(self.store, document)
        self.services = services or FieldServices.default()
        """What fields need besides their value."""
        self.services.facts.changed.connect(self._services_changed)
        self.services.counts.changed.connect(self._services_changed)
        self.focus: FocusRef | None = None
        self.hover: Hit = NOTHING
        self.param_hover: tuple[str, str, Any] | None = None
        self.param_focus: tuple[str, str] | None = None
        self.drag: WireDrag | None = None
        self.overlay: Overlay = NO_OVERLAY
        self.shapes_on_wires = False

    # Hover and focus

    def set_hover(self, hit: Hit) -> None:
        if hit == self.hover:
            return
        before, self.hover = self.hover, hit
        for old in (before, hit):
            self.store.damage_node(old.node)
            self.store.damage_wire(old.wire)

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
            for param in (before, now):
                if param:
                    self.store.damage_node(param[0])

    def set_focus(self, focus: FocusRef | None) -> None:
        if focus != self.focus:
            self.focus = focus
            self.overlay_changed.emit()
            self.focus_changed.emit(focus)

    # What lasts as long as a gesture

    def set_drag(self, drag: WireDrag | None) -> None:
        """Show a wire being dragged; None when it is dropped or let go."""
        before, self.drag = self.drag, drag
        if (before is None) != (drag is None) or (
            before and drag and (before.lifted != drag.lifted or before.fixed != drag.fixed)
        ):
            self.store.damage()
        self.drag_changed.emit()

    def set_overlay(self, **changes: Any) -> None:
        """Change some of what lies over the graph, e.g. set_overlay(rubber=rect)."""
        overlay = replace(self.overlay, **changes)
        if overlay != self.overlay:
            before, self.overlay = self.overlay, overlay
            for key in {before.insert, overlay.insert}:
                self.store.damage_wire(key)
            self.overlay_changed.emit()

    def clear_overlay(self) -> None:
        self.set_overlay(**vars(NO_OVERLAY))

    def set_shapes_on_wires(self, on: bool) -> None:
        self.shapes_on_wires = on
        self.store.damage()

    def _services_changed(self) -> None:
        self.store.damage()
