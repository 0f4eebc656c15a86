"""Thumbnails in columns under their days."""

from __future__ import annotations

from PySide6.QtCore import QPoint, Qt
from PySide6.QtTest import QTest

from helpers.strip import click, names


def test_pictures_stand_in_columns_under_their_days(strip):
    cells = [strip.grid.cell(row) for row in range(7)]
    assert len({cell.left() for cell in cells}) == 3
    assert cells[0].top() == cells[2].top() < cells[3].top() < cells[5].top() < cells[6].top()
    assert [strip.grid.row_at(cell.center()) for cell in cells] == list(range(7))
    assert strip.grid.row_at(QPoint(2, 2)) == -1
    inside = strip.grid.viewport().rect()
    assert all(inside.left() < cell.left() and cell.right() < inside.right() for cell in cells)


def test_arrows_walk_across_the_days(strip):
    click(strip, 1)
    for key, expected in (
        (Qt.Key.Key_Down, "p4.png"),
        (Qt.Key.Key_Down, "p5.png"),
        (Qt.Key.Key_Down, "p6.png"),
        (Qt.Key.Key_Up, "p5.png"),
        (Qt.Key.Key_Up, "p3.png"),
        (Qt.Key.Key_Left, "p2.png"),
        (Qt.Key.Key_Home, "p0.png"),
        (Qt.Key.Key_End, "p6.png"),
    ):
        QTest.keyClick(strip.grid, key)
        assert names(strip) == [expected]
    assert "goat" in strip.grid.accessibleDescription()
