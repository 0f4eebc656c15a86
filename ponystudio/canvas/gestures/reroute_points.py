"""Reroute dots: dragging them, and pulling new ones out of a wire."""

from __future__ import annotations

from PySide6.QtCore import QPointF, Qt

from ponystudio.canvas.gestures.base import Gesture, Pointer
from ponystudio.canvas.scene import wire_geometry
from ponystudio.canvas.scene.item_store import ItemStore
from ponystudio.canvas.scene.items import WireKey
from ponystudio.graph.editing import wiring
from ponystudio.qt.i18n import tr
from ponystudio.studio.documents.editable_graph import gesture
from ponystudio.widgets import metrics


def dot_index(store: ItemStore, key: WireKey, at: QPointF) -> int:
    """Between which dots of a wire a place lies: the number a new dot there gets."""
    pieces = store.wire_items[key].curves
    gaps = [
        wire_geometry.distance(wire_geometry.flattened([piece]), at.x(), at.y()) for piece in pieces
    ]
    return gaps.index(min(gaps))


class DragDot(Gesture):
    """A dot, and with it the dots of other wires of the same output that lie on the same place."""

    cursor = Qt.CursorShape.SizeAllCursor

    def click(self, at: Pointer) -> None:
        if self.hit.wire:
            self.store.select(wires=[self.hit.wire], mode="toggle" if at.ctrl else "set")

    def start(self) -> None:
        assert self.hit.wire is not None
        self._merge = gesture("dot")
        self._done = False
        wire = self.store.wire_items[self.hit.wire]
        place = wire.dots[self.hit.dot]
        self._held: list[tuple[WireKey, int]] = [
            (key, number)
            for key in self.store.wires_of.get(wire.source, ())
            for other in [self.store.wire_items[key]]
            if (other.source, other.output) == (wire.source, wire.output)
            for number, dot in enumerate(other.dots)
            if dot == place
        ]

    def move(self, at: Pointer) -> None:
        x, y = metrics.snapped(at.scene.x()), metrics.snapped(at.scene.y())
        edits = []
        for key, number in self._held:
            dots = wiring.dots(self.ops.graph, key)
            if number < len(dots):
                dots[number] = [x, y]
                edits += wiring.set_dots(self.ops.graph, key, dots)
        if self.ops.do(edits, tr("Move a dot"), self._merge):
            self._done = True

    def cancel(self) -> None:
        if self._done:
            self.ops.document.undo()


class PullDot(DragDot):
    """A drag on a wire bends it: a new dot comes out under the pointer."""

    def start(self) -> None:
        key = self.hit.wire
        assert key is not None
        self._merge = gesture("dot")
        index = dot_index(self.store, key, self.press.scene)
        at = metrics.snapped(self.press.scene.x()), metrics.snapped(self.press.scene.y())
        edits = wiring.with_dot(self.ops.graph, key, index, at)
        self._done = self.ops.do(edits, tr("Add a dot"), self._merge)
        self._held = [(key, index)]
