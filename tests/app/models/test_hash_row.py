"""The hash of a file, when it is asked for."""

from __future__ import annotations

import hashlib

from PySide6.QtCore import Qt
from PySide6.QtGui import QGuiApplication
from PySide6.QtTest import QTest

from helpers.models_page import choose, names, texts
from helpers.running import until
from ponystudio.errors import DamagedFile

LEFT = Qt.MouseButton.LeftButton


def test_a_hash_is_computed_when_it_is_asked_for(page, home):
    choose(page, "mine")
    path = page.chosen().path
    expected = hashlib.sha256(path.read_bytes()).hexdigest()
    assert expected[:10] not in texts(page.pane)
    QTest.mouseClick(page.pane.hash.compute, LEFT)
    until(lambda: page.chosen().sha256 == expected, 10)
    until(lambda: expected[:10] in texts(page.pane), 5)
    QTest.mouseClick(page.pane.hash.whole, LEFT)
    assert QGuiApplication.clipboard().text() == expected
    QTest.keyClicks(page.search, expected[:8])
    until(lambda: "mine" in names(page) and "ink" not in names(page), 5)


def test_why_a_hash_could_not_be_computed_stands_there_until_it_is_asked_again(page):
    choose(page, "mine")
    page.hasher.failed.emit(page.chosen().path, DamagedFile("It cannot be read."))
    page.refresh()
    assert "It cannot be read." in texts(page.pane)
    QTest.mouseClick(page.pane.hash.compute, LEFT)
    assert "It cannot be read." not in texts(page.pane)
