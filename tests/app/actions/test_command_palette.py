"""The palette of all commands, by keys."""

from __future__ import annotations

import pytest
from PySide6.QtCore import QEvent, Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QWidget

from ponystudio.app.actions.action_registry import ActionRegistry
from ponystudio.app.actions.command_palette import CommandPalette
from ponystudio.studio.settings import Settings
from ponystudio.widgets.action import ActionSpec


@pytest.fixture
def done():
    return []


@pytest.fixture
def palette(qtbot, tmp_path, done):
    host = QWidget()
    host.resize(900, 700)
    qtbot.addWidget(host)
    host.show()
    actions = ActionRegistry(host, Settings(tmp_path / "settings.json"))
    actions.add(
        [
            ActionSpec("file.new", "New graph", lambda: done.append("new"), ("Ctrl+N",), "File"),
            ActionSpec(
                *("file.tidy", "Save tidily", lambda: done.append("never")),
                *((), "File", "save", lambda: False),
            ),
            ActionSpec("arrange.tidy", "Tidy up", lambda: done.append("tidy"), (), "Arrange"),
            ActionSpec("app.commands", "All commands…", lambda: 0, (), "App"),
        ]
    )
    palette = CommandPalette(host, actions)
    palette.open()
    yield palette
    QApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete)


def rows(palette) -> list[str]:
    return [palette.list.item(row).text() for row in range(palette.list.count())]


def test_it_lists_all_but_itself_and_what_can_be_done_first(palette):
    assert rows(palette) == ["File: New graph", "Arrange: Tidy up", "File: Save tidily"]
    assert palette.search.hasFocus() or palette.focusWidget() is palette.search


def test_letters_find_and_enter_does_it(palette, done):
    QTest.keyClicks(palette.search, "tidy")
    assert rows(palette) == ["Arrange: Tidy up", "File: Save tidily"]
    QTest.keyClick(palette.search, Qt.Key.Key_Return)
    assert done == ["tidy"]
    assert not palette.isVisible()


def test_arrows_go_round(palette, done):
    QTest.keyClick(palette.search, Qt.Key.Key_Up)
    assert palette.list.currentRow() == 2
    QTest.keyClick(palette.search, Qt.Key.Key_Return)
    assert palette.isVisible()  # it cannot be done now
    assert not done
    QTest.keyClick(palette.search, Qt.Key.Key_Down)
    assert palette.list.currentRow() == 0
    QTest.keyClick(palette.search, Qt.Key.Key_PageDown)
    assert palette.list.currentRow() == 2


def test_what_is_called_nothing_is_said(palette):
    tall = palette.height()
    QTest.keyClicks(palette.search, "xyzzy")
    assert palette.nothing_found.isVisible()
    assert not palette.list.isVisible()
    assert palette.height() < tall
    QTest.keyClick(palette.search, Qt.Key.Key_Return)
    assert palette.isVisible()


def test_esc_leaves_at_once(palette, done):
    QTest.keyClicks(palette.search, "tidy")
    QTest.keyClick(palette.search, Qt.Key.Key_Escape)
    assert not palette.isVisible()
    assert not done


def test_a_click_does_it(palette, done):
    item = palette.list.item(1)
    at = palette.list.visualItemRect(item).center()
    QTest.mouseClick(palette.list.viewport(), Qt.MouseButton.LeftButton, pos=at)
    assert done == ["tidy"]
