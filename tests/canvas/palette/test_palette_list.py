"""The list of the palette."""

from PySide6.QtCore import QPoint, Qt

from helpers.hands import Hands
from helpers.studio import CATALOG
from ponystudio.canvas.palette.palette_entries import (
    node_entries,
)

Key = Qt.Key


def choose(palette, *pressed):
    for key in pressed:
        Hands.key(None, key, widget=palette.search)


def test_arrows_pass_over_headings_and_around_the_ends(palette):
    palette.open(QPoint(10, 10), node_entries(CATALOG))
    first = palette.list.current()
    choose(palette, Key.Key_Up)
    last = palette.list.current()
    assert last is not None
    assert last != first
    choose(palette, Key.Key_Down)
    assert palette.list.current() == first
    choose(palette, Key.Key_PageDown)
    assert palette.list.current() not in (None, first)
