"""Keeps the items on the canvas true to a document."""

from __future__ import annotations

import gc
import math
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial
from typing import Any

import msgspec
from PySide6.QtCore import QObject, QRectF, QTimer, Signal

from ponystudio.api.spec import ParamSpec
from ponystudio.canvas.fields.base import Field
from ponystudio.canvas.fields.registry import for_spec
from ponystudio.canvas.scene import card_layout, items, message_layout
from ponystudio.canvas.scene.item_store import ItemStore
from ponystudio.canvas.scene.items import FrameItem, NodeItem, NoteItem, WireItem, WireKey
from ponystudio.graph.editing import auto_layout
from ponystudio.graph.model import Graph, Node, position
from ponystudio.qt.background_tasks import BackgroundTasks
from ponystudio.studio.documents.editable_graph import Change, EditableGraph, NodeState
from ponystudio.widgets import theme

# Damage of changes to more cards than these is reported as one.
_MANY = 200
# Wires that are no larger stand in the index by their hull: it has larger cells anyway.
_SMALL = 1200.0
# So many layouts are kept for cards that look alike.
_MOST_LAYOUTS = 1000
# Of so many cards on garbage is not looked for among what a scene is made of.
_LARGE = 300
# Items of a graph of so many parts are made in slices of so many seconds, and a change of so many
# is not followed one by one: the window would stand still.
_SLICED, _SLICE = 6000, 0.01

Places = dict[str, auto_layout.Point]


class SceneSync(QObject):
    """The only writer of a store's items. It follows the document, the states of its nodes and the
    theme, and never edits the document.

    The items of a large graph are made in slices, in a draft that becomes the store's when it is
    whole: nobody sees half of it. Where cards without a place come to lie is worked out on a thread
    then. Meanwhile the store holds what was there before, without what is gone; who needs all of it
    waits with `when_whole`, or has the rest made at once by `finish`.

    `content_changed` when things came, went or moved; `state_changed` (node, NodeState before and
    after) when more than a node's progress changed.
    """

    content_changed = Signal()
    state_changed = Signal(str, object, object)

    def __init__(self, store: ItemStore, document: EditableGraph) -> None:
        super().__init__(store)
        self._store = self._shown = store
        """What is worked on: the draft as long as there is one."""
        self._document = document
        self._automatic: dict[str, tuple[float, float]] = {}
        self._making: Iterator[bool] | None = None
        self._slices = QTimer(self, interval=0)
        self._slices.timeout.connect(self._make)
        self._at_once = False
        self._layouting = BackgroundTasks("layout", parent=self)
        self._waiting: dict[str, Callable[[], object]] = {}
        self._open_details: set[str] = set()
        self._fields: dict[int, tuple[ParamSpec, Field]] = {}
        self._layouts: dict[tuple[Any, ...], card_layout.CardLayout] = {}
        self._density = theme.density()
        self._selection_lost = False
        document.changed.connect(self._document_changed)
        document.catalog_changed.connect(self._build)
        document.states.changed.connect(self._states_changed)
        theme.hub.changed.connect(self._theme_changed)
        # What was built for it may be garbage when it goes.
        self.destroyed.connect(gc.unfreeze)
        self._build()

    @property
    def automatic_positions(self) -> Mapping[str, tuple[float, float]]:
        """Where cards are as long as the document's view does not say it."""
        self.finish()
        return self._automatic

    @property
    def is_whole(self) -> bool:
        """Whether the store holds all there is; `content_changed` when it comes to."""
        return self._making is None

    def finish(self) -> None:
        """Make the rest at once."""
        if self._making is not None:
            self._at_once = True
            self._layouting.wait()
            self._make(math.inf)

    def when_whole(self, purpose: str, call: Callable[[], object]) -> None:
        """Call this as soon as the store holds all there is: now, or later, then only the last of
        those of the same purpose."""
        if self._making is None:
            call()
        else:
            self._waiting[purpose] = call

    def field(self, param: ParamSpec) -> Field:
        """The field that shows a param, one for each ParamSpec."""
        found = self._fields.get(id(param))
        if found is None:
            found = self._fields[id(param)] = (param, for_spec(param))
        return found[1]

    def toggle_details(self, node: str) -> None:
        """Show the details in a failed node's message, or hide them again."""
        self.finish()
        self._open_details ^= {node}
        self._store.damage_node(node)
        self._hang_message(self._store.node_items[node])
        self._store.damage_node(node)

    # What it follows

    def _document_changed(self, change: Change) -> None:
        is_large = _size(change) >= _SLICED
        is_draft = not self.is_whole  # of the graph as it was before
        self._selection_lost = False
        self._drop_draft()
        follows = not is_large and bool(self._store.node_items or not is_draft)
        if follows:
            many = len(change.nodes) + len(change.looks) > _MANY
            with self._store.damage_at_once(everything=many):
                self._follow(change)
        if is_draft or is_large:
            self._build()
            if self.is_whole:
                return
            if not follows and not change.nodes <= change.after.nodes.keys():
                self._clear()
        self.content_changed.emit()
        if self._selection_lost:
            self._shown.selection_changed.emit()

    def _theme_changed(self) -> None:
        if theme.density() != self._density:
            self._density = theme.density()
            self._build()
        with self._store.damage_at_once(everything=True):
            for item in self._store.node_items.values():
                self._hang_message(item)

    def _states_changed(self, node: str) -> None:
        if node:
            with self._store.damage_at_once():
                self._state_changed(node)
            return
        with self._store.damage_at_once(everything=True):
            for item in self._store.node_items.values():
                item.state = self._document.states[item.id]
                self._hang_message(item)

    def _state_changed(self, node: str) -> None:
        """Paint again what shows the state: not the whole card where only its progress moved."""
        store, item = self._store, self._store.node_items.get(node)
        if item is None:
            return
        before, item.state = item.state, self._document.states[node]
        if item.layout.status and _shows_progress(before, item.state):
            store.damage(item.layout.status.translated(item.x, item.y))
            if item.layout.picture and item.state.picture is not before.picture:
                store.damage(item.layout.picture.translated(item.x, item.y))
            return
        if self._making is None:
            self.state_changed.emit(node, before, item.state)
        self._hang_message(item)
        store.damage_node(node)
        if before.phase != item.state.phase:
            for key in store.wires_of.get(node, ()):
                store.damage_wire(key)

    # All anew

    def _build(self) -> None:
        self._drop_draft()
        self._store, self._making = ItemStore(), self._made()
        if _parts(self._document.graph) < _SLICED:
            self.finish()
        else:
            self._slices.start()

    def _drop_draft(self) -> None:
        """Work on what is shown again."""
        self._slices.stop()
        self._store, self._making, self._at_once = self._shown, None, False

    def _clear(self) -> None:
        """Show nothing until the draft is whole: what is gone could still be clicked."""
        self._selection_lost |= any(item.selected for item in self._shown.node_items.values())
        with self._shown.damage_at_once(everything=True):
            self._shown.adopt(ItemStore())

    def _make(self, seconds: float = _SLICE) -> None:
        """Go on for so long; what is whole is shown."""
        assert self._making is not None
        end = time.perf_counter() + seconds
        # What is made here stays. Looking for garbage among it would take half as long again now,
        # and up to 400 ms, in which the canvas stands, every so often later.
        gc.unfreeze()
        collects = gc.isenabled()
        gc.disable()
        try:
            with self._store.damage_at_once(everything=True):
                for waits in self._making:
                    if waits:
                        self._slices.stop()
                        return
                    if time.perf_counter() > end:
                        return
        finally:
            if collects:
                gc.enable()
            if len(self._store.node_items) >= _LARGE:
                gc.freeze()
        self._show()

    def _show(self) -> None:
        """Put the draft in the place of what was there."""
        draft, store = self._store, self._shown
        self._drop_draft()
        chosen = store.selected_nodes()
        lost = _keep_selection(store.frame_items, draft.frame_items)
        lost |= _keep_selection(store.note_items, draft.note_items)
        with store.damage_at_once(everything=True):
            store.adopt(draft)
            store.select(chosen, mode="add")
        if lost or any(id not in store.node_items for id in chosen):
            store.selection_changed.emit()
        self.content_changed.emit()
        waiting, self._waiting = self._waiting, {}
        for call in waiting.values():
            call()

    def _made(self) -> Iterator[bool]:
        """Make all items anew, step by step; True where it waits to be called again."""
        self._layouts.clear()
        graph = self._document.graph
        used: dict[str, set[str]] = {}
        for node in graph.nodes.values():
            for link in node.inputs.values():
                used.setdefault(link.source, set()).add(link.output)
        yield False
        unplaced = set()
        for id in graph.nodes:
            if self._make_node(id, frozenset(used.get(id, ())), {}):
                unplaced.add(id)
            yield False
        places: Places = {}
        if unplaced:
            yield self._lay_out(unplaced, places)
            for id, place in places.items():
                yield False
                self._place(id, place)
        for id in graph.nodes:
            yield False
            self._follow_links(id)
        for index, entry in enumerate(_entries(graph, "frames")):
            yield False
            self._store.frame_items.append(FrameItem(index, entry))
        for index, entry in enumerate(_entries(graph, "notes")):
            yield False
            self._store.note_items.append(NoteItem(index, entry))
        self._automatic = places

    def _lay_out(self, unplaced: set[str], places: Places) -> bool:
        """Find out where these cards come to lie. True if a thread does, which has the slices go on
        then."""
        work = self._layout(unplaced)
        if self._at_once:
            places.update(work())
            return False

        def go_on(found: Places) -> None:
            places.update(found)
            if draft is self._store and not self._at_once:
                self._slices.start()

        draft = self._store
        self._layouting.do(work, go_on, lambda _: go_on({}), key="layout")
        return True

    # One change

    def _follow(self, change: Change) -> None:
        store, graph = self._store, change.after
        gone = [id for id in change.nodes if id not in graph.nodes]
        rewired = _sources_touched(change)
        moved: set[str] = set()
        unplaced: set[str] = set()
        places: list[QRectF] = []
        for id in gone:
            self._drop_wires([key for key in store.wires_of.get(id, ()) if key[0] == id])
        for id in gone:
            if id in store.node_items:
                places.append(store.node_items[id].rect)
                self._remove_node(id)
        touched = (change.nodes | change.looks | rewired) & graph.nodes.keys()
        used = self._used_by(change, touched)
        for id in touched:
            before = store.node_items.get(id)
            old = before.rect if before else None
            if self._make_node(id, used.get(id), self._automatic):
                unplaced.add(id)
            moved.add(id)
            new = store.node_items[id].rect
            if new != old:
                places += [new] if old is None else [old, new]
        if unplaced:
            found = self._layout(unplaced)()
            self._automatic.update(found)
            for id, place in found.items():
                self._place(id, place)
        for id in change.nodes & graph.nodes.keys():
            self._follow_links(id)
        for key in {key for id in moved for key in store.wires_of.get(id, ())}:
            self._route(key)
        self._recount_frames(places)
        if change.view:
            if change.before.view.get("frames") != graph.view.get("frames"):
                self._follow_frames()
            if change.before.view.get("notes") != graph.view.get("notes"):
                self._follow_notes()

    # Cards

    def _make_node(
        self, id: str, used: frozenset[str] | None, automatic: Mapping[str, auto_layout.Point]
    ) -> bool:
        """A new item for a node, or new contents for the one there is; whether it needs a place,
        which neither the view nor `automatic` gives it."""
        document, store = self._document, self._store
        node, looks = document.graph.nodes[id], document.looks(id)
        spec = document.catalog.get(node.type)
        item = store.node_items.get(id)
        laid_out = False
        if item is None:
            item = store.node_items[id] = NodeItem(node, spec, looks)
            item.z = store.next_z()
        else:
            store.damage_node(id)
            before = item.node, item.spec, item.used, _but_place(item.looks)
            now = node, spec, item.used if used is None else used, _but_place(looks)
            laid_out = before == now
            if item.node.mode != node.mode:
                for key in store.wires_of.get(id, ()):
                    store.damage_wire(key)
            item.node, item.spec, item.looks = node, spec, looks
        if used is not None:
            item.used = used
        if not laid_out:
            if len(self._layouts) >= _MOST_LAYOUTS:
                self._layouts.clear()
            item.layout = card_layout.layout(
                node, spec, looks, self.field, item.used, self._layouts
            )
        place = position(looks.get("pos")) or automatic.get(id)
        item.place(*(place or (0.0, 0.0)))
        item.state = document.states[id]
        self._hang_message(item)
        self._index_node(item)
        store.damage_node(id)
        return place is None

    def _hang_message(self, item: NodeItem) -> None:
        """Lay out what hangs below a card that failed, or that offers values, or take it away."""
        state, old = item.state, item.message
        if old is not None:
            self._store.damage(old.rect.adjusted(-4, -14, 4, 8))
        item.message = None
        if state.phase == "failed" and state.problem and not item.layout.collapsed:
            is_open = item.id in self._open_details
            item.message = message_layout.layout(
                item.node, item.spec, item.rect, state.problem, is_open
            )
        elif state.offer and not item.layout.collapsed:
            item.message = message_layout.layout_offer(item.rect, state.offer)
        if old is not item.message:
            self._index_node(item)

    def _index_node(self, item: NodeItem) -> None:
        self._store.node_index.put(item.id, [self._store.card_bounds(item)])

    def _remove_node(self, id: str) -> None:
        self._store.damage_node(id)
        item = self._store.node_items.pop(id)
        self._selection_lost |= item.selected
        self._store.node_index.drop(id)
        self._drop_wires(list(self._store.wires_of.pop(id, ())))

    def _layout(self, unplaced: set[str]) -> Callable[[], Places]:
        """What works out where the new cards are of which the view does not say it."""
        document, cards = self._document, self._store.node_items
        ids = [id for id in document.graph.nodes if id in unplaced]
        sizes = {id: (cards[id].rect.width(), cards[id].rect.height()) for id in ids}
        taken = [
            (item.x, item.y, item.rect.width(), item.rect.height())
            for id, item in cards.items()
            if id not in sizes
        ]
        return partial(
            auto_layout.missing_positions, document.graph, sizes, taken, document.catalog
        )

    def _place(self, id: str, place: tuple[float, float]) -> None:
        item = self._store.node_items[id]
        item.place(*place)
        self._index_node(item)
        self._store.damage_node(id)

    def _used_by(self, change: Change, touched: Iterable[str]) -> dict[str, frozenset[str]]:
        """The outputs of these nodes that links lead from, after a change."""
        nodes = change.after.nodes
        result: dict[str, set[str]] = {id: set() for id in touched}
        readers = {key[0] for id in result for key in self._store.wires_of.get(id, ())}
        for id in (readers | change.nodes) & nodes.keys():
            for link in nodes[id].inputs.values():
                if link.source in result:
                    result[link.source].add(link.output)
        return {id: frozenset(names) for id, names in result.items()}

    # Wires

    def _follow_links(self, id: str) -> None:
        """Make, change and drop the wires into a node: those whose socket its card shows."""
        store, node = self._store, self._document.graph.nodes[id]
        shown = store.node_items[id].layout
        for name, link in node.inputs.items():
            if shown.input(name) is None:
                continue
            key = (id, name)
            old = store.wire_items.get(key)
            if old and (old.source, old.output) != (link.source, link.output):
                self._drop_wires([key])
                old = None
            if link.source not in store.node_items:
                continue
            if old is None:
                spec = store.node_items[link.source].spec
                kind = card_layout.socket_type(spec, link.output, True)
                if kind == "any":
                    kind = card_layout.socket_type(store.node_items[id].spec, name, False)
                store.wire_items[key] = WireItem(key, link.source, link.output, kind)
                store.wires_of.setdefault(id, set()).add(key)
                store.wires_of.setdefault(link.source, set()).add(key)
                self._route(key)
        own = store.wires_of.get(id, ())
        self._drop_wires(
            [
                key
                for key in own
                if key[0] == id and (key[1] not in node.inputs or shown.input(key[1]) is None)
            ]
        )

    def _route(self, key: WireKey) -> None:
        """Lead a wire from where its output is to where its input is."""
        store, wire = self._store, self._store.wire_items[key]
        source, target = store.node_items[wire.source], store.node_items[wire.target]
        start, end = source.output_pos(wire.output), target.input_pos(wire.input)
        dots = items.dots(target.looks, wire.input)
        if (start, end, dots) == (wire.source_pos, wire.target_pos, wire.dots):
            return
        if not wire.source_pos.isNull() or not wire.target_pos.isNull():
            store.damage_wire(key)
        wire.route(start, end, dots)
        small = wire.hull.width() < _SMALL and wire.hull.height() < _SMALL
        store.wire_index.put(key, [wire.hull] if small else wire.boxes(4.0))
        store.damage_wire(key)

    def _drop_wires(self, keys: Iterable[WireKey]) -> None:
        store = self._store
        for key in keys:
            store.damage_wire(key)
            wire = store.wire_items.pop(key, None)
            if wire is None:
                continue
            self._selection_lost |= wire.selected
            store.wire_index.drop(key)
            for id in (wire.source, wire.target):
                if id in store.wires_of:
                    store.wires_of[id].discard(key)

    # Frames and notes

    def _follow_frames(self) -> None:
        self._store.frame_items = self._followed("frames", self._store.frame_items, FrameItem)

    def _follow_notes(self) -> None:
        self._store.note_items = self._followed("notes", self._store.note_items, NoteItem)

    def _followed(self, name: str, old: list[Any], make: Any) -> list[Any]:
        """New frames or notes. The selection stays with the place in the list where that is as long
        as before, and goes where something came or went."""
        entries = _entries(self._document.graph, name)
        new = [make(i, entry) for i, entry in enumerate(entries)]
        for item in (*old, *new):
            self._store.damage(item.rect.adjusted(-8, -8, 8, 8) if item.rect else QRectF())
        self._selection_lost |= _keep_selection(old, new)
        return new

    def _recount_frames(self, touched: list[QRectF]) -> None:
        """Frames that cards came into or left must count them again."""
        for frame in self._store.frame_items:
            if frame.counted >= 0 and any(frame.rect.intersects(rect) for rect in touched):
                frame.counted = -1


def _parts(graph: Graph) -> int:
    """How many things there are to make items of."""
    entries = sum(len(graph.view.get(name, ())) for name in ("frames", "notes"))
    return _weight(graph.nodes.values()) + entries


def _weight(nodes: Iterable[Node]) -> int:
    """How many cards and wires these are."""
    return sum(1 + len(node.inputs) for node in nodes)


def _size(change: Change) -> int:
    """How many items a change makes; of frames and notes all are made anew. Cards that are only
    moved are to be seen as they move."""
    before, after = change.before.view, change.after.view
    entries = (
        len(after.get(name, ()))
        for name in ("frames", "notes")
        if change.view and before.get(name) is not after.get(name)
    )
    old, new = change.before.nodes, change.after.nodes
    came = (new[id] for id in change.nodes if id not in old)
    went = (old[id] for id in change.nodes if id not in new)
    return len(change.nodes) + _weight(came) + _weight(went) + sum(entries)


def _entries(graph: Graph, name: str) -> list[dict[str, Any]]:
    return [entry for entry in graph.view.get(name, ()) if isinstance(entry, dict)]


def _keep_selection(old: list[Any], new: list[Any]) -> bool:
    """The frames or notes that are selected still are, if there are as many; whether they are
    lost."""
    if len(old) != len(new):
        return any(item.selected for item in old)
    for before, after in zip(old, new, strict=True):
        after.selected = before.selected
    return False


def _shows_progress(before: NodeState, after: NodeState) -> bool:
    """Whether no more changed than what moves while a node runs."""
    moved = msgspec.structs.replace(
        before,
        step=after.step,
        steps=after.steps,
        left=after.left,
        seconds=after.seconds,
        picture=after.picture,
        outputs=after.outputs,
    )
    return before.phase == "running" and moved == after


def _but_place(looks: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in looks.items() if name != "pos"}


def _sources_touched(change: Change) -> frozenset[str]:
    """The nodes that gained or lost a link from one of their outputs."""
    result: set[str] = set()
    for id in change.nodes:
        before, after = change.before.nodes.get(id), change.after.nodes.get(id)
        old = set(before.inputs.values()) if before else set()
        new = set(after.inputs.values()) if after else set()
        result.update(link.source for link in old ^ new)
    return frozenset(result)
