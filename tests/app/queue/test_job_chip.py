"""A job as a chip: closed, moved by keys, and what it says."""

from __future__ import annotations

import pytest
from PySide6.QtCore import Qt
from PySide6.QtGui import QFontMetricsF
from PySide6.QtTest import QTest

from helpers.running import until
from helpers.window import shown
from ponystudio.app.queue.bottom_bar import BottomBar
from ponystudio.app.queue.job_chip import JobChip, longest_within
from ponystudio.engine.protocol.run_events import NodeStarted, Progress, RunStarted
from ponystudio.widgets import theme

LEFT = Qt.MouseButton.LeftButton


@pytest.fixture
def bar(qtbot, runner, document):
    return shown(qtbot, BottomBar(runner), 1400, 56)


def chips(bar, count):
    until(lambda: bar.chips.isVisible() and len(bar.chips.chips) == count)
    until(lambda: all(chip.isVisible() for chip in bar.chips.chips[:2]))
    return bar.chips.chips


def test_chips_are_closed_and_moved_by_keys(bar, runner, document, worker):
    jobs = [runner.run(document) for _ in range(3)]
    bar.resize(2000, 56)
    _, second, third = chips(bar, 3)
    QTest.keyClick(third, Qt.Key.Key_Left, Qt.KeyboardModifier.AltModifier)
    assert list(runner.queue.jobs) == [jobs[0], jobs[2], jobs[1]]
    QTest.mouseClick(second, LEFT, pos=second.close_rect().center())
    assert list(runner.queue.jobs) == [jobs[0], jobs[2]]
    QTest.keyClick(third, Qt.Key.Key_Delete)
    assert list(runner.queue.jobs) == [jobs[0]]


@pytest.mark.parametrize("scale", [1.0, 1.5])
def test_what_a_chip_says_is_shorter_where_there_is_less_room(
    qtbot, runner, document, worker, scale
):
    theme.set_scale(scale)
    try:
        runner.run(document, count=12)
        runner.run(document, count=12)
        worker.tell(RunStarted(nodes=2, steps=1, device=""))
        worker.tell(NodeStarted(node="end", why="x"))
        worker.tell(Progress(node="end", step=118, steps=1250))
        running, waiting = runner.queue.jobs
        metrics = QFontMetricsF(theme.font("caption"))
        for job, words in (
            (running, ["1/12  Steps, 118 of 1250", "1/12  118 of 1250"]),
            (waiting, ["12 pictures, waiting", "12 pictures"]),
        ):
            chip = JobChip(job)
            qtbot.addWidget(chip)
            # The whole of it is always there to be read.
            assert chip.toolTip() == chip.accessibleName() == f"Untitled, {chip.state()}"
            for text in words:
                room = metrics.horizontalAdvance(text) + 1
                assert longest_within(chip.states(), metrics, room) == text
        assert longest_within(["Long words"], metrics, 30).endswith("…")
    finally:
        theme.set_scale(1.0)
