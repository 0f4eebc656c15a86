"""A strip of seven results, and how it is clicked."""

from __future__ import annotations

import time

import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest

from helpers.pictures import drawn, save_picture, text_to_picture
from ponystudio.app.gallery.results_strip import ResultsStrip

NONE, CONTROL, SHIFT = (
    Qt.KeyboardModifier.NoModifier,
    Qt.KeyboardModifier.ControlModifier,
    Qt.KeyboardModifier.ShiftModifier,
)
LEFT = Qt.MouseButton.LeftButton
ANIMALS = ("fox", "cat", "owl", "bear", "crow", "deer", "goat")


@pytest.fixture
def strip(results, output, scanned, qtbot):
    """Seven pictures: five of today, one of yesterday, one much older."""
    now = time.time()
    ages = [0, 1, 2, 3, 4, 86_400, 86_400 * 400]
    for number, age in enumerate(ages):
        graph = text_to_picture(ANIMALS[number], seed=2**63 + number)
        save_picture(output / f"p{number}.png", graph, drawn((32, 24)), now - age)
    scanned()
    strip = ResultsStrip(results)
    qtbot.addWidget(strip)
    strip.resize(280, 500)
    strip.show()
    strip.activateWindow()
    qtbot.waitUntil(lambda: len(strip.listing.pictures) == len(ages))
    return strip


def click(strip, row: int, modifiers=NONE, button=LEFT) -> None:
    QTest.mouseClick(strip.grid.viewport(), button, modifiers, strip.grid.cell(row).center())


def names(strip) -> list[str]:
    return [picture.name for picture in strip.selected()]
