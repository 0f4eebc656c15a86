"""A line to search by."""

import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest

from ponystudio.widgets.search_field import SearchField


@pytest.fixture
def field(qtbot) -> SearchField:
    field = SearchField("Name")
    qtbot.addWidget(field)
    field.show()
    return field


def test_it_searches_a_moment_after_typing(field: SearchField, qtbot) -> None:
    searches: list[str] = []
    field.searched.connect(searches.append)
    QTest.keyClicks(field, "pony")
    assert searches == []
    qtbot.waitUntil(lambda: searches == ["pony"])


def test_escape_clears_it_and_then_leaves(field: SearchField, qtbot) -> None:
    field.setText("pony")
    with qtbot.waitSignal(field.searched, check_params_cb=lambda text: text == ""):
        QTest.keyClick(field, Qt.Key.Key_Escape)
    with qtbot.waitSignal(field.left):
        QTest.keyClick(field, Qt.Key.Key_Escape)


@pytest.mark.parametrize("key", [Qt.Key.Key_Return, Qt.Key.Key_Down])
def test_enter_and_down_go_on_to_what_was_found(field: SearchField, qtbot, key) -> None:
    with qtbot.waitSignal(field.entered):
        QTest.keyClick(field, key)
