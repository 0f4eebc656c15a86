"""Dragging wires: from a socket, off a socket, several at once, and by the dots that they are led
through.
"""

from __future__ import annotations

from collections.abc import Iterable

from PySide6.QtCore import QPointF, QRectF, Qt

from ponystudio.api.spec import can_feed
from ponystudio.canvas.gestures.base import Gesture, Pointer
from ponystudio.canvas.gestures.graph_operations import GraphOperations
from ponystudio.canvas.painting.paint_context import Viewport
from ponystudio.canvas.scene import hit_test, wire_geometry
from ponystudio.canvas.scene.item_store import ItemStore
from ponystudio.canvas.scene.items import Hit, Refusal, SocketRef, WireDrag, WireKey
from ponystudio.graph.editing import wiring
from ponystudio.graph.editing.edits import Edit
from ponystudio.graph.editing.wiring import Bridge, Fit, Pair
from ponystudio.graph.topology import ancestors
from ponystudio.qt.i18n import tr
from ponystudio.studio.documents.editable_graph import gesture
from ponystudio.widgets import metrics

MAGNET = 20.0  # px on screen


class FittingSockets:
    """Which sockets the ends in hand may be put on; asked for every socket in sight, so that what
    stands in the way of circles is worked out once."""

    def __init__(self, ops: GraphOperations, fixed: tuple[SocketRef, ...]) -> None:
        self._fixed = fixed
        graph = ops.graph
        self._wants_output = not fixed[0].is_output
        own = [ref.node for ref in fixed]
        if self._wants_output:
            self._barred = set(own).union(*(_readers(ops, node) for node in set(own)))
        else:
            self._barred = ancestors(graph, own)
        self._ops = ops

    def __call__(self, ref: SocketRef) -> bool:
        if ref.is_output != self._wants_output or ref.node in self._barred:
            return False
        if self._wants_output:
            return any(can_feed(ref.type, fixed.type) for fixed in self._fixed)
        return can_feed(self._fixed[0].type, ref.type)


def _readers(ops: GraphOperations, node: str) -> set[str]:
    found, pending = {node}, [node]
    while pending:
        at = pending.pop()
        for key in ops.store.wires_of.get(at, ()):
            if key[0] not in found and ops.store.wire_items[key].source == at:
                found.add(key[0])
                pending.append(key[0])
    return found


class ConnectGesture(Gesture):
    """A wire in hand. `fixed` are the ends that stay, `lifted` the wires it was taken from."""

    cursor = Qt.CursorShape.CrossCursor

    def __init__(
        self,
        ops: GraphOperations,
        view: Viewport,
        hit: Hit,
        press: Pointer,
        fixed: Iterable[SocketRef],
        lifted: Iterable[WireKey] = (),
    ) -> None:
        super().__init__(ops, view, hit, press)
        self.fixed, self.lifted = tuple(fixed), frozenset(lifted)

    @classmethod
    def from_socket(
        cls, ops: GraphOperations, view: Viewport, hit: Hit, press: Pointer
    ) -> ConnectGesture:
        """The wire that a press on a socket takes: a new one, or the end of the one there; with
        Shift or Ctrl all that leave an output."""
        socket = hit.socket
        assert socket is not None
        graph = ops.graph
        if socket.is_output:
            wires = wiring.wires_from(graph, socket.node, socket.name)
            if (press.shift or press.ctrl) and wires:
                ends = [
                    SocketRef(t, i, False, wiring.input_type(graph, ops.catalog, t, i))
                    for t, i in wires
                ]
                return cls(ops, view, hit, press, ends, wires)
        else:
            link = graph.nodes[socket.node].inputs.get(socket.name)
            if link and link.source in graph.nodes:
                kind = wiring.output_type(graph, ops.catalog, link.source, link.output)
                source = SocketRef(link.source, link.output, True, kind)
                return cls(ops, view, hit, press, [source], [(socket.node, socket.name)])
        return cls(ops, view, hit, press, [socket])

    def start(self) -> None:
        self.fits = FittingSockets(self.ops, self.fixed)
        self.target: SocketRef | None = None
        self.refusal: Fit | None = None
        self.refused: SocketRef | None = None

    def click(self, at: Pointer) -> None:
        """Ctrl+Alt+click unlinks a socket; a click alone selects its wires."""
        socket = self.hit.socket
        if socket is None:
            return
        if socket.is_output:
            wires = wiring.wires_from(self.ops.graph, socket.node, socket.name)
        else:
            wires = [(socket.node, socket.name)]
        if at.ctrl and at.alt:
            self.ops.unwire(wires)
        else:
            self.store.select(wires=wires, mode="toggle" if at.ctrl else "set")

    def move(self, at: Pointer) -> None:
        self.target, self.refused, self.refusal = self._aim(at.scene)
        caught = self.target if self._has_row(self.target) else None
        pointer = self.store.socket_pos(caught) if caught else at.scene
        self.scene.set_drag(WireDrag(self.fixed, pointer, self.fits, caught, self.lifted))
        shown = None
        if self.refusal and self.refusal.reason:
            shown = Refusal(at.scene, self.refusal.reason, self.refusal.remedy)
        self.scene.set_overlay(refusal=shown, ghosts=self._param_rect(at.scene))

    def _has_row(self, ref: SocketRef | None) -> bool:
        """Whether a socket is to be seen: that of a param only comes with its wire."""
        return ref is not None and ref in self.store.sockets(ref.node)

    def _param_rect(self, at: QPointF) -> tuple[QRectF, ...]:
        """The field that a drop would put the wire on, to be outlined."""
        if self.target is None or self._has_row(self.target):
            return ()
        param = hit_test.param_at(self.store, at)
        return (param.rect,) if param else ()

    def _aim(self, at: QPointF) -> tuple[SocketRef | None, SocketRef | None, Fit | None]:
        """What the wire would be put on: (target, None, None), or what refuses it and why."""
        under = hit_test.socket_at(self.store, at)
        if under and under not in self.fixed and under.is_output != self.fixed[0].is_output:
            fit = self._fit(under)
            return (under, None, None) if fit.ok else (None, under, fit)
        if near := self._nearest(at):
            return near, None, None
        node = hit_test.node_at(self.store, at)
        if node is None:
            return None, None, None
        if found := self._param_or_best(node, at):
            return found, None, None
        if any(ref.node == node for ref in self.fixed):
            return None, None, None
        refused, why = self._why_none(node)
        return None, refused, why

    def _fit(self, ref: SocketRef) -> Fit:
        """Whether any of the ends in hand may go there; if not, why the first may not."""
        found = [self.ops.fit(fixed, ref) for fixed in self.fixed]
        return next((fit for fit in found if fit.ok), found[0])

    def _nearest(self, at: QPointF) -> SocketRef | None:
        """A fitting socket so near that it draws the wire to itself."""
        if self.store.detail != "full":
            return None
        reach = MAGNET * self.unit
        near: list[tuple[float, SocketRef]] = []

        area = QRectF(at.x() - reach, at.y() - reach, 2 * reach, 2 * reach)
        for id in self.store.nodes_in(area):
            for ref in self.store.sockets(id):
                gap = (self.store.socket_pos(ref) - at).manhattanLength()
                if gap < reach and self.fits(ref):
                    near.append((gap, ref))
        return min(near, key=lambda item: item[0])[1] if near else None

    def _param_or_best(self, node: str, at: QPointF) -> SocketRef | None:
        """What a drop on the card itself means: the param under it, or its likeliest socket."""
        fixed = self.fixed[0]
        graph, specs = self.ops.graph, self.ops.catalog
        if fixed.is_output:
            param = hit_test.param_at(self.store, at)
            if param and self._param_fits(fixed, node, param.spec.name):
                return SocketRef(node, param.spec.name, False, param.spec.socket_type)
            best = wiring.best_input(graph, specs, fixed.node, fixed.name, node)
            name = best.input if best else ""
        else:
            best = wiring.best_output(graph, specs, fixed.node, fixed.name, node)
            name = best.output if best else ""
        if best is None:
            return None
        wanted = not fixed.is_output
        return next(
            (r for r in self.store.sockets(node) if r.name == name and r.is_output == wanted), None
        )

    def _param_fits(self, fixed: SocketRef, node: str, param: str) -> bool:
        fit = wiring.fit(self.ops.graph, self.ops.catalog, fixed.node, fixed.name, node, param)
        return fit.ok

    def _why_none(self, node: str) -> tuple[SocketRef | None, Fit]:
        """Why a card has no place for the wire: of its sockets the one that a node between would
        make fit, else a plain no."""
        wanted = not self.fixed[0].is_output
        refs = [ref for ref in self.store.sockets(node) if ref.is_output == wanted]
        fits = [(ref, self._fit(ref)) for ref in refs]
        for ref, fit in fits:
            if fit.bridge:
                return ref, fit
        if len(fits) == 1:
            return fits[0]
        kind = wiring.type_title(self.fixed[0].type)
        way = tr("{0} takes no {1}") if wanted is False else tr("{0} gives no {1}")
        return None, Fit(False, way.format(self.ops.title(node), kind))

    def hint(self) -> str:
        kind = wiring.type_title(self.fixed[0].type)
        if self.target:
            title = self.ops.title(self.target.node)
            if not self._has_row(self.target):
                return tr("Drop to feed *{0}* of {1}.").format(self.target.name, title)
            return tr("Drop to connect {0}.").format(title)
        if self.lifted and self.fixed[0].is_output:
            return tr("Drop on another socket, or on nothing to disconnect. Esc cancels.")
        if self.fixed[0].is_output:
            text = tr("Lit sockets take *{0}*. Drop on one to connect. Esc cancels.")
        else:
            text = tr("Lit sockets give *{0}*. Drop on one to connect. Esc cancels.")
        return text.format(kind)

    # Dropping

    def finish(self, at: Pointer) -> None:
        if self.target:
            self._drop_on(self.target)
        elif self.refusal is None and hit_test.node_at(self.store, at.scene) is None:
            self._drop_on_empty(at)

    def _drop_on(self, target: SocketRef) -> None:
        edits: list[Edit] = []
        graph = self.ops.graph
        pairs = [self.ops.pair(fixed, target) for fixed in self.fixed]
        kept = {(pair.target, pair.input) for pair in pairs}
        if self.fixed[0].is_output:
            edits += wiring.disconnect(graph, [w for w in self.lifted if w not in kept])
        for fixed, pair in zip(self.fixed, pairs, strict=True):
            if self.ops.fit(fixed, target).ok:
                edits += wiring.connect(graph, pair)
        text = tr("Connect {0}").format(self.ops.title(pairs[0].target))
        if len(pairs) > 1:
            text = tr("Move {0} wires").format(len(pairs))
        self.ops.do(edits, text)

    def _drop_on_empty(self, at: Pointer) -> None:
        """A new wire asks what to make there; one that was lifted is let go."""
        if self.lifted:
            if self.fixed[0].is_output:
                self.ops.unwire(self.lifted)
            return
        self.ops.request_node(at.scene, self.fixed)

    def remedy(self) -> tuple[Refusal, Bridge, Pair] | None:
        """What stays on screen after a refused drop: the reason, and the node that would help."""
        shown = self.scene.overlay.refusal
        if shown is None or self.refusal is None or self.refused is None:
            return None
        if self.refusal.bridge is None:
            return None
        return shown, self.refusal.bridge, self.ops.pair(self.fixed[0], self.refused)


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
