"""Versions and licences."""

from __future__ import annotations

import re
import tomllib

from PySide6.QtCore import Qt
from PySide6.QtGui import QGuiApplication
from PySide6.QtTest import QTest

from helpers.window import texts
from ponystudio.app.panels.about_panel import PARTS

LEFT = Qt.MouseButton.LeftButton


def test_about_names_versions_and_licences(window):
    window.toggle_panel("about")
    panel = window.shell.panels.currentWidget()
    said = texts(panel)
    for words in ("torch", "PySide6-Essentials", "LGPL-3.0-only", "Apache-2.0", "MIT"):
        assert words in said
    QTest.mouseClick(panel.copy, LEFT)
    assert QGuiApplication.clipboard().text().startswith("PonyStudio ")


def test_the_parts_are_what_the_product_depends_on(pytestconfig):
    project = tomllib.loads((pytestconfig.rootpath / "pyproject.toml").read_text("utf-8"))
    declared = (re.match(r"[\w-]+", line)[0] for line in project["project"]["dependencies"])
    assert sorted(map(str.lower, PARTS)) == sorted(map(str.lower, declared))
