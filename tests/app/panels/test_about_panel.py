"""Versions and licences."""

from __future__ import annotations

from PySide6.QtCore import Qt
from PySide6.QtGui import QGuiApplication
from PySide6.QtTest import QTest

from helpers.window import texts

LEFT = Qt.MouseButton.LeftButton


def test_about_names_versions_and_licences(window):
    window.toggle_panel("about")
    panel = window.shell.panels.currentWidget()
    said = texts(panel)
    for words in ("torch", "PySide6-Essentials", "LGPL-3.0-only", "Apache-2.0", "MIT"):
        assert words in said
    QTest.mouseClick(panel.copy, LEFT)
    assert QGuiApplication.clipboard().text().startswith("PonyStudio ")
