"""Keys are bound by hand, and taken from who had them."""

from __future__ import annotations

import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest

from helpers.window import open_window

LEFT = Qt.MouseButton.LeftButton


@pytest.fixture
def window(home):
    with open_window() as window:
        window.toggle_panel("settings")
        yield window


@pytest.fixture
def keys(window):
    return window.shell.panels.currentWidget().keys


def choose(keys, words):
    keys.search.clear()
    QTest.keyClicks(keys.search, words)
    keys.list.setCurrentRow(0)
    return keys.chosen()


def test_keys_are_bound_anew_and_taken_from_others(window, keys):
    assert choose(keys, "all commands").id == "app.commands"
    keys.field.setFocus()
    QTest.keyClick(keys.field, Qt.Key.Key_N, Qt.KeyboardModifier.ControlModifier)
    assert keys.field.text() == "Ctrl+N"
    assert len(window.documents) == 1  # they are written down, not done
    assert keys.warning.text() == "Now used for: New graph"
    QTest.mouseClick(keys.bind, LEFT)
    spec = window.actions_.spec
    assert spec("app.commands").keys == ("Ctrl+N",)
    assert spec("file.new").keys == ("Ctrl+T",)
    assert keys.warning.text() == ""
    QTest.mouseClick(keys.reset, LEFT)
    assert spec("app.commands").keys == ("Ctrl+Shift+P",)


def test_what_is_no_key_binds_nothing(window, keys):
    choose(keys, "new graph")
    QTest.keyClick(keys.field, Qt.Key.Key_Control)
    QTest.keyClick(keys.field, Qt.Key.Key_M)
    QTest.keyClick(keys.field, Qt.Key.Key_Backspace)
    QTest.keyClick(keys.field, Qt.Key.Key_Return)
    assert keys.warning.text() == "Choose a command, then press its keys."
    assert window.settings.get("keys") == {}


def test_commands_are_found_by_their_keys(keys):
    assert choose(keys, "ctrl+shift+p").id == "app.commands"


def test_the_canvas_knows_its_new_keys(window, keys):
    assert choose(keys, "mute").id == "edit.mute"
    keys.field.setFocus()
    held = Qt.KeyboardModifier.ControlModifier | Qt.KeyboardModifier.AltModifier
    QTest.keyClick(keys.field, Qt.Key.Key_M, held)
    QTest.keyClick(keys.field, Qt.Key.Key_Return)
    found = next(s for s in window.actions_.specs() if s.id == "edit.mute")
    assert found.keys == ("Ctrl+Alt+M",)
