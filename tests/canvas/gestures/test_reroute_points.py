"""Reroute dots."""

from PySide6.QtCore import QPointF

from helpers.card_places import crossing


def test_dots_come_move_and_go(canvas, hands):
    at = crossing(canvas, ("save", "image"))
    hands.double_click(at)
    (dot,) = canvas.scene.store.wire_items["save", "image"].dots
    hands.drag(dot, (dot[0], dot[1] + 80))
    (moved,) = canvas.scene.store.wire_items["save", "image"].dots
    assert moved == (dot[0], dot[1] + 80)
    hands.double_click(moved)
    assert canvas.scene.store.wire_items["save", "image"].dots == ()
    assert canvas.steps == 3


def test_a_drag_on_a_wire_bends_it(canvas, hands):
    at = crossing(canvas, ("save", "image"))
    hands.drag(at, at + QPointF(0, 72))
    (dot,) = canvas.scene.store.wire_items["save", "image"].dots
    assert abs(dot[1] - at.y() - 72) <= 8
    assert canvas.steps == 1
    canvas.undo()
    assert canvas.scene.store.wire_items["save", "image"].dots == ()
