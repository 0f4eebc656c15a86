"""Chips of the queue in a row."""

from __future__ import annotations

import pytest
from PySide6.QtCore import QPoint, Qt
from PySide6.QtTest import QTest

from helpers.running import until
from helpers.window import shown
from ponystudio.app.queue.bottom_bar import BottomBar

LEFT = Qt.MouseButton.LeftButton


@pytest.fixture
def bar(qtbot, runner, document):
    return shown(qtbot, BottomBar(runner), 1400, 56)


def chips(bar, count):
    until(lambda: bar.chips.isVisible() and len(bar.chips.chips) == count)
    until(lambda: all(chip.isVisible() for chip in bar.chips.chips[:2]))
    return bar.chips.chips


def test_chips_are_dragged_into_another_order(bar, runner, document):
    runner.set_count(4)
    jobs = [runner.run(document) for _ in range(3)]
    bar.resize(2000, 56)
    _, second, third = chips(bar, 3)
    until(lambda: third.isVisible())
    assert second.state() == "4 pictures, waiting"
    grip = QPoint(8, 20)
    QTest.mousePress(third, LEFT, pos=grip)
    for x in range(0, -230, -10):
        QTest.mouseMove(third, grip + QPoint(-10 if x else -20, 0))
    QTest.mouseRelease(third, LEFT)
    assert list(runner.queue.jobs) == [jobs[0], jobs[2], jobs[1]]
    assert third.x() < second.x()


def test_what_does_not_fit_is_counted(bar, runner, document):
    for _ in range(6):
        runner.run(document)
    chips(bar, 6)
    assert bar.chips.fitting() < 6
    assert bar.memory.unload.geometry().right() <= bar.memory.width()
