"""Strokes with the right button."""

from PySide6.QtCore import QPointF

from helpers.card_places import crossing
from helpers.hands import ALT, CTRL, RIGHT, SHIFT
from ponystudio.graph.model import Link


def test_a_stroke_cuts_wires(canvas, hands):
    at = crossing(canvas, ("save", "image"))
    hands.drag(at - QPointF(0, 30), at + QPointF(0, 30), keys=CTRL, button=RIGHT)
    assert canvas.nodes["save"].inputs == {}
    assert canvas.scene.overlay.cut == ()
    assert canvas.commands.menus.shown is None


def test_a_stroke_puts_dots_on_wires(canvas, hands):
    at = crossing(canvas, ("save", "image"))
    hands.drag(at - QPointF(0, 30), at + QPointF(0, 30), keys=SHIFT, button=RIGHT)
    (dot,) = canvas.graph.view["nodes"]["save"]["dots"]["image"]
    assert abs(dot[0] - at.x()) <= 8
    assert canvas.steps == 1


def test_lazy_connect_makes_the_likeliest_wire(canvas, hands):
    spec = canvas.document.catalog["core.preview_image"]
    node = canvas.commands.ops.add_node(spec, QPointF(1300, 600))
    hands.drag(hands.body("decode"), hands.body(node), keys=ALT, button=RIGHT)
    assert canvas.nodes[node].inputs == {"image": Link("decode", "image")}
    assert canvas.scene.overlay.link is None
