"""Context menus."""

import pytest
from PySide6.QtCore import QPoint, QPointF

from ponystudio.canvas.scene.items import Hit, SocketRef
from ponystudio.graph.editing.edits import SetView

# Qt's offscreen platform cannot do all that menus want, and says so.
OFFSCREEN_MENU = pytest.mark.qt_log_ignore("This plugin does not support")


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
def test_a_card_with_a_colour_of_its_own_can_have_that_of_its_kind(canvas):
    def offered():
        canvas.commands.menus.open(Hit("header", "save"), QPointF(0, 0), QPoint(10, 10))
        return [
            a for a in canvas.commands.menus.shown.actions() if a.text() == "Colour of its kind"
        ]

    assert offered() == []
    canvas.commands.menus.ops.do([SetView(("nodes", "save", "hue"), "mask")], "Colour")
    item = canvas.scene.store.node_items["save"]
    assert item.hue == "mask"
    (action,) = offered()
    action.trigger()
    assert item.hue == item.spec.group


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
