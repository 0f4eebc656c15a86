"""Finding and choosing."""

import pytest
from PySide6.QtCore import QPoint, Qt
from PySide6.QtWidgets import QWidget

from helpers.hands import Hands
from helpers.studio import CATALOG
from ponystudio.canvas.palette.palette import Palette
from ponystudio.canvas.palette.palette_entries import (
    SocketFilter,
    first_sentence,
    node_entries,
    rows,
)
from ponystudio.widgets import fuzzy_match, theme

Key = Qt.Key


@pytest.mark.parametrize(
    ("query", "text", "marked"),
    [
        ("ups", "Upscale image", "Ups"),
        ("ldck", "Load checkpoint", "Ldck"),
        ("image up", "Upscale image", "Upimage"),
        ("LOAD", "Load VAE", "Load"),
        ("", "anything", ""),
        ("vae", "Save image", None),
        ("xyz", "Upscale image", None),
    ],
)
def test_which_letters_are_met(query, text, marked):
    found = fuzzy_match.match(query, text)
    met = "".join(text[place] for place in found.places) if found else None
    assert met == marked


def test_beginnings_of_words_are_worth_more_than_scattered_letters():
    items = ["Loose mask pixels", "Load image", "Image loader", "Sample"]
    found = fuzzy_match.ranked("lo", items, lambda item: (item,))
    assert [item for item, _ in found][:2] == ["Load image", "Loose mask pixels"]
    assert "Sample" not in [item for item, _ in found]


def test_a_word_as_it_was_typed_is_worth_more_than_beginnings_of_two():
    items = ["Unload models from the memory", "Open the context menu", "Dark or light theme"]
    found = fuzzy_match.ranked("theme", items, lambda item: (item,))
    assert found[0][0] == "Dark or light theme"


def test_other_words_find_but_mark_nothing():
    entries = node_entries(CATALOG)
    found = rows("ksampler", entries)
    assert found[1].entry.value.id == "core.sample"
    assert found[1].places == ()


def test_letters_that_grow_when_lowered_are_borne():
    assert fuzzy_match.match("i", "İstanbul") is None or fuzzy_match.match("i", "İstanbul").places
    assert fuzzy_match.match("stan", "İstanbul").places == (1, 2, 3, 4)


def test_without_a_query_everything_stands_by_group():
    found = rows("", node_entries(CATALOG), recent=["core.sample"])
    headings = [row.heading for row in found if row.heading]
    assert headings[0] == "Used last"
    assert len(headings) == len(set(headings))
    assert found[1].entry.value.id == "core.sample"
    assert sum(row.entry is not None for row in found) == len(CATALOG) + 1


@pytest.mark.parametrize(
    ("filter", "inside", "outside"),
    [
        (SocketFilter("image", "takes"), "core.save_image", "core.sample"),
        (SocketFilter("latent", "gives"), "core.empty_latent", "core.load_image"),
        (SocketFilter("int", "takes"), "core.sample", "core.decode_nothing"),
    ],
)
def test_a_filter_keeps_what_fits(filter, inside, outside):
    assert filter.passes(CATALOG[inside])
    assert outside not in CATALOG or not filter.passes(CATALOG[outside])


def test_a_filter_is_said_in_words():
    assert SocketFilter("image", "takes").text == "takes Image"
    assert SocketFilter("bool", "gives").text == "gives Yes / no"


def test_help_is_its_first_sentence():
    assert first_sentence("Make it\n  bigger. Or not.\n\nMore.") == "Make it bigger."
    assert first_sentence("") == ""


@pytest.fixture
def parent(qtbot):
    widget = QWidget()
    widget.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
    widget.resize(800, 600)
    qtbot.addWidget(widget)
    widget.show()
    return widget


@pytest.fixture
def palette(parent):
    return Palette(parent)


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


@pytest.fixture
def still():
    theme.set_reduced_motion(True)
    yield
    theme.set_reduced_motion(False)


def test_it_fades_in(palette, qtbot):
    palette.open(QPoint(10, 10), node_entries(CATALOG))
    assert palette.graphicsEffect() is not None
    qtbot.waitUntil(lambda: palette.graphicsEffect() is None)


def test_it_is_there_at_once_where_nothing_may_move(palette, still):
    palette.open(QPoint(10, 10), node_entries(CATALOG))
    assert palette.graphicsEffect() is None


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
