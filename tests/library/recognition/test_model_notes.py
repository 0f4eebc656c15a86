"""What files say of themselves to people, in metadata and in the notes beside them."""

from __future__ import annotations

import json

import pytest

from ponystudio.library.recognition.model_notes import (
    LONGEST,
    LONGEST_TEXT,
    MOST_TAGS,
    MOST_WORDS,
    said_of,
)


def beside(path, suffix: str, content: object) -> None:
    path.with_suffix(suffix).write_text(json.dumps(content), "utf-8")


def test_metadata_tells_title_licence_and_trigger_words(tmp_path):
    said = said_of(
        tmp_path / "a.safetensors",
        {
            "modelspec.title": "Ink wash",
            "modelspec.license": "CC0-1.0",
            "modelspec.trigger_phrase": "ink wash, sumi-e",
            "modelspec.usage_hint": "Best at 0.8",
            "ss_sd_model_name": "v6.safetensors",
            "ss_num_train_images": "128",
        },
    )
    assert (said.title, said.licence, said.notes) == ("Ink wash", "CC0-1.0", "Best at 0.8")
    assert said.words == ("ink wash", "sumi-e")
    assert (said.base, said.pictures) == ("v6.safetensors", "128")


def test_tags_of_all_folders_are_counted_together(tmp_path):
    log = {"10_fox": {"fox": 9, "solo": 4}, "5_more": {"fox ": 2, "tree": 7, "odd": "many"}}
    said = said_of(tmp_path / "a.safetensors", {"ss_tag_frequency": json.dumps(log)})
    assert said.tags == (("fox", 11), ("tree", 7), ("solo", 4))
    many = {"folder": {f"tag{n}": n + 1 for n in range(100)}}
    said = said_of(tmp_path / "a.safetensors", {"ss_tag_frequency": json.dumps(many)})
    assert len(said.tags) == MOST_TAGS
    assert said.tags[0] == ("tag99", 100)


def test_sidecars_of_others_are_read(tmp_path):
    path = tmp_path / "my.lora.safetensors"
    beside(path, ".json", {"activation text": "inky", "notes": "Mine.", "sd version": "SDXL"})
    words = ["sumi-e, inky", "brush"]
    info = {
        "trainedWords": words,
        "description": "<p>Theirs &amp; ours.</p>",
        "model": {"name": "Ink"},
    }
    beside(path, ".civitai.info", info)
    said = said_of(path, {})
    assert said.words == ("sumi-e", "inky", "brush")
    assert (said.title, said.notes, said.base) == ("Ink", "Mine.", "SDXL")
    path.with_suffix(".json").unlink()
    assert said_of(path, {}).notes == "Theirs & ours."


def test_what_makes_no_sense_is_passed_over(tmp_path):
    path = tmp_path / "a.safetensors"
    for content in ("[", "[]", "7", '{"trainedWords": [1, null], "notes": {}, "model": "x"}'):
        path.with_suffix(".json").write_text(content, "utf-8")
        assert said_of(path, {}).words == ()
    path.with_suffix(".json").write_bytes(b"\xff\xfe{")
    assert said_of(path, {"ss_tag_frequency": "[" * 100_000}).tags == ()
    path.with_suffix(".json").write_text(" " * (LONGEST + 1) + "{}", "utf-8")
    said = said_of(path, {"modelspec.author": "None", "ss_tag_frequency": '{"a": 3}'})
    assert (said.author, said.tags, said.notes) == ("", (), "")


@pytest.mark.parametrize("text", ["&#" + "1" * 5000 + ";", "<" * 400_000, "a" * 10**7])
def test_a_description_without_end_is_said_in_part(tmp_path, text):
    said = said_of(tmp_path / "m.safetensors", {"modelspec.description": text})
    assert text.startswith(said.notes)
    assert len(said.notes) <= LONGEST_TEXT


def test_words_without_end_are_told_in_part(tmp_path):
    words = ",".join(f"word{i}" for i in range(10**6))
    said = said_of(tmp_path / "m.safetensors", {"modelspec.trigger_phrase": words})
    assert said.words[:2] == ("word0", "word1")
    assert len(said.words) == MOST_WORDS


@pytest.mark.parametrize(
    ("model", "licence"),
    [
        ({"license": "CC-BY-4.0"}, "CC-BY-4.0"),
        ({"allowCommercialUse": "None"}, "pictures are not to be sold"),
        ({"allowCommercialUse": []}, "pictures are not to be sold"),
        ({"allowCommercialUse": ["Image"], "allowNoCredit": True}, ""),
        ({"allowCommercialUse": "Sell"}, ""),
        (
            {"allowNoCredit": False, "allowDerivatives": False, "allowCommercialUse": ["Rent"]},
            "its maker is to be credited; no merges of it",
        ),
        ({"allowCommercialUse": [[], {}, 7]}, "pictures are not to be sold"),
    ],
)
def test_terms_of_sidecars_are_said_where_the_file_says_none(tmp_path, model, licence):
    path = tmp_path / "a.safetensors"
    beside(path, ".civitai.info", {"model": model})
    assert said_of(path, {}).licence == licence
    assert said_of(path, {"modelspec.license": "MIT"}).licence == "MIT"
