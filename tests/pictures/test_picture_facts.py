"""How a picture was made, told in short values whatever is written in it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from helpers import foreign_pictures, hostile_pictures
from helpers.pictures import save_picture, text_to_picture
from ponystudio.pictures.picture_facts import LONGEST_PROMPT, LONGEST_WORD, MOST_FILES
from ponystudio.pictures.picture_reader import read_facts, read_sidecar
from ponystudio.pictures.reader_protocol import PictureFacts, SidecarNotes
from ponystudio.pictures.sidecar_notes import LONGEST, LONGEST_TEXT, MOST_WORDS


def with_text(folder: Path, name: bytes, text: str) -> Path:
    chunk = hostile_pictures.png_chunk(b"iTXt", name + b"\0\0\0\0\0" + text.encode())
    path = folder / "p.png"
    path.write_bytes(hostile_pictures.png(8, 6, chunk))
    return path


def check(facts: PictureFacts) -> None:
    assert max(len(facts.prompt), len(facts.negative)) <= LONGEST_PROMPT
    for word in (facts.model, facts.sampler, facts.scheduler, facts.device, facts.node):
        assert len(word) <= LONGEST_WORD
    assert len(facts.files) <= MOST_FILES
    assert facts.cfg is None or abs(facts.cfg) < 1e300


def test_a_picture_tells_its_size_and_how_it_was_made(tmp_path):
    path = save_picture(tmp_path / "a.png", text_to_picture("fox", seed=2**64 - 1))
    facts = read_facts(path)
    assert (facts.prompt, facts.seed, facts.sampler) == ("fox", 2**64 - 1, "euler")
    assert facts.width == facts.height == 64
    assert facts.graph_hash


@pytest.mark.parametrize(
    "text",
    [
        "a" * 20_000_000,
        "\n" * 1_000_000,
        "a\nSteps: 1, Sampler: x, Seed: 1, Lora hashes: " + "," * 100_000,
        "a\nSteps: 1, Sampler: x, Seed: 1, Lora hashes: " + "a: 0f, " * 100_000,
        "a\nSteps: 1, Sampler: " + "s" * 100_000 + ", Seed: " + "9" * 20,
        "a\nSteps: -1, Sampler: é\U0001f984, Seed: 99999999999999999999, CFG scale: 1e999",
    ],
    ids=["letters", "lines", "commas", "loras", "long names", "numbers"],
)
def test_parameters_without_end_are_told_in_part(tmp_path, text):
    facts = read_facts(with_text(tmp_path, b"parameters", text))
    assert (facts.width, facts.height) == (8, 6)
    check(facts)


@pytest.mark.parametrize(
    "text",
    [
        "[" * 100_000,
        "[]," * 2_000_000,
        '{"format": "ponystudio.graph", "version": 1, "nodes": {' + '"a": {}, ' * 100_000 + "}}",
        json.dumps({"nodes": {"a": {"type": "x" * 5_000_000}}}),
        "9" * 1_000_000,
        "\\ud800",
    ],
    ids=["deep", "lists", "names", "long type", "digits", "half"],
)
def test_graphs_and_receipts_that_make_no_sense_say_nothing(tmp_path, text):
    for name in (b"ponystudio.graph", b"ponystudio.receipt"):
        facts = read_facts(with_text(tmp_path, name, text))
        assert (facts.width, facts.height, facts.graph_hash) == (8, 6, "")
        check(facts)


def test_a_sidecar_tells_short_texts_alone(tmp_path):
    path = tmp_path / "a.json"
    said = {
        "notes": "n" * 1_000_000,
        "description": ["not a text"],
        "baseModel": 5,
        "sd version": "SDXL",
        "trainedWords": [*["fox"] * 1000, {}],
        "activation text": "\ud800",
        "model": {"name": "Ink", "more": [[]] * 1000},
        "images": [{"url": "x" * 1000}] * 1000,
    }
    path.write_text(json.dumps(said))
    found = read_sidecar(path)
    assert (found.model_name, found.base, found.description) == ("Ink", "SDXL", "")
    assert len(found.notes) == LONGEST_TEXT
    assert found.trained_words == ("fox",) * MOST_WORDS
    assert found.activation_text == "?"


@pytest.mark.parametrize(
    "data",
    [b"", b"[]", b"{", b"\xff\xfe{}", b"[" * 100_000, b"[]," * 1_300_000, b" " * (LONGEST + 1)],
    ids=["nothing", "a list", "torn", "UTF-16", "deep", "lists", "long"],
)
def test_a_sidecar_that_makes_no_sense_says_nothing(tmp_path, data):
    (tmp_path / "a.json").write_bytes(data)
    assert read_sidecar(tmp_path / "a.json") == SidecarNotes()


@pytest.mark.parametrize("writer", foreign_pictures.WRITERS)
def test_pictures_of_other_programs_tell_how_they_were_made(tmp_path, writer):
    path = tmp_path / "a"
    fields = foreign_pictures.WRITERS[writer]
    for data in (foreign_pictures.png(fields), foreign_pictures.with_exif("JPEG", fields)):
        path.write_bytes(data)
        facts = read_facts(path)
        assert (facts.width, facts.height) == (72, 64)
        assert (facts.seed, facts.steps, facts.cfg) == (77, 25, 6.5)
        assert "pony" in facts.prompt
        assert "blurry" in facts.negative
        if writer not in ("NovelAI", "InvokeAI 1"):  # which do not say it, or have no file
            assert facts.model == "starter"
