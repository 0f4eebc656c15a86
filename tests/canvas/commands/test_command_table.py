"""The table of commands."""

import pytest
from PySide6.QtCore import Qt
from PySide6.QtGui import QKeySequence

from helpers.hands import ALT, CTRL

Key = Qt.Key


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
