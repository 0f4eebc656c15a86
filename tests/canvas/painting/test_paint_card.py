"""How cards look, at places."""

from __future__ import annotations

from PySide6.QtCore import QPointF, QRectF

from helpers.shots import color_at, on_screen, repainted, shot
from ponystudio.canvas.painting import paint_card
from ponystudio.canvas.scene import hit_test, screen_reader_texts
from ponystudio.canvas.view.view import GraphView
from ponystudio.graph.editing.edits import SetMode, SetView
from ponystudio.widgets import theme


def test_header_body_and_canvas(view: GraphView) -> None:
    look = theme.current()
    assert color_at(view, 520, 16) == look.group("sampling").header
    assert color_at(view, 440, 60) == look.color("card")
    assert color_at(view, 900, 500) == look.color("canvas")


def test_a_muted_card_lets_no_wire_through(view: GraphView) -> None:
    document = view.graph_scene.document
    document.do(SetView(("nodes", "second", "pos"), [640, 400]), "Move")
    wire = view.graph_scene.store.wire_items[("second", "latent")].path.pointAtPercent(0.5)
    document.do(SetView(("nodes", "source", "pos"), [wire.x() - 100, wire.y() - 60]), "Move")
    view.graph_scene.store.raise_nodes(["source"])
    document.do(SetMode("source", "muted"), "Mute")
    look = theme.current()
    wanted = theme.mixed(look.color("canvas"), look.color("card"), 0.55)
    found = color_at(view, wire.x(), wire.y())
    assert abs(found.red() - wanted.red()) <= 1


def test_a_note_shows_in_the_header_and_is_said_there(view: GraphView) -> None:
    scene = view.graph_scene
    said = "2 of the 8 tensors have no effect."
    before = shot(view)
    scene.document.states.update("sample", phase="done", notes=(said,))
    marked = shot(view)
    rect = scene.store.node_items["sample"].rect
    header = view.from_scene_rect(QRectF(rect.left(), rect.top(), rect.width(), 32)).toRect()
    assert marked.copy(header) != before.copy(header)
    tip = screen_reader_texts.tooltip(
        scene, hit_test.hit(scene.store, rect.topLeft() + QPointF(60, 16))
    )
    assert tip.endswith(said)


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
