"""What the canvas paints, looked at as a machine can: colours at places."""

from __future__ import annotations

from PySide6.QtCore import QPointF
from PySide6.QtGui import QColor

from helpers.shots import color_at, shot
from helpers.studio import CATALOG
from ponystudio.canvas.painting import paint_card, paint_frame
from ponystudio.canvas.painting.paint_scene import MOST_PAINTED
from ponystudio.canvas.scene.scene import GraphScene
from ponystudio.canvas.view.camera_view import Camera
from ponystudio.canvas.view.view import GraphView
from ponystudio.graph.model import Graph, Node
from ponystudio.studio.documents.editable_graph import EditableGraph
from ponystudio.widgets import theme


def test_another_theme_paints_everything_anew(view: GraphView) -> None:
    shot(view)
    theme.use("light")
    assert color_at(view, 440, 60) == QColor("#FFFFFF")


def test_of_a_heap_of_cards_those_on_top_are_painted(qtbot, monkeypatch) -> None:
    """Thousands in one place, as only a file puts them, took seconds for each frame."""
    nodes = [Node(f"n{i}", "core.decode_latent") for i in range(MOST_PAINTED + 500)]
    places = {node.id: {"pos": [0, 0]} for node in nodes}
    graph = Graph(nodes={node.id: node for node in nodes}, view={"nodes": places})
    view = GraphView(GraphScene(EditableGraph(graph, CATALOG)))
    qtbot.addWidget(view)
    view.resize(600, 400)
    view.set_camera(Camera(QPointF(0, 0), 1.0))
    painted = []
    monkeypatch.setattr(paint_card, "paint", lambda _painter, item, *_: painted.append(item.id))
    shot(view)
    assert set(painted) == {node.id for node in nodes[-MOST_PAINTED:]}


def test_of_a_heap_of_frames_the_largest_are_painted(qtbot, monkeypatch) -> None:
    frames = [{"pos": [0, 0], "size": [100 + i, 100]} for i in range(MOST_PAINTED + 500)]
    view = GraphView(GraphScene(EditableGraph(Graph(view={"frames": frames}), CATALOG)))
    qtbot.addWidget(view)
    view.resize(600, 400)
    view.set_camera(Camera(QPointF(0, 0), 1.0))
    painted = []
    note = lambda _painter, item, *_: painted.append(item.index)  # noqa: E731
    monkeypatch.setattr(paint_frame, "paint_frame", note)
    shot(view)
    assert set(painted) == set(range(500, MOST_PAINTED + 500))
