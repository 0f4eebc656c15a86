"""Quiet messages: how many, how long, where, and what they do."""

from __future__ import annotations

import pytest
from PySide6.QtCore import QEvent, QPointF, Qt
from PySide6.QtGui import QEnterEvent
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QLabel, QPushButton, QWidget

from ponystudio.widgets import style_sheet, theme
from ponystudio.widgets.toasts import STAYS, Toasts

LEFT = Qt.MouseButton.LeftButton


@pytest.fixture
def host(qtbot):
    host = QWidget()
    host.resize(900, 700)
    qtbot.addWidget(host)
    host.show()
    return host


@pytest.fixture
def toasts(host):
    theme.set_reduced_motion(True)
    yield Toasts(host)
    theme.set_reduced_motion(False)
    QApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete)


def titles(toasts) -> list[str]:
    return [toast.title for toast in toasts.shown]


def test_they_stand_in_the_lower_right_one_over_the_other(toasts, host):
    older, newer = toasts.show("One", "Some text"), toasts.show("Two")
    assert newer.geometry().bottom() <= host.height() - 16
    assert newer.geometry().right() == host.width() - 16 - 1
    assert older.geometry().bottom() < newer.geometry().top()
    host.resize(700, 500)
    QApplication.processEvents()
    assert newer.geometry().right() == 700 - 16 - 1
    assert newer.geometry().bottom() < 500


def test_what_lasts_stays_until_another_ends_it(toasts):
    lasting = toasts.show("Lost", kind="warn", lasting=True)
    for number in range(4):
        toasts.show(f"{number}", kind="warn")
    assert titles(toasts) == ["Lost", "3"]
    assert not lasting.closed.isVisible()
    toasts.show("Safe again", ends="Lost")
    assert titles(toasts) == ["3", "Safe again"]


def test_they_are_as_high_as_their_texts(toasts, qapp):
    style_sheet.apply(qapp)
    text = "It ended unexpectedly (it was killed, perhaps by the system for lack of memory). "
    short, long = toasts.show("One", "Some text"), toasts.show("Two", text * 2)
    QApplication.processEvents()
    for toast in (short, long):
        title, body = toast.findChildren(QLabel)
        assert body.height() == body.heightForWidth(body.width())
        assert body.y() - title.geometry().bottom() < 12
        assert toast.width() - body.geometry().right() > 8


def test_one_that_stands_takes_another_scale(toasts, qapp):
    style_sheet.apply(qapp)
    toast = toasts.show("Title", "Some text", [("Show node", lambda: None)], "warn")
    QApplication.processEvents()
    theme.set_scale(1.5)
    try:
        QApplication.processEvents()
        again = toasts.show("Title too", "Some text", [("Show node", lambda: None)], "warn")
        QApplication.processEvents()
        places = [
            [child.geometry() for child in one.findChildren(QWidget)] for one in (toast, again)
        ]
        assert toast.size() == again.size()
        assert places[0] == places[1]
    finally:
        theme.set_scale(1.0)


def test_there_are_two_at_most_and_none_twice(toasts):
    for title in ("One", "Two", "Three", "Three"):
        toasts.show(title)
    assert titles(toasts) == ["Two", "Three"]


def test_a_fact_goes_by_itself_a_warning_stays(toasts):
    fact, warning = toasts.show("Fact"), toasts.show("Warning", kind="warn")
    assert fact.gone.isActive()
    assert fact.gone.interval() == STAYS
    assert not warning.gone.isActive()
    fact.gone.timeout.emit()
    assert titles(toasts) == ["Warning"]


def test_it_stays_while_the_pointer_is_on_it(toasts):
    toast = toasts.show("Fact")
    at = QPointF(5, 5)
    QApplication.sendEvent(toast, QEnterEvent(at, at, at))
    assert not toast.gone.isActive()
    QApplication.sendEvent(toast, QEvent(QEvent.Type.Leave))
    assert toast.gone.isActive()


def test_its_button_does_it_and_closes_it(toasts):
    done = []
    toast = toasts.show("Moved", "a.png", [("Undo", lambda: done.append(1))])
    QTest.mouseClick(toast.findChild(QPushButton), LEFT)
    assert done == [1]
    assert not toasts.shown


def test_it_is_closed_by_its_cross(toasts):
    toast = toasts.show("Warning", kind="warn")
    QTest.mouseClick(toast.closed, LEFT)
    assert not toasts.shown


def test_the_whole_text_has_room(toasts):
    text = "A long sentence about what happened, where, and what may be done about it now. " * 3
    toast = toasts.show("A title that is rather long as well, so that it needs two lines", text)
    assert toast.height() >= toast.heightForWidth(toast.width())
    assert toast.accessibleName() == toast.title
    assert toast.accessibleDescription() == text
