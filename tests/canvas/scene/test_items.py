"""Items, made of entries of a view that may hold anything."""

import pytest
from PySide6.QtCore import QPointF, QRectF

from helpers.drops import CATALOG
from ponystudio.canvas.scene.items import FrameItem, NodeItem, NoteItem, WireItem, dots
from ponystudio.graph.model import Node, position


@pytest.mark.parametrize("odd", [None, 3, "x", [1], [1, "2"], [True, 1], [1e9, 0], {"x": 1}])
def test_what_is_no_position_is_none(odd) -> None:
    assert position(odd) is None
    assert dots({"dots": {"latent": [odd]}}, "latent") == ()
    assert FrameItem(0, {"pos": odd, "size": odd}).rect == QRectF(0, 0, 480, 320)


def test_frames_and_notes_are_never_too_small() -> None:
    assert NoteItem(0, {"pos": [1, 2], "size": [1, 1]}).rect == QRectF(1, 2, 40, 40)


def test_cards_have_the_hue_of_their_group_or_one_that_was_chosen() -> None:
    sample, unknown = Node("a", "core.sample"), Node("b", "comfyui.Some v1.5")
    spec = CATALOG[sample.type]
    assert NodeItem(sample, spec, {}).hue == spec.group
    assert NodeItem(sample, spec, {"hue": "mask"}).hue == "mask"
    assert NodeItem(sample, spec, {"hue": 5}).hue == spec.group
    assert NodeItem(unknown, None, {}).hue == ""
    assert NodeItem(unknown, None, {"hue": "mask"}).hue == "mask"
    assert NodeItem(unknown, None, {}).title == "Some v1.5"


def test_a_wire_forgets_its_course_when_it_is_led_elsewhere(qapp) -> None:
    wire = WireItem(("b", "in"), "a", "out", "latent")
    wire.route(QPointF(0, 0), QPointF(100, 0), ())
    before = wire.box
    assert wire.runs_through([QRectF(40, -5, 10, 10)])
    wire.route(QPointF(0, 500), QPointF(100, 500), ((50.0, 520.0),))
    assert wire.box != before
    assert not wire.runs_through([QRectF(40, -5, 10, 10)])
    assert len(wire.curves) == 2
