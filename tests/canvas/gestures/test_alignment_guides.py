"""Cards that come level with others."""

from PySide6.QtCore import QPointF

from helpers.card_places import place


def test_cards_snap_level_with_others_and_show_it(canvas, hands):
    start = hands.header("save")
    hands.press(start)
    hands.move(start + QPointF(0, 100))
    hands.move(start + QPointF(32, 3))
    assert place(canvas, "save")[1] == place(canvas, "decode")[1]
    assert canvas.scene.overlay.snap_lines
    hands.release(start + QPointF(32, 3))
    assert not canvas.scene.overlay.snap_lines
