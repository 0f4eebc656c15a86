"""Panels: declared once, opened, closed, one at a time."""

from __future__ import annotations

import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QLabel, QScrollArea

from helpers.window import open_window, press
from ponystudio.app.window import panel_registry
from ponystudio.app.window.panel_registry import PanelSpec
from ponystudio.app.window.window_actions import menu_entries

LEFT = Qt.MouseButton.LeftButton
PANELS = ("nodes", "templates", "queue", "log", "help", "settings", "about")


@pytest.mark.parametrize("name", PANELS)
@pytest.mark.parametrize("scale", [1.0, 1.5])
def test_each_opens_fits_its_width_and_closes(home, name, scale):
    with open_window(ui_scale=scale) as window:
        window.resize(1800, 1000)
        if name == "nodes":
            window.toggle_panel("help")
        window.toggle_panel(name)
        QTest.qWait(20)
        panel = window.shell.panels.currentWidget()
        assert window.shell.panel == name
        assert panel.accessibleName()
        assert panel.minimumSizeHint().width() <= panel.width()
        for area in panel.findChildren(QScrollArea):
            assert area.widget().minimumSizeHint().width() <= area.viewport().width()
        for label in panel.findChildren(QLabel):
            if label.isVisible() and label.wordWrap():
                assert label.height() >= label.heightForWidth(label.width()), label.text()
        window.toggle_panel(name)
        assert window.shell.panel == ""
        assert not panel.isVisible()


def test_keys_open_them(window):
    press(window.page.view, Qt.Key.Key_F1)
    assert window.shell.panel == "help"
    press(window.page.view, Qt.Key.Key_Q)
    assert window.shell.panel == "queue"


def test_a_panel_is_a_row(home, monkeypatch):
    """One more is declared in one place: rail, menu, command palette, keys and layout have it."""
    toy = PanelSpec("toy", "Toys", "star", ("Ctrl+Alt+Y",), 300, lambda _: QLabel("A toy"))
    specs = (*panel_registry.panel_specs(), toy)
    monkeypatch.setattr("ponystudio.app.window.main_window.panel_specs", lambda: specs)
    with open_window() as window:
        assert window.rail.buttons["toy"].toolTip() == "Toys (Ctrl+Alt+Y)"
        view = dict(menu_entries(specs))["View"]
        assert view[view.index("panel.toy") - 1] == "panel.log"
        assert window.actions_.spec("panel.toy").title == "Toys"
        modifiers = Qt.KeyboardModifier.ControlModifier | Qt.KeyboardModifier.AltModifier
        press(window.page.view, Qt.Key.Key_Y, modifiers)
        assert window.shell.panel == "toy"
        assert window.shell.panels.currentWidget().text() == "A toy"
        assert window.shell.panels.width() == 300
        assert window.rail.buttons["toy"].isChecked()
        QTest.mouseClick(window.rail.buttons["toy"], LEFT)
        assert window.shell.panel == ""
