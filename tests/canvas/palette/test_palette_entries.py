"""What the palette offers."""

import pytest

from helpers.studio import CATALOG
from ponystudio.canvas.palette.palette_entries import (
    SocketFilter,
    first_sentence,
    node_entries,
    rows,
)


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


def test_what_other_tools_call_a_node_finds_it():
    entries = node_entries(CATALOG)
    for spec in CATALOG.values():
        for alias in spec.aliases:
            found = [row.entry.value.id for row in rows(alias, entries) if row.entry]
            assert spec.id in found[:3], alias
    found = [row.entry.value.id for row in rows("noise mask", entries) if row.entry]
    assert found[0] == "core.mask_latent"  # SetLatentNoiseMask


def test_the_whole_title_of_a_node_finds_it_first():
    entries = node_entries(CATALOG)
    for spec in CATALOG.values():
        found = [row.entry.title for row in rows(spec.title.lower(), entries) if row.entry]
        assert found[0] == spec.title


def test_a_filter_is_said_in_words():
    assert SocketFilter("image", "takes").text == "takes Image"
    assert SocketFilter("bool", "gives").text == "gives Yes / no"


def test_help_is_its_first_sentence():
    assert first_sentence("Make it\n  bigger. Or not.\n\nMore.") == "Make it bigger."
    assert first_sentence("") == ""
