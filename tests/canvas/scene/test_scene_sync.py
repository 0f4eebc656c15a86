"""Items are what the document says, after every edit."""

from __future__ import annotations

import gc
import json
import threading
import time

import pytest
import shiboken6
from PySide6.QtCore import QPointF, QRectF, QTimer

from helpers.scenes import CATALOG, node
from ponystudio.canvas.scene import card_layout, hit_test, scene_sync
from ponystudio.canvas.scene.items import NodeItem, SocketRef
from ponystudio.canvas.scene.scene import GraphScene
from ponystudio.graph.catalog import Catalog
from ponystudio.graph.editing import auto_layout, rewiring
from ponystudio.graph.editing.edits import (
    REMOVED,
    AddNode,
    Connect,
    Disconnect,
    RemoveNode,
    RenameNode,
    SetMode,
    SetParam,
    SetTitle,
    SetView,
)
from ponystudio.graph.formats import clipboard
from ponystudio.graph.formats import graph_file as graph_format
from ponystudio.graph.model import Graph, Node
from ponystudio.studio.documents.editable_graph import EditableGraph
from ponystudio.widgets import metrics, theme
from ponystudio_resources import path


def facts(item: NodeItem) -> tuple[object, ...]:
    found = item.layout
    rows = [row.rect for row in found.params]
    return item.rect, found.inputs, found.outputs, rows, found.status, item.used, item.title


def mirrored(scene: GraphScene) -> None:
    """The scene is what a new one of the same document would be."""
    fresh = GraphScene(scene.document)
    assert scene.store.node_items.keys() == fresh.store.node_items.keys()
    for id, item in scene.store.node_items.items():
        assert facts(item) == facts(fresh.store.node_items[id])
    assert {
        k: (w.source, w.output, w.type, w.curves) for k, w in scene.store.wire_items.items()
    } == {k: (w.source, w.output, w.type, w.curves) for k, w in fresh.store.wire_items.items()}
    assert {id: keys for id, keys in scene.store.wires_of.items() if keys} == {
        id: keys for id, keys in fresh.store.wires_of.items() if keys
    }
    assert [f.rect for f in scene.store.frame_items] == [f.rect for f in fresh.store.frame_items]
    fresh.deleteLater()


EDITS = [
    AddNode(node("new", "t.source"), {"pos": [0, 400]}),
    AddNode(node("lost", "t.source")),
    RemoveNode("sample"),
    RemoveNode("source"),
    Disconnect("sample", "latent"),
    Connect("source", "latent", "second", "latent"),
    Connect("source", "model", "second", "model"),
    Connect("source", "latent", "second", "steps"),
    SetView(("nodes", "sample", "pos"), [320, 160]),
    SetView(("nodes", "sample", "collapsed"), True),
    SetView(("nodes", "sample", "width"), 320),
    SetView(("nodes", "sample", "dots"), {"latent": [[280, 200]]}),
    SetView(("nodes", "sample", "pos"), "nonsense"),
    SetView(("nodes", "sample"), REMOVED),
    SetTitle("sample", "First pass"),
    SetMode("sample", "muted"),
    RenameNode("sample", "renamed"),
    SetView(("frames",), [{"pos": [-20, -60], "size": [900, 500], "title": "All"}]),
    SetView(("notes",), [{"pos": [0, 600], "text": "**hello**"}]),
]


@pytest.fixture
def bare(qapp) -> EditableGraph:
    """A graph of which nothing says where its cards are."""
    graph = graph_format.read(path("graphs") / "text-to-picture.json")
    catalog = json.loads(path("catalog.json").read_text(encoding="utf-8"))
    return EditableGraph(Graph(graph.nodes), Catalog.from_json(catalog))


def places(scene: GraphScene) -> dict[str, tuple[float, float]]:
    return {id: (item.x, item.y) for id, item in scene.store.node_items.items()}


@pytest.mark.parametrize("edit", EDITS, ids=repr)
def test_the_scene_follows_every_edit_and_its_undo(scene: GraphScene, edit) -> None:
    scene.document.do(edit, "Edit")
    if "lost" not in scene.store.node_items and "nonsense" not in repr(edit):
        mirrored(scene)
    scene.document.undo()
    if "Removed" not in repr(edit):
        mirrored(scene)
    scene.document.redo()


def test_a_card_without_a_place_gets_one(qapp) -> None:
    scene = GraphScene(
        EditableGraph(Graph.of(node("a", "t.source"), node("b", "t.sample")), CATALOG)
    )
    first, second = scene.store.node_items.values()
    assert not first.rect.intersects(second.rect)


def test_another_catalog_changes_the_cards(scene: GraphScene) -> None:
    scene.store.select(["sample"])
    scene.document.set_catalog(Catalog([]))
    assert scene.store.node_items["sample"].spec is None
    assert scene.store.selected_nodes() == ["sample"]
    assert len(scene.store.wire_items) == 3
    mirrored(scene)


def test_only_what_changed_is_painted_again(scene: GraphScene) -> None:
    seen: list[QRectF | None] = []
    scene.store.damaged.connect(lambda rects: seen.extend([None] if rects is None else rects))
    scene.document.states.update("sample", phase="running", step=1, steps=20)
    assert seen
    assert None not in seen
    area = QRectF()
    for rect in seen:
        area = area.united(rect or QRectF())
    assert area.contains(scene.store.node_items["sample"].rect)
    assert not area.contains(scene.store.node_items["source"].rect)


def test_progress_paints_the_status_line_alone(scene: GraphScene) -> None:
    scene.document.states.update("sample", phase="running", step=1, steps=20)
    seen: list[QRectF | None] = []
    scene.store.damaged.connect(lambda rects: seen.extend([None] if rects is None else rects))
    scene.document.states.update("sample", step=2, left=3.0)
    assert seen == [scene.store.node_items["sample"].layout.status.translated(320, 0)]


def test_a_graph_without_a_view_is_laid_out_from_left_to_right(bare: EditableGraph) -> None:
    scene = GraphScene(bare)
    for wire in scene.store.wire_items.values():
        source, target = scene.store.node_items[wire.source], scene.store.node_items[wire.target]
        assert source.rect.right() < target.rect.left()
        assert wire.source_pos.x() == source.rect.right()
    rects = [item.rect for item in scene.store.node_items.values()]
    assert not any(a.intersects(b) for i, a in enumerate(rects) for b in rects[:i])
    assert bare.graph.view == {}


def test_cards_laid_out_here_stay_while_they_are_edited(bare: EditableGraph) -> None:
    scene = GraphScene(bare)
    before = places(scene)
    bare.do(SetParam("sampler", "steps", 4), "Steps")
    assert places(scene) == before
    bare.do(AddNode(Node("late", "core.sample")), "Add")
    late = scene.store.node_items["late"].rect
    assert late.top() > max(y for _, y in before.values())
    bare.do(SetView(("nodes", "sampler", "pos"), [-800, 0]), "Move")
    assert places(scene)["sampler"] == (-800, 0)
    bare.undo()
    bare.undo()
    assert places(scene) == before


def test_of_many_changes_views_are_told_at_once(
    scene: GraphScene, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scene_sync, "_MANY", 1)
    told: list[list[QRectF] | None] = []
    scene.store.damaged.connect(told.append)
    moves = [
        SetView(("nodes", id, "pos"), [8, 800 * i]) for i, id in enumerate(scene.store.node_items)
    ]
    scene.document.do_all(moves, "Move")
    assert told == [None]
    mirrored(scene)


def test_a_large_graph_is_not_looked_through_for_garbage_while_it_is_open(
    document: EditableGraph, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scene_sync, "_LARGE", 1)
    scene = GraphScene(document)
    assert gc.get_freeze_count() > 0
    shiboken6.delete(scene)
    assert gc.get_freeze_count() == 0


@pytest.mark.parametrize(
    ("name", "row", "gap", "hit"),
    [("comfortable", 24, 4, (28, 24)), ("compact", 22, 2, (28, 22)), ("touch", 32, 4, (40, 40))],
)
def test_cards_follow_the_density(document, name, row, gap, hit):
    scene = GraphScene(document)
    theme.set_density(metrics.DENSITIES[name])
    try:
        layout = scene.store.node_items["sample"].layout
        first, second = (param.rect for param in layout.params)
        one, two = layout.inputs[:2]
        assert (first.height(), second.top() - first.bottom()) == (row, gap)
        assert two.centre.y() - one.centre.y() == row
        assert (one.hit.width(), one.hit.height()) == hit
        aside = scene.store.input_pos("sample", "latent") - QPointF(hit[0] / 2 - 1, 0)
        assert hit_test.socket_at(scene.store, aside) == SocketRef(
            "sample", "latent", False, "latent"
        )
    finally:
        theme.set_density(metrics.COMFORTABLE)


def test_thousands_of_links_into_unknown_sockets_lead_to_the_rows_that_are_there(qapp) -> None:
    links = {f"i{i}": ("b", "latent") for i in range(20_000)}
    document = EditableGraph(
        Graph(nodes={"a": node("a", "t.sample", links), "b": node("b", "t.sample")}), CATALOG
    )
    start = time.perf_counter()
    scene = GraphScene(document)
    scene.sync.finish()
    store = scene.store
    assert time.perf_counter() - start < 5
    shown = [("a", f"i{i}") for i in range(card_layout.MOST_UNKNOWN)]
    assert list(store.wire_items) == shown
    document.do(Disconnect("a", "i0"), "Disconnect")
    assert set(store.wire_items) == {*shown[1:], ("a", f"i{card_layout.MOST_UNKNOWN}")}
    document.undo()
    assert set(store.wire_items) == {
        ("a", row.name) for row in store.node_items["a"].layout.inputs if row.kind == "connected"
    }
    assert len(store.wire_items) == card_layout.MOST_UNKNOWN


def test_a_star_of_wires_that_are_long_costs_no_more_than_one_of_short_ones(qapp) -> None:
    def seconds(step: int) -> float:
        ids = [f"n{i}" for i in range(1000)]
        nodes = {"hub": node("hub", "t.source")}
        nodes |= {id: node(id, "t.sample", {"model": ("hub", "model")}) for id in ids}
        looks = {id: {"pos": [(i + 1) * step, i * step]} for i, id in enumerate(ids)}
        document = EditableGraph(Graph(nodes=nodes, view={"nodes": looks}), CATALOG)
        start = time.perf_counter()
        scene = GraphScene(document)
        taken = time.perf_counter() - start
        assert len(scene.store.wire_items) == 1000
        return taken

    assert min(seconds(2000) for _ in range(3)) < 5 * min(seconds(1) for _ in range(3))


@pytest.fixture
def large(qapp) -> EditableGraph:
    ids = [f"n{i}" for i in range(4000)]
    nodes = {id: node(id, "t.sample", {"latent": ("source", "latent")}) for id in ids}
    nodes["source"] = node("source", "t.source")
    looks = {id: {"pos": [i * 300, 0]} for i, id in enumerate(ids[:3000])}
    return EditableGraph(Graph(nodes=nodes, view={"nodes": looks}), CATALOG)


def test_a_large_graph_is_made_in_slices_and_seen_whole_or_not_at_all(large, qtbot) -> None:
    scene = GraphScene(large)
    seen: list[tuple[int, int]] = []
    watch = QTimer(interval=0)
    watch.timeout.connect(
        lambda: seen.append((len(scene.store.node_items), len(scene.store.wire_items)))
    )
    watch.start()
    with qtbot.waitSignal(scene.sync.content_changed, timeout=30_000):
        assert not scene.sync.is_whole
    watch.stop()
    assert scene.sync.is_whole
    assert len(seen) > 3
    assert set(seen) <= {(0, 0), (4001, 4000)}
    assert (len(scene.store.node_items), len(scene.store.wire_items)) == (4001, 4000)
    at_once = GraphScene(large)
    at_once.sync.finish()
    for id in ("source", "n0", "n3999"):
        assert facts(scene.store.node_items[id]) == facts(at_once.store.node_items[id])
    assert scene.sync.automatic_positions == at_once.sync.automatic_positions
    assert scene.sync.automatic_positions.keys() == {
        "source",
        *(f"n{i}" for i in range(3000, 4000)),
    }


def test_where_cards_of_a_large_graph_lie_is_worked_out_on_a_thread(large, qtbot, monkeypatch):
    threads: list[int] = []
    work = auto_layout.missing_positions

    def noted(*arguments):
        threads.append(threading.get_ident())
        return work(*arguments)

    monkeypatch.setattr(auto_layout, "missing_positions", noted)
    scene = GraphScene(large)
    qtbot.waitUntil(lambda: scene.sync.is_whole, timeout=30_000)
    GraphScene(EditableGraph(Graph.of(node("a", "t.source")), CATALOG))
    assert len(threads) == 2
    assert threads[0] != threading.get_ident() == threads[1]


@pytest.mark.log_warnings
def test_cards_are_there_though_their_layout_fails(large, qtbot, monkeypatch, caplog) -> None:
    monkeypatch.setattr(auto_layout, "missing_positions", lambda *_: 1 / 0)
    scene = GraphScene(large)
    qtbot.waitUntil(lambda: scene.sync.is_whole, timeout=30_000)
    assert scene.store.node_items.keys() == large.graph.nodes.keys()
    assert "ZeroDivisionError" in caplog.text


def test_an_edit_of_a_graph_that_is_still_being_made_does_not_make_the_rest_at_once(
    large, qtbot
) -> None:
    scene = GraphScene(large)
    qtbot.wait(20)
    large.do(AddNode(node("new", "t.show")), "Add")
    assert not scene.sync.is_whole
    assert not scene.store.node_items
    qtbot.waitUntil(lambda: scene.sync.is_whole, timeout=30_000)
    assert scene.store.node_items.keys() == large.graph.nodes.keys()
    assert len(scene.store.wire_items) == 4000
    large.undo()
    assert scene.sync.is_whole
    assert scene.store.node_items.keys() == large.graph.nodes.keys()


def test_thousands_of_new_nodes_come_in_slices_beside_what_is_there(large, qtbot) -> None:
    document = EditableGraph(Graph.of(node("old", "t.source")), CATALOG)
    scene = GraphScene(document)
    pasted = clipboard.paste(document.graph, large.graph)
    heard: list[int] = []
    document.do_all(pasted.edits, "Paste")
    scene.sync.when_whole("count", lambda: heard.append(0))
    scene.sync.when_whole("count", lambda: heard.append(len(scene.store.node_items)))
    assert scene.store.node_items.keys() == {"old"}
    document.do(SetTitle("old", "Mine"), "Title")  # an edit meanwhile is seen
    assert scene.store.node_items["old"].title == "Mine"
    qtbot.waitUntil(lambda: scene.sync.is_whole, timeout=30_000)
    assert heard == [4002]
    scene.store.select(["old"])
    document.go_to(0)
    assert scene.sync.is_whole  # what is left is small
    assert scene.store.node_items.keys() == {"old"}
    assert scene.store.selected_nodes() == ["old"]


def test_nothing_that_is_gone_is_shown_while_what_is_left_is_made(large, qtbot) -> None:
    more = clipboard.paste(large.graph, large.graph)
    large.do_all(more.edits, "Paste")
    scene = GraphScene(large)
    scene.sync.finish()
    scene.store.select(more.nodes[:1])
    told: list[list[str]] = []
    scene.store.selection_changed.connect(lambda: told.append(scene.store.selected_nodes()))
    large.do_all(rewiring.delete(large.graph, more.nodes), "Delete")
    assert told == [[]]
    assert scene.store.node_items == {}
    assert scene.store.nodes_in(QRectF(-1e6, -1e6, 2e6, 2e6)) == []
    qtbot.waitUntil(lambda: scene.sync.is_whole, timeout=30_000)
    assert scene.store.node_items.keys() == large.graph.nodes.keys()


def test_thousands_of_frames_and_notes_come_in_slices_too(qapp, qtbot) -> None:
    document = EditableGraph(Graph(), CATALOG)
    scene = GraphScene(document)
    frames = [{"title": str(i), "pos": [0, 0]} for i in range(7000)]
    document.do(SetView(("frames",), frames), "Frames")
    assert not scene.sync.is_whole
    assert scene.store.frame_items == []
    qtbot.waitUntil(lambda: scene.sync.is_whole, timeout=30_000)
    assert [frame.title for frame in scene.store.frame_items] == [str(i) for i in range(7000)]
    scene.store.select(frames=[6999])
    document.do(SetView(("frames", 6999, "title"), "last"), "Title")
    qtbot.waitUntil(lambda: scene.sync.is_whole, timeout=30_000)
    assert scene.store.frame_items[6999].title == "last"
    assert scene.store.selected_frames() == [6999]


def test_a_new_catalog_keeps_what_is_selected_in_a_large_graph(large, qtbot) -> None:
    scene = GraphScene(large)
    scene.sync.finish()
    scene.store.select(["n5"])
    with qtbot.waitSignal(scene.sync.content_changed, timeout=30_000):
        large.set_catalog(Catalog([]))
        assert scene.store.selected_nodes() == ["n5"]
    assert scene.store.selected_nodes() == ["n5"]
    assert scene.store.node_items["n5"].spec is None


def test_where_cards_of_a_large_graph_are_is_known_as_soon_as_somebody_asks(large) -> None:
    scene = GraphScene(large)
    assert "source" in scene.sync.automatic_positions
    assert scene.sync.is_whole
