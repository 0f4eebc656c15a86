from __future__ import annotations

import gc
import json
from collections.abc import Iterator

import pytest
import shiboken6
from PySide6.QtCore import QPointF, QRectF

from helpers.scenes import CATALOG, chain, node
from ponystudio.canvas.scene import hit_test, scene_sync
from ponystudio.canvas.scene.items import FocusRef, NodeItem, SocketRef
from ponystudio.canvas.scene.scene import GraphScene
from ponystudio.graph.catalog import Catalog
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
from ponystudio.graph.formats import graph_file as graph_format
from ponystudio.graph.model import Graph, Node
from ponystudio.studio.documents.editable_graph import EditableGraph
from ponystudio.studio.documents.node_state import NodeState, Problem
from ponystudio.widgets import metrics, theme
from ponystudio_resources import path


@pytest.fixture
def document(qapp) -> EditableGraph:
    return chain()


@pytest.fixture
def scene(document: EditableGraph) -> Iterator[GraphScene]:
    return GraphScene(document)


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


def test_sockets_are_found_within_28_by_24(scene: GraphScene) -> None:
    at = scene.store.output_pos("source", "latent")
    ref = SocketRef("source", "latent", True, "latent")
    assert hit_test.socket_at(scene.store, at) == ref
    assert hit_test.socket_at(scene.store, at + QPointF(13, 11)) == ref
    assert hit_test.socket_at(scene.store, at + QPointF(15, 0)) is None


def test_a_card_hides_the_sockets_below_it(scene: GraphScene) -> None:
    scene.document.do(SetView(("nodes", "sample", "pos"), [200, 0]), "Move")
    scene.store.raise_nodes(["sample"])
    assert hit_test.node_at(scene.store, scene.store.output_pos("source", "model")) == "sample"
    assert hit_test.socket_at(scene.store, scene.store.output_pos("source", "latent")) is None


def test_from_afar_there_are_no_sockets_but_cards_are_handles(scene: GraphScene) -> None:
    scene.store.detail = "far"
    assert hit_test.socket_at(scene.store, scene.store.output_pos("source", "latent")) is None


def test_parts_of_a_card(scene: GraphScene) -> None:
    item = scene.store.node_items["sample"]
    middle = item.rect.left() + 60
    assert hit_test.hit(scene.store, QPointF(middle, item.rect.top() + 10)).part == "header"
    param = hit_test.param_at(
        scene.store, item.layout.params[0].rect.translated(item.rect.topLeft()).center()
    )
    assert param is not None
    assert (param.node, param.spec.name) == ("sample", "steps")
    assert hit_test.hit(scene.store, QPointF(middle, item.rect.bottom() - 5)).part == "status"
    assert hit_test.hit(scene.store, QPointF(-500, -500)).part == "empty"


def test_wires_and_dots_are_found(scene: GraphScene) -> None:
    wire = scene.store.wire_items[("second", "latent")]
    middle = wire.path.pointAtPercent(0.5)
    assert hit_test.wire_at(scene.store, middle) == ("second", "latent")
    assert hit_test.wire_at(scene.store, middle + QPointF(0, 60)) is None
    scene.document.do(SetView(("nodes", "second", "dots"), {"latent": [[600, 300]]}), "Dot")
    assert hit_test.dot_at(scene.store, QPointF(603, 303)) == (("second", "latent"), 0)
    assert hit_test.hit(scene.store, QPointF(600, 300)).part == "dot"


def test_frames_hold_the_cards_that_lie_wholly_inside(scene: GraphScene) -> None:
    entry = {"pos": [-40, -60], "size": [400, 600], "title": "Part"}
    scene.document.do(SetView(("frames",), [entry]), "Frame")
    assert scene.store.frame_contents(0) == ["source"]
    assert hit_test.hit(scene.store, QPointF(0, -50)).part == "frame_title"


def test_selection(scene: GraphScene, qtbot) -> None:
    with qtbot.waitSignal(scene.store.selection_changed):
        scene.store.select(["sample"])
    scene.store.select(["source"], mode="add")
    assert scene.store.selected_nodes() == ["source", "sample"]
    scene.store.select(["source"], mode="toggle")
    assert scene.store.selected_nodes() == ["sample"]
    scene.store.select(wires=[("second", "latent")])
    assert scene.store.selected_nodes() == []
    assert scene.store.selected_wires() == [("second", "latent")]
    scene.store.select_all()
    assert len(scene.store.selected_nodes()) == 3
    with qtbot.assertNotEmitted(scene.store.selection_changed):
        scene.store.select_all()


def test_a_selection_outlives_edits_but_not_its_node(scene: GraphScene, qtbot) -> None:
    scene.store.select(["sample"])
    scene.document.do(SetTitle("sample", "Mine"), "Rename")
    assert scene.store.selected_nodes() == ["sample"]
    with qtbot.waitSignal(scene.store.selection_changed):
        scene.document.do(RemoveNode("sample"), "Delete")
    assert scene.store.selected_nodes() == []


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


def test_a_failed_node_has_a_message_that_takes_the_mouse(scene: GraphScene, qtbot) -> None:
    problem = Problem("The file is missing.", "Choose another.", "MissingFile", "", "trace")
    scene.document.states.set("sample", NodeState("failed", problem=problem))
    message = scene.store.node_items["sample"].message
    assert message.rect.top() == scene.store.node_items["sample"].rect.bottom() + 12
    button = next(item for item in message.buttons if item.name == "details")
    hit = hit_test.hit(scene.store, message.rect.topLeft() + button.rect.center())
    assert (hit.part, hit.node, hit.button) == ("message", "sample", "details")


def test_focus_is_told(scene: GraphScene, qtbot) -> None:
    with qtbot.waitSignal(scene.focus_changed):
        scene.set_focus(FocusRef("node", "sample"))


@pytest.fixture
def bare(qapp) -> EditableGraph:
    """A graph of which nothing says where its cards are."""
    graph = graph_format.read(path("graphs") / "text-to-picture.json")
    catalog = json.loads(path("catalog.json").read_text(encoding="utf-8"))
    return EditableGraph(Graph(graph.nodes), Catalog.from_json(catalog))


def places(scene: GraphScene) -> dict[str, tuple[float, float]]:
    return {id: (item.x, item.y) for id, item in scene.store.node_items.items()}


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
