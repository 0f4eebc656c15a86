"""The list of model folders in the settings."""

from __future__ import annotations

import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest

from helpers.window import open_window
from ponystudio.app.settings.settings_panel import FolderList

LEFT = Qt.MouseButton.LeftButton


@pytest.fixture
def window(home):
    with open_window() as window:
        window.toggle_panel("settings")
        QTest.qWait(30)
        yield window


@pytest.fixture
def panel(window):
    return window.shell.panels.currentWidget()


def test_model_folders_are_listed_and_taken_out(window, panel, home):
    folders = panel.findChild(FolderList)
    assert not folders.list.isVisible()
    assert not folders.remove.isEnabled()
    window.settings.set("model_folders", [str(home / "a"), str(home / "b")])
    assert folders.list.isVisible()
    folders.list.setCurrentRow(0)
    QTest.mouseClick(folders.remove, LEFT)
    assert window.settings.get("model_folders") == [str(home / "b")]
