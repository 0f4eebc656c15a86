"""What is done to what is selected, and the clipboard across documents."""

import pytest
from PySide6.QtCore import QPointF, Qt
from PySide6.QtGui import QGuiApplication

from helpers.hands import ALT, CTRL, SHIFT
from helpers.studio import CATALOG, Canvas
from ponystudio.canvas.commands.edit_commands import LONG_TEXT
from ponystudio.graph.editing.edits import SetView
from ponystudio.graph.formats import clipboard
from ponystudio.graph.model import Graph, Link, Node

Key = Qt.Key


def test_delete_and_dissolve(canvas, hands):
    canvas.scene.store.select(["decode"])
    hands.key(Key.Key_Delete)
    assert "decode" not in canvas.nodes
    assert canvas.nodes["save"].inputs == {}
    hands.key(Key.Key_Z, CTRL)
    assert "decode" in canvas.nodes
    canvas.scene.store.select(["sampler"])
    hands.key(Key.Key_Delete, CTRL)
    assert canvas.nodes["decode"].inputs["latent"] == Link("latent", "latent")
    hands.key(Key.Key_Z, CTRL)
    hands.key(Key.Key_Z, CTRL | SHIFT)
    assert "sampler" not in canvas.nodes


def test_wires_frames_and_notes_are_deleted_too(canvas, hands):
    canvas.scene.store.select(wires=[("save", "image")])
    hands.key(Key.Key_X)
    assert canvas.nodes["save"].inputs == {}
    canvas.commands.edit.selection.note(QPointF(0, 800))
    canvas.commands.edit.selection.note(QPointF(300, 800))
    canvas.scene.store.clear_selection()
    canvas.commands.edit.selection.frame(QPointF(500, 900))
    canvas.scene.store.select(frames=[0], notes=[0, 1])
    hands.key(Key.Key_Delete)
    assert canvas.graph.view["frames"] == []
    assert canvas.graph.view["notes"] == []


def test_copies_go_through_the_clipboard_to_another_document(canvas, hands, qtbot):
    canvas.scene.store.select(["sampler", "decode"])
    hands.key(Key.Key_C, CTRL)
    text = QGuiApplication.clipboard().text()
    assert '"ponystudio.clipboard"' in text
    other = Canvas(qtbot)
    other.view.setFocus()
    other.hands.key(Key.Key_V, CTRL)
    assert set(other.nodes) == {"sampler", "decode"}
    assert other.nodes["decode"].inputs == {"latent": Link("sampler", "latent")}
    assert set(other.scene.store.selected_nodes()) == {"sampler", "decode"}
    seen = other.view.visible_rect()
    assert seen.contains(other.scene.store.bounds(["decode"]).center())


def test_paste_with_and_without_incoming_wires(canvas, hands):
    canvas.scene.store.select(["decode"])
    hands.key(Key.Key_C, CTRL)
    hands.key(Key.Key_V, CTRL)
    hands.key(Key.Key_V, CTRL | SHIFT)
    assert canvas.nodes["decode_2"].inputs == {}
    assert canvas.nodes["decode_3"].inputs == canvas.nodes["decode"].inputs
    assert canvas.steps == 2


def test_cut_and_paste_again(canvas, hands):
    canvas.scene.store.select(["save"])
    hands.key(Key.Key_X, CTRL)
    assert "save" not in canvas.nodes
    hands.key(Key.Key_V, CTRL)
    hands.key(Key.Key_V, CTRL)
    assert {"save", "save_2"} <= canvas.nodes.keys()
    places = [canvas.graph.view["nodes"][id]["pos"] for id in ("save", "save_2")]
    assert places[0] != places[1], "a second paste does not hide the first"


def test_thousands_of_nodes_are_pasted_as_if_they_were_dropped(canvas, hands):
    """They are read on a thread."""
    part = Graph.of(*(Node(f"n{i}", "t.show") for i in range(10_000)))
    QGuiApplication.clipboard().setText(clipboard.dumps(part))
    told = []
    canvas.commands.gestures.dropped.connect(lambda data, at: told.append((len(data.text()), at)))
    hands.key(Key.Key_V, CTRL)
    assert canvas.steps == 0
    assert [length > LONG_TEXT for length, _ in told] == [True]
    canvas.commands.edit.paste(QPointF(5, 7))
    assert told[1][1] == QPointF(5, 7)


@pytest.mark.parametrize(
    "text",
    ['{"5": {"class_type": "EmptyLatentImage"}}', "a\nSteps: 3, Sampler: Euler, Seed: 1"],
    ids=["ComfyUI", "A1111"],
)
def test_graphs_of_other_programs_are_as_if_they_were_dropped(canvas, hands, text):
    QGuiApplication.clipboard().setText(text)
    told = []
    canvas.commands.gestures.dropped.connect(lambda data, _at: told.append(data.text()))
    assert canvas.commands.edit.can_paste()
    hands.key(Key.Key_V, CTRL)
    assert told == [text]


def test_other_text_on_the_clipboard_is_left_alone(canvas, hands):
    QGuiApplication.clipboard().setText("unicorn, 3d")
    assert not canvas.commands.edit.can_paste()
    hands.key(Key.Key_V, CTRL)
    assert canvas.steps == 0
    QGuiApplication.clipboard().setText('{"format": "ponystudio.graph", "nodes": 1}')
    hands.key(Key.Key_V, CTRL)
    assert canvas.steps == 0


def test_duplicate_with_and_without_inputs(canvas, hands):
    canvas.scene.store.select(["decode"])
    hands.key(Key.Key_D, SHIFT)
    assert canvas.nodes["decode_2"].inputs == {}
    canvas.scene.store.select(["decode"])
    hands.key(Key.Key_D, CTRL | SHIFT)
    assert canvas.nodes["decode_3"].inputs == canvas.nodes["decode"].inputs


def test_tidy_is_one_step_and_then_rests(canvas, hands):
    canvas.document.do(SetView(("nodes", "save", "pos"), [0, 0]), "Move")
    canvas.document.do(SetView(("nodes", "decode", "dots"), {"latent": [[1, 1]]}), "Dot")
    hands.key(Key.Key_T, SHIFT)
    assert canvas.steps == 3
    items = canvas.scene.store.node_items
    assert items["sampler"].x < items["decode"].x < items["save"].x
    assert "dots" not in canvas.graph.view["nodes"]["decode"]
    rects = [item.rect for item in items.values()]
    assert not any(a.intersects(b) for i, a in enumerate(rects) for b in rects[i + 1 :])
    hands.key(Key.Key_T, SHIFT)
    assert canvas.steps == 3


def test_align_by_key(canvas, hands):
    canvas.scene.store.select(["positive", "negative", "latent", "sampler"])
    hands.key(Key.Key_Left, CTRL | ALT)
    xs = {canvas.scene.store.node_items[id].x for id in canvas.scene.store.selected_nodes()}
    assert len(xs) == 1


def test_what_is_selected_may_be_of_a_missing_pack(qtbot):
    from ponystudio.graph.model import Graph, Node

    graph = Graph.of(Node("a", "gone.node", params={"x": 1}), Node("b", "core.save_image"))
    canvas = Canvas(qtbot, graph)
    canvas.scene.store.select(["a"])
    hands = canvas.hands
    for key, keys in (
        (Key.Key_M, None),
        (Key.Key_D, SHIFT),
        (Key.Key_T, SHIFT),
        (Key.Key_C, CTRL),
        (Key.Key_V, CTRL),
    ):
        hands.key(key, *([keys] if keys else []))
    canvas.commands.edit.view_output("a")
    canvas.commands.edit.chooser.swap("a")
    hands.write("preview", canvas.palette.search)
    hands.key(Key.Key_Return, widget=canvas.palette.search)
    assert canvas.nodes["a"].type == "core.preview_image"
    assert CATALOG.get("gone.node") is None


def test_nudges_of_other_nodes_are_other_steps(canvas, hands):
    for node in ("save", "decode"):
        canvas.scene.store.select([node])
        hands.key(Key.Key_Right, SHIFT)
        hands.key(Key.Key_Right, SHIFT)
    assert canvas.steps == 2
