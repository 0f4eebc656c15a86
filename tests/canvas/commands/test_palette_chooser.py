"""Asking by the palette."""

import pytest
from PySide6.QtCore import Qt

from helpers.hands import CTRL, SHIFT
from ponystudio.graph.model import Link

Key = Qt.Key


@pytest.mark.parametrize(("key", "keys"), [(Key.Key_Tab, None), (Key.Key_A, SHIFT)])
def test_the_palette_opens_by_key(canvas, hands, key, keys):
    hands.key(key, *([keys] if keys else []))
    assert canvas.palette.isVisible()
    assert canvas.view.window().focusWidget() is canvas.palette.search


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
