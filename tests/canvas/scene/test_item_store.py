"""Items, and the selection among them."""

from __future__ import annotations

from PySide6.QtCore import QPointF

from ponystudio.canvas.scene import hit_test
from ponystudio.canvas.scene.scene import GraphScene
from ponystudio.graph.editing.edits import (
    RemoveNode,
    SetTitle,
    SetView,
)


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
