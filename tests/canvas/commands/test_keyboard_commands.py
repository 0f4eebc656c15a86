"""Editing by keyboard alone."""

import pytest
from PySide6.QtCore import QPointF, Qt
from PySide6.QtGui import QKeyEvent
from PySide6.QtWidgets import QApplication, QLineEdit, QVBoxLayout, QWidget

from helpers.hands import CTRL, SHIFT
from helpers.studio import Canvas, text_to_picture
from ponystudio.canvas.scene.items import FocusRef
from ponystudio.graph.model import Link

Key = Qt.Key


@pytest.fixture
def canvas(qtbot):
    return Canvas(qtbot, text_to_picture())


@pytest.fixture
def hands(canvas):
    return canvas.hands


def keys(hands, *found):
    for key in found:
        hands.key(key)


def focus(canvas):
    found = canvas.scene.focus
    return (found.kind, found.node, found.name) if found else None


def test_arrows_begin_at_the_selection_and_walk_along_wires(canvas, hands):
    canvas.scene.store.select(["sampler"])
    keys(hands, Key.Key_Right)
    assert focus(canvas) == ("node", "sampler", "")
    keys(hands, Key.Key_Right)
    assert focus(canvas) == ("node", "decode", "")
    keys(hands, Key.Key_Left, Key.Key_Left)
    assert canvas.scene.focus.node in ("positive", "checkpoint")
    assert canvas.scene.store.selected_nodes() == ["sampler"], (
        "the focus is apart from the selection"
    )
    assert canvas.steps == 0


def test_up_and_down_go_to_the_card_there(canvas, hands):
    canvas.commands.keyboard.set(FocusRef("node", "positive"))
    keys(hands, Key.Key_Down)
    assert focus(canvas) == ("node", "negative", "")
    keys(hands, Key.Key_Up)
    assert focus(canvas) == ("node", "positive", "")


def test_enter_goes_inside_and_escape_out(canvas, hands):
    canvas.commands.keyboard.set(FocusRef("node", "sampler"))
    keys(hands, Key.Key_Return)
    assert focus(canvas) == ("input", "sampler", "model")
    keys(hands, Key.Key_Down)
    assert focus(canvas) == ("input", "sampler", "positive")
    keys(hands, Key.Key_Right)
    assert focus(canvas) == ("output", "sampler", "latent")
    keys(hands, Key.Key_Escape)
    assert focus(canvas) == ("node", "sampler", "")
    keys(hands, Key.Key_Escape)
    assert focus(canvas) is None


def test_a_wire_is_walked_and_deleted(canvas, hands):
    canvas.commands.keyboard.set(FocusRef("output", "checkpoint", "clip"))
    keys(hands, Key.Key_Right)
    assert canvas.scene.focus.wire == ("positive", "clip")
    keys(hands, Key.Key_Down)
    assert canvas.scene.focus.wire == ("negative", "clip")
    keys(hands, Key.Key_Delete)
    assert canvas.nodes["negative"].inputs == {}
    assert focus(canvas) == ("node", "negative", "")
    assert set(canvas.nodes) >= {"checkpoint", "negative"}


def test_a_wire_leads_to_its_ends(canvas, hands):
    canvas.commands.keyboard.set(FocusRef("wire", wire=("save", "image")))
    keys(hands, Key.Key_Right)
    assert focus(canvas) == ("input", "save", "image")
    keys(hands, Key.Key_Left, Key.Key_Left)
    assert focus(canvas) == ("output", "decode", "image")


def test_two_enters_connect(canvas, hands):
    spec = canvas.document.catalog["core.preview_image"]
    node = canvas.commands.ops.add_node(spec, QPointF(1330, 620))
    steps = canvas.steps
    canvas.commands.keyboard.set(FocusRef("input", node, "image"))
    keys(hands, Key.Key_Return)
    assert canvas.scene.drag is not None
    assert focus(canvas) == ("output", "decode", "image")
    keys(hands, Key.Key_Return)
    assert canvas.nodes[node].inputs == {"image": Link("decode", "image")}
    assert canvas.scene.drag is None
    assert canvas.steps == steps + 1


def test_arrows_choose_among_what_fits_and_escape_lets_go(canvas, hands):
    canvas.commands.keyboard.set(FocusRef("output", "positive", "conditioning"))
    keys(hands, Key.Key_Return)
    assert focus(canvas) == ("input", "sampler", "positive")
    keys(hands, Key.Key_Down)
    assert focus(canvas) == ("input", "sampler", "negative")
    keys(hands, Key.Key_Escape)
    assert canvas.scene.drag is None
    assert focus(canvas) == ("output", "positive", "conditioning")
    assert canvas.steps == 0


def test_tab_with_a_wire_in_hand_asks_for_a_new_node(canvas, hands):
    canvas.commands.keyboard.set(FocusRef("output", "decode", "image"))
    keys(hands, Key.Key_Return, Key.Key_Tab)
    assert canvas.palette.isVisible()
    hands.write("preview", canvas.palette.search)
    hands.key(Key.Key_Return, widget=canvas.palette.search)
    assert canvas.nodes["preview"].inputs == {"image": Link("decode", "image")}


def test_shift_and_arrows_move_the_cards(canvas, hands):
    x, y = canvas.graph.view["nodes"]["save"]["pos"]
    canvas.commands.keyboard.set(FocusRef("node", "save"))
    hands.key(Key.Key_Right, SHIFT)
    hands.key(Key.Key_Down, SHIFT)
    hands.key(Key.Key_Down, SHIFT | CTRL)
    assert canvas.graph.view["nodes"]["save"]["pos"] == [x + 8, y + 72]


def test_commands_act_on_what_has_the_focus(canvas, hands):
    canvas.commands.keyboard.set(FocusRef("node", "save"))
    keys(hands, Key.Key_M)
    assert canvas.nodes["save"].mode == "muted"
    hands.key(Key.Key_Space, CTRL)
    assert canvas.scene.store.selected_nodes() == ["save"]


def test_the_focus_comes_into_view(canvas, hands):
    canvas.view.pan(5000, 0)
    canvas.commands.keyboard.set(FocusRef("node", "save"))
    rect = canvas.scene.store.node_items["save"].rect
    assert canvas.view.visible_rect().contains(rect.center().x(), rect.top() + 16)


def test_typing_into_a_param_is_no_command(canvas, hands):
    canvas.commands.keyboard.set(FocusRef("param", "sampler", "steps"))
    event = QKeyEvent(
        QKeyEvent.Type.ShortcutOverride, Key.Key_M, Qt.KeyboardModifier.NoModifier, "m"
    )
    event.ignore()
    QApplication.sendEvent(canvas.view, event)
    assert event.isAccepted()
    canvas.commands.keyboard.set(FocusRef("node", "sampler"))
    event.ignore()
    QApplication.sendEvent(canvas.view, event)
    assert not event.isAccepted()


@pytest.mark.qt_log_ignore("This plugin does not support")
def test_the_menu_key_opens_the_menu_of_the_focus(canvas, hands):
    canvas.commands.keyboard.set(FocusRef("wire", wire=("save", "image")))
    keys(hands, Key.Key_Menu)
    menu = canvas.commands.menus.shown
    assert any("wire" in action.text() for action in menu.actions())
    menu.close()


def test_the_focus_is_said_in_words(canvas):
    for focus, words in (
        (FocusRef("output", "checkpoint", "clip"), "Output clip of Load checkpoint, CLIP, 2 wires"),
        (FocusRef("input", "decode", "vae"), "Input vae of Decode, VAE, from Load checkpoint"),
        (FocusRef("param", "sampler", "steps"), "steps, 20, Sample"),
        (FocusRef("wire", wire=("save", "image")), "Wire from Decode, image, to Save image, image"),
    ):
        canvas.commands.keyboard.set(focus)
        assert canvas.view.accessibleDescription() == words


def test_a_focus_on_what_goes_away_goes_too(canvas, hands):
    canvas.commands.keyboard.set(FocusRef("node", "save"))
    canvas.scene.store.select(["save"])
    keys(hands, Key.Key_Delete)
    assert canvas.scene.focus is None


def test_an_empty_graph_has_nothing_to_walk(qtbot):
    canvas = Canvas(qtbot)
    keys(canvas.hands, Key.Key_Right, Key.Key_Return, Key.Key_Escape)
    assert canvas.scene.focus is None


def test_a_whole_graph_by_keyboard(qtbot):
    """From nothing to checkpoint, prompt, sampler, no mouse and no calls."""
    canvas = Canvas(qtbot)
    hands = canvas.hands

    def add(text):
        keys(hands, Key.Key_Tab)
        hands.write(text, canvas.palette.search)
        hands.key(Key.Key_Return, widget=canvas.palette.search)

    add("load ch")
    keys(hands, Key.Key_Right, Key.Key_Return, Key.Key_Down)  # the node, its model, its clip
    assert focus(canvas) == ("output", "checkpoint", "clip")
    add("prompt")
    assert focus(canvas) == ("node", "prompt", "")
    assert canvas.nodes["prompt"].inputs == {"clip": Link("checkpoint", "clip")}
    keys(hands, Key.Key_Return, Key.Key_Right)
    assert focus(canvas) == ("output", "prompt", "conditioning")
    add("sample")
    assert canvas.nodes["sampler"].inputs == {
        "positive": Link("prompt", "conditioning"),
        "model": Link("checkpoint", "model"),
    }
    rects = [item.rect for item in canvas.scene.store.node_items.values()]
    assert not any(a.intersects(b) for i, a in enumerate(rects) for b in rects[i + 1 :])


@pytest.mark.qt_log_ignore("This plugin does not support")
def test_shift_tab_and_f6_lead_out_of_the_canvas(canvas, hands, qtbot):
    window = QWidget()
    qtbot.addWidget(window)
    before, after = QLineEdit(window), QLineEdit(window)
    box = QVBoxLayout(window)
    for widget in (before, canvas.view, after):
        box.addWidget(widget)
    QWidget.setTabOrder(before, canvas.view)
    QWidget.setTabOrder(canvas.view, after)
    window.show()
    canvas.view.setFocus()
    hands.key(Key.Key_Backtab, SHIFT)
    assert window.focusWidget() is before
    canvas.view.setFocus()
    hands.key(Key.Key_F6)
    assert window.focusWidget() is not canvas.view
    canvas.view.setParent(None)  # its own window again, to be closed as such
