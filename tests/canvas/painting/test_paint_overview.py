"""The graph from far away."""

from __future__ import annotations

import pytest
from PySide6.QtCore import QPointF

from helpers.shots import color_at, shot
from ponystudio.canvas.view.camera_view import Camera
from ponystudio.canvas.view.view import GraphView
from ponystudio.graph.editing.edits import SetMode
from ponystudio.studio.documents.editable_graph import Problem
from ponystudio.widgets import theme


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


@pytest.mark.parametrize("name", ["dark", "light"])
@pytest.mark.parametrize("mode", ["muted", "bypassed"])
def test_what_does_not_run_is_seen_from_afar(view: GraphView, name, mode) -> None:
    theme.use(name)
    view.graph_scene.document.do(SetMode("sample", mode), "Leave out")
    view.set_camera(Camera(QPointF(440, 200), 0.1))
    there = color_at(view, 440, 60).lightness()
    assert abs(there - theme.current().color("canvas").lightness()) > 25
