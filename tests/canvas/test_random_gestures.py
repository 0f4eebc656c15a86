"""Whatever hands do: nothing breaks, everything can be undone, and the scene shows the graph."""

import random

import pytest
from PySide6.QtCore import QPointF, Qt

from helpers.hands import ALT, CTRL, LEFT, NONE, RIGHT, SHIFT
from helpers.studio import Canvas, text_to_picture

KEYS = [
    *(getattr(Qt.Key, f"Key_{name}") for name in (
        "Left", "Right", "Up", "Down", "Return", "Escape", "Delete", "M", "D", "H", "P", "X",
    )),
]  # fmt: skip
HELD = [NONE, NONE, NONE, SHIFT, CTRL, ALT, CTRL | SHIFT, CTRL | ALT]


def some_place(dice, canvas):
    """Mostly on something: a socket, a card, a wire."""
    scene = canvas.scene
    items = list(scene.store.node_items.values())
    choice = dice.random()
    if items and choice < 0.35:
        refs = [ref for item in items for ref in scene.store.sockets(item.id)]
        if refs:
            return scene.store.socket_pos(dice.choice(refs))
    if items and choice < 0.7:
        rect = dice.choice(items).rect
        return QPointF(
            rect.x() + dice.random() * rect.width(), rect.y() + dice.random() * rect.height()
        )
    if scene.store.wire_items and choice < 0.85:
        return QPointF(*dice.choice(dice.choice(list(scene.store.wire_items.values())).points))
    return QPointF(dice.uniform(-60, 1500), dice.uniform(-100, 800))


def one_thing(dice, canvas):
    hands = canvas.hands
    what = dice.random()
    if what < 0.55:
        button = dice.choice([LEFT, LEFT, LEFT, RIGHT])
        held = dice.choice(HELD[3:] if button == RIGHT else HELD)
        places = [some_place(dice, canvas) for _ in range(dice.choice((1, 2, 2, 3)))]
        hands.drag(*places, keys=held, button=button)
    elif what < 0.65:
        hands.double_click(some_place(dice, canvas))
    elif what < 0.75:
        canvas.scene.store.select(dice.sample(sorted(canvas.nodes), min(len(canvas.nodes), 2)))
    elif what < 0.8:
        dice.choice([canvas.undo, canvas.document.redo, canvas.commands.edit.selection.tidy])()
    else:
        hands.key(dice.choice(KEYS), dice.choice(HELD))
    if canvas.palette and canvas.palette.isVisible():
        hands.write(dice.choice(["sam", "image", "p", "zzz"]), canvas.palette.search)
        hands.key(dice.choice([Qt.Key.Key_Return, Qt.Key.Key_Escape]), widget=canvas.palette.search)
        canvas.palette.close_palette()
    canvas.view.editors.close()


def assert_mirrored(canvas):
    scene, graph = canvas.scene, canvas.graph
    assert set(scene.store.node_items) == set(graph.nodes)
    links = {(node.id, name) for node in graph.nodes.values() for name in node.inputs}
    assert set(scene.store.wire_items) == links


@pytest.mark.qt_log_ignore("This plugin does not support")
@pytest.mark.parametrize("seed", range(4))
def test_nothing_that_hands_do_breaks_anything(qtbot, seed):
    dice = random.Random(seed)
    canvas = Canvas(qtbot, text_to_picture())
    before = canvas.graph
    for _ in range(60):
        one_thing(dice, canvas)
        assert canvas.commands.gestures.active is None
        assert_mirrored(canvas)
    canvas.commands.gestures.cancel()
    assert canvas.scene.overlay.rubber is None
    after, top = canvas.graph, canvas.document.undo_index
    canvas.document.go_to(0)
    assert canvas.graph == before
    canvas.document.go_to(top)
    assert canvas.graph == after
