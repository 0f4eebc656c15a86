"""Dragging wires."""

import pytest
from PySide6.QtCore import QPointF, Qt

from helpers.card_places import crossing
from helpers.hands import ALT, CTRL, SHIFT
from helpers.studio import CATALOG, Canvas, text_to_picture
from ponystudio.api.spec import NodeSpec, OutputSpec
from ponystudio.graph.catalog import Catalog
from ponystudio.graph.editing.edits import SetView
from ponystudio.graph.model import Link, Node

ESC = Qt.Key.Key_Escape


def test_a_wire_from_output_to_input(canvas, hands):
    spec = canvas.document.catalog["core.preview_image"]
    node = canvas.commands.ops.add_node(spec, QPointF(1300, 600))
    hands.drag(hands.out("decode", "image"), hands.into(node, "image"))
    assert canvas.nodes[node].inputs == {"image": Link("decode", "image")}
    assert canvas.scene.drag is None


def test_a_wire_from_input_to_output_and_only_fitting_sockets_light_up(canvas, hands):
    spec = canvas.document.catalog["core.preview_image"]
    node = canvas.commands.ops.add_node(spec, QPointF(1300, 600))
    hands.press(hands.into(node, "image"))
    hands.move(hands.into(node, "image") - QPointF(60, 60))
    drag = canvas.scene.drag
    assert canvas.commands.hint.isVisible()
    assert canvas.commands.hint.accessibleName().startswith("Lit sockets give Image.")
    lit = {
        (r.node, r.name)
        for id in canvas.nodes
        for r in canvas.scene.store.sockets(id)
        if drag.fits(r)
    }
    assert lit == {("decode", "image")}
    hands.move(hands.out("decode", "image") + QPointF(6, 4))
    assert canvas.scene.drag.target.node == "decode", "a near socket draws the wire to itself"
    hands.release(hands.out("decode", "image") + QPointF(6, 4))
    assert canvas.nodes[node].inputs == {"image": Link("decode", "image")}


def test_a_drop_on_a_card_takes_its_likeliest_socket(canvas, hands):
    spec = canvas.document.catalog["core.preview_image"]
    node = canvas.commands.ops.add_node(spec, QPointF(1300, 600))
    hands.drag(hands.out("decode", "image"), hands.body(node))
    assert canvas.nodes[node].inputs == {"image": Link("decode", "image")}


def test_a_wire_taken_off_and_put_elsewhere_or_let_go(canvas, hands):
    hands.drag(hands.into("sampler", "negative"), hands.into("sampler", "latent"))
    assert canvas.nodes["sampler"].inputs["negative"] == Link("negative", "conditioning")
    end = hands.into("save", "image")
    hands.drag(end, end + QPointF(-20, 300))
    assert "image" not in canvas.nodes["save"].inputs
    assert canvas.palette is None, "letting go asks nothing"
    canvas.undo()
    assert canvas.nodes["save"].inputs


def test_putting_a_wire_back_changes_nothing(canvas, hands):
    end = hands.into("save", "image")
    hands.drag(end, end + QPointF(-40, 60), end)
    assert canvas.steps == 0


@pytest.mark.parametrize("keys", [SHIFT, CTRL])
def test_many_wires_move_at_once(canvas, hands, keys):
    spec = canvas.document.catalog["core.load_checkpoint"]
    other = canvas.commands.ops.add_node(spec, QPointF(120, 640))
    steps = canvas.steps
    hands.drag(hands.out("checkpoint", "clip"), hands.out(other, "clip"), keys=keys)
    assert {canvas.nodes[id].inputs["clip"].source for id in ("positive", "negative")} == {other}
    assert canvas.steps == steps + 1


def test_a_wire_dropped_on_nothing_asks_what_to_make(canvas, hands):
    start = hands.out("decode", "image")
    hands.drag(start, start + QPointF(60, 420))
    assert canvas.palette.isVisible()
    assert canvas.palette.filter.text == "takes Image"
    assert canvas.scene.drag is not None, "the wire stays in sight"
    hands.write("scale im", canvas.palette.search)
    hands.key(Qt.Key.Key_Return, widget=canvas.palette.search)
    assert canvas.nodes["scale_image"].inputs == {"image": Link("decode", "image")}
    assert canvas.scene.drag is None
    assert canvas.scene.store.selected_nodes() == ["scale_image"]
    assert canvas.steps == 1
    landed = canvas.scene.store.input_pos("scale_image", "image") - (start + QPointF(60, 420))
    assert landed.manhattanLength() <= 16, "its socket lies where the wire was dropped"


def test_escape_lets_a_wire_go(canvas, hands):
    start = hands.out("decode", "image")
    hands.press(start)
    hands.move(start + QPointF(80, 200))
    hands.key(ESC)
    assert canvas.scene.drag is None
    hands.release(start + QPointF(80, 200))
    assert canvas.palette is None
    assert canvas.steps == 0


def test_ctrl_alt_click_unlinks_a_socket(canvas, hands):
    hands.click(hands.out("checkpoint", "clip"), CTRL | ALT)
    assert "clip" not in canvas.nodes["positive"].inputs
    assert "clip" not in canvas.nodes["negative"].inputs
    assert canvas.steps == 1


def test_a_wire_dropped_on_a_field_feeds_it(qtbot):
    number = NodeSpec("test.number", 1, "Number", "Utility", outputs=(OutputSpec("value", "int"),))
    graph = text_to_picture().with_nodes([Node("number", "test.number")])
    canvas = Canvas(qtbot, graph, Catalog([*CATALOG.values(), number]))
    canvas.document.do(SetView(("nodes", "number", "pos"), [304, 760]), "Move")
    hands = canvas.hands
    row = next(
        r for r in canvas.scene.store.node_items["sampler"].layout.params if r.spec.name == "cfg"
    )
    field = row.rect.center() + canvas.scene.store.node_items["sampler"].pos()
    hands.press(hands.out("number", "value"))
    hands.move(field - QPointF(40, 0))
    hands.move(field)
    assert canvas.scene.overlay.ghosts
    assert "feed cfg" in canvas.commands.hint.accessibleName()
    hands.release(field)
    assert canvas.nodes["sampler"].inputs["cfg"] == Link("number", "value")
    assert any(ref.name == "cfg" for ref in canvas.scene.store.sockets("sampler"))
    assert canvas.scene.overlay.ghosts == ()


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
