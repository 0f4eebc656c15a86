"""Where the keyboard's focus goes next."""

from PySide6.QtCore import Qt

from helpers.studio import Canvas
from ponystudio.canvas.scene.items import FocusRef

Key = Qt.Key


def test_up_and_down_go_to_the_card_there(canvas, hands):
    canvas.commands.keyboard.set(FocusRef("node", "positive"))
    hands.keys(Key.Key_Down)
    assert canvas.focus == ("node", "negative", "")
    hands.keys(Key.Key_Up)
    assert canvas.focus == ("node", "positive", "")


def test_a_wire_leads_to_its_ends(canvas, hands):
    canvas.commands.keyboard.set(FocusRef("wire", wire=("save", "image")))
    hands.keys(Key.Key_Right)
    assert canvas.focus == ("input", "save", "image")
    hands.keys(Key.Key_Left, Key.Key_Left)
    assert canvas.focus == ("output", "decode", "image")


def test_an_empty_graph_has_nothing_to_walk(qtbot):
    canvas = Canvas(qtbot)
    canvas.hands.keys(Key.Key_Right, Key.Key_Return, Key.Key_Escape)
    assert canvas.scene.focus is None
