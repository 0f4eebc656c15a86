"""What lies over the graph while a gesture lasts."""

from __future__ import annotations

from PySide6.QtCore import QLineF, QPointF, QRectF

from helpers.shots import shot
from ponystudio.canvas.scene.items import FocusRef, Refusal
from ponystudio.canvas.view.view import GraphView


def test_every_overlay_paints_and_leaves_no_trace(view: GraphView) -> None:
    scene = view.graph_scene
    view.activateWindow()
    before = shot(view)
    scene.set_overlay(
        rubber=QRectF(100, 300, 200, 100),
        snap_lines=(QLineF(0, 0, 0, 400),),
        cut=(QPointF(0, 300), QPointF(100, 350)),
        reroute=(QPointF(0, 350), QPointF(100, 390)),
        link=QLineF(0, 400, 300, 420),
        insert=("second", "latent"),
        ghosts=(QRectF(300, 400, 240, 120),),
        refusal=Refusal(QPointF(500, 400), "Latent does not take Image", "Put Encode between"),
    )
    scene.set_focus(FocusRef("wire", wire=("second", "latent")))
    assert shot(view) != before
    for focus in (FocusRef("input", "sample", "latent"), FocusRef("param", "sample", "cfg")):
        scene.set_focus(focus)
        shot(view)
    scene.set_focus(None)
    scene.clear_overlay()
    assert shot(view) == before
