"""The style sheet: every colour of it is the theme's, and what it draws with is shipped."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from PySide6.QtGui import QColor, QImage, QPalette
from PySide6.QtWidgets import QApplication, QCheckBox, QComboBox, QLabel

from ponystudio.widgets import style_sheet, theme
from ponystudio_resources import path as resource


@pytest.fixture
def dressed(qapp):
    """The app as the studio dresses it, and undressed again."""
    before = (qapp.styleSheet(), QPalette(qapp.palette()), qapp.font())

    def refresh():
        style_sheet.refresh(qapp)

    refresh()
    theme.hub.changed.connect(refresh)
    yield qapp
    theme.hub.changed.disconnect(refresh)
    theme.use("dark")
    theme.set_scale(1.0)
    qapp.setStyleSheet(before[0])
    qapp.setPalette(before[1])
    qapp.setFont(before[2])


@pytest.mark.parametrize("name", ["dark", "light"])
def test_all_colours_are_of_the_theme(qapp, name):
    theme.use(name)
    try:
        known = {theme.current().color(token).name() for token in style_sheet.COLORS}
        mixed = theme.mixed(theme.current().color("fill"), theme.current().color("text"), 0.12)
        found = set(re.findall(r"#[0-9a-f]{6}\b", style_sheet.sheet()))
        assert found <= known | {mixed.name()}
    finally:
        theme.use("dark")


@pytest.mark.parametrize("name", ["dark", "light"])
def test_marks_are_shipped_in_the_colours_of_the_theme(qapp, name):
    theme.use(name)
    try:
        files = [Path(found) for found in re.findall(r'url\("(.*?)"\)', style_sheet.sheet())]
        assert files
        for file in files:
            token = "onfill" if "check" in file.name else "text2"
            stroke = re.search(r'stroke="(#\w+)"', file.read_text())
            assert stroke is not None
            assert QColor(stroke[1]) == theme.current().color(token)
    finally:
        theme.use("dark")
    assert len(list(resource("controls").iterdir())) == 4


def test_a_checked_box_has_a_mark_besides_its_colour(dressed, qtbot):
    box = QCheckBox("Notify")
    qtbot.addWidget(box)
    box.setChecked(True)
    box.resize(box.sizeHint())
    colors = _colors(box.grab().toImage().copy(0, 0, 18, box.height()))
    assert theme.current().color("fill").rgb() in colors
    assert theme.current().color("onfill").rgb() in colors


def test_a_combo_box_shows_that_it_opens(dressed, qtbot):
    box = QComboBox()
    qtbot.addWidget(box)
    box.addItem("a")
    box.resize(160, 28)
    image = box.grab().toImage().copy(130, 4, 26, 20)
    assert len(_colors(image)) > 3


def test_theme_and_scale_are_taken_at_once(dressed, qtbot):
    label = QLabel("Results")
    label.setProperty("role", "title")
    qtbot.addWidget(label)
    label.show()
    small, dark = label.sizeHint(), dressed.palette().color(QPalette.ColorRole.Window)
    theme.set_scale(2.0)
    theme.use("light")
    assert label.sizeHint().height() > 1.7 * small.height()
    assert dressed.palette().color(QPalette.ColorRole.Window) == theme.current().color("panel")
    assert dressed.palette().color(QPalette.ColorRole.Window) != dark
    assert QApplication.font().pixelSize() == 24


def _colors(image: QImage) -> set[int]:
    return {image.pixel(x, y) for x in range(image.width()) for y in range(image.height())}
