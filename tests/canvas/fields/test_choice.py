"""Choices, switches and texts of one line."""

from PySide6.QtCore import Qt

KEY = Qt.Key


def test_a_click_opens_the_list_and_a_click_chooses(studio, qtbot):
    studio.click(studio.at("sampler"))
    popup = studio.popup
    assert popup.isVisible()
    rect = popup.list.visualRect(popup.rows.index(1))
    qtbot.mouseClick(popup.list.viewport(), Qt.MouseButton.LeftButton, pos=rect.center())
    assert studio.value("sampler") == "heun"
    assert studio.popup is None
    assert studio.view.hasFocus()


def test_keys_search_and_choose(studio):
    studio.click(studio.at("sampler"))
    studio.type("dpm")
    assert studio.popup.search.isVisible()
    assert studio.popup.rows.shown == ["dpm_2"]
    studio.key(KEY.Key_Return)
    assert studio.value("sampler") == "dpm_2"


def test_arrows_walk_through_the_choices(studio):
    studio.click(studio.at("sampler"))
    studio.key(KEY.Key_Escape)
    studio.key(KEY.Key_Down)
    studio.key(KEY.Key_Down)
    studio.key(KEY.Key_Down)
    assert (studio.value("sampler"), studio.steps) == ("dpm_2", 1)
