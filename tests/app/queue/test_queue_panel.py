"""The queue as a list: moved and closed."""

from __future__ import annotations

from PySide6.QtCore import Qt
from PySide6.QtTest import QTest

from helpers.window import shown
from ponystudio.app.queue.queue_panel import QueuePanel

LEFT = Qt.MouseButton.LeftButton


def test_the_queue_panel_moves_and_closes(qtbot, runner, document):
    panel = shown(qtbot, QueuePanel(runner), 220, 400)
    assert panel.hint.isVisible()
    jobs = [runner.run(document) for _ in range(3)]
    chips = panel.chips
    assert [chip.y() for chip in chips] == [0, 48, 96]
    QTest.keyClick(chips[2], Qt.Key.Key_Up, Qt.KeyboardModifier.AltModifier)
    assert list(runner.queue.jobs) == [jobs[0], jobs[2], jobs[1]]
    QTest.mouseClick(panel.empty, LEFT)
    assert [job.status for job in runner.queue.jobs] == ["stopping"]
