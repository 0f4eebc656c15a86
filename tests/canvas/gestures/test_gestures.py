"""Gestures, by real mouse events: what they do to the graph, and one step of undo for each."""

import pytest
from PySide6.QtCore import QPointF, Qt

from helpers.hands import ALT, CTRL, RIGHT, SHIFT
from helpers.studio import CATALOG, Canvas, text_to_picture
from ponystudio.api.spec import NodeSpec, OutputSpec
from ponystudio.graph.catalog import Catalog
from ponystudio.graph.editing.edits import SetView
from ponystudio.graph.model import Graph, Link, Node

ESC = Qt.Key.Key_Escape


@pytest.fixture
def canvas(qtbot):
    return Canvas(qtbot, text_to_picture())


@pytest.fixture
def hands(canvas):
    return canvas.hands


def place(canvas, node):
    return tuple(canvas.graph.view["nodes"][node]["pos"])


def rect(canvas, node):
    return canvas.scene.store.node_items[node].rect


# Moving


def test_a_card_moves_on_the_grid_in_one_step(canvas, hands):
    before, was = canvas.graph, place(canvas, "save")
    start = hands.header("save")
    hands.drag(start, start + QPointF(45, 133), start + QPointF(93, 271))
    x, y = place(canvas, "save")
    assert (x % 8, y % 8) == (0, 0)
    assert abs(x - was[0] - 93) <= 8
    assert abs(y - was[1] - 271) <= 8
    assert canvas.scene.store.selected_nodes() == ["save"]
    assert canvas.steps == 1
    assert canvas.document.undo_text == "Move Save image"
    canvas.undo()
    assert canvas.graph == before


def test_shift_keeps_to_one_axis(canvas, hands):
    was = place(canvas, "save")
    start = hands.header("save")
    hands.drag(start, start + QPointF(20, 160), keys=SHIFT)
    assert place(canvas, "save") == (was[0], was[1] + 160)


def test_all_that_is_selected_moves_but_what_is_pinned(canvas, hands):
    canvas.scene.store.select(["decode"])
    hands.key(Qt.Key.Key_P)
    assert canvas.graph.view["nodes"]["decode"]["pinned"]
    canvas.scene.store.select(["decode", "save", "sampler"])
    was = {id: place(canvas, id) for id in canvas.nodes}
    start = hands.header("save")
    hands.drag(start, start + QPointF(0, 400))
    moved = {id for id in canvas.nodes if place(canvas, id) != was[id]}
    assert moved == {"save", "sampler"}


def test_escape_takes_a_move_back(canvas, hands):
    before = canvas.graph
    start = hands.header("save")
    hands.press(start)
    hands.move(start + QPointF(80, 80))
    assert canvas.graph != before
    hands.key(ESC)
    assert canvas.graph == before
    hands.release(start + QPointF(80, 80))
    assert canvas.graph == before
    assert canvas.scene.overlay.snap_lines == ()


def test_cards_snap_level_with_others_and_show_it(canvas, hands):
    start = hands.header("save")
    hands.press(start)
    hands.move(start + QPointF(0, 100))
    hands.move(start + QPointF(32, 3))
    assert place(canvas, "save")[1] == place(canvas, "decode")[1]
    assert canvas.scene.overlay.snap_lines
    hands.release(start + QPointF(32, 3))
    assert not canvas.scene.overlay.snap_lines


def test_alt_drags_copies_away(canvas, hands):
    was = place(canvas, "save")
    start = hands.header("save")
    hands.drag(start, start + QPointF(0, 480), keys=ALT)
    assert place(canvas, "save") == was
    assert place(canvas, "save_2")[1] >= was[1] + 400
    assert canvas.nodes["save_2"].inputs == {}
    assert canvas.scene.store.selected_nodes() == ["save_2"]
    assert canvas.steps == 1
    canvas.undo()
    assert "save_2" not in canvas.nodes


def test_a_frame_takes_its_contents_along(canvas, hands):
    canvas.scene.store.select(["decode", "save"])
    hands.key(Qt.Key.Key_G, CTRL)
    canvas.view.editors.close()
    frame = canvas.scene.store.frame_items[0]
    assert set(canvas.scene.store.frame_contents(0)) == {"decode", "save"}
    was, corner = place(canvas, "save"), frame.rect.topLeft()
    start = frame.rect.topLeft() + QPointF(60, 16)
    hands.drag(start, start + QPointF(0, 160))
    assert place(canvas, "save") == (was[0], was[1] + 160)
    assert canvas.scene.store.frame_items[0].rect.topLeft() == corner + QPointF(0, 160)


def test_dropping_a_card_on_a_wire_puts_it_in(canvas, hands):
    spec = canvas.document.catalog["core.scale_image"]
    node = canvas.commands.ops.add_node(spec, QPointF(1000, 700))
    steps = canvas.steps
    start = hands.header(node)
    wire = canvas.scene.store.wire_items["save", "image"]
    middle = QPointF(*wire.points[len(wire.points) // 2])
    hands.press(start)
    hands.move(start + QPointF(0, -20))
    hands.move(middle)
    assert canvas.scene.overlay.insert == ("save", "image")
    hands.release(middle)
    assert canvas.nodes["save"].inputs["image"] == Link(node, "image")
    assert canvas.nodes[node].inputs["image"] == Link("decode", "image")
    assert canvas.steps == steps + 1
    assert rect(canvas, "decode").right() < rect(canvas, node).left(), "room was made"
    assert rect(canvas, node).right() < rect(canvas, "save").left()


# Selecting


def test_clicks_select_add_and_toggle(canvas, hands):
    hands.click(hands.header("save"))
    hands.click(hands.header("decode"), SHIFT)
    assert set(canvas.scene.store.selected_nodes()) == {"save", "decode"}
    hands.click(hands.header("save"), CTRL)
    assert canvas.scene.store.selected_nodes() == ["decode"]
    hands.click(QPointF(780, 760))
    assert canvas.scene.store.selected_nodes() == []


def test_a_box_selects_what_it_touches(canvas, hands):
    area = rect(canvas, "decode").united(rect(canvas, "save"))
    corner = area.topLeft() - QPointF(20, 20)
    hands.drag(corner, area.bottomRight() - QPointF(100, 10))
    assert set(canvas.scene.store.selected_nodes()) == {"decode", "save"}
    assert canvas.scene.overlay.rubber is None
    hands.drag(corner, rect(canvas, "decode").center(), keys=CTRL)
    assert canvas.scene.store.selected_nodes() == ["save"]
    assert canvas.steps == 0


# Connecting


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


def test_a_refused_drop_says_why_and_its_link_helps(canvas, hands):
    start, end = hands.out("checkpoint", "clip"), hands.into("sampler", "positive")
    before = canvas.graph
    hands.drag(start, start + QPointF(30, 30), end)
    refusal = canvas.scene.overlay.refusal
    assert refusal.text == "Conditioning does not take Clip"
    assert refusal.remedy == "Put Prompt between"
    assert canvas.graph == before
    from ponystudio.canvas.painting.paint_overlay import refusal_rects

    _, link = refusal_rects(canvas.view, refusal)
    hands.click(canvas.view.to_scene(link.center()))
    assert canvas.nodes["sampler"].inputs["positive"] == Link("prompt", "conditioning")
    assert canvas.nodes["prompt"].inputs["clip"] == Link("checkpoint", "clip")
    assert canvas.scene.overlay.refusal is None
    assert canvas.steps == 1


def test_a_refusal_goes_with_the_next_press(canvas, hands):
    start, end = hands.out("checkpoint", "clip"), hands.into("sampler", "positive")
    hands.drag(start, start + QPointF(30, 30), end)
    hands.click(QPointF(780, 760))
    assert canvas.scene.overlay.refusal is None


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


def test_a_new_node_finds_its_tools(canvas, hands):
    spec = canvas.document.catalog["core.load_image"]
    node = canvas.commands.ops.add_node(spec, QPointF(300, 1000))
    start = hands.out(node, "image")
    hands.drag(start, start + QPointF(60, -60), start + QPointF(160, 0))
    hands.write("encode", canvas.palette.search)
    hands.key(Qt.Key.Key_Return, widget=canvas.palette.search)
    assert canvas.nodes["encode"].inputs == {
        "image": Link(node, "image"),
        "vae": Link("checkpoint", "vae"),
    }


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


# Strokes


def crossing(canvas, key, share=0.5):
    points = canvas.scene.store.wire_items[key].points
    return QPointF(*points[int(len(points) * share)])


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


# Dots


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


# Sizes


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


# Other doings


def test_double_click_on_nothing_opens_the_palette(canvas, hands):
    hands.double_click(QPointF(780, 760))
    assert canvas.palette.isVisible()
    hands.key(ESC, widget=canvas.palette.search)
    assert not canvas.palette.isVisible()
    assert canvas.view.window().focusWidget() is canvas.view


def test_a_click_outside_closes_the_palette(canvas, hands):
    hands.double_click(QPointF(780, 760))
    hands.click(QPointF(100, 760))
    assert not canvas.palette.isVisible()


def test_double_click_on_a_title_renames(canvas, hands):
    hands.double_click(hands.header("positive"))
    edit = canvas.view.editors.widget
    edit.setText("Subject")
    hands.key(Qt.Key.Key_Return, widget=edit)
    assert canvas.nodes["positive"].title == "Subject"


def test_ctrl_shift_click_views_an_output(canvas, hands, qtbot):
    ran = []
    canvas.scene.run_to_requested.connect(ran.append)
    hands.click(hands.header("sampler"), CTRL | SHIFT)
    assert ran == ["preview"]
    assert canvas.nodes["preview"].inputs["image"].source == "decode"
    hands.click(hands.header("sampler"), CTRL | SHIFT)
    assert ran == ["preview", "preview"]
    assert sum(n.type == "core.preview_image" for n in canvas.nodes.values()) == 1


def test_far_away_gestures_still_work(qtbot):
    from ponystudio.canvas.view.camera import Camera

    canvas = Canvas(qtbot, Graph.of(Node("a", "core.load_image"), Node("b", "core.save_image")))
    canvas.view.set_camera(Camera(QPointF(200, 100), 0.1))
    start = canvas.scene.store.node_items["b"].rect.center()
    canvas.hands.drag(start, start + QPointF(400, 400))
    assert canvas.steps == 1


def test_very_many_cards_move_when_they_are_dropped(canvas, hands, monkeypatch):
    from ponystudio.canvas.gestures import move

    monkeypatch.setattr(move, "_MANY", 3)
    canvas.scene.store.select_all()
    was = {id: place(canvas, id) for id in canvas.nodes}
    start = hands.header("save")
    hands.press(start)
    hands.move(start + QPointF(0, 200))
    assert canvas.steps == 0
    assert canvas.scene.overlay.ghosts
    hands.release(start + QPointF(0, 200))
    assert all(place(canvas, id)[1] >= was[id][1] + 192 for id in was)
    assert canvas.scene.overlay.ghosts == ()
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


def test_notes_and_frames_inside_a_frame_come_along(canvas, hands):
    canvas.scene.store.clear_selection()
    selection = canvas.commands.edit.selection
    selection.frame(QPointF(1000, 700))
    outer = canvas.scene.store.frame_items[0].rect
    selection.note(outer.topLeft() + QPointF(40, 60))
    note = canvas.scene.store.note_items[0].rect.topLeft()
    assert outer.contains(canvas.scene.store.note_items[0].rect)
    start = outer.topLeft() + QPointF(100, 16)
    hands.drag(start, start + QPointF(-80, 40))
    assert canvas.scene.store.note_items[0].rect.topLeft() == note + QPointF(-80, 40)
