"""What is known of one file."""

from __future__ import annotations

from PySide6.QtCore import Qt
from PySide6.QtGui import QGuiApplication
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QPushButton

from helpers.models_page import chip, choose, names, texts
from helpers.running import until

LEFT = Qt.MouseButton.LeftButton


def test_the_pane_tells_what_a_file_is_and_says(page):
    choose(page, "ink")
    until(lambda: "sumi-e" in [b.text() for b in page.pane.findChildren(QPushButton)], 5)
    until(lambda: "Safe file" in texts(page.pane), 5)
    said = texts(page.pane)
    for word in ("SD 1.5", "LoRA", "Safe file", "rank 4", "CC0-1.0", "Use it gently.", "ink 12"):
        assert word in said
    QTest.mouseClick(chip(page.pane, "sumi-e"), LEFT)
    assert QGuiApplication.clipboard().text() == "sumi-e"
    QTest.mouseClick(page.pane.copy, LEFT)
    assert QGuiApplication.clipboard().text() == "ink.safetensors"
    choose(page, "mine")
    assert "CC0-1.0" not in texts(page.pane)
    assert "Safe file" not in texts(page.pane)  # until it was looked into


def test_a_file_that_is_chosen_before_it_is_known_is_looked_into_then(window, page):
    choose(page, "mine")
    window.field_services.facts.forget()
    page.list.setCurrentIndex(page.model.index(names(page).index("ink")))
    assert page.chosen() is None
    until(lambda: "Use it gently." in texts(page.pane), 10)


def test_what_no_node_loads_says_how_it_is_used(page):
    choose(page, "birb")
    assert not page.pane.add.isEnabled()
    assert "A prompt names it: embedding:birb" in texts(page.pane)
    QTest.mouseClick(page.pane.copy, LEFT)
    assert QGuiApplication.clipboard().text() == "embedding:birb"
