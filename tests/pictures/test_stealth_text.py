"""Text among the pixels: what is damaged, cut off or too large is as if it were not there."""

from __future__ import annotations

import gzip
import json

import pytest

from helpers import foreign_pictures as foreign
from helpers import hostile_pictures
from ponystudio.pictures.picture_reader import read_facts, read_fields
from ponystudio.pictures.stealth_text import MAX_HIDDEN

KINDS = ("pnginfo", "pngcomp", "rgbinfo", "rgbcomp")


def fields(folder, data: bytes) -> dict[str, str]:
    path = folder / "a.png"
    path.write_bytes(data)
    return read_fields(path)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("length", [1, 43, 44, 45, 2000])
def test_every_length_comes_out_whatever_column_it_ends_in(tmp_path, kind, length):
    text = ("ünïcorn " * 300)[:length]
    assert fields(tmp_path, foreign.stealthy(text, kind=kind)) == {"parameters": text}


def test_all_fields_of_novelais_come_under_their_own_names(tmp_path):
    said = {**foreign.NOVEL_FIELDS, "Generation time": 3.5}
    found = fields(tmp_path, foreign.stealthy(json.dumps(said)))
    assert found == foreign.NOVEL_FIELDS


def test_a_bomb_is_refused_before_it_is_unpacked(tmp_path):
    bomb = gzip.compress(bytes(400 * 2**20))
    for kind in ("pngcomp", "rgbcomp"):
        assert fields(tmp_path, foreign.hidden(bomb, kind=kind)) == {}
    much = gzip.compress(b"a" * MAX_HIDDEN)
    assert fields(tmp_path, foreign.hidden(much)).keys() <= {"parameters"}
    assert fields(tmp_path, foreign.hidden(gzip.compress(b"a" * (MAX_HIDDEN + 1)))) == {}


@pytest.mark.parametrize("bits", [0, 1, 7, 9, 80, 2**31, 2**32 - 1])
def test_lengths_that_are_not_true(tmp_path, bits):
    for kind in KINDS:
        found = fields(tmp_path, foreign.hidden(b"a text", kind=kind, bits=bits))
        assert found.keys() <= {"parameters"}
        assert len(found.get("parameters", "")) <= 10


@pytest.mark.parametrize("data", [b"", b"no gzip", gzip.compress(b"a text", mtime=0)[:-8]])
def test_what_is_no_gzip_or_cut_off(tmp_path, data):
    assert fields(tmp_path, foreign.hidden(data)) == {}


def test_small_and_strange_pictures(tmp_path):
    for size in ((1, 1), (1, 200), (200, 1), (3, 3)):
        for mode in ("RGB", "RGBA"):
            foreign.noise(mode, size).save(tmp_path / "a.png")
            assert read_fields(tmp_path / "a.png") == {}
    assert fields(tmp_path, hostile_pictures.png(3000, 3000)) == {}
    assert fields(tmp_path, hostile_pictures.png(64, 64, depth=16)) == {}
    # What is packed with loss keeps no such bits, so it is not decoded for them.
    foreign.noise("RGBA").save(tmp_path / "a.webp", quality=50)
    assert read_fields(tmp_path / "a.webp") == {}


def test_the_gallery_tells_it(tmp_path):
    (tmp_path / "a.png").write_bytes(foreign.stealthy(foreign.INFOTEXT))
    facts = read_facts(tmp_path / "a.png")
    assert (facts.seed, facts.steps, facts.model) == (77, 25, "starter")
    assert facts.height == 64
