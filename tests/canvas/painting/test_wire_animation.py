"""Dots that move along wires."""

from __future__ import annotations

from PySide6.QtCore import QPointF

from helpers.shots import around, on_screen, shot
from ponystudio.canvas.painting.paint_wire import WireAnimation
from ponystudio.canvas.view.view import GraphView
from ponystudio.graph.editing.edits import SetView
from ponystudio.studio.documents.editable_graph import Problem


def test_dots_drift_only_while_something_runs(view: GraphView) -> None:
    states = view.graph_scene.document.states
    assert not view.wire_animation.active
    states.update("sample", phase="running")
    assert view.wire_animation.active
    assert {item.key for item in view.wire_animation.wires()} == {
        ("sample", "model"),
        ("sample", "latent"),
    }
    shot(view)
    states.update("sample", phase="done")
    assert not view.wire_animation.active


def test_dots_drift_below_messages(view: GraphView) -> None:
    scene = view.graph_scene
    scene.document.do(SetView(("nodes", "second", "pos"), [640, 300]), "Move")
    scene.document.states.update("sample", phase="failed", problem=Problem("No."))
    hung = scene.store.node_items["sample"].message.rect
    place = SetView(("nodes", "source", "pos"), [hung.left() - 300, hung.top() - 20])
    scene.document.do(place, "Move")
    before = shot(view)
    scene.document.states.update("second", phase="running")
    after = shot(view)
    area = view.from_scene_rect(hung.adjusted(4, 4, -4, -4)).toAlignedRect()
    assert before.copy(area) == after.copy(area)


def test_dots_drift_below_sockets_and_reroute_dots(view: GraphView, monkeypatch) -> None:
    scene = view.graph_scene
    scene.document.do(SetView(("nodes", "sample", "dots"), {"latent": [[290, 20]]}), "Reroute")
    ends = scene.store.output_pos("source", "latent"), scene.store.input_pos("sample", "latent")
    spots = [on_screen(view, around(at, 5)) for at in (QPointF(290, 20), *ends)]
    wire = on_screen(view, scene.store.wire_items["sample", "latent"].box)
    before = shot(view)
    scene.document.states.update("sample", phase="running")
    still = shot(view)
    assert before.copy(wire) != still.copy(wire)
    for offset in range(14):
        monkeypatch.setattr(WireAnimation, "offset", float(offset))
        now = shot(view)
        assert all(now.copy(spot) == still.copy(spot) for spot in spots)
