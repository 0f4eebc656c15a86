"""Finding and choosing."""

from PySide6.QtCore import QPoint, Qt

from helpers.hands import Hands
from helpers.studio import CATALOG
from ponystudio.canvas.palette.palette_entries import (
    SocketFilter,
    node_entries,
)
from ponystudio.widgets import theme

Key = Qt.Key


def choose(palette, *pressed):
    for key in pressed:
        Hands.key(None, key, widget=palette.search)


def test_enter_chooses_the_best(palette):
    got = []
    palette.closed.connect(got.append)
    palette.chosen.connect(lambda spec: got.append(spec.id))
    palette.open(QPoint(10, 10), node_entries(CATALOG))
    Hands.write(None, "upscale", palette.search)
    choose(palette, Key.Key_Return)
    assert got == [True, "core.upscale_image"]
    assert palette.isHidden()


def test_tab_drops_the_filter(palette):
    entries = node_entries(CATALOG)
    palette.open(QPoint(10, 10), entries, filter=SocketFilter("upscaler", "takes"))
    assert palette.chip.isVisible()
    few = len(palette.list.row_model.rows)
    choose(palette, Key.Key_Tab)
    assert not palette.chip.isVisible()
    assert len(palette.list.row_model.rows) > few
    assert palette.isVisible()


def test_nothing_found_is_said(palette):
    palette.open(QPoint(10, 10), node_entries(CATALOG), filter=SocketFilter("vae", "takes"))
    Hands.write(None, "qqq", palette.search)
    assert palette.empty.isVisible()
    assert "Tab" in palette.empty.text()
    choose(palette, Key.Key_Return)
    assert palette.isVisible()


def test_it_stays_inside_its_parent_and_where_it_is(palette, parent):
    palette.open(QPoint(790, 590), node_entries(CATALOG))
    assert parent.rect().contains(palette.geometry())
    top = palette.geometry().topLeft()
    Hands.write(None, "load", palette.search)
    assert palette.geometry().topLeft() == top


def test_near_the_bottom_it_stands_above_the_pointer_and_reaches_it(palette):
    at = QPoint(200, 580)
    palette.open(at, node_entries(CATALOG))
    for more in ("load", "zzz"):
        assert palette.geometry().bottomLeft() == at - QPoint(0, 1)
        Hands.write(None, more, palette.search)


def test_beside_a_point_it_leaves_a_gap_above_as_below(palette):
    palette.open(QPoint(200, 100), node_entries(CATALOG), gap=14)
    assert palette.geometry().top() == 114
    palette.open(QPoint(200, 500), node_entries(CATALOG), gap=14)
    assert palette.geometry().bottom() == 500 - 14 - 1


def test_it_follows_theme_and_scale(palette, still):
    palette.open(QPoint(10, 10), node_entries(CATALOG), filter=SocketFilter("image", "takes"))
    dark = palette.grab().toImage().pixelColor(30, palette.height() - 20)
    wide = palette.width()
    try:
        theme.use("light")
        theme.set_scale(1.5)
        palette.open(QPoint(10, 10), node_entries(CATALOG))
        light = palette.grab().toImage().pixelColor(300, palette.height() - 4)
        assert light.lightness() > dark.lightness() + 80
        assert palette.width() == round(wide * 1.5)
    finally:
        theme.use("dark")
        theme.set_scale(1.0)


def test_it_fades_in(palette, qtbot):
    palette.open(QPoint(10, 10), node_entries(CATALOG))
    assert palette.graphicsEffect() is not None
    qtbot.waitUntil(lambda: palette.graphicsEffect() is None)


def test_it_is_there_at_once_where_nothing_may_move(palette, still):
    palette.open(QPoint(10, 10), node_entries(CATALOG))
    assert palette.graphicsEffect() is None
