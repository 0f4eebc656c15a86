"""Strokes: with the right button cutting wires, putting dots on them, and node to node; with the
left the box that selects.
"""

from __future__ import annotations

from typing import TypeVar

from PySide6.QtCore import QLineF, QPointF, QRectF, Qt

from ponystudio.canvas.gestures.base import Gesture, Pointer
from ponystudio.canvas.gestures.connect import dot_index
from ponystudio.canvas.scene import hit_test, wire_geometry
from ponystudio.canvas.scene.items import Refusal, WireKey
from ponystudio.graph.editing import wiring
from ponystudio.graph.editing.edits import Edit
from ponystudio.qt.i18n import tr
from ponystudio.widgets import metrics

Point = wire_geometry.Point


class Stroke(Gesture):
    """A free line; `crossed` are the wires it runs over, and where."""

    shown = "cut"
    cursor = Qt.CursorShape.CrossCursor

    def start(self) -> None:
        self._points = [self.press.scene]
        self.crossed: dict[WireKey, Point] = {}

    def move(self, at: Pointer) -> None:
        last = self._points[-1]
        if (at.scene - last).manhattanLength() < self.unit:
            return
        self._points.append(at.scene)
        a, b = (last.x(), last.y()), (at.scene.x(), at.scene.y())
        area = QLineF(last, at.scene)

        box = QRectF(area.p1(), area.p2()).normalized().adjusted(-1, -1, 1, 1)
        for key in self.store.wires_in(box):
            where = wire_geometry.crosses(self.store.wire_items[key].points, a, b)
            if where and key not in self.crossed:
                self.crossed[key] = where
        self.scene.set_overlay(**{self.shown: tuple(self._points)})


class CutGesture(Stroke):
    """Ctrl + right button: the wires under the stroke go."""

    def hint(self) -> str:
        if len(self.crossed) == 1:
            return tr("Cuts one wire. Esc cancels.")
        return tr("Cuts {0} wires. Esc cancels.").format(len(self.crossed))

    def finish(self, at: Pointer) -> None:
        del at
        if self.crossed:
            self.ops.unwire(self.crossed)


class Reroute(Stroke):
    """Shift + right button: each wire under the stroke gets a dot; wires of one output share
    theirs, so that they run together."""

    shown = "reroute"

    def hint(self) -> str:
        if len(self.crossed) == 1:
            return tr("Puts a dot on one wire. Esc cancels.")
        return tr("Puts a dot on {0} wires. Esc cancels.").format(len(self.crossed))

    def finish(self, at: Pointer) -> None:
        del at
        together: dict[tuple[str, str], list[Point]] = {}
        for key, where in self.crossed.items():
            wire = self.store.wire_items.get(key)
            if wire:
                together.setdefault((wire.source, wire.output), []).append(where)
        edits: list[Edit] = []
        for key, where in self.crossed.items():
            wire = self.store.wire_items.get(key)
            if wire is None:
                continue
            places = together[wire.source, wire.output]
            x = metrics.snapped(sum(p[0] for p in places) / len(places))
            y = metrics.snapped(sum(p[1] for p in places) / len(places))
            index = dot_index(self.store, key, QPointF(*where))
            edits += wiring.with_dot(self.ops.graph, key, index, (x, y))
        self.ops.do(edits, tr("Add a dot") if len(self.crossed) == 1 else tr("Add dots"))


class LazyConnect(Gesture):
    """Alt + right button from card to card: the likeliest wire between the two."""

    cursor = Qt.CursorShape.CrossCursor

    def move(self, at: Pointer) -> None:
        start = self.store.node_items[self.hit.node].rect.center()
        self.scene.set_overlay(link=QLineF(start, at.scene), refusal=self._refusal(at))

    def hint(self) -> str:
        return tr("Release over a node to connect *{0}* to it. Esc cancels.").format(
            self.ops.title(self.hit.node)
        )

    def _target(self, at: Pointer) -> str | None:
        node = hit_test.node_at(self.store, at.scene)
        return node if node != self.hit.node else None

    def _pair(self, target: str) -> wiring.Pair | None:
        """Along the stroke, or against it where only that way fits."""
        graph, specs = self.ops.graph, self.ops.catalog
        forth = wiring.best_pair(graph, specs, self.hit.node, target)
        return forth or wiring.best_pair(graph, specs, target, self.hit.node)

    def _refusal(self, at: Pointer) -> Refusal | None:
        target = self._target(at)
        if target is None or self._pair(target):
            return None
        text = tr("Nothing of {0} fits {1}")
        return Refusal(at.scene, text.format(self.ops.title(self.hit.node), self.ops.title(target)))

    def finish(self, at: Pointer) -> None:
        target = self._target(at)
        if target and (pair := self._pair(target)):
            self.ops.wire(pair)


Thing = TypeVar("Thing")


class BoxSelect(Gesture):
    """Cards and notes that the box touches, frames that lie in it. Shift adds, Ctrl toggles."""

    def click(self, at: Pointer) -> None:
        if not (at.shift or at.ctrl):
            self.store.clear_selection()
        self.scene.set_focus(None)

    def start(self) -> None:
        store = self.store
        self._before = (
            set(store.selected_nodes()),
            set(store.selected_frames()),
            set(store.selected_notes()),
        )

    def move(self, at: Pointer) -> None:
        rect = QRectF(self.press.scene, at.scene).normalized()
        self.scene.set_overlay(rubber=rect)
        store = self.store
        found = (
            set(store.nodes_in(rect)),
            {item.index for item in store.frame_items if rect.contains(item.rect)},
            {item.index for item in store.note_items if rect.intersects(item.rect)},
        )
        before = self._before
        store.select(
            _joined(before[0], found[0], at),
            frames=_joined(before[1], found[1], at),
            notes=_joined(before[2], found[2], at),
        )

    def cancel(self) -> None:
        nodes, frames, notes = self._before
        self.store.select(nodes, frames=frames, notes=notes)


def _joined(before: set[Thing], found: set[Thing], at: Pointer) -> set[Thing]:
    if at.ctrl:
        return before ^ found
    return before | found if at.shift else found
