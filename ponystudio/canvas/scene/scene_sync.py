"""How a scene's items follow its document."""

from __future__ import annotations

import gc
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import QRectF

from ponystudio.canvas.painting import paint_message
from ponystudio.canvas.scene import card_layout, card_status, items, wire_geometry
from ponystudio.canvas.scene.items import FrameItem, NodeItem, NoteItem, WireItem, WireKey
from ponystudio.graph.editing import auto_layout
from ponystudio.studio.documents.editable_graph import Change
from ponystudio.studio.documents.node_state import NodeState

if TYPE_CHECKING:
    from ponystudio.canvas.scene.scene import GraphScene


# Wires that are no larger stand in the index by their hull: it has larger cells anyway.
_SMALL = 1200.0
# Of so many cards on garbage is not looked for among what a scene is made of.
_LARGE = 300


def build(scene: GraphScene) -> None:
    """Make all items anew."""
    # What is made here stays. Looking for garbage among it would take half as long again now,
    # and up to 400 ms, in which the canvas stands, every so often later.
    gc.unfreeze()
    collects = gc.isenabled()
    gc.disable()
    try:
        _build(scene)
    finally:
        if collects:
            gc.enable()
    if len(scene.node_items) >= _LARGE:
        gc.freeze()


def dropped() -> None:
    """A scene went: what was built for it may be garbage now."""
    gc.unfreeze()


def _build(scene: GraphScene) -> None:
    for item in list(scene.node_items):
        _remove_node(scene, item)
    scene.wire_items.clear()
    scene.wires_of.clear()
    scene.own_places.clear()
    graph = scene.document.graph
    used = _used_outputs(graph.nodes.values())
    lost = {id for id in graph.nodes if _make_node(scene, id, used.get(id, frozenset()))}
    _place_the_lost(scene, lost)
    for id in graph.nodes:
        _follow_links(scene, id)
    _follow_frames(scene)
    _follow_notes(scene)


def follow(scene: GraphScene, change: Change) -> None:
    """Bring the items up to date with one change of the document."""
    graph = change.after
    gone = [id for id in change.nodes if id not in graph.nodes]
    rewired = _sources_touched(change)
    moved: set[str] = set()
    lost: set[str] = set()
    places: list[QRectF] = []
    for id in gone:
        _drop_wires(scene, [key for key in scene.wires_of.get(id, ()) if key[0] == id])
    for id in gone:
        if id in scene.node_items:
            places.append(scene.node_items[id].rect)
            _remove_node(scene, id)
    touched = (change.nodes | change.looks | rewired) & graph.nodes.keys()
    used = _used_by(graph, scene, change, touched)
    for id in touched:
        before = scene.node_items.get(id)
        old = before.rect if before else None
        if _make_node(scene, id, used.get(id)):
            lost.add(id)
        moved.add(id)
        new = scene.node_items[id].rect
        if new != old:
            places += [new] if old is None else [old, new]
    _place_the_lost(scene, lost)
    for id in change.nodes & graph.nodes.keys():
        _follow_links(scene, id)
    for key in {key for id in moved for key in scene.wires_of.get(id, ())}:
        _route(scene, key)
    _recount_frames(scene, places)
    if change.view:
        if change.before.view.get("frames") != graph.view.get("frames"):
            _follow_frames(scene)
        if change.before.view.get("notes") != graph.view.get("notes"):
            _follow_notes(scene)


def state_changed(scene: GraphScene, node: str) -> None:
    """Paint again what shows the state: not the whole card where only its progress moved."""
    item = scene.node_items.get(node)
    if item is None:
        return
    before, item.state = item.state, scene.document.states[node]
    if item.layout.status and _shows_progress(before, item.state):
        scene.damage(item.layout.status.translated(item.x, item.y))
        if item.layout.picture and item.state.picture is not before.picture:
            scene.damage(item.layout.picture.translated(item.x, item.y))
        return
    was, now = (card_status.status(item.node, item.spec, state) for state in (before, item.state))
    scene.fades.begin(node, was, now)
    hang_message(scene, item)
    scene.damage(scene.card_bounds(item))
    if before.phase != item.state.phase:
        for key in scene.wires_of.get(node, ()):
            scene.damage_wire(key)


def hang_message(scene: GraphScene, item: NodeItem) -> None:
    """Lay out what hangs below a failed card, or take it away."""
    state, old = item.state, item.message
    if old is not None:
        scene.damage(old.rect.adjusted(-4, -14, 4, 8))
    item.message = None
    if state.phase == "failed" and state.problem and not item.layout.collapsed:
        is_open = item.id in scene.open_details
        item.message = paint_message.layout(item, state.problem, is_open)
    if old is not item.message:
        _index_node(scene, item)


def _shows_progress(before: NodeState, after: NodeState) -> bool:
    """Whether no more changed than what moves while a node runs."""
    moved = replace(
        before,
        step=after.step,
        steps=after.steps,
        left=after.left,
        seconds=after.seconds,
        picture=after.picture,
        outputs=after.outputs,
    )
    return before.phase == "running" and moved == after


def _make_node(scene: GraphScene, id: str, used: frozenset[str] | None) -> bool:
    """A new item for a node, or new contents for the one there is; whether it needs a place."""
    document = scene.document
    node, looks = document.graph.nodes[id], document.looks(id)
    spec = document.catalog.get(node.type)
    item = scene.node_items.get(id)
    laid_out = False
    if item is None:
        item = scene.node_items[id] = NodeItem(node, spec, looks)
        item.z = next(scene.next_z)
    else:
        scene.damage(scene.card_bounds(item))
        before = item.node, item.spec, item.used, _but_place(item.looks)
        now = node, spec, item.used if used is None else used, _but_place(looks)
        laid_out = before == now
        if item.node.mode != node.mode:
            for key in scene.wires_of.get(id, ()):
                scene.damage_wire(key)
        item.node, item.spec, item.looks = node, spec, looks
    if used is not None:
        item.used = used
    if not laid_out:
        item.layout = card_layout.layout(node, spec, looks, scene.field, item.used)
    place = items.position(looks.get("pos")) or scene.own_places.get(id)
    item.place(*(place or (0.0, 0.0)))
    item.state = document.states[id]
    hang_message(scene, item)
    _index_node(scene, item)
    scene.damage(scene.card_bounds(item))
    return place is None


def _but_place(looks: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in looks.items() if name != "pos"}


def _recount_frames(scene: GraphScene, touched: list[QRectF]) -> None:
    """Frames that cards came into or left must count them again."""
    for frame in scene.frame_items:
        if frame.counted >= 0 and any(frame.rect.intersects(rect) for rect in touched):
            frame.counted = -1


def _index_node(scene: GraphScene, item: NodeItem) -> None:
    scene.node_index.put(item.id, [scene.card_bounds(item)])


def _remove_node(scene: GraphScene, id: str) -> None:
    item = scene.node_items.pop(id)
    scene.selection_lost |= item.selected
    scene.damage(scene.card_bounds(item))
    scene.node_index.drop(id)
    _drop_wires(scene, list(scene.wires_of.pop(id, ())))


def _place_the_lost(scene: GraphScene, lost: set[str]) -> None:
    """Lay out the new cards of which the view does not say where they are."""
    if not lost:
        return
    document, items = scene.document, scene.node_items
    ids = [id for id in document.graph.nodes if id in lost]
    sizes = {id: (items[id].rect.width(), items[id].rect.height()) for id in ids}
    taken = [
        (item.x, item.y, item.rect.width(), item.rect.height())
        for id, item in items.items()
        if id not in sizes
    ]
    found = auto_layout.missing_positions(document.graph, sizes, taken, document.catalog)
    for id, (x, y) in found.items():
        items[id].place(x, y)
        _index_node(scene, items[id])
        scene.damage(scene.card_bounds(items[id]))
    scene.own_places.update(found)


def _used_outputs(nodes: Iterable[Any]) -> dict[str, frozenset[str]]:
    used: dict[str, set[str]] = {}
    for node in nodes:
        for link in node.inputs.values():
            used.setdefault(link.source, set()).add(link.output)
    return {id: frozenset(names) for id, names in used.items()}


def _sources_touched(change: Change) -> frozenset[str]:
    """The nodes that gained or lost a link from one of their outputs."""
    result: set[str] = set()
    for id in change.nodes:
        before, after = change.before.nodes.get(id), change.after.nodes.get(id)
        old = set(before.inputs.values()) if before else set()
        new = set(after.inputs.values()) if after else set()
        result.update(link.source for link in old ^ new)
    return frozenset(result)


def _used_by(
    graph: Any, scene: GraphScene, change: Change, touched: Iterable[str]
) -> dict[str, frozenset[str]]:
    """The outputs of these nodes that links lead from, after a change."""
    result: dict[str, set[str]] = {id: set() for id in touched}
    readers = {key[0] for id in result for key in scene.wires_of.get(id, ())}
    for id in (readers | change.nodes) & graph.nodes.keys():
        for link in graph.nodes[id].inputs.values():
            if link.source in result:
                result[link.source].add(link.output)
    return {id: frozenset(names) for id, names in result.items()}


def _follow_links(scene: GraphScene, id: str) -> None:
    """Make, change and drop the wires into a node."""
    node = scene.document.graph.nodes[id]
    for name, link in node.inputs.items():
        key = (id, name)
        old = scene.wire_items.get(key)
        if old and (old.source, old.output) != (link.source, link.output):
            _drop_wires(scene, [key])
            old = None
        if link.source not in scene.node_items:
            continue
        if old is None:
            spec = scene.node_items[link.source].spec
            kind = card_layout.socket_type(spec, link.output, True)
            if kind == "any":
                kind = card_layout.socket_type(scene.node_items[id].spec, name, False)
            scene.wire_items[key] = WireItem(key, link.source, link.output, kind)
            scene.wires_of.setdefault(id, set()).add(key)
            scene.wires_of.setdefault(link.source, set()).add(key)
            _route(scene, key)
    _drop_wires(
        scene,
        [k for k in scene.wires_of.get(id, ()) if k[0] == id and k[1] not in node.inputs],
    )


def _route(scene: GraphScene, key: WireKey) -> None:
    """Lead a wire from where its output is to where its input is."""
    wire = scene.wire_items[key]
    source, target = scene.node_items[wire.source], scene.node_items[wire.target]
    start, end = source.output_pos(wire.output), target.input_pos(wire.input)
    dots = items.dots(target.looks, wire.input)
    if (start, end, dots) == (wire.source_pos, wire.target_pos, wire.dots):
        return
    if not wire.source_pos.isNull() or not wire.target_pos.isNull():
        scene.damage_wire(key)
    wire.route(start, end, dots)
    hull = wire_geometry.hull(wire.curves)
    small = hull.width() < _SMALL and hull.height() < _SMALL
    scene.wire_index.put(key, [hull] if small else wire.boxes(4.0))
    scene.damage_wire(key)


def _drop_wires(scene: GraphScene, keys: Iterable[WireKey]) -> None:
    for key in list(keys):
        scene.damage_wire(key)
        wire = scene.wire_items.pop(key, None)
        if wire is None:
            continue
        scene.selection_lost |= wire.selected
        scene.wire_index.drop(key)
        for id in (wire.source, wire.target):
            if id in scene.wires_of:
                scene.wires_of[id].discard(key)


def _follow_frames(scene: GraphScene) -> None:
    scene.frame_items = _followed(scene, "frames", scene.frame_items, FrameItem)


def _follow_notes(scene: GraphScene) -> None:
    scene.note_items = _followed(scene, "notes", scene.note_items, NoteItem)


def _followed(scene: GraphScene, name: str, old: list[Any], make: Any) -> list[Any]:
    """New frames or notes. The selection stays with the place in the list where that is as long
    as before, and goes where something came or went."""
    entries = [item for item in scene.document.graph.view.get(name, ()) if isinstance(item, dict)]
    new = [make(i, entry) for i, entry in enumerate(entries)]
    for item in (*old, *new):
        scene.damage(item.rect.adjusted(-8, -8, 8, 8) if item.rect else QRectF())
    if len(old) != len(new):
        scene.selection_lost |= any(item.selected for item in old)
    else:
        for before, after in zip(old, new, strict=True):
            after.selected = before.selected
    return new
