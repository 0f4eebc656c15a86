"""Editors over the canvas."""

from __future__ import annotations

import pytest
from PySide6.QtCore import QPoint, QPointF, QRectF, Qt
from PySide6.QtGui import QWheelEvent
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QLineEdit

from ponystudio.canvas.view.view import GraphView
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


def test_an_editor_follows_the_zoom_and_commits_when_left(view: GraphView, qtbot) -> None:
    done: list[str] = []
    editor = QLineEdit("20")
    editor.setFont(theme.current().font("body"))
    view.activateWindow()
    view.editors.open(
        editor,
        QRectF(330, 120, 220, 24),
        committed=lambda: done.append("commit"),
        cancelled=lambda: done.append("cancel"),
    )
    assert editor.width() == 220
    wheel(view, 5, QPointF(500, 300))
    assert editor.width() == pytest.approx(220 * view.zoom, abs=2)
    assert editor.font().pixelSize() == round(12 * view.zoom)
    QTest.keyClick(editor, Qt.Key.Key_Escape)
    assert done == ["cancel"]
    second = QLineEdit()
    view.editors.open(second, QRectF(330, 120, 220, 24), committed=lambda: done.append("commit"))
    view.editors.close()
    assert done == ["cancel", "commit"]
