"""The minimap."""

from __future__ import annotations

import pytest
from PySide6.QtCore import QPoint, QPointF, Qt
from PySide6.QtGui import QMouseEvent
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication

from ponystudio.canvas.view.camera_view import Camera
from ponystudio.canvas.view.view import GraphView
from ponystudio.graph.editing.edits import RemoveNode
from ponystudio.widgets import metrics, theme


def test_a_press_on_the_minimap_moves_the_view_there(view: GraphView) -> None:
    view.set_camera(Camera(QPointF(900, 0), 2.0))
    QTest.mouseClick(view.minimap, Qt.MouseButton.LeftButton, pos=QPoint(20, 60))
    assert view.camera().center.x() < 100


def test_what_the_view_shows_is_dragged_on_the_minimap(view: GraphView) -> None:
    view.set_camera(Camera(QPointF(400, 100), 2.0))
    before = view.camera().center
    middle = view.minimap.rect().center()
    QTest.mousePress(view.minimap, Qt.MouseButton.LeftButton, pos=middle)
    moved = view.camera().center - before
    assert moved.manhattanLength() < 2
    at = QPointF(middle + QPoint(10, 0))
    QApplication.sendEvent(
        view.minimap,
        QMouseEvent(
            QMouseEvent.Type.MouseMove,
            at,
            view.minimap.mapToGlobal(at),
            Qt.MouseButton.NoButton,
            Qt.MouseButton.LeftButton,
            Qt.KeyboardModifier.NoModifier,
        ),
    )
    QTest.mouseRelease(view.minimap, Qt.MouseButton.LeftButton, pos=middle + QPoint(10, 0))
    assert view.camera().center.x() > before.x() + 20


def test_the_minimap_is_there_while_there_is_something_to_show(view: GraphView, qtbot) -> None:
    assert view.minimap.isVisible()
    told: list[bool] = []
    view.minimap.toggled.connect(told.append)
    view.minimap.toggle()
    assert not view.minimap.isVisible()
    view.minimap.toggle()
    assert told == [False, True]
    document = view.graph_scene.document
    document.do_all([RemoveNode(id) for id in document.graph.nodes], "Delete")
    qtbot.waitUntil(lambda: not view.minimap.isVisible())
    document.undo()
    qtbot.waitUntil(view.minimap.isVisible)
    view.resize(400, 300)
    qtbot.waitUntil(lambda: not view.minimap.isVisible())


@pytest.mark.parametrize("name", metrics.DENSITIES)
def test_the_minimap_stays_clear_of_the_zoom_bar(view: GraphView, name: str) -> None:
    theme.set_density(metrics.DENSITIES[name])
    try:
        below = view.minimap.geometry().bottom() + 1
        assert view.zoom_bar.geometry().top() - below == 12
    finally:
        theme.set_density(metrics.COMFORTABLE)
