"""Texts of one line."""

from PySide6.QtCore import Qt

KEY = Qt.Key


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
