"""What fields ask of the view: editors that follow each other."""

from PySide6.QtCore import Qt

KEY, HELD = Qt.Key, Qt.KeyboardModifier


def test_a_click_elsewhere_keeps_what_was_typed(studio):
    studio.double_click(studio.at("steps"))
    studio.type("30")
    studio.click(studio.at("cfg"))
    assert (studio.value("steps"), studio.editor) == (30, None)


def test_tab_goes_on_to_the_next(studio):
    studio.double_click(studio.at("steps"))
    studio.type("30")
    studio.key(KEY.Key_Tab)
    assert studio.value("steps") == 30
    assert studio.host.focused == ("a", "width")
    studio.type("640")
    studio.key(KEY.Key_Return)
    assert studio.value("width") == 640
