"""The memory in use, in words and shares."""

from __future__ import annotations

import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest

from helpers.window import shown
from ponystudio.app.queue.bottom_bar import BottomBar
from ponystudio.engine.protocol.worker_messages import MemoryUse

LEFT = Qt.MouseButton.LeftButton
USE = MemoryUse("CPU", 16 * 2**30, 8 * 2**30, 2 * 2**30, 2**30, 0, 0, 0, 0)


@pytest.fixture
def bar(qtbot, runner, document):
    return shown(qtbot, BottomBar(runner), 1400, 56)


def test_memory(bar, worker):
    worker.receive(USE)
    assert "Weights 2.0 GB" in bar.memory.describe()
    assert "8.0 GB free of 16.0 GB" in bar.memory.describe()
    QTest.mouseClick(bar.memory.unload, LEFT)
    assert worker.unloaded
    bar.resize(1000, 56)
    assert not bar.memory.legend.isVisible()
