"""What people do to a graph on a canvas, each as one step of the undo stack with its name.

Gestures, menus, keys and the palette all end here.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

from PySide6.QtCore import QObject, QPointF, Signal

from ponystudio.api.spec import NodeSpec
from ponystudio.canvas.scene import card_layout
from ponystudio.canvas.scene.card_layout import CardLayout
from ponystudio.canvas.scene.items import SocketRef, WireKey
from ponystudio.canvas.scene.scene import GraphScene
from ponystudio.errors import GraphError
from ponystudio.graph.catalog import Catalog
from ponystudio.graph.editing import auto_layout, lora_tags, rewiring, wiring
from ponystudio.graph.editing.auto_layout import Box, Point
from ponystudio.graph.editing.edits import (
    REMOVED,
    AddNode,
    Compound,
    Edit,
    SetMode,
    SetTitle,
    SetView,
)
from ponystudio.graph.editing.wiring import Bridge, Fit, Pair
from ponystudio.graph.model import Graph, Mode, position
from ponystudio.studio.documents.editable_graph import EditableGraph
from ponystudio.widgets import metrics


class GraphOperations(QObject):
    """The document's edits as a person makes them on a canvas. `node_requested` (scene position,
    SocketRefs in hand) asks what to make where a wire was dropped."""

    node_requested = Signal(QPointF, object)

    def __init__(self, scene: GraphScene, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.scene, self.store = scene, scene.store
        self.document: EditableGraph = scene.document

    @property
    def graph(self) -> Graph:
        return self.document.graph

    @property
    def catalog(self) -> Catalog:
        return self.document.catalog

    def do(self, edits: Sequence[Edit], text: str, merge: str = "") -> bool:
        """Make edits as one step; False if there is nothing to do or they cannot be made."""
        if not edits:
            return False
        self.scene.sync.finish()  # whoever does it looks for its items right after
        try:
            self.document.do_all(edits, text, merge)
        except GraphError:
            # The graph changed under the gesture (undo by key, a run that rolled seeds).
            return False
        return True

    # What there is

    def title(self, node: str) -> str:
        item = self.store.node_items.get(node)
        return item.title if item else node

    def titles(self, nodes: Sequence[str]) -> str:
        """One node by its title, several by their number."""
        if len(nodes) == 1:
            return self.title(nodes[0])
        return self.tr("{0} nodes").format(len(nodes))

    def targets(self) -> list[str]:
        """The nodes that a command is about: the selected ones, or the one with the focus."""
        if nodes := self.store.selected_nodes():
            return nodes
        focus = self.scene.focus
        return [focus.node] if focus and focus.node in self.store.node_items else []

    def boxes(self, nodes: Iterable[str] | None = None) -> dict[str, Box]:
        self.scene.sync.finish()
        ids = self.store.node_items if nodes is None else nodes
        rects = {id: self.store.node_items[id].rect for id in ids if id in self.store.node_items}
        return {id: (r.x(), r.y(), r.width(), r.height()) for id, r in rects.items()}

    def moves(self, to: Mapping[str, Point], graph: Graph | None = None) -> list[Edit]:
        """The edits that put cards there (in a graph that is to be, if one is given).

        The view comes to say where all others are too: laid out anew without these, when the
        graph is opened again, they would come to lie elsewhere.
        """
        looks = self.document.looks
        unsaid = {
            id: place
            for id, place in self.scene.sync.automatic_positions.items()
            if id in self.graph.nodes and position(looks(id).get("pos")) is None
        }
        return auto_layout.moves(graph or self.graph, {**unsaid, **to})

    def pinned(self, node: str) -> bool:
        return bool(self.document.looks(node).get("pinned"))

    # Wires

    def pair(self, a: SocketRef, b: SocketRef) -> Pair:
        """The wire between two sockets, whichever of them is the output."""
        out, into = (a, b) if a.is_output else (b, a)
        return Pair(out.node, out.name, into.node, into.name)

    def fit(self, a: SocketRef, b: SocketRef) -> Fit:
        if a.is_output == b.is_output:
            both = self.tr("outputs") if a.is_output else self.tr("inputs")
            return Fit(False, self.tr("Both are {0}").format(both))
        pair = self.pair(a, b)
        return wiring.fit(
            self.graph, self.catalog, pair.source, pair.output, pair.target, pair.input
        )

    def wire(self, pair: Pair, merge: str = "") -> bool:
        text = self.tr("Connect {0}").format(self.title(pair.target))
        return self.do(wiring.connect(self.graph, pair), text, merge)

    def request_node(self, at: QPointF, ends: Sequence[SocketRef]) -> None:
        self.node_requested.emit(at, ends)

    def insert_bridge(self, bridge: Bridge, pair: Pair) -> str:
        """A conversion between two sockets, halfway between their cards."""
        start = self.store.output_pos(pair.source, pair.output)
        end = self.store.input_pos(pair.target, pair.input)
        size = self.card_size(bridge.spec)
        x, y = (start.x() + end.x() - size[0]) / 2, (start.y() + end.y()) / 2 - 40
        pos = auto_layout.free_place((x, y, *size), self.boxes().values())
        view = {"pos": list(pos)}
        id, edits = rewiring.insert_bridge(self.graph, self.catalog, bridge, pair, view)
        text = self.tr("Put {0} between").format(bridge.spec.title)
        if not self.do(edits, text):
            return ""
        self.store.select([id])
        return id

    def unwire(self, wires: Iterable[WireKey]) -> bool:
        wires = list(wires)
        text = self.tr("Disconnect") if len(wires) == 1 else self.tr("Cut {0} wires")
        return self.do(wiring.disconnect(self.graph, wires), text.format(len(wires)))

    def add_dot(self, wire: WireKey, index: int, at: QPointF) -> bool:
        """A reroute dot, the so manieth of a wire, on the grid near a place."""
        place = metrics.snapped(at.x()), metrics.snapped(at.y())
        edits = wiring.with_dot(self.graph, wire, index, place)
        return self.do(edits, self.tr("Add a dot"))

    def remove_dot(self, wire: WireKey, index: int, text: str) -> bool:
        return self.do(wiring.without_dot(self.graph, wire, index), text)

    def hide_socket(self, node: str, param: str) -> bool:
        edits = wiring.hide_socket(self.graph, node, param)
        return self.do(edits, self.tr("Turn {0} back into a value").format(param))

    def show_socket(self, node: str, param: str) -> bool:
        edits = wiring.show_socket(self.graph, node, param)
        return self.do(edits, self.tr("Turn {0} into a socket").format(param))

    # Nodes

    def card_size(self, spec: NodeSpec) -> tuple[float, float]:
        """How large a new card of this kind will be."""
        size = self._new_card(spec).size
        return size.width(), size.height()

    def _new_card(self, spec: NodeSpec) -> CardLayout:
        node = rewiring.new_node(self.graph, spec)
        return card_layout.layout(node, spec, {}, self.scene.sync.field)

    def place_for(
        self, spec: NodeSpec, at: QPointF, socket: str = "", is_output: bool = False
    ) -> list[float]:
        """Where a new card stands whose header, or this socket, is to be at a place."""
        layout = self._new_card(spec)
        row = (layout.output if is_output else layout.input)(socket) if socket else None
        dx, dy = (row.centre.x(), row.centre.y()) if row else (layout.size.width() / 2, 16.0)
        return [metrics.snapped(at.x() - dx), metrics.snapped(at.y() - dy)]

    def room_for(self, spec: NodeSpec, at: QPointF) -> Point:
        """Where a new card stands whose header is to be at a place, or below it, so that it covers
        no other."""
        x, y = self.place_for(spec, at)
        return auto_layout.free_place((x, y, *self.card_size(spec)), self.boxes().values())

    def add_node(
        self, spec: NodeSpec, at: QPointF, wire: WireKey | None = None, *, free: bool = False
    ) -> str:
        """A new node with its header at a place, put into a wire if one is given; `free`: where
        there is room for it near by."""
        view = {"pos": [*self.room_for(spec, at)] if free else self.place_for(spec, at)}
        text = self.tr("Add {0}").format(spec.title)
        if wire in self.store.wire_items and wire:
            id, edits = rewiring.insert_new(self.graph, self.catalog, spec, wire, view)
            edits = [*edits, *self.room_edits(edits, id, spec)]
        else:
            node = rewiring.new_node(self.graph, spec)
            id, edits = node.id, [AddNode(node, view)]
        return self._added(id, edits, text)

    def add_connected(self, spec: NodeSpec, at: QPointF, to: Sequence[SocketRef]) -> str:
        """A new node wired to a socket (or to several inputs), which comes to lie at a place."""
        node = rewiring.new_node(self.graph, spec)
        after, _ = AddNode(node).apply(self.graph)
        pairs = [pair for ref in to if (pair := self._new_pair(after, node.id, ref))]
        if pairs:
            first, is_output = pairs[0], not to[0].is_output
            own = first.output if is_output else first.input
            pos = self.place_for(spec, at, own, is_output)
        else:
            pos = self.place_for(spec, at)
        view: dict[str, Any] = {"pos": pos}
        edits: list[Edit] = [AddNode(node, view)]
        fed = {pair.input for pair in pairs if pair.target == node.id}
        for pair in pairs:
            edits += (
                [pair.connect()] if pair.target == node.id else wiring.connect(self.graph, pair)
            )
        # What it needs besides, its vae say, is where its neighbour has it from.
        if pairs and pairs[0].target == node.id:
            own_wire = Pair(pairs[0].source, pairs[0].output, pairs[0].source, "")
            found = rewiring.tools(self.graph, self.catalog, spec, own_wire, fed)
            for name, link in found.items():
                edits.append(Pair(link.source, link.output, node.id, name).connect())
        return self._added(node.id, edits, self.tr("Add {0}").format(spec.title))

    def _new_pair(self, after: Graph, new: str, ref: SocketRef) -> Pair | None:
        if ref.is_output:
            found = wiring.best_input(after, self.catalog, ref.node, ref.name, new)
            return found or self._param_pair(after, new, ref)
        return wiring.best_output(after, self.catalog, ref.node, ref.name, new)

    def _param_pair(self, after: Graph, new: str, ref: SocketRef) -> Pair | None:
        """A wire into the first param that takes this output."""
        spec = self.catalog[after.nodes[new].type]
        for param in spec.params:
            if wiring.fit(after, self.catalog, ref.node, ref.name, new, param.name).ok:
                return Pair(ref.node, ref.name, new, param.name)
        return None

    def _added(self, id: str, edits: Sequence[Edit], text: str) -> str:
        if not self.do([*self.moves({}), *edits], text):
            return ""
        self.store.select([id])
        self.store.raise_nodes([id])
        return id

    def room_edits(self, edits: Sequence[Edit], node: str, spec: NodeSpec) -> list[Edit]:
        """The moves that make room around a node which these edits put into a wire."""
        try:
            after, _ = Compound(tuple(edits)).apply(self.graph)
        except GraphError:  # said where they are made
            return []
        x, y = after.view["nodes"][node]["pos"]
        boxes = {**self.boxes(), node: (x, y, *self.card_size(spec))}
        if known := self.store.node_items.get(node):
            boxes[node] = (x, y, known.rect.width(), known.rect.height())
        places = auto_layout.make_room(after, boxes, node)
        free = {id: place for id, place in places.items() if not self.pinned(id)}
        return self.moves(free, after)

    def make_loras(self, prompt: str, files: Mapping[str, Collection[str]]) -> str:
        """The `<lora:…>` and `<hypernet:…>` of a prompt as the nodes that apply those of the files,
        by kind; which the first is, "" without any."""

        def beside(source: str) -> list[float]:
            x, y, width, _ = self.boxes([source])[source]
            return [metrics.snapped(x + width + auto_layout.GAP_X), metrics.snapped(y)]

        found = lora_tags.apply_tags(self.graph, self.catalog, prompt, files, beside)
        if found is None:
            return ""
        room = self.room_edits(found.edits, found.node, found.spec) if found.spec else []
        return self._added(found.node, [*found.edits, *room], self.tr("Make LoRA nodes"))

    def swap(self, node: str, spec: NodeSpec) -> bool:
        text = self.tr("Swap {0} for {1}").format(self.title(node), spec.title)
        return self.do(rewiring.swap(self.graph, self.catalog, node, spec), text)

    def set_mode(self, nodes: Sequence[str], mode: Mode) -> bool:
        """Mute or bypass nodes, or back to normal if all of them are so already."""
        every = all(self.graph.nodes[id].mode == mode for id in nodes)
        new: Mode = "normal" if every else mode
        text = {
            "muted": self.tr("Mute {0}"),
            "bypassed": self.tr("Bypass {0}"),
            "normal": self.tr("Turn {0} on"),
        }[new]
        edits = [SetMode(id, new) for id in nodes]
        return self.do(edits, text.format(self.titles(nodes)))

    def set_flag(self, nodes: Sequence[str], flag: str, on: str, off: str) -> bool:
        """Switch a flag of the cards' looks, for all of them to the same."""
        new = not all(self.document.looks(id).get(flag) for id in nodes)
        edits = self._flag_edits(nodes, flag, new)
        return self.do(edits, (on if new else off).format(self.titles(nodes)))

    def _flag_edits(self, nodes: Sequence[str], flag: str, on: bool) -> list[Edit]:
        return [
            SetView(("nodes", id, flag), True if on else REMOVED)
            for id in nodes
            if bool(self.document.looks(id).get(flag)) != on
        ]

    def rename(self, node: str, title: str) -> bool:
        spec = self.document.spec(node)
        new = "" if spec and title.strip() == spec.title else title.strip()
        if new == self.graph.nodes[node].title:
            return False
        return self.do([SetTitle(node, new)], self.tr("Rename {0}").format(self.title(node)))

    def toggle_picture(self, node: str) -> bool:
        """Whether a card keeps room for a picture."""
        hidden = self.document.looks(node).get("preview") is False
        edit = SetView(("nodes", node, "preview"), REMOVED if hidden else False)
        text = self.tr("Show the picture of {0}") if hidden else self.tr("Hide the picture of {0}")
        return self.do([edit], text.format(self.title(node)))
