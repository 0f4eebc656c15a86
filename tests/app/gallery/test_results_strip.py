"""The results beside the canvas: searched, scrolled, opened."""

from __future__ import annotations

import time

from PySide6.QtCore import Qt
from PySide6.QtTest import QTest

from helpers.pictures import drawn, save_picture
from ponystudio.app.gallery.results_strip import ResultsStrip
from ponystudio.studio.results.result_table import Query


def test_search_by_typing_and_back_with_escape(strip, qtbot):
    strip.search_button.click()
    QTest.keyClicks(strip.search, "bear")
    qtbot.waitUntil(lambda: [p.name for p in strip.listing.pictures] == ["p3.png"])
    assert strip.count_label.text() == "1 / 7"
    QTest.keyClicks(strip.search, "zebra")
    qtbot.waitUntil(lambda: strip.listing.pictures == ())
    assert strip.empty.isVisible()
    QTest.keyClick(strip.search, Qt.Key.Key_Escape)
    qtbot.waitUntil(lambda: len(strip.listing.pictures) == 7)
    QTest.keyClick(strip.search, Qt.Key.Key_Escape)
    assert not strip.search.isVisible()


def test_a_long_list_goes_on_as_it_is_scrolled(results, output, scanned, qtbot, monkeypatch):
    now = time.time()
    for number in range(80):
        save_picture(output / f"{number:03}.png", None, drawn((8, 8)), now - number)
    scanned()
    strip = ResultsStrip(results)
    strip.listing.show(Query(limit=20))
    qtbot.addWidget(strip)
    strip.resize(280, 300)
    strip.show()
    qtbot.waitUntil(lambda: len(strip.listing.pictures) == 20)
    bar = strip.grid.verticalScrollBar()
    qtbot.waitUntil(lambda: bar.maximum() > 0)
    bar.setValue(bar.maximum())
    qtbot.waitUntil(lambda: len(strip.listing.pictures) == 80)
    assert strip.listing.total == 80


def test_without_results_it_says_where_they_will_be(results, scanned, qtbot):
    strip = ResultsStrip(results)
    qtbot.addWidget(strip)
    strip.show()
    scanned()
    qtbot.waitUntil(lambda: strip.empty.isVisible())
    assert strip.empty.sentence.text() == "Results appear here as you run."
