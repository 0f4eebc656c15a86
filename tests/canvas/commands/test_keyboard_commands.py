"""Editing by keyboard alone."""

import pytest
from PySide6.QtCore import QPointF, Qt
from PySide6.QtGui import QKeyEvent
from PySide6.QtWidgets import QApplication, QLineEdit, QVBoxLayout, QWidget

from helpers.hands import CTRL, SHIFT
from helpers.studio import Canvas
from ponystudio.canvas.scene.items import FocusRef
from ponystudio.graph.model import Link

Key = Qt.Key


def test_arrows_begin_at_the_selection_and_walk_along_wires(canvas, hands):
    canvas.scene.store.select(["sampler"])
    hands.keys(Key.Key_Right)
    assert canvas.focus == ("node", "sampler", "")
    hands.keys(Key.Key_Right)
    assert canvas.focus == ("node", "decode", "")
    hands.keys(Key.Key_Left, Key.Key_Left)
    assert canvas.scene.focus.node in ("positive", "checkpoint")
    assert canvas.scene.store.selected_nodes() == ["sampler"], (
        "the focus is apart from the selection"
    )
    assert canvas.steps == 0


def test_enter_goes_inside_and_escape_out(canvas, hands):
    canvas.commands.keyboard.set(FocusRef("node", "sampler"))
    hands.keys(Key.Key_Return)
    assert canvas.focus == ("input", "sampler", "model")
    hands.keys(Key.Key_Down)
    assert canvas.focus == ("input", "sampler", "positive")
    hands.keys(Key.Key_Right)
    assert canvas.focus == ("output", "sampler", "latent")
    hands.keys(Key.Key_Escape)
    assert canvas.focus == ("node", "sampler", "")
    hands.keys(Key.Key_Escape)
    assert canvas.focus is None


def test_a_wire_is_walked_and_deleted(canvas, hands):
    canvas.commands.keyboard.set(FocusRef("output", "checkpoint", "clip"))
    hands.keys(Key.Key_Right)
    assert canvas.scene.focus.wire == ("positive", "clip")
    hands.keys(Key.Key_Down)
    assert canvas.scene.focus.wire == ("negative", "clip")
    hands.keys(Key.Key_Delete)
    assert canvas.nodes["negative"].inputs == {}
    assert canvas.focus == ("node", "negative", "")
    assert set(canvas.nodes) >= {"checkpoint", "negative"}


def test_two_enters_connect(canvas, hands):
    spec = canvas.document.catalog["core.preview_image"]
    node = canvas.commands.ops.add_node(spec, QPointF(1330, 620))
    steps = canvas.steps
    canvas.commands.keyboard.set(FocusRef("input", node, "image"))
    hands.keys(Key.Key_Return)
    assert canvas.scene.drag is not None
    assert canvas.focus == ("output", "decode", "image")
    hands.keys(Key.Key_Return)
    assert canvas.nodes[node].inputs == {"image": Link("decode", "image")}
    assert canvas.scene.drag is None
    assert canvas.steps == steps + 1


def test_arrows_choose_among_what_fits_and_escape_lets_go(canvas, hands):
    canvas.commands.keyboard.set(FocusRef("output", "positive", "conditioning"))
    hands.keys(Key.Key_Return)
    assert canvas.focus == ("input", "sampler", "positive")
    hands.keys(Key.Key_Down)
    assert canvas.focus == ("input", "sampler", "negative")
    hands.keys(Key.Key_Escape)
    assert canvas.scene.drag is None
    assert canvas.focus == ("output", "positive", "conditioning")
    assert canvas.steps == 0


def test_tab_with_a_wire_in_hand_asks_for_a_new_node(canvas, hands):
    canvas.commands.keyboard.set(FocusRef("output", "decode", "image"))
    hands.keys(Key.Key_Return, Key.Key_Tab)
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
    hands.keys(Key.Key_M)
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
    hands.keys(Key.Key_Menu)
    menu = canvas.commands.menus.shown
    assert any("wire" in action.text() for action in menu.actions())
    menu.close()


def test_a_focus_on_what_goes_away_goes_too(canvas, hands):
    canvas.commands.keyboard.set(FocusRef("node", "save"))
    canvas.scene.store.select(["save"])
    hands.keys(Key.Key_Delete)
    assert canvas.scene.focus is None


def test_a_whole_graph_by_keyboard(qtbot):
    """From nothing to checkpoint, prompt, sampler, no mouse and no calls."""
    canvas = Canvas(qtbot)
    hands = canvas.hands

    def add(text):
        hands.keys(Key.Key_Tab)
        hands.write(text, canvas.palette.search)
        hands.key(Key.Key_Return, widget=canvas.palette.search)

    add("load ch")
    hands.keys(Key.Key_Right, Key.Key_Return, Key.Key_Down)  # the node, its model, its clip
    assert canvas.focus == ("output", "checkpoint", "clip")
    add("prompt")
    assert canvas.focus == ("node", "prompt", "")
    assert canvas.nodes["prompt"].inputs == {"clip": Link("checkpoint", "clip")}
    hands.keys(Key.Key_Return, Key.Key_Right)
    assert canvas.focus == ("output", "prompt", "conditioning")
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
