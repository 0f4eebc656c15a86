"""Commands by key, menus, notes and frames, the clipboard across documents."""

import pytest
from PySide6.QtCore import QMimeData, QPoint, QPointF, Qt
from PySide6.QtGui import QDropEvent, QGuiApplication, QImage, QKeySequence

from helpers.hands import ALT, CTRL, SHIFT
from helpers.studio import CATALOG, Canvas, text_to_picture
from ponystudio.canvas.gestures.controller import NODE_MIME
from ponystudio.canvas.scene.items import Hit, SocketRef
from ponystudio.graph.editing.edits import SetView
from ponystudio.graph.model import Link

Key = Qt.Key
# Qt's offscreen platform cannot do all that menus want, and says so.
OFFSCREEN_MENU = pytest.mark.qt_log_ignore("This plugin does not support")


@pytest.fixture
def canvas(qtbot):
    return Canvas(qtbot, text_to_picture())


@pytest.fixture
def hands(canvas):
    return canvas.hands


def test_every_key_belongs_to_one_action(canvas):
    seen = {}
    for spec in (*canvas.commands.actions(), *canvas.view.canvas_actions()):
        for keys in spec.keys:
            sequence = QKeySequence(keys)
            assert not sequence.isEmpty(), keys
            assert sequence.toString() not in seen, (keys, spec.id, seen[sequence.toString()])
            seen[sequence.toString()] = spec.id
    assert "Backspace" not in seen
    assert "Ctrl+Backspace" not in seen


def test_actions_have_ids_of_their_own_titles_and_icons(canvas):
    actions = canvas.commands.actions()
    assert len({spec.id for spec in actions}) == len(actions)
    assert all(spec.title and spec.group and spec.icon for spec in actions)
    assert all(not spec.title.endswith(".") for spec in actions)


@pytest.mark.parametrize(("key", "keys"), [(Key.Key_M, None), (Key.Key_M, CTRL)])
def test_mute_and_back(canvas, hands, key, keys):
    canvas.scene.store.select(["save", "decode"])
    hands.key(key, *([keys] if keys else []))
    assert [canvas.nodes[id].mode for id in ("save", "decode", "sampler")] == [
        "muted",
        "muted",
        "normal",
    ]
    hands.key(key, *([keys] if keys else []))
    assert canvas.nodes["save"].mode == "normal"
    assert canvas.steps == 2


def test_bypass_collapse_and_pin(canvas, hands):
    canvas.scene.store.select(["sampler"])
    hands.key(Key.Key_D)
    hands.key(Key.Key_H)
    hands.key(Key.Key_P)
    assert canvas.nodes["sampler"].mode == "bypassed"
    looks = canvas.graph.view["nodes"]["sampler"]
    assert looks["collapsed"] is True
    assert looks["pinned"] is True
    hands.key(Key.Key_C, ALT)
    assert "collapsed" not in canvas.graph.view["nodes"]["sampler"]


def test_commands_without_a_target_do_nothing(canvas, hands):
    for key in (Key.Key_M, Key.Key_D, Key.Key_Delete, Key.Key_F2, Key.Key_X):
        hands.key(key)
    assert canvas.steps == 0


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


def test_other_text_on_the_clipboard_is_left_alone(canvas, hands):
    QGuiApplication.clipboard().setText("unicorn, 3d")
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


def test_a_frame_is_drawn_around_the_selection_and_titled(canvas, hands):
    canvas.scene.store.select(["positive", "negative"])
    hands.key(Key.Key_G, CTRL)
    edit = canvas.view.editors.widget
    edit.setText("Words")
    hands.key(Key.Key_Return, widget=edit)
    (frame,) = canvas.graph.view["frames"]
    assert (frame["title"], frame["hue"]) == ("Words", "text")
    assert set(canvas.scene.store.frame_contents(0)) == {"positive", "negative"}
    canvas.commands.edit.selection.recolour([0], "image")
    assert canvas.scene.store.frame_items[0].hue == "image"


def test_a_note_is_written_in_place(canvas, hands):
    canvas.commands.edit.add_note(QPointF(1300, 700))
    edit = canvas.view.editors.widget
    hands.write("**Keepers**", edit)
    hands.key(Key.Key_Return, CTRL, widget=edit)
    assert canvas.scene.store.note_items[0].text == "**Keepers**"
    hands.double_click(canvas.scene.store.note_items[0].rect.center())
    edit = canvas.view.editors.widget
    hands.write(", all", edit)
    assert canvas.scene.store.note_items[0].text == "**Keepers**, all"  # journalled as it is typed
    hands.key(Key.Key_Escape, widget=edit)
    assert canvas.scene.store.note_items[0].text == "**Keepers**, all"
    assert canvas.steps == 2
    canvas.undo()
    assert canvas.scene.store.note_items[0].text == "**Keepers**"


def test_f2_renames_and_the_kinds_own_title_is_no_title(canvas, hands):
    canvas.scene.store.select(["save"])
    hands.key(Key.Key_F2)
    edit = canvas.view.editors.widget
    edit.setText("Final")
    hands.key(Key.Key_Return, widget=edit)
    assert canvas.nodes["save"].title == "Final"
    assert canvas.document.undo_text == "Rename Save image"
    hands.key(Key.Key_F2)
    edit = canvas.view.editors.widget
    edit.setText("Save image")
    hands.key(Key.Key_Return, widget=edit)
    assert canvas.nodes["save"].title == ""


@pytest.mark.parametrize(("key", "keys"), [(Key.Key_Tab, None), (Key.Key_A, SHIFT)])
def test_the_palette_opens_by_key(canvas, hands, key, keys):
    hands.key(key, *([keys] if keys else []))
    assert canvas.palette.isVisible()
    assert canvas.view.window().focusWidget() is canvas.palette.search


def test_a_tap_of_space_opens_the_palette(canvas, hands):
    hands.key(Key.Key_Space)
    assert canvas.palette.isVisible()


def test_a_swap_by_palette(canvas, hands):
    canvas.scene.store.select(["save"])
    hands.key(Key.Key_S, SHIFT)
    hands.write("preview", canvas.palette.search)
    hands.key(Key.Key_Return, widget=canvas.palette.search)
    assert canvas.nodes["save"].type == "core.preview_image"
    assert canvas.nodes["save"].inputs == {"image": Link("decode", "image")}


def test_finding_a_node_by_what_is_written_in_it(canvas, hands):
    hands.key(Key.Key_F, CTRL)
    hands.write("unicorn", canvas.palette.search)
    hands.key(Key.Key_Return, widget=canvas.palette.search)
    assert canvas.scene.store.selected_nodes() == ["positive"]


@OFFSCREEN_MENU
def test_menus_offer_what_fits_the_place(canvas):
    menus, scene = canvas.commands.menus, canvas.scene
    at = QPointF(0, 0)

    def texts(hit):
        menus.open(hit, at, QPoint(10, 10))
        found = [a.text().split("\t")[0] for a in menus.shown.actions() if a.text()]
        menus.shown.close()
        return found

    assert {"Run to here", "Mute", "Swap for another node…"} & set(texts(Hit("header", "save")))
    assert scene.store.selected_nodes() == ["save"]
    assert "Put a node into the wire…" in texts(Hit("wire", wire=("save", "image")))
    socket = SocketRef("decode", "image", True, "image")
    assert texts(Hit("socket", "decode", socket)) == ["Add a node here…", "Disconnect"]
    assert "Add a note" in texts(Hit("empty"))
    canvas.commands.edit.selection.frame(QPointF(0, 900))
    assert "Sampling" in texts(Hit("frame_title", index=0))
    canvas.commands.edit.selection.note(QPointF(0, 900))
    assert "Write" in texts(Hit("note", index=0))


@OFFSCREEN_MENU
def test_a_menu_does_what_it_says(canvas):
    menus = canvas.commands.menus
    menus.open(Hit("wire", wire=("save", "image")), QPointF(0, 0), QPoint(10, 10))
    action = next(a for a in menus.shown.actions() if a.text() == "Disconnect")
    action.trigger()
    menus.shown.close()
    assert canvas.nodes["save"].inputs == {}


def test_a_param_becomes_a_socket_and_a_value_again(canvas):
    canvas.commands.ops.show_socket("sampler", "steps")
    assert any(ref.name == "steps" for ref in canvas.scene.store.sockets("sampler"))
    canvas.commands.ops.hide_socket("sampler", "steps")
    assert not any(ref.name == "steps" for ref in canvas.scene.store.sockets("sampler"))


def test_a_kind_of_node_is_dropped_from_a_panel(canvas):
    data = QMimeData()
    data.setData(NODE_MIME, b"core.load_image")
    event = QDropEvent(
        QPointF(400, 700),
        Qt.DropAction.CopyAction,
        data,
        Qt.MouseButton.LeftButton,
        Qt.KeyboardModifier.NoModifier,
    )
    canvas.view.dropEvent(event)
    assert event.isAccepted()
    assert canvas.nodes["image"].type == "core.load_image"


def test_other_drops_are_handed_on(canvas, qtbot):
    data = QMimeData()
    data.setText("hello")
    got = []
    canvas.commands.gestures.dropped.connect(lambda mime, at: got.append((mime.text(), at)))
    event = QDropEvent(
        QPointF(400, 700),
        Qt.DropAction.CopyAction,
        data,
        Qt.MouseButton.LeftButton,
        Qt.KeyboardModifier.NoModifier,
    )
    canvas.view.dropEvent(event)
    assert got[0][0] == "hello"


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


def test_keys_can_be_others(canvas, hands):
    canvas.commands.keys_of = lambda spec: ("K",) if spec.id == "edit.mute" else spec.keys
    canvas.scene.store.select(["save"])
    hands.key(Key.Key_M)
    assert canvas.nodes["save"].mode == "normal"
    hands.key(Key.Key_K)
    assert canvas.nodes["save"].mode == "muted"
    assert canvas.commands.named("edit.mute")[0].keys == ("K",)


def test_nudges_of_other_nodes_are_other_steps(canvas, hands):
    for node in ("save", "decode"):
        canvas.scene.store.select([node])
        hands.key(Key.Key_Right, SHIFT)
        hands.key(Key.Key_Right, SHIFT)
    assert canvas.steps == 2


def test_a_picture_on_the_clipboard_is_as_if_dropped(canvas, hands):
    got = []
    canvas.commands.gestures.dropped.connect(lambda data, at: got.append(data.hasImage()))
    image = QImage(8, 8, QImage.Format.Format_RGB32)
    image.fill(0)
    QGuiApplication.clipboard().setImage(image)
    hands.key(Key.Key_V, CTRL)
    assert got == [True]
    assert canvas.steps == 0


def test_a_new_note_and_what_is_written_in_it_are_one_step(canvas, hands):
    before = canvas.graph
    canvas.commands.edit.add_note(QPointF(1300, 700))
    canvas.view.editors.widget.setPlainText("Keep")
    canvas.view.editors.close()
    assert canvas.steps == 1
    canvas.undo()
    assert canvas.graph == before


@pytest.mark.parametrize("commit", [True, False])
def test_a_note_in_which_nothing_was_written_goes_again(canvas, commit):
    before = canvas.graph
    canvas.commands.edit.add_note(QPointF(1300, 700))
    canvas.view.editors.close(commit)
    assert canvas.graph == before
    assert canvas.document.undo_index == 0
