"""Editors in place of fields."""

from PySide6.QtCore import Qt

KEY, HELD = Qt.Key, Qt.KeyboardModifier


def test_double_click_types(studio):
    studio.double_click(studio.at("width"))
    studio.type("512*1.5")
    studio.key(KEY.Key_Return)
    assert studio.value("width") == 768
    assert studio.editor is None
    assert studio.view.hasFocus()


def test_a_digit_types_and_escape_leaves_it(studio):
    studio.click(studio.at("steps"))
    studio.type("4")
    studio.type("2")
    assert studio.editor.line.text() == "42"
    studio.key(KEY.Key_Escape)
    assert (studio.value("steps"), studio.editor) == (25, None)


def test_what_is_out_of_range_is_said_and_not_kept(studio):
    studio.double_click(studio.at("cfg"))
    studio.type("101")
    studio.key(KEY.Key_Return)
    assert studio.editor is not None
    assert "0" in studio.editor.problem
    studio.type("0")
    assert studio.editor.problem == ""
    studio.key(KEY.Key_Escape)
    assert studio.steps == 0


def test_arrows_step_while_typing(studio):
    studio.double_click(studio.at("width"))
    studio.key(KEY.Key_Up)
    assert studio.editor.line.text() == "520"
    studio.key(KEY.Key_Return)
    assert studio.value("width") == 520


def test_the_editor_keeps_to_its_field_whatever_the_app_wears(studio, qapp):
    sheet = "QLineEdit { min-height: 26px; max-height: 26px; padding: 0 8px; }"
    qapp.setStyleSheet(sheet)
    try:
        studio.view.zoom_at(0.8, studio.view.rect().center())
        studio.double_click(studio.at("steps"))
        editor = studio.editor
        assert editor.rect().contains(editor.line.geometry())
    finally:
        studio.view.editors.close()
        qapp.setStyleSheet("")
