"""Moving cards, frames and notes, by real mouse events, each one step of undo."""

from PySide6.QtCore import QPointF, Qt

from helpers.card_places import place, rect
from helpers.hands import ALT, CTRL, SHIFT
from ponystudio.graph.model import Link

ESC = Qt.Key.Key_Escape


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


def test_clicks_select_add_and_toggle(canvas, hands):
    hands.click(hands.header("save"))
    hands.click(hands.header("decode"), SHIFT)
    assert set(canvas.scene.store.selected_nodes()) == {"save", "decode"}
    hands.click(hands.header("save"), CTRL)
    assert canvas.scene.store.selected_nodes() == ["decode"]
    hands.click(QPointF(780, 760))
    assert canvas.scene.store.selected_nodes() == []


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
