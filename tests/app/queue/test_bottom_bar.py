"""The bottom bar: the queue, how far the run is, and the memory."""

from __future__ import annotations

import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest

from helpers.running import until
from helpers.window import shown
from ponystudio.app.queue.bottom_bar import BottomBar
from ponystudio.engine.protocol.run_events import RunFinished

LEFT = Qt.MouseButton.LeftButton


@pytest.fixture
def bar(qtbot, runner, document):
    return shown(qtbot, BottomBar(runner), 1400, 56)


def chips(bar, count):
    until(lambda: bar.chips.isVisible() and len(bar.chips.chips) == count)
    until(lambda: all(chip.isVisible() for chip in bar.chips.chips[:2]))
    return bar.chips.chips


def test_pause(bar, runner, document, worker):
    runner.run(document, count=2)
    chips(bar, 1)
    QTest.mouseClick(bar.pause, LEFT)
    assert runner.paused
    worker.tell(RunFinished(seconds=1.0))
    assert [piece[0] for piece in bar.progress.texts()[0]] == ["Paused", "1 job waits"]
    QTest.mouseClick(bar.pause, LEFT)
    assert not runner.paused
