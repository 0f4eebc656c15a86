"""The viewer by mouse, wheel and keys."""

from __future__ import annotations

import pytest
from PySide6.QtCore import QPoint, QPointF, Qt
from PySide6.QtGui import QWheelEvent
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication

from helpers.gallery import LEFT, NONE


def test_the_divider_is_dragged_and_moved_by_keys(gallery):
    gallery.set_mode("slide")
    view = gallery.view
    start = QPoint(round(view.divider_x()), view.height() // 2)
    QTest.mousePress(view, LEFT, NONE, start)
    QTest.mouseMove(view, start + QPoint(60, 0))
    QTest.mouseRelease(view, LEFT, NONE, start + QPoint(60, 0))
    rect = view.camera.rect(view.panes()[0], view.picture_size())
    assert view.divider == pytest.approx(0.5 + 60 / rect.width(), abs=0.01)
    before = view.divider
    view.setFocus()
    QTest.keyClick(view, Qt.Key.Key_Left, Qt.KeyboardModifier.ShiftModifier)
    assert view.divider == pytest.approx(before - 0.02)


def wheel(view, at: QPointF, notches: int) -> None:
    event = QWheelEvent(
        at,
        view.mapToGlobal(at),
        QPoint(),
        QPoint(0, 120 * notches),
        Qt.MouseButton.NoButton,
        NONE,
        Qt.ScrollPhase.NoScrollPhase,
        False,
    )
    QApplication.sendEvent(view, event)


def test_the_wheel_zooms_at_the_pointer_and_a_drag_pans(gallery):
    view = gallery.view
    pane, size = view.panes()[0], view.picture_size()
    at = QPointF(pane.center().x() + 90, pane.center().y() - 50)

    def under(point: QPointF) -> QPointF:
        rect = view.camera.rect(pane, size)
        return QPointF(
            (point.x() - rect.x()) / rect.width(), (point.y() - rect.y()) / rect.height()
        )

    before, percent = under(at), view.percent
    wheel(view, at, 2)
    assert view.percent == pytest.approx(percent * 1.25**2)
    assert (under(at) - before).manhattanLength() < 1e-6
    assert not view.fits
    start = QPoint(300, 200)
    held = under(QPointF(start))
    QTest.mousePress(view, LEFT, NONE, start)
    QTest.mouseMove(view, start + QPoint(30, 20))
    QTest.mouseRelease(view, LEFT, NONE, start + QPoint(30, 20))
    assert (under(QPointF(start + QPoint(30, 20))) - held).manhattanLength() < 1e-6
    QTest.keyClick(view, Qt.Key.Key_F)


def test_a_double_click_goes_to_whole_pixels_and_back(gallery, qtbot):
    view = gallery.view
    QTest.mouseDClick(view, LEFT, NONE, QPoint(300, 300))
    qtbot.waitUntil(lambda: view.percent == pytest.approx(100))
    assert "100 %" in gallery.toolbar.zoom_button.text()
    QTest.mouseDClick(view, LEFT, NONE, QPoint(300, 300))
    qtbot.waitUntil(lambda: view.fits)
    assert "Fit" in gallery.toolbar.zoom_button.text()
