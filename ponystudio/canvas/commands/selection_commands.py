"""What is done to what is selected: copied, removed, arranged, framed, shown."""

from __future__ import annotations

from collections.abc import Callable, Set
from dataclasses import replace
from functools import partial
from typing import Literal

from PySide6.QtCore import QMimeData, QObject, QPointF
from PySide6.QtGui import QGuiApplication

from ponystudio.canvas.gestures.graph_operations import GraphOperations
from ponystudio.canvas.scene.items import WireKey
from ponystudio.errors import PonyStudioError
from ponystudio.graph.editing import auto_layout, rewiring, wiring
from ponystudio.graph.editing.auto_layout import Side
from ponystudio.graph.editing.edits import REMOVED, AddNode, Edit, SetView
from ponystudio.graph.formats import clipboard
from ponystudio.graph.formats.clipboard import PasteResult
from ponystudio.graph.model import Link
from ponystudio.studio.documents.editable_graph import gesture
from ponystudio.widgets import theme

_STEP = 32


class SelectionCommands(QObject):
    def __init__(self, ops: GraphOperations, place: Callable[[], QPointF]) -> None:
        """`place` is where new things go: under the pointer, or in the middle of the view."""
        super().__init__(ops)
        self.ops, self.scene, self.store = ops, ops.scene, ops.store
        self._place = place
        self._pasted_text, self._pasted_times = "", 0
        self._nudged: tuple[Set[str], str] = frozenset(), ""

    # Removing

    def wires(self) -> list[WireKey]:
        """The wires that a removal is about: selected, or the one with the focus."""
        if wires := self.store.selected_wires():
            return wires
        focus = self.scene.focus
        return [focus.wire] if focus and focus.wire in self.store.wire_items and focus.wire else []

    def any(self) -> bool:
        store = self.store
        others = store.selected_frames() or store.selected_notes()
        return bool(self.ops.targets() or others or self.wires())

    def delete(self) -> None:
        """What is selected goes; a frame leaves its contents. A wire with the focus goes first."""
        focus = self.scene.focus
        on_wire = focus is not None and focus.kind == "wire"
        nodes = [] if on_wire and not self.store.selected_nodes() else self.ops.targets()
        edits = rewiring.delete(self.ops.graph, nodes)
        gone = set(nodes)
        # Those of the nodes go with them.
        wires = [
            key
            for key in self.wires()
            if key[0] not in gone and self.store.wire_items[key].source not in gone
        ]
        edits = [*wiring.disconnect(self.ops.graph, wires), *edits]
        frames, notes = self.store.selected_frames(), self.store.selected_notes()
        edits += _without_entries("frames", frames) + _without_entries("notes", notes)
        self.ops.do(edits, self._delete_text(nodes, wires, frames, notes))

    def _delete_text(
        self, nodes: list[str], wires: list[WireKey], frames: list[int], notes: list[int]
    ) -> str:
        if nodes:
            return self.tr("Delete {0}").format(self.ops.titles(nodes))
        if frames:
            return self.tr("Delete frame")
        if notes:
            return self.tr("Delete note")
        return self.tr("Disconnect") if len(wires) == 1 else self.tr("Cut wires")

    def dissolve(self) -> None:
        """Nodes go, their wires lead on."""
        nodes = self.ops.targets()
        edits = rewiring.dissolve(self.ops.graph, self.ops.catalog, nodes)
        self.ops.do(edits, self.tr("Dissolve {0}").format(self.ops.titles(nodes)))

    def unlink(self) -> None:
        """All wires of the nodes go, other than those among themselves."""
        nodes = set(self.ops.targets())
        wires = [
            key
            for id in nodes
            for key in self.store.wires_of.get(id, ())
            if not {key[0], self.store.wire_items[key].source} <= nodes
        ]
        self.ops.unwire(wires)

    # Copying

    def copy(self) -> bool:
        nodes = self.ops.targets()
        frames, notes = self.store.selected_frames(), self.store.selected_notes()
        inside = [id for i in frames for id in self.store.frame_contents(i)]
        nodes = list(dict.fromkeys([*nodes, *inside]))
        if not (nodes or frames or notes):
            return False
        text = clipboard.dumps(clipboard.extract(self.ops.graph, nodes, frames, notes))
        data = QMimeData()
        data.setText(text)
        data.setData(clipboard.MIME, text.encode())
        QGuiApplication.clipboard().setMimeData(data)
        self._pasted_text, self._pasted_times = "", 0
        return True

    def cut(self) -> None:
        if self.copy():
            self.delete()

    def can_paste(self) -> bool:
        return '"ponystudio.' in QGuiApplication.clipboard().text()

    def paste(self, incoming: bool = False, at: QPointF | None = None) -> bool:
        """What is on the clipboard, at a place, else under the pointer or in the middle.

        `incoming`: beside the originals, fed by what feeds them.
        """
        text = QGuiApplication.clipboard().text()
        try:
            part = clipboard.loads(text)
        except PonyStudioError:
            part = None
        if part is None:
            return False
        again = text == self._pasted_text
        self._pasted_text, self._pasted_times = text, self._pasted_times + 1 if again else 1
        if incoming and at is None:
            away = _STEP * self._pasted_times
            pasted = clipboard.paste(self.ops.graph, part, incoming=True, offset=(away, away))
        else:
            place = at if at is not None else self._place()
            if at is None:
                place += QPointF(_STEP, _STEP) * (self._pasted_times - 1)
            pasted = clipboard.paste(
                self.ops.graph, part, (place.x(), place.y()), incoming=incoming
            )
        return self._put(pasted, self.tr("Paste {0}"))

    def duplicate(self, incoming: bool = False) -> bool:
        pasted = clipboard.duplicate(
            self.ops.graph,
            self.ops.targets(),
            (_STEP, _STEP),
            incoming=incoming,
            frames=self.store.selected_frames(),
            notes=self.store.selected_notes(),
        )
        return self._put(pasted, self.tr("Duplicate {0}"))

    def _put(self, pasted: PasteResult, text: str) -> bool:
        name = self.ops.titles(pasted.nodes) if len(pasted.nodes) != 1 else ""
        if not name:
            name = self.tr("node") if pasted.nodes else self.tr("note")
        if not self.ops.do(pasted.edits, text.format(name)):
            return False
        self.scene.sync.when_whole("select", partial(self._select, pasted))
        return True

    def _select(self, pasted: PasteResult) -> None:
        self.store.select(pasted.nodes, frames=pasted.frames, notes=pasted.notes)
        self.store.raise_nodes(pasted.nodes)

    # Arranging

    def align(self, side: Side) -> None:
        self._arrange(auto_layout.align(self._boxes(), side), self.tr("Align {0}"))

    def distribute(self, axis: Literal["x", "y"]) -> None:
        self._arrange(auto_layout.distribute(self._boxes(), axis), self.tr("Distribute {0}"))

    def tidy(self) -> None:
        """What is selected, or all, in layers from left to right; dots on the way go."""
        nodes = self.ops.targets()
        boxes = self.ops.boxes(nodes if len(nodes) > 1 else None)
        boxes = {id: box for id, box in boxes.items() if not self.ops.pinned(id)}
        to = auto_layout.tidy(self.ops.graph, boxes, self.ops.catalog)
        inside = [
            key
            for key, wire in self.store.wire_items.items()
            if wire.source in boxes and wire.target in boxes
        ]
        # Moves first: if they are one edit of the whole layout it still has the dots.
        edits = [*self.ops.moves(to), *wiring.without_dots(self.ops.graph, inside)]
        self.ops.do(edits, self.tr("Tidy {0}").format(self.ops.titles(list(boxes))))

    def nudge(self, dx: int, dy: int) -> None:
        boxes = self.ops.boxes(self.ops.targets())
        to = {id: (b[0] + dx, b[1] + dy) for id, b in boxes.items() if not self.ops.pinned(id)}
        text = self.tr("Move {0}").format(self.ops.titles(list(to)))
        if self._nudged[0] != to.keys():  # other nodes: another step of undo
            self._nudged = to.keys(), gesture("nudge")
        self.ops.do(self.ops.moves(to), text, self._nudged[1])

    def _boxes(self) -> dict[str, auto_layout.Box]:
        boxes = self.ops.boxes(self.ops.targets())
        return {id: box for id, box in boxes.items() if not self.ops.pinned(id)}

    def _arrange(self, to: dict[str, auto_layout.Point], text: str) -> None:
        self.ops.do(self.ops.moves(to), text.format(self.ops.titles(list(to))))

    # Frames and notes

    def frame(self, at: QPointF | None = None, merge: str = "") -> int | None:
        """A frame around what is selected, or an empty one at a place; its number."""
        nodes = self.store.selected_nodes()
        notes = [self.store.note_items[i].rect for i in self.store.selected_notes()]
        around = [(r.x(), r.y(), r.width(), r.height()) for r in notes]
        boxes = [*self.ops.boxes(nodes).values(), *around]
        if boxes:
            pos, size = auto_layout.frame_around(boxes)
        else:
            centre = at if at is not None else self._place()
            pos, size = auto_layout.frame_around([(centre.x() - 200, centre.y() - 100, 400, 200)])
        entry: dict[str, object] = {
            "pos": pos,
            "size": size,
            "title": self.tr("Frame"),
            "hue": self._hue(nodes),
        }
        return self._new_entry("frames", entry, self.tr("Add frame"), merge)

    def _hue(self, nodes: list[str]) -> str:
        """The group that most of the cards belong to."""
        keys = [theme.group_key(spec.group) for id in nodes if (spec := self.ops.document.spec(id))]
        return max(set(keys), key=keys.count) if keys else "util"

    def recolour(self, frames: list[int], hue: str) -> None:
        edits = [SetView(("frames", index, "hue"), hue) for index in frames]
        self.ops.do(edits, self.tr("Recolour frame"))

    def note(self, at: QPointF | None = None, merge: str = "") -> int | None:
        place = at if at is not None else self._place()
        pos = [round(place.x() / 8) * 8, round(place.y() / 8) * 8]
        entry: dict[str, object] = {"pos": pos, "size": [240, 120], "text": ""}
        return self._new_entry("notes", entry, self.tr("Add note"), merge)

    def _new_entry(self, kind: str, entry: dict[str, object], text: str, merge: str) -> int | None:
        known = self.ops.graph.view.get(kind)
        index = len(known or ())
        edit = SetView((kind, index), entry) if known is not None else SetView((kind,), [entry])
        if not self.ops.do([edit], text, merge):
            return None
        # The scene numbers only what it can show; a new one is the last of them.
        if kind == "frames":
            last = len(self.store.frame_items) - 1
            self.store.select(frames=[last])
        else:
            last = len(self.store.note_items) - 1
            self.store.select(notes=[last])
        return last

    # Showing

    def view_output(self, node: str) -> str:
        """Preview what a node gives: by a preview of its own, through a decoder if need be. The
        preview's id, "" where nothing of it can be shown."""
        graph, specs = self.ops.graph, self.ops.catalog
        preview = specs.get("core.preview_image")
        if preview is None:
            return ""
        for target, _ in wiring.wires_from(graph, node):
            if graph.nodes[target].type == preview.id:
                return target
        outputs = wiring.outputs(graph, specs, node)
        item = self.store.node_items[node]
        for name, type in outputs:
            if type == "image":
                return self._preview(Link(node, name), item.rect.right() + 64, item.y, [])
        for name, type in outputs:
            bridge = wiring.bridge(specs, type, "image")
            if bridge and type == "latent":
                return self._decoded(node, name, bridge)
        return ""

    def _decoded(self, node: str, output: str, bridge: wiring.Bridge) -> str:
        """A preview behind a decoder of its own."""
        graph, specs = self.ops.graph, self.ops.catalog
        for target, _ in wiring.wires_from(graph, node, output):
            if graph.nodes[target].type == bridge.spec.id:
                return self.view_output(target)
        item = self.store.node_items[node]
        new = rewiring.new_node(graph, bridge.spec)
        near = wiring.Pair(node, output, node, "")
        fed = rewiring.tools(graph, specs, bridge.spec, near, {bridge.input})
        inputs = {bridge.input: Link(node, output), **fed}
        x = item.rect.right() + 64
        size = self.ops.card_size(bridge.spec)
        pos = auto_layout.free_place((x, item.y, *size), self.ops.boxes().values())
        edit = AddNode(replace(new, inputs=inputs), {"pos": list(pos)})
        return self._preview(Link(new.id, bridge.output), pos[0] + size[0] + 64, pos[1], [edit])

    def _preview(self, link: Link, x: float, y: float, before: list[Edit]) -> str:
        spec = self.ops.catalog["core.preview_image"]
        new = rewiring.new_node(self.ops.graph, spec)
        size = self.ops.card_size(spec)
        pos = auto_layout.free_place((x, y, *size), self.ops.boxes().values())
        node = replace(new, inputs={spec.inputs[0].name: link})
        edits = [*before, AddNode(node, {"pos": list(pos)})]
        text = self.tr("View {0}").format(self.ops.title(link.source))
        return new.id if self.ops.do(edits, text) else ""


def _without_entries(kind: str, indices: list[int]) -> list[Edit]:
    """From the last on, since those behind one that goes move up."""
    return [SetView((kind, index), REMOVED) for index in sorted(indices, reverse=True)]
