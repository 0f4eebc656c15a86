"""Switches."""

from PySide6.QtCore import Qt

KEY = Qt.Key


def test_a_switch_turns(studio):
    studio.click(studio.at("tiled"))
    assert studio.value("tiled") is True
    studio.key(KEY.Key_Return)
    assert studio.value("tiled") is False
