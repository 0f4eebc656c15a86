"""The run bar, by mouse and keys."""

from __future__ import annotations

import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest

from helpers.window import shown
from ponystudio.app.queue.run_bar import RunBar
from ponystudio.engine.protocol.run_events import ErrorInfo, RunFailed

LEFT = Qt.MouseButton.LeftButton


@pytest.fixture
def bar(qtbot, runner, document):
    return shown(qtbot, RunBar(runner, lambda: document), 520, 32)


def test_run_becomes_queue_and_stop_comes(bar, runner, worker):
    assert bar.start.text() == "Run"
    assert not bar.stop.isVisible()
    width = bar.start.width()
    QTest.mouseClick(bar.start, LEFT)
    assert runner.is_running
    assert bar.start.text() == "Queue"
    assert bar.start.width() == width
    QTest.mouseClick(bar.stop, LEFT)
    assert worker.cancelled
    assert not bar.stop.isEnabled()
    runner.stop_offered.emit(True)
    assert bar.stop.text() == "Stop now"
    QTest.mouseClick(bar.stop, LEFT)
    assert worker.killed == 1
    worker.tell(RunFailed(ErrorInfo("WorkerDied", "")))
    assert not bar.stop.isVisible()


def test_count_is_typed_and_stepped(bar, runner, document):
    count = bar.options.count
    QTest.mouseDClick(count, LEFT)
    QTest.keyClicks(count, "12")
    QTest.keyClick(count, Qt.Key.Key_Return)
    assert runner.count == 12
    QTest.keyClick(count, Qt.Key.Key_Down)
    assert (runner.count, count.text()) == (11, "11")
    QTest.mouseClick(bar.start, LEFT)
    assert runner.queue.running.count == 11


def test_the_seed_mode_is_chosen_from_its_menu(bar, runner):
    QTest.keyClick(bar.options.seeds, Qt.Key.Key_Space)
    menu = bar.options.seeds.menu
    menu.actions()[1].trigger()
    menu.close()
    assert runner.seed_mode == "next"
    assert bar.options.seeds.accessibleName() == "Seed +1"


def test_without_a_document_there_is_nothing_to_run(qtbot, runner):
    bar = shown(qtbot, RunBar(runner, lambda: None), 520, 32)
    assert not bar.start.isEnabled()
