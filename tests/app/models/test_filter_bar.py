"""What is listed is narrowed and ordered."""

from __future__ import annotations

from PySide6.QtCore import Qt
from PySide6.QtTest import QTest

from helpers.models_page import chip, choose, names, texts
from helpers.running import until
from helpers.studio import text_to_picture
from helpers.window import show_graph
from ponystudio.studio.models.model_list import ENTRY

LEFT = Qt.MouseButton.LeftButton
UPSCALERS = ("realesr-animevideov3-x4", "realesrgan-x4plus-anime")


def test_letters_and_chips_narrow_it(page):
    QTest.keyClicks(page.search, "realesr anime")
    until(lambda: set(names(page)) == set(UPSCALERS), 5)
    QTest.keyClick(page.search, Qt.Key.Key_Escape)
    QTest.mouseClick(chip(page, "LoRAs"), LEFT)
    assert names(page) == ["broken", "clay", "ink"]
    QTest.mouseClick(chip(page, "SD 1.5"), LEFT)
    assert names(page) == ["ink"]
    QTest.keyClicks(page.search, "xyzzy")
    until(lambda: names(page) == [], 5)
    assert page.empty.isVisible()
    QTest.mouseClick(page.empty.button, LEFT)
    assert {"mine", "ink"} <= set(names(page))


def test_trigger_words_are_found(page):
    QTest.keyClicks(page.search, "sumi")
    until(lambda: names(page) == ["ink"], 5)


def test_what_was_chosen_stays_so_in_another_order(window, page):
    choose(page, "mine")
    before = names(page)
    page.filters.order.setCurrentIndex(page.filters.order.findData("largest"))
    page.filters.order.activated.emit(page.filters.order.currentIndex())
    assert names(page) != before
    assert page.list.currentIndex().data(ENTRY).name.startswith("mine")
    assert window.settings.get("model_order") == "largest"


def test_stars_are_kept_and_can_be_all_there_is(window, page):
    choose(page, "ink")
    QTest.mouseClick(page.pane.star, LEFT)
    assert window.settings.get("starred_models") == ["loras/ink.safetensors"]
    QTest.mouseClick(page.filters.stars, LEFT)
    assert names(page) == ["ink"]
    page.list.setFocus()
    QTest.keyClick(page.list, Qt.Key.Key_S)
    assert names(page) == []
    assert window.settings.get("starred_models") == []


def test_what_does_not_fit_the_model_in_front_can_be_left_out(window, page):
    show_graph(window, text_to_picture())
    window.toggle_panel("models")
    until(lambda: page.filters.fits.isVisible(), 10)
    assert page.filters.fits.text() == "Fits SD 1.5"
    choose(page, "clay")
    assert "For SDXL; the model is SD 1.5" in texts(page.pane)
    QTest.mouseClick(page.filters.fits, LEFT)
    assert "clay" not in names(page)
    assert "ink" in names(page)
