"""Colours."""

from PySide6.QtCore import Qt
from PySide6.QtGui import QColor

KEY = Qt.Key


def test_a_colour_is_typed_and_checked(studio):
    studio.double_click(studio.at("ink", node="p"))
    studio.type("#FF8000")
    studio.key(KEY.Key_Return)
    assert studio.value("ink", "p") == "#ff8000"
    studio.key(KEY.Key_Return)
    studio.type("orange")
    studio.key(KEY.Key_Return)
    assert studio.editor is not None
    assert studio.value("ink", "p") == "#ff8000"


def test_a_colour_is_chosen_on_its_swatch_in_one_step(studio):
    before = studio.steps
    studio.click(studio.part("ink", "swatch", "p"))
    assert studio.popup.chooser.currentColor() == QColor("#0000ff")
    for colour in ("#102030", "#405060"):
        studio.popup.chooser.setCurrentColor(QColor(colour))
    assert studio.value("ink", "p") == "#405060"
    assert studio.steps == before + 1
    studio.key(KEY.Key_Escape)
    assert studio.popup is None
    studio.actions("ink", "p")["choose_colour"].run()
    assert studio.popup.chooser.currentColor() == QColor("#405060")


def test_the_swatch_has_the_colour(studio):
    picture = studio.view.viewport().grab().toImage()
    at = studio.part("ink", "swatch", "p")
    ratio = picture.devicePixelRatio()
    assert picture.pixelColor(int(at.x() * ratio), int(at.y() * ratio)) == QColor("#0000ff")
