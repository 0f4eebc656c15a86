"""What the canvas paints, looked at as a machine can: colours at places."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest
from PySide6.QtCore import QLineF, QPointF, QRect, QRectF
from PySide6.QtGui import QColor, QImage

from helpers.scenes import chain
from ponystudio.canvas.painting import badge_fade
from ponystudio.canvas.painting.wire_animation import WireAnimation
from ponystudio.canvas.scene import card_status, hit_test, screen_reader_texts
from ponystudio.canvas.scene.items import FocusRef, SocketRef
from ponystudio.canvas.scene.overlay import Refusal, WireDrag
from ponystudio.canvas.scene.scene import GraphScene
from ponystudio.canvas.view.camera import Camera
from ponystudio.canvas.view.view import GraphView
from ponystudio.graph.editing.edits import ReplaceNode, SetMode, SetView
from ponystudio.studio.documents.node_state import NodeState, Problem
from ponystudio.widgets import theme


@pytest.fixture
def view(qtbot) -> Iterator[GraphView]:
    theme.use("dark")
    view = GraphView(GraphScene(chain()))
    qtbot.addWidget(view)
    view.resize(1100, 700)
    view.show()
    qtbot.waitExposed(view)
    view.set_camera(Camera(QPointF(440, 200), 1.0))
    yield view
    theme.use("dark")


def shot(view: GraphView) -> QImage:
    view.backing_store.settle()
    return view.viewport().grab().toImage()


def color_at(view: GraphView, x: float, y: float) -> QColor:
    return shot(view).pixelColor(view.from_scene(QPointF(x, y)).toPoint())


def test_header_body_and_canvas(view: GraphView) -> None:
    look = theme.current()
    assert color_at(view, 520, 16) == look.group("sampling").header
    assert color_at(view, 440, 60) == look.color("card")
    assert color_at(view, 900, 500) == look.color("canvas")


def test_another_theme_paints_everything_anew(view: GraphView) -> None:
    shot(view)
    theme.use("light")
    assert color_at(view, 440, 60) == QColor("#FFFFFF")


@pytest.mark.parametrize(
    ("zoom", "x", "y", "token"),
    [(0.4, 520, 100, "card"), (0.1, 520, 100, "far")],
    ids=["middle", "far"],
)
def test_from_afar_cards_are_blocks(
    view: GraphView, zoom: float, x: float, y: float, token: str
) -> None:
    view.set_camera(Camera(QPointF(440, 200), zoom))
    look = theme.current()
    wanted = look.group("sampling").far if token == "far" else look.color(token)
    assert color_at(view, x, y) == wanted


@pytest.mark.parametrize("zoom", [1.0, 0.4, 0.1])
def test_selected_running_and_failed_show_at_every_zoom(view: GraphView, zoom: float) -> None:
    scene = view.graph_scene
    view.set_camera(Camera(QPointF(440, 200), zoom))
    rest = shot(view)
    scene.store.select(["sample"])
    selected = shot(view)
    scene.store.clear_selection()
    scene.document.states.update("sample", phase="running", step=1, steps=4)
    running = shot(view)
    scene.document.states.update("sample", phase="failed", problem=Problem("No."))
    failed = shot(view)
    looks = [rest, selected, running, failed]
    assert all(one != other for i, one in enumerate(looks) for other in looks[:i])


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


def test_a_dragged_wire_lights_what_fits_and_dims_the_rest(view: GraphView) -> None:
    scene = view.graph_scene
    at = scene.store.input_pos("second", "latent")
    before = color_at(view, at.x(), at.y() - 10)
    scene.set_drag(
        WireDrag(
            (SocketRef("source", "latent", True, "latent"),),
            QPointF(500, 500),
            lambda ref: not ref.is_output and ref.type == "latent",
        )
    )
    assert color_at(view, at.x(), at.y() - 10) != before
    wire = theme.current().socket("latent").color
    assert color_at(view, 500, 500) == wire
    scene.set_drag(None)
    assert color_at(view, at.x(), at.y() - 10) == before


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


def test_pictures_fit_and_keep_their_shape(view: GraphView) -> None:
    picture = QImage(400, 200, QImage.Format.Format_RGB32)
    picture.fill(QColor("#FF0000"))
    scene = view.graph_scene
    scene.document.do(SetView(("nodes", "sample", "preview"), True), "Show")
    scene.document.states.update("sample", picture=picture, phase="done")
    place = scene.store.node_items["sample"].layout.picture.translated(320, 0)
    assert color_at(view, place.center().x(), place.center().y()) == QColor("#FF0000")
    assert color_at(view, place.center().x(), place.top() + 8) == theme.current().color("field")


@pytest.mark.parametrize(
    ("state", "icon", "text", "right"),
    [
        (NodeState(), "clock", "Not run yet", ""),
        (NodeState("waiting"), "clock", "Waiting", ""),
        (NodeState("running", step=13, steps=20, left=2.4), "play", "Step 13 of 20", "2.4 s left"),
        (NodeState("running"), "play", "Running", ""),
        (NodeState("done", tier="device", seconds=6.3), "chip", "On device", "6.3 s"),
        (NodeState(tier="disk", seconds=100), "disk", "On disk", "1 min 40 s"),
        (NodeState("done", reason="Seed changed"), "again", "Seed changed", ""),
        (
            NodeState("failed", seconds=1, problem=Problem("No such file.")),
            "alert",
            "No such file",
            "",
        ),
        (NodeState("not_run", reason="Not run: A failed"), "clock", "Not run: A failed", ""),
        (NodeState(faults=(Problem("Connect vae."),)), "alert", "Connect vae", ""),
    ],
)
def test_status(view: GraphView, state: NodeState, icon: str, text: str, right: str) -> None:
    item = view.graph_scene.store.node_items["sample"]
    found = card_status.status(item.node, item.spec, state)
    assert (found.icon, found.text, found.right) == (icon, text, right)


def test_status_of_modes_and_unknown_nodes(view: GraphView) -> None:
    document = view.graph_scene.document
    document.do(SetMode("sample", "bypassed"), "Bypass")
    item = view.graph_scene.store.node_items["sample"]
    assert card_status.status(item.node, item.spec, NodeState()).text == "Passes latent"
    assert card_status.status(item.node, None, NodeState()).text == "Pack is missing"


def test_sockets_of_an_unknown_node_look_like_what_is_wired_to_them(view: GraphView) -> None:
    document = view.graph_scene.document
    document.do(ReplaceNode(replace(document.graph.nodes["sample"], type="gone.sample")), "Lose")
    wanted = theme.current().socket("latent").color
    for at in (
        view.graph_scene.store.input_pos("sample", "latent"),
        view.graph_scene.store.output_pos("sample", "latent"),
    ):
        assert color_at(view, at.x(), at.y()) == wanted


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


def around(at: QPointF, reach: float) -> QRectF:
    return QRectF(at.x() - reach, at.y() - reach, 2 * reach, 2 * reach)


def on_screen(view: GraphView, rect: QRectF) -> QRect:
    return view.from_scene_rect(rect).toAlignedRect()


def test_badges_cross_fade(view: GraphView, qtbot, monkeypatch) -> None:
    scene, states = view.graph_scene, view.graph_scene.document.states
    fades = view.backing_store.painter.badge_fades
    states.update("sample", phase="running", step=1, steps=20)
    qtbot.waitUntil(lambda: not fades.active)
    monkeypatch.setattr(badge_fade, "CROSS_MS", 600_000)
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
    monkeypatch.setattr(badge_fade, "CROSS_MS", 1)
    qtbot.waitUntil(lambda: fades.of("sample") is None)
    after = repainted(view).copy(words)
    assert before != after
    assert during not in (before, after)


def repainted(view: GraphView) -> QImage:
    view.graph_scene.store.damage()
    return shot(view)


def test_badges_change_at_once_where_nothing_may_move(view: GraphView) -> None:
    theme.set_reduced_motion(True)
    try:
        view.graph_scene.document.states.update("sample", phase="done", tier="memory")
        assert view.backing_store.painter.badge_fades.of("sample") is None
    finally:
        theme.set_reduced_motion(False)


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


@pytest.mark.parametrize("name", ["dark", "light"])
@pytest.mark.parametrize("mode", ["muted", "bypassed"])
def test_what_does_not_run_is_seen_from_afar(view: GraphView, name, mode) -> None:
    theme.use(name)
    view.graph_scene.document.do(SetMode("sample", mode), "Leave out")
    view.set_camera(Camera(QPointF(440, 200), 0.1))
    there = color_at(view, 440, 60).lightness()
    assert abs(there - theme.current().color("canvas").lightness()) > 25
