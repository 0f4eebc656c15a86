"""Choices, switches and texts of one line."""

from PySide6.QtCore import QPoint, Qt

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


def test_escape_and_clicks_elsewhere_only_close(studio):
    studio.click(studio.at("sampler"))
    studio.key(KEY.Key_Escape)
    assert studio.popup is None
    studio.click(studio.at("sampler"))
    studio.click(studio.at("tiled"))
    assert studio.popup is None
    assert studio.value("tiled") is False  # that click was for the list
    studio.click(studio.at("tiled"))
    assert studio.value("tiled") is True
    assert studio.value("sampler") == "euler"


def test_arrows_walk_through_the_choices(studio):
    studio.click(studio.at("sampler"))
    studio.key(KEY.Key_Escape)
    studio.key(KEY.Key_Down)
    studio.key(KEY.Key_Down)
    studio.key(KEY.Key_Down)
    assert (studio.value("sampler"), studio.steps) == ("dpm_2", 1)


def test_a_popup_stays_inside_the_window(studio):
    from ponystudio.canvas.view.camera import Camera

    rect = studio.rect("sampler")
    studio.view.set_camera(Camera(rect.center() - QPoint(240, 320), 1.0))
    studio.click(studio.at("sampler"))
    window, popup = studio.view.window().rect(), studio.popup.geometry()
    assert window.contains(popup)


def test_a_switch_turns(studio):
    studio.click(studio.at("tiled"))
    assert studio.value("tiled") is True
    studio.key(KEY.Key_Return)
    assert studio.value("tiled") is False


def test_a_text_is_typed_and_checked(studio):
    studio.double_click(studio.at("prefix"))
    studio.type("unicorn")
    studio.key(KEY.Key_Return)
    assert studio.value("prefix") == "unicorn"
    studio.key(KEY.Key_Return)
    studio.type("../away")
    studio.key(KEY.Key_Return)
    assert studio.editor is not None
    assert studio.value("prefix") == "unicorn"
