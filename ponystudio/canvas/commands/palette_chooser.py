"""Asks by the palette: which node to add, to swap in, or to go to."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, ClassVar

from PySide6.QtCore import QObject, QPoint, QPointF

from ponystudio.api.spec import NodeSpec, can_feed
from ponystudio.canvas.gestures.graph_operations import GraphOperations
from ponystudio.canvas.palette.palette import WIDTH, Palette
from ponystudio.canvas.palette.palette_entries import (
    PaletteEntry,
    SocketFilter,
    first_sentence,
    node_entries,
)
from ponystudio.canvas.scene.items import FocusRef, SocketRef, WireKey
from ponystudio.canvas.view.camera_view import CameraView
from ponystudio.widgets import theme

_REMEMBERED = 8


class PaletteChooser(QObject):
    """One palette for a view. `extras` are more things to add at a place, beside the nodes:
    entries whose value is called with the scene position (QPointF). What was `recent`ly added is
    known to all canvases."""

    recent: ClassVar[list[str]] = []

    def __init__(
        self, ops: GraphOperations, view: CameraView, extras: Sequence[PaletteEntry] = ()
    ) -> None:
        super().__init__(ops)
        self.ops, self.view = ops, view
        self.scene, self.store = ops.scene, ops.store
        self.palette: Palette | None = None
        self._extras = extras
        self._then: Callable[[Any], object] | None = None
        ops.node_requested.connect(self.connect_from)

    @property
    def is_open(self) -> bool:
        return self.palette is not None and self.palette.isVisible()

    def add(self, at: QPointF, wire: WireKey | None = None) -> None:
        """A node with its header at a place (scene), put into a wire if one is given."""

        def chosen(value: Any) -> None:
            if isinstance(value, NodeSpec):
                self._remember(value)
                self._added(self.ops.add_node(value, at, wire))
            elif callable(value):
                value(at)

        filter = None
        if wire in self.store.wire_items and wire:
            filter = SocketFilter(self.store.wire_items[wire].type, "takes")
        verb = self.tr("put into the wire") if wire else ""
        entries = [*node_entries(self.ops.catalog), *([] if wire else self._extras)]
        self._ask(at, entries, chosen, filter=filter, verb=verb)

    def connect_from(self, at: QPointF, ends: Sequence[SocketRef]) -> None:
        """A node that the wire in hand, which stays in sight meanwhile, leads to."""

        def chosen(value: Any) -> None:
            if isinstance(value, NodeSpec):
                self._remember(value)
                self._added(self.ops.add_connected(value, at, ends))

        way = SocketFilter(ends[0].type, "takes" if ends[0].is_output else "gives")
        drag = self.scene.drag
        point, gap = self._beside_wire(self.view.from_scene(at).toPoint(), ends[0].is_output)
        self._ask(point, node_entries(self.ops.catalog), chosen, filter=way, gap=gap)
        if self.palette and drag:
            self.scene.set_drag(drag)

    def _beside_wire(self, end: QPoint, is_output: bool) -> tuple[QPoint, int]:
        """Where the palette leaves the wire's end in sight: beyond it, else below or above."""
        wide = round(WIDTH * theme.scale())
        x = end.x() + 6 if is_output else end.x() - wide - 6
        if 8 <= x <= self.view.width() - wide - 8:
            return QPoint(x, end.y()), -20
        return QPoint(end.x() - wide // 2, end.y()), 14

    def swap(self, node: str) -> None:
        """Another kind of node in the place of one; those with like outputs come first."""
        spec = self.ops.document.spec(node)
        given = {item.type for item in spec.outputs} if spec else set()

        def unlike(entry: PaletteEntry) -> bool:
            other: NodeSpec = entry.value
            return not any(can_feed(item.type, t) for item in other.outputs for t in given)

        entries = sorted(node_entries(self.ops.catalog), key=unlike) if given else []
        rest = [e for e in entries or node_entries(self.ops.catalog) if e.value is not spec]
        at = self.store.node_items[node].rect.topLeft() + QPointF(24, 40)
        hint = self.tr("Swap {0} for").format(self.ops.title(node))
        self._ask(at, rest, lambda s: self.ops.swap(node, s), verb=self.tr("swap"), hint=hint)

    def find(self) -> None:
        """A node of this graph by its title, kind, id or the texts in it: goes there."""
        entries = [self._node_entry(id) for id in self.store.node_items]
        middle = QPoint((self.view.width() - round(WIDTH * theme.scale())) // 2, 80)
        self._ask(
            middle,
            sorted(entries, key=lambda entry: entry.title.lower()),
            self._go_to,
            verb=self.tr("go there"),
            hint=self.tr("Find a node in this graph"),
        )

    def _node_entry(self, id: str) -> PaletteEntry:
        item = self.store.node_items[id]
        texts = tuple(v for v in item.node.params.values() if isinstance(v, str) and v)
        kind = item.spec.title if item.spec else item.node.type
        shown = next(iter(sorted(texts, key=len, reverse=True)), "") or first_sentence(kind)
        return PaletteEntry(
            item.title,
            " ".join(shown.split()),
            item.spec.group if item.spec else "",
            id,
            words=(id, kind, *texts),
        )

    def _go_to(self, node: str) -> None:
        self.store.select([node])
        self.view.show_node(node)

    def _added(self, node: str) -> None:
        """The keyboard's focus, where there is one, goes to what was added with it."""
        if node and self.scene.focus:
            self.scene.set_focus(FocusRef("node", node))

    def _remember(self, spec: NodeSpec) -> None:
        self.recent[:] = [spec.id, *(id for id in self.recent if id != spec.id)][:_REMEMBERED]

    def _ask(
        self,
        at: QPointF | QPoint,
        entries: Sequence[PaletteEntry],
        then: Callable[[Any], object],
        *,
        filter: SocketFilter | None = None,
        verb: str = "",
        hint: str = "",
        gap: int = 0,
    ) -> None:
        if self.palette is None:
            self.palette = Palette(self.view)
            self.palette.chosen.connect(self._chosen)
            self.palette.closed.connect(self._closed)
        self.palette.close_palette()
        self._then = then
        point = at if isinstance(at, QPoint) else self.view.from_scene(at).toPoint()
        self.palette.open(
            point, entries, filter=filter, recent=self.recent, hint=hint, verb=verb, gap=gap
        )

    def _chosen(self, value: Any) -> None:
        then, self._then = self._then, None
        if then:
            then(value)

    def _closed(self, done: bool) -> None:
        self.scene.set_drag(None)
        if not done:
            self._then = None
