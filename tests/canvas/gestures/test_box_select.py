"""Selecting with a box."""

from PySide6.QtCore import QPointF

from helpers.card_places import rect
from helpers.hands import CTRL


def test_a_box_selects_what_it_touches(canvas, hands):
    area = rect(canvas, "decode").united(rect(canvas, "save"))
    corner = area.topLeft() - QPointF(20, 20)
    hands.drag(corner, area.bottomRight() - QPointF(100, 10))
    assert set(canvas.scene.store.selected_nodes()) == {"decode", "save"}
    assert canvas.scene.overlay.rubber is None
    hands.drag(corner, rect(canvas, "decode").center(), keys=CTRL)
    assert canvas.scene.store.selected_nodes() == ["save"]
    assert canvas.steps == 0
