"""The page of what is not restored: what it says of each, and what it asks before it discards."""

from __future__ import annotations

import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest

from helpers.window import shown, texts
from ponystudio.app.window.held_back_page import HeldBackPage
from ponystudio.studio.restore_guard import Restored

LEFT = Qt.MouseButton.LeftButton
DOCUMENT = Restored("document", "20261130-101112-aa", "Ponies", "/graphs/ponies.json", 1)
NAMELESS = Restored("document", "20261130-101112-bb", strikes=1)
LOOK = Restored("settings", "look", strikes=1)
QUEUE = Restored("queue", "queue-held-1")
FILE = Restored("file", "/graphs/b.json", "b.json", "/graphs/b.json", 2)
ALL = (DOCUMENT, NAMELESS, LOOK, QUEUE, FILE)


@pytest.fixture
def page(qtbot):
    page = HeldBackPage()
    page.show_held(ALL)
    return shown(qtbot, page, 900, 900)


def card(page, item):
    return page.cards[ALL.index(item)]


def test_each_is_named_and_says_where_it_is(page):
    said = texts(page)
    for words in ("Ponies", "/graphs/ponies.json", "A graph of 2026-11-30 10:11", "In no file yet"):
        assert words in said
    assert "Look and layout" in said
    assert "The queue" in said


def test_each_offers_what_can_be_done_with_it(page):
    def offered(item):
        its = card(page, item)
        return [b.isVisible() for b in (its.open, its.text, its.copy, its.discard)]

    assert offered(DOCUMENT) == [True, True, True, True]
    assert offered(FILE) == [True, True, False, True]
    assert offered(LOOK) == offered(QUEUE) == [True, False, False, True]


def test_a_button_speaks_of_its_own(page):
    told = []
    for wanted in (page.open_wanted, page.text_wanted, page.copy_wanted):
        wanted.connect(told.append)
    its = card(page, NAMELESS)
    for button in (its.open, its.text, its.copy):
        QTest.mouseClick(button, LEFT)
    assert told == [NAMELESS] * 3


def test_nothing_is_discarded_unasked(page):
    told, its = [], card(page, DOCUMENT)
    page.discarded.connect(told.append)
    QTest.mouseClick(its.discard, LEFT)
    assert told == []
    assert page.window().focusWidget() is its.keep  # Enter does no harm
    assert not its.discard.isVisible()
    QTest.mouseClick(its.keep, LEFT)
    assert its.discard.isVisible()
    QTest.mouseClick(its.discard, LEFT)
    QTest.mouseClick(its.confirm, LEFT)
    assert told == [DOCUMENT]


def test_of_a_file_nothing_is_lost_so_nothing_is_asked(page):
    told = []
    page.discarded.connect(told.append)
    QTest.mouseClick(card(page, FILE).discard, LEFT)
    assert told == [FILE]


def test_what_is_decided_goes_and_the_rest_stays(page):
    first = card(page, LOOK)
    page.show_held((LOOK, QUEUE))
    assert page.cards[0] is first
    assert len(page.cards) == 2


def test_letters_are_read_only_and_there_is_a_way_back(page):
    page.show_text("Ponies", "<b>no markup</b>")
    assert page.text.toPlainText() == "<b>no markup</b>"
    assert page.text.isReadOnly()
    assert page.window().focusWidget() is page.text
    page.show_list()
    assert page.text is None
