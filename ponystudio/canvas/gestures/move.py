"""Moving cards, frames and notes; dropping a card on a wire; dragging copies away."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import QPointF, QRectF, Qt

from ponystudio.canvas.gestures import alignment_guides
from ponystudio.canvas.gestures.base import Gesture, Pointer
from ponystudio.canvas.scene import hit_test
from ponystudio.canvas.scene.item_store import Mode
from ponystudio.canvas.scene.items import FrameItem, Hit, NoteItem, WireKey
from ponystudio.graph.editing import rewiring, wiring
from ponystudio.graph.editing.edits import Edit, SetView
from ponystudio.graph.formats import clipboard
from ponystudio.qt.i18n import tr
from ponystudio.studio.documents.editable_graph import gesture

# From so many cards on they move when they are dropped; outlines show where.
_MANY = 120


class Move(Gesture):
    """Takes what is selected along, and a frame's contents with the frame. Shift keeps to one
    axis; with Alt it is copies that move; a single card dropped on a wire goes into it."""

    cursor = Qt.CursorShape.SizeAllCursor

    def click(self, at: Pointer) -> None:
        """A press alone: the selection is made here, so that many stay selected for a drag."""
        mode: Mode = "toggle" if at.ctrl else ("add" if at.shift else "set")
        self._select(mode)

    def _select(self, mode: Mode) -> None:
        hit = self.hit
        if hit.node:
            self.store.select([hit.node], mode=mode)
            self.store.raise_nodes([hit.node])
        elif hit.part == "note":
            self.store.select(notes=[hit.index], mode=mode)
        else:
            self.store.select(frames=[hit.index], mode=mode)

    def start(self) -> None:
        self._merge = gesture("move")
        self._done = False
        self._last: list[Edit] = []
        self._insert: WireKey | None = None
        if not self._hit_is_selected():
            self._select("add" if self.press.shift or self.press.ctrl else "set")
        if self.press.alt:
            self._copy()
        self._note_positions()

    def _hit_is_selected(self) -> bool:
        if self.hit.node:
            return self.store.node_items[self.hit.node].selected
        items = self.store.note_items if self.hit.part == "note" else self.store.frame_items
        return bool(items[self.hit.index].selected)

    def _selection(self) -> tuple[list[str], list[int], list[int]]:
        store = self.store
        return store.selected_nodes(), store.selected_frames(), store.selected_notes()

    def _copy(self) -> None:
        """Copies in place of the originals, which stay where they are."""
        ids, frames, notes = self._selection()
        contents = {id for i in frames for id in self.store.frame_contents(i)}
        ids = list(dict.fromkeys([*ids, *contents]))
        pasted = clipboard.duplicate(self.ops.graph, ids, (0, 0), frames=frames, notes=notes)
        text = tr("Duplicate {0}").format(self.ops.titles(ids) if ids else tr("note"))
        if not self.ops.do(pasted.edits, text, self._merge):
            return
        self.scene.sync.finish()  # they are in hand
        self._done = True
        if self.hit.node in ids:
            copy = pasted.nodes[ids.index(self.hit.node)]
            self.hit = Hit(self.hit.part, copy)
        elif self.hit.part == "note":
            self.hit = Hit("note", index=pasted.notes[notes.index(self.hit.index)])
        elif self.hit.index in frames:
            self.hit = Hit(self.hit.part, index=pasted.frames[frames.index(self.hit.index)])
        self.store.select(pasted.nodes, frames=pasted.frames, notes=pasted.notes)

    def _note_positions(self) -> None:
        """Note where everything is that comes along."""
        ids, frames, notes = self._selection()
        moving = dict.fromkeys(id for id in ids if not self.ops.pinned(id))
        for index in frames:
            moving.update(dict.fromkeys(self.store.frame_contents(index)))
        items = self.store.node_items
        self._nodes = {id: items[id].pos() for id in moving if not self.ops.pinned(id)}
        held = [self.store.frame_items[i].rect for i in frames]
        self._frames = _places(self.store.frame_items, frames, held)
        self._notes = _places(self.store.note_items, notes, held)
        self._dots = {
            key: list(wire.dots)
            for id in self._nodes
            for key in self.store.wires_of.get(id, ())
            if (wire := self.store.wire_items[key]).dots
            and wire.source in self._nodes
            and wire.target in self._nodes
        }
        self._lead = self._leader()
        self.store.raise_nodes(self._nodes)
        # What the others are level with: those in sight, as of now.
        seen = self.view.visible_rect()
        self._others = [items[id].rect for id in self.store.nodes_in(seen) if id not in self._nodes]
        if not self.hit.node:  # frames and notes keep to the grid
            self._others = []

    def _leader(self) -> QRectF:
        if self.hit.node:
            return QRectF(self.store.node_items[self.hit.node].rect)
        items = self.store.note_items if self.hit.part == "note" else self.store.frame_items
        return QRectF(items[self.hit.index].rect)

    def move(self, at: Pointer) -> None:
        if not (self._nodes or self._frames or self._notes):
            return
        delta = at.scene - self.press.scene
        if at.shift:
            along = abs(delta.x()) >= abs(delta.y())
            delta = QPointF(delta.x(), 0) if along else QPointF(0, delta.y())
        wanted = self._lead.translated(delta)
        x, y, lines = alignment_guides.snapped(wanted, self._others, self.unit)
        if at.shift:
            x, y = (x, self._lead.y()) if along else (self._lead.x(), y)
        by = QPointF(x, y) - self._lead.topLeft()
        edits = self._edits(by)
        if len(self._nodes) > _MANY:
            self._last = edits
            self.scene.set_overlay(ghosts=self._ghosts(by))
            return
        if self.ops.do(edits, self._text(), self._merge):
            self._done = True
        self._insert = self._wire_below(at)
        self.scene.set_overlay(insert=self._insert, snap_lines=() if self._insert else lines)

    def _edits(self, by: QPointF) -> list[Edit]:
        """The edits that bring all that moves to where it began plus `by`."""
        dx, dy = by.x(), by.y()
        to = {id: (p.x() + dx, p.y() + dy) for id, p in self._nodes.items()}
        edits = self.ops.moves(to)
        for kind, places in (("frames", self._frames), ("notes", self._notes)):
            for index, p in places.items():
                edits.append(SetView((kind, index, "pos"), [p.x() + dx, p.y() + dy]))
        for wire, dots in self._dots.items():
            moved = [(x + dx, y + dy) for x, y in dots]
            edits += wiring.set_dots(self.ops.graph, wire, moved)
        return edits

    def _ghosts(self, by: QPointF) -> tuple[QRectF, ...]:
        """Outlines of where the cards in sight would be: so many are not moved with every step."""
        seen = self.view.visible_rect()
        rects = (self.store.node_items[id].rect.translated(by) for id in self._nodes)
        found = [rect for rect in rects if rect.intersects(seen)]
        if len(found) <= _MANY:
            return tuple(found)
        around = QRectF()
        for rect in found:
            around = around.united(rect)
        return (around,)

    def _text(self) -> str:
        if self._nodes:
            return tr("Move {0}").format(self.ops.titles(list(self._nodes)))
        return tr("Move frame") if self._frames else tr("Move note")

    def _wire_below(self, at: Pointer) -> WireKey | None:
        """The wire that a drop would put the card into."""
        if len(self._nodes) != 1 or self._frames or self._notes:
            return None
        node = next(iter(self._nodes))
        item = self.store.node_items[node]
        for place in (at.scene, item.rect.center()):
            key = hit_test.wire_at(self.store, place, 12 * self.unit)
            if key and rewiring.insert(self.ops.graph, self.ops.catalog, node, key):
                return key
        return None

    def hint(self) -> str:
        if self._insert is None:
            return ""
        title = self.ops.title(next(iter(self._nodes)))
        return tr("Drop to put *{0}* into the wire.").format(title)

    def finish(self, at: Pointer) -> None:
        del at
        if self._last:
            self.ops.do(self._last, self._text(), self._merge)
        if self._insert and self._nodes:
            node = next(iter(self._nodes))
            edits = rewiring.insert(self.ops.graph, self.ops.catalog, node, self._insert)
            if edits and (spec := self.ops.document.spec(node)):
                edits = [*edits, *self.ops.room_edits(edits, node, spec)]
            self.ops.do(edits, tr("Insert {0}").format(self.ops.title(node)), self._merge)

    def cancel(self) -> None:
        if self._done:
            self.ops.document.undo()


def _places(
    items: Sequence[FrameItem] | Sequence[NoteItem], chosen: list[int], held: list[QRectF]
) -> dict[int, QPointF]:
    """Where the chosen ones are, and those that lie wholly inside a frame that is moved."""
    return {
        item.index: item.rect.topLeft()
        for item in items
        if item.index in chosen or any(rect.contains(item.rect) for rect in held)
    }
