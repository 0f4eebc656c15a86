"""What is pressed on cards."""

from __future__ import annotations

from PySide6.QtCore import QPointF, Qt
from PySide6.QtGui import QImage
from PySide6.QtTest import QTest

from ponystudio.canvas.view.view import GraphView
from ponystudio.studio.documents.editable_graph import NodeState, Problem


def shot(view: GraphView) -> QImage:
    return view.viewport().grab().toImage()


def test_run_to_here_is_pressed_in_the_header(view: GraphView, qtbot) -> None:
    item = view.graph_scene.store.node_items["sample"]
    at = view.from_scene(QPointF(item.rect.right() - 42, item.rect.top() + 16)).toPoint()
    QTest.mouseMove(view.viewport(), at)
    with qtbot.waitSignal(view.graph_scene.run_to_requested) as signal:
        QTest.mouseClick(view.viewport(), Qt.MouseButton.LeftButton, pos=at)
    assert signal.args == ["sample"]


def test_a_remedy_is_pressed_in_the_message(view: GraphView, qtbot) -> None:
    problem = Problem("It went wrong.", "Do something.", "NodeFailed", "", "trace")
    view.graph_scene.document.states.set("sample", NodeState("failed", problem=problem))
    shot(view)
    message = view.graph_scene.store.node_items["sample"].message
    button = next(item for item in message.buttons if item.name == "run")
    at = view.from_scene(message.rect.topLeft() + button.rect.center()).toPoint()
    with qtbot.waitSignal(view.graph_scene.remedy_requested) as signal:
        QTest.mouseClick(view.viewport(), Qt.MouseButton.LeftButton, pos=at)
    assert signal.args == ["sample", problem, "run"]
