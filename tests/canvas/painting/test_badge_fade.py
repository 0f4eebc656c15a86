"""Badges that change."""

from __future__ import annotations

from helpers.shots import on_screen, repainted, shot
from ponystudio.canvas.painting import paint_card
from ponystudio.canvas.view.view import GraphView
from ponystudio.widgets import theme


def test_badges_cross_fade(view: GraphView, qtbot, monkeypatch) -> None:
    scene, states = view.graph_scene, view.graph_scene.document.states
    fades = view.backing_store.painter.badge_fades
    states.update("sample", phase="running", step=1, steps=20)
    qtbot.waitUntil(lambda: not fades.active)
    monkeypatch.setattr(paint_card, "CROSS_MS", 600_000)
    states.update("sample", step=2)
    assert fades.of("sample") is None
    line = scene.store.node_items["sample"].layout.status.translated(320, 0)
    words = on_screen(view, line.adjusted(10, 6, -10, -4))
    before = shot(view).copy(words)
    states.update("sample", phase="done", tier="memory")
    old, share = fades.of("sample")
    assert old.text == "Step 2 of 20"
    assert share < 1
    with monkeypatch.context() as halfway:
        halfway.setattr(fades, "of", lambda _: (old, 0.5))
        during = repainted(view).copy(words)
    monkeypatch.setattr(paint_card, "CROSS_MS", 1)
    qtbot.waitUntil(lambda: fades.of("sample") is None)
    after = repainted(view).copy(words)
    assert before != after
    assert during not in (before, after)


def test_badges_change_at_once_where_nothing_may_move(view: GraphView) -> None:
    theme.set_reduced_motion(True)
    try:
        view.graph_scene.document.states.update("sample", phase="done", tier="memory")
        assert view.backing_store.painter.badge_fades.of("sample") is None
    finally:
        theme.set_reduced_motion(False)
