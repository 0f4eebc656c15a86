"""Moving a view by mouse, wheel and Space."""

from __future__ import annotations

import pytest
from PySide6.QtCore import QPoint, QPointF, Qt
from PySide6.QtGui import QWheelEvent
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication

from ponystudio.canvas.view.view import GraphView


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


def test_the_wheel_zooms_at_the_pointer(view: GraphView) -> None:
    at = QPointF(300, 200)
    before = view.to_scene(at)
    wheel(view, 2, at)
    assert view.zoom == pytest.approx(1.15**2)
    after = view.to_scene(at)
    assert (after - before).manhattanLength() < 1.5


def test_the_middle_button_pans(view: GraphView) -> None:
    before = view.camera().center
    viewport = view.viewport()
    QTest.mousePress(viewport, Qt.MouseButton.MiddleButton, pos=QPoint(200, 200))
    QTest.mouseMove(viewport, QPoint(260, 230))
    QTest.mouseRelease(viewport, Qt.MouseButton.MiddleButton, pos=QPoint(260, 230))
    assert (view.camera().center - before).toTuple() == (-60, -30)


def test_space_and_drag_pan_and_a_tap_is_told(view: GraphView) -> None:
    taps: list[int] = []
    view.panning.space_tapped.connect(lambda: taps.append(1))
    before = view.camera().center
    viewport = view.viewport()
    QTest.keyPress(view, Qt.Key.Key_Space)
    QTest.mousePress(viewport, Qt.MouseButton.LeftButton, pos=QPoint(500, 600))
    QTest.mouseMove(viewport, QPoint(520, 600))
    QTest.mouseRelease(viewport, Qt.MouseButton.LeftButton, pos=QPoint(520, 600))
    QTest.keyRelease(view, Qt.Key.Key_Space)
    assert view.camera().center.x() == before.x() - 20
    assert taps == []
    QTest.keyClick(view, Qt.Key.Key_Space)
    assert taps == [1]
