"""Panels below fields."""

from PySide6.QtCore import QPoint, Qt

KEY = Qt.Key


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


def test_a_popup_stays_inside_the_window(studio):
    from ponystudio.canvas.view.camera_view import Camera

    rect = studio.rect("sampler")
    studio.view.set_camera(Camera(rect.center() - QPoint(240, 320), 1.0))
    studio.click(studio.at("sampler"))
    window, popup = studio.view.window().rect(), studio.popup.geometry()
    assert window.contains(popup)
