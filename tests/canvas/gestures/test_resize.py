"""Resizing by edges."""

from PySide6.QtCore import QPointF

from helpers.card_places import rect


def test_a_card_is_as_wide_as_its_edge_is_dragged(canvas, hands):
    area = rect(canvas, "save")
    edge = QPointF(area.right() - 2, area.top() + 16)
    hands.drag(edge, edge + QPointF(83, 0))
    assert canvas.graph.view["nodes"]["save"]["width"] == 320
    edge = QPointF(rect(canvas, "save").right() - 2, area.top() + 16)
    hands.drag(edge, edge - QPointF(80, 0))
    assert "width" not in canvas.graph.view["nodes"]["save"]
    hands.drag(edge - QPointF(80, 0), edge + QPointF(900, 0))
    assert canvas.graph.view["nodes"]["save"]["width"] == 480


def test_a_frame_is_resized_by_its_corner(canvas, hands):
    canvas.scene.store.clear_selection()
    canvas.commands.edit.selection.frame(QPointF(1000, 800))
    area = canvas.scene.store.frame_items[0].rect
    corner = area.bottomRight() - QPointF(3, 3)
    hands.drag(corner, corner + QPointF(80, 40))
    after = canvas.scene.store.frame_items[0].rect
    assert (after.topLeft(), after.width()) == (area.topLeft(), area.width() + 80)
