"""A gallery of four plain pictures, and what is seen of it."""

from __future__ import annotations

import time

import pytest
from PIL import Image
from PySide6.QtCore import QPoint, Qt
from PySide6.QtTest import QTest

from helpers.pictures import save_picture, text_to_picture
from ponystudio.app.gallery.gallery import GalleryPage
from ponystudio.graph.catalog import shipped_catalog

NONE, CONTROL = Qt.KeyboardModifier.NoModifier, Qt.KeyboardModifier.ControlModifier
LEFT = Qt.MouseButton.LeftButton
COLORS = ["#ff0000", "#00ff00", "#0000ff", "#ffff00"]


@pytest.fixture
def gallery(results, output, scanned, qtbot, monkeypatch):
    """Four plain pictures, the first one the latest; the second is half as large."""
    now = time.time()
    for number, color in enumerate(COLORS):
        side = 32 if number == 1 else 64
        graph = text_to_picture(f"fox {number}", seed=number, steps=20 + number)
        picture = Image.new("RGB", (side, side), color)
        save_picture(output / f"p{number}.png", graph, picture, now - number)
    results.set_catalog(shipped_catalog())
    scanned()
    page = GalleryPage(results)
    qtbot.addWidget(page)
    page.resize(1200, 700)
    page.show()
    page.activateWindow()
    qtbot.waitUntil(lambda: page.current() is not None)
    qtbot.waitUntil(lambda: results.loader.get(page.current().path) is not None)
    return page


def click(widget) -> None:
    """In its middle."""
    QTest.mouseClick(widget, LEFT, NONE, widget.rect().center())


def film_click(page, row: int, modifiers=NONE) -> None:
    QTest.mouseClick(page.film.viewport(), LEFT, modifiers, page.film.cell(row).center())


def names(page) -> tuple[str, str]:
    pairing = page.pairing
    return (pairing.a.name if pairing.a else "", pairing.b.name if pairing.b else "")


def decoded(page, results, qtbot) -> None:
    pair = [path for path in (page.pairing.a, page.pairing.b) if path is not None]
    qtbot.waitUntil(lambda: all(results.loader.get(path) is not None for path in pair))


def color_at(page, x: float, y: float) -> str:
    image = page.view.grab().toImage()
    ratio = image.devicePixelRatio()
    return image.pixelColor(QPoint(round(x * ratio), round(y * ratio))).name()
