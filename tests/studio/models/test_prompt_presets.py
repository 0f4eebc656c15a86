"""Presets of words: which there are, where they go in a prompt, and a person's own."""

from pathlib import Path

import pytest

from ponystudio.diffusion.text.clip_tokens import ClipTokenizer
from ponystudio.errors import GraphFileError, NotWritable
from ponystudio.studio.models import prompt_presets
from ponystudio.studio.models.prompt_presets import Preset, inserted
from ponystudio.studio.models.tag_style import with_spaces

BY_TITLE = {preset.title: preset for preset in prompt_presets.shipped()}
LADDER, GOOD = BY_TITLE["Pony V6: best"], BY_TITLE["Pony V6: good"]
SAFE, EXPLICIT = BY_TITLE["Pony V6 and V7: safe"], BY_TITLE["Pony V6 and V7: explicit"]


def put(text, preset, start=None, end=None):
    start = len(text) if start is None else start
    return inserted(
        text, preset, prompt_presets.shipped(), start, end if end is not None else start
    )[0]


@pytest.mark.parametrize(
    ("dialect", "text", "place", "said"),
    [
        ("a1111", "a pony # with wings", 19, "a pony # with wings\nX"),
        ("a1111", "a pony # with wings\nb", 12, "a pony # with wings\nX\nb"),
        ("a1111", "a pony # X\nb", 12, "a pony # X\nb, X"),
        ("a1111", "a // b", 6, "a // b, X"),
        ("comfyui", "a // b", 6, "a // b\nX"),
        ("comfyui", "a /* b */ c", 6, "a /* b */, X, c"),
        ("comfyui", "a # b", 5, "a # b, X"),
    ],
)
def test_no_preset_ends_up_in_a_comment(dialect, text, place, said):
    preset = Preset("x", "X")
    assert inserted(text, preset, [preset], place, place, dialect)[0] == said


def test_those_of_the_models_are_there():
    assert LADDER.text == "score_9, " + ", ".join(f"score_{n}_up" for n in (8, 7, 6, 5, 4))
    # 34 with the comma behind it, as its model card counts.
    assert len(ClipTokenizer().ids(LADDER.text + ",")) == 34
    texts = {preset.text for preset in prompt_presets.shipped()}
    assert {f"score_{rating}" for rating in ("safe", "questionable", "explicit")} <= texts
    assert {f"rating_{rating}" for rating in ("safe", "questionable", "explicit")} <= texts
    assert {"scr100", "suggestive", "by=", "3d, sfm"} <= texts
    assert len(BY_TITLE) == len(prompt_presets.shipped())


def test_pony_v7_is_prompted_in_its_order():
    """Score, rating and style, a description of the picture and of the style; then tags."""
    whole = BY_TITLE["Pony V7: all, in its order"]
    special, tags = whole.text.split("\n")
    score, rating, style, description = special.split(", ", 3)
    assert BY_TITLE["Pony V7: best"].text == score == "score_9"
    assert SAFE.text == rating
    assert style.startswith(BY_TITLE["Pony V7: a style by its number, 0 to 2047"].text)
    assert description.count(".") == 2
    assert tags == tags.lower()
    assert with_spaces(whole.text) == whole.text
    assert put("a pony", whole) == f"{whole.text}, a pony"


def test_a_score_of_v7_takes_the_place_of_v6s_ladder():
    good = BY_TITLE["Pony V7: good"]
    assert put(put("a pony", LADDER), good) == "score_7, a pony"
    assert put(put("a pony", good), BY_TITLE["Pony V7: best"]) == "score_9, a pony"


@pytest.mark.parametrize(
    ("text", "start", "expected"),
    [
        ("", 0, "rating_safe"),
        ("a pony", 6, "a pony, rating_safe"),
        ("a pony, ", 8, "a pony, rating_safe"),
        ("a pony,", 7, "a pony, rating_safe"),
        ("a pony", 0, "rating_safe, a pony"),
        ("a, b", 2, "a, rating_safe, b"),
        ("a, b", 1, "a, rating_safe, b"),
        ("(a pony:1.2)", 7, "(a pony, rating_safe:1.2)"),
        ("(a pony)", 1, "(rating_safe, a pony)"),
        ("a\nb", 2, "a\nrating_safe, b"),
    ],
)
def test_commas_are_set(text, start, expected):
    assert put(text, SAFE, start) == expected


def test_the_selection_is_replaced_and_the_cursor_stands_behind():
    text, cursor = inserted("a, bad word, b", SAFE, prompt_presets.shipped(), 3, 11)
    assert text == "a, rating_safe, b"
    assert text[:cursor] == "a, rating_safe"


def test_a_ladder_goes_to_the_start():
    assert put("a pony", LADDER) == f"{LADDER.text}, a pony"


def test_of_a_set_there_is_one():
    assert put("a pony, rating_safe, b", EXPLICIT) == "a pony, rating_explicit, b"
    assert put(put("a pony", LADDER), GOOD) == put("a pony", GOOD)
    assert put(put("a pony", GOOD), LADDER) == put("a pony", LADDER)
    assert put(put("a pony", LADDER), BY_TITLE["Pony V5.5: best"]) == "score_9, a pony"


def test_what_is_there_is_not_said_twice():
    assert put("a pony, rating_safe, b", SAFE) == "a pony, rating_safe, b"
    # Parts of other words are not it.
    safe = BY_TITLE["Pony V2: safe"]
    assert put("a safety pin", safe) == "a safety pin, safe"


def test_lun_v2_has_spaces_between_tags():
    preset = BY_TITLE["Lun's Pony V2: score of 800 and more"]
    assert put("twilight_sparkle solo", preset) == "scr100 scr800 twilight_sparkle solo"


@pytest.fixture
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("PONYSTUDIO_HOME", str(tmp_path))
    return tmp_path


def test_own_ones_are_kept_and_forgotten(home):
    assert prompt_presets.own() == []
    kept = prompt_presets.keep("rainbow mane, été,\n")
    assert kept == Preset("rainbow mane, été", "rainbow mane, été", own=True)
    long = prompt_presets.keep("a very long prompt with all that one could wish for in it")
    assert (len(long.title), long.title[-1]) == (40, "…")
    assert prompt_presets.own() == [long, kept]
    prompt_presets.keep("rainbow mane, été")
    assert [preset.text for preset in prompt_presets.own()] == [kept.text, long.text]
    prompt_presets.forget(kept)
    assert prompt_presets.own() == [long]


@pytest.mark.parametrize(
    "text",
    [
        "no JSON",
        "[1]",
        '[{"title": "a"}]',
        '[{"title": 1, "text": "b"}]',
        '{"a": 1}',
        "[" * 100_000,
    ],
)
def test_a_file_that_makes_no_sense_is_told_and_not_lost(home, text):
    prompt_presets.own_file().parent.mkdir(parents=True)
    prompt_presets.own_file().write_text(text, "utf-8")
    for attempt in (prompt_presets.own, lambda: prompt_presets.keep("more")):
        with pytest.raises(GraphFileError, match="presets cannot be read"):
            attempt()
    assert prompt_presets.own_file().read_text("utf-8") == text


def test_a_folder_that_cannot_be_made_is_told(home, monkeypatch):
    def refused(*_, **__):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "mkdir", refused)
    with pytest.raises(NotWritable, match="Permission denied"):
        prompt_presets.keep("a pony")
