"""Finding by a few letters."""

import pytest

from helpers.studio import CATALOG
from ponystudio.canvas.palette.palette_entries import (
    node_entries,
    rows,
)
from ponystudio.widgets import fuzzy_match


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
