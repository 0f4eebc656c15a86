"""The rail: a button for each panel and page."""

from __future__ import annotations

from PySide6.QtCore import Qt
from PySide6.QtTest import QTest

LEFT = Qt.MouseButton.LeftButton


def test_the_rail_opens_and_shows_what_is_open(window):
    QTest.mouseClick(window.rail.buttons["help"], LEFT)
    checked = {name for name, button in window.rail.buttons.items() if button.isChecked()}
    assert checked == {"help"}
    QTest.mouseClick(window.rail.buttons["help"], LEFT)
    assert not any(button.isChecked() for button in window.rail.buttons.values())


def test_every_icon_says_what_it_is(window):
    for name, button in window.rail.buttons.items():
        assert button.accessibleName(), name
        assert button.toolTip(), name
