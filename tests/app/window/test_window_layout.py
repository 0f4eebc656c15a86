"""Bars, panels and pages, and their widths."""

from __future__ import annotations

import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest

from helpers.window import SHIFT, open_window, press

LEFT = Qt.MouseButton.LeftButton


def test_nodes_are_shown_beside_the_canvas(window):
    window.toggle_panel("models")
    QTest.mouseClick(window.rail.buttons["nodes"], LEFT)
    assert window.page_switcher.in_front == ""
    assert window.nodes.isVisible()
    assert window.nodes.search.hasFocus()


def test_only_the_canvas_and_everything_again(window):
    window.toggle_panel("help")
    width = window.shell.right.width()
    press(window.page.view, Qt.Key.Key_F, SHIFT)
    for part in (window.rail, window.shell.panels, window.shell.right, window.bottom):
        assert not part.isVisible()
    press(window.page.view, Qt.Key.Key_F, SHIFT)
    for part in (window.rail, window.shell.panels, window.shell.right, window.bottom):
        assert part.isVisible()
    assert window.shell.panel == "help"
    assert window.shell.right.width() == width


def test_only_a_page_and_everything_again(window):
    window.toggle_panel("gallery")
    window.shell.toggle_focus_mode()
    window.shell.toggle_focus_mode()
    assert not window.shell.right.isVisible()
    window.shell.toggle_focus_mode()
    window.toggle_panel("gallery")
    assert not window.shell.right.isVisible()
    window.shell.toggle_focus_mode()
    assert window.shell.right.isVisible()


def test_a_panel_that_is_opened_ends_it(window):
    window.shell.toggle_focus_mode()
    window.toggle_panel("help")
    assert window.rail.isVisible()
    assert window.shell.panel == "help"


def test_widths_are_kept_for_the_next_start(home):
    with open_window() as window:
        sizes = window.shell.middle.sizes()
        window.shell.middle.setSizes([sizes[0], sizes[1] - 60, sizes[2] + 60])
        window.shell.right.setSizes([300, 500])
        width, upper = window.shell.right.width(), window.shell.right.sizes()
        assert width > 264
        window.toggle_panel("nodes")
        window.toggle_panel("gallery")
    with open_window() as window:
        window.toggle_panel("nodes")
        assert (window.shell.right.width(), window.shell.right.sizes()) == (width, upper)


def test_everything_grows_with_the_scale_and_shrinks_again(window):
    def sizes():
        shell = window.shell
        return (
            *(window.rail.width(), window.top.height(), shell.panels.width()),
            *(shell.right.width(), window.bottom.height(), window.tabs.height()),
        )

    window.resize(1700, 1000)
    window.toggle_panel("settings")
    QTest.qWait(50)
    before = sizes()
    assert before[:3] == (48, 44, 320)
    window.settings.set("ui_scale", 1.5)
    QTest.qWait(50)
    for now, then in zip(sizes(), before, strict=True):
        assert now == pytest.approx(1.5 * then, abs=2)
    window.settings.set("ui_scale", 1.0)
    QTest.qWait(50)
    assert sizes() == before
