"""Thumbnails by mouse and keys."""

from __future__ import annotations

from PySide6.QtCore import QPoint, Qt
from PySide6.QtTest import QTest

from helpers.strip import CONTROL, LEFT, NONE, SHIFT, click, names


def test_clicks_choose_one_several_or_a_range(strip):
    click(strip, 1)
    assert names(strip) == ["p1.png"]
    click(strip, 4, CONTROL)
    assert names(strip) == ["p1.png", "p4.png"]
    click(strip, 2, SHIFT)
    assert sorted(names(strip)) == ["p2.png", "p3.png", "p4.png"]
    click(strip, 3)
    assert names(strip) == ["p3.png"]
    QTest.mouseClick(
        strip.grid.viewport(), LEFT, NONE, QPoint(1, strip.grid.viewport().height() - 2)
    )
    assert names(strip) == []


def test_enter_and_double_click_show_a_picture_large(strip, results, qtbot):
    with qtbot.waitSignal(results.actions.view_requested) as signal:
        cell = strip.grid.cell(2)
        QTest.mouseDClick(strip.grid.viewport(), LEFT, NONE, cell.center())
    assert [path.name for path in signal.args[0]] == ["p2.png"]
    click(strip, 0)
    with qtbot.waitSignal(results.actions.view_requested):
        QTest.keyClick(strip.grid, Qt.Key.Key_Return)
