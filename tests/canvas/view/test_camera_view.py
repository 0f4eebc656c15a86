"""Where a view looks."""

from __future__ import annotations

import pytest
from PySide6.QtCore import QPoint, QPointF, Qt
from PySide6.QtGui import QWheelEvent
from PySide6.QtWidgets import QApplication

from ponystudio.canvas.view.camera_view import MIN_ZOOM, Camera
from ponystudio.canvas.view.view import GraphView
from ponystudio.studio.documents.editable_graph import Problem
from ponystudio.widgets import theme


def wheel(view: GraphView, steps: int, at: QPointF, modifiers=Qt.KeyboardModifier.NoModifier):
    event = QWheelEvent(
        at,
        QPointF(view.viewport().mapToGlobal(at.toPoint())),
        QPoint(),
        QPoint(0, 120 * steps),
        Qt.MouseButton.NoButton,
        modifiers,
        Qt.ScrollPhase.NoScrollPhase,
        False,
    )
    QApplication.sendEvent(view.viewport(), event)


def test_zoom_has_bounds(view: GraphView) -> None:
    wheel(view, 100, QPointF(10, 10))
    assert view.zoom == 4.0
    wheel(view, -200, QPointF(10, 10))
    assert view.zoom == pytest.approx(MIN_ZOOM)


def test_fit_shows_everything(view: GraphView) -> None:
    view.fit()
    assert view.visible_rect().contains(view.graph_scene.store.bounds())


def test_fit_shows_messages_below_cards(view: GraphView) -> None:
    scene = view.graph_scene
    scene.document.states.update("sample", phase="failed", problem=Problem("No.", "Try " * 60))
    view.fit()
    assert view.visible_rect().contains(scene.store.node_items["sample"].message.rect)


def test_fit_glides_where_motion_is_wanted(view: GraphView, qtbot) -> None:
    theme.set_reduced_motion(False)
    view.pan(5000, 0)
    view.fit()
    qtbot.waitUntil(
        lambda: view.visible_rect().contains(view.graph_scene.store.bounds()), timeout=3000
    )


def test_ui_scale_is_apart_from_zoom(view: GraphView) -> None:
    try:
        theme.set_scale(1.5)
        view.set_camera(Camera(QPointF(), 1.0))
        assert view.zoom == pytest.approx(1.0)
        assert view.transform().m11() == pytest.approx(1.5)
    finally:
        theme.set_scale(1.0)
