"""The memory in use, in words and shares."""

from __future__ import annotations

import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest

from helpers.window import shown
from ponystudio.app.queue.bottom_bar import BottomBar

LEFT = Qt.MouseButton.LeftButton
USE = {
    "device": "CPU", "total": 16 * 2**30, "free": 8 * 2**30, "weights": 2 * 2**30,
    "results": 2**30, "main_total": 0, "main_free": 0, "main_weights": 0, "main_results": 0,
}  # fmt: skip


@pytest.fixture
def bar(qtbot, runner, document):
    return shown(qtbot, BottomBar(runner), 1400, 56)


def test_memory(bar, link):
    link.tell("memory_use", **USE)
    assert "Weights 2.0 GB" in bar.memory.describe()
    assert "8.0 GB free of 16.0 GB" in bar.memory.describe()
    QTest.mouseClick(bar.memory.unload, LEFT)
    assert link.unloaded
    bar.resize(1000, 56)
    assert not bar.memory.legend.isVisible()
