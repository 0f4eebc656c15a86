"""Items, made of entries of a view that may hold anything."""

import pytest
from PySide6.QtCore import QPointF, QRectF

from ponystudio.canvas.scene.items import FrameItem, NoteItem, WireItem, dots
from ponystudio.graph.model import position


@pytest.mark.parametrize("odd", [None, 3, "x", [1], [1, "2"], [True, 1], [1e9, 0], {"x": 1}])
def test_what_is_no_position_is_none(odd) -> None:
    assert position(odd) is None
    assert dots({"dots": {"latent": [odd]}}, "latent") == ()
    assert FrameItem(0, {"pos": odd, "size": odd}).rect == QRectF(0, 0, 480, 320)


def test_frames_and_notes_are_never_too_small() -> None:
    assert NoteItem(0, {"pos": [1, 2], "size": [1, 1]}).rect == QRectF(1, 2, 40, 40)


def test_a_wire_forgets_its_course_when_it_is_led_elsewhere(qapp) -> None:
    wire = WireItem(("b", "in"), "a", "out", "latent")
    wire.route(QPointF(0, 0), QPointF(100, 0), ())
    before = wire.box
    assert wire.runs_through([QRectF(40, -5, 10, 10)])
    wire.route(QPointF(0, 500), QPointF(100, 500), ((50.0, 520.0),))
    assert wire.box != before
    assert not wire.runs_through([QRectF(40, -5, 10, 10)])
    assert len(wire.curves) == 2
