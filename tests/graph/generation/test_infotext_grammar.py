from __future__ import annotations

import random

import pytest

from ponystudio.graph.generation.infotext_grammar import LONGEST, Infotext, compose, parse

FIELDS = "Steps: 23, Sampler: Euler a, Seed: 1"
THREE = {"Steps": "23", "Sampler": "Euler a", "Seed": "1"}


def test_the_parts_of_a_text():
    assert parse("") == Infotext("", "", {})
    assert parse(f"a\nb\nNegative prompt: c\nd\n{FIELDS}") == Infotext("a\nb", "c\nd", THREE)
    assert parse(FIELDS) == Infotext("", "", THREE)
    two = "a pony\nSteps: 20, Sampler: Euler"
    assert parse(two) == Infotext(two, "", {})  # fewer than three fields are prose
    assert parse(f"a\r\nNegative prompt: b\r\n{FIELDS}") == Infotext("a", "b", THREE)


@pytest.mark.parametrize(
    ("text", "prompt", "negative"),
    [
        (f"a pony, nice Negative prompt: {FIELDS}", "a pony, nice", ""),
        (f"a pony: nice Negative prompt: bad: x, y {FIELDS}", "a pony: nice", "bad: x, y"),
        (f"Negative prompt: {FIELDS}", "", ""),
        (f"a\nNegative prompt: {FIELDS}", "a", ""),
        (f"a\nNegative prompt: b {FIELDS}", "a", "b"),
        (f"portrait: a pony, {FIELDS}", "portrait: a pony,", ""),
    ],
)
def test_all_in_one_line(text, prompt, negative):
    assert parse(text) == Infotext(prompt, negative, THREE)


def test_fields_may_stand_before_the_steps():
    fields = parse("a\nSeed: 1, Model: x, Steps: 3").fields
    assert fields == {"Seed": "1", "Model": "x", "Steps": "3"}


def test_values_that_are_json():
    hashes = '{"model": "67ab2fd8ec", "lora:a, b": "0123"}'
    resources = '[{"type": "lora", "modelName": "a, \\"b]\\": c"}, {"type": "checkpoint"}]'
    line = f"{FIELDS}, Hashes: {hashes}, Civitai resources: {resources}, Civitai metadata: {{}}"
    wanted = {
        **THREE,
        "Hashes": hashes,
        "Civitai resources": resources,
        "Civitai metadata": "{}",
        "Size": "8x16",
    }
    assert parse(f"{line}, Size: 8x16").fields == wanted
    assert compose(parse(f"{line}, Size: 8x16")) == f"{line}, Size: 8x16"


def test_quotes_and_bare_names():
    text = f'{FIELDS}, Note: "a, b: \\"c\\"\\nd", Tiling, Odd: {{a, Other: [b:c:.5], Last:'
    assert parse(text).fields == {
        **THREE,
        "Note": 'a, b: "c"\nd',
        "Tiling": "Tiling",
        "Odd": "{a",
        "Other": "[b:c:.5]",
        "Last": "",
    }


WORDS = (
    *("a pony", "(mane:1.2)", "BREAK", "AND", "[a:b:.5]", "[a|b]", "<lora:x y:0.8>", "小马"),
    *("\n", ", ", ": ", '"', "\\", "#1", "{a|b}", "Steps: many", "Negative: no"),
)
VALUES = (
    *("5", "7.5", "512x768", "Euler a", "", "a, b", "a: b", 'say "x"', '"', '"x"', "a\nb", " x "),
    *("{", "[a:b:.5]", '{"a": "b, c"}', '[{"a": 1}, "]"]', "\\", "Negative prompt: x", "é"),
)
NAMES = (
    *("Sampler", "CFG scale", "Seed", "Size", "Model", "Hires prompt", "ControlNet 0", "Eta"),
    *("Hashes", "Civitai resources", "Civitai metadata", "Tiling", "ADetailer model 2nd", "A/B-c"),
)


def texts() -> list[str]:
    """Of all that the grammar has, as they may be written: with the same parts as others."""
    chosen, found = random.Random(14), []
    for number in range(200):
        prompts = ["".join(chosen.choices(WORDS, k=chosen.randint(0, 8))) for _ in range(2)]
        fields = {"Steps": "20"} if number % 5 else {"Seed": "1", "Steps": "20"}
        for name in chosen.sample(NAMES, chosen.randint(2, 8)):
            fields[name] = name if chosen.random() < 0.1 else chosen.choice(VALUES)
        line = compose(Infotext("", "", fields))
        wanted, unwanted = (text.strip() for text in prompts)
        gap = " " if number % 4 == 0 and "Steps:" not in wanted + unwanted else "\n"
        text = "Negative prompt: " + unwanted if number % 3 else ""
        found.append(gap.join(part for part in (wanted, text, line) if part))
    return found


@pytest.mark.parametrize("text", texts())
def test_what_is_parsed_and_written_is_parsed_the_same(text):
    parts = parse(text)
    assert "Steps" in parts.fields
    assert parse(compose(parts)) == parts


def test_any_text_has_parts():
    chosen = random.Random(1)
    letters = (
        *'a:, "\\{}[]\n\r\t-/',
        "Steps: 3",
        "Negative prompt:",
        "Hashes",
        "\ud800",
        "Seed: 4",
    )
    for _ in range(3000):
        text = "".join(chosen.choices(letters, k=chosen.randint(1, 30)))
        again = compose(parse(text))
        assert "\ud800" not in again
        parse(again)


@pytest.mark.timeout(20)
@pytest.mark.parametrize(
    "unit",
    ["word ", " ", "a:", 'a b:"', "a, ", "{", "aa: {", "Steps: 1, aa: {,", 'aa: "\\', "[]", "a-/"],
)
def test_long_lines_are_read_quickly(unit):
    parse(unit * (LONGEST // len(unit)))
    parse(f"a\n{FIELDS}, {unit * (LONGEST // len(unit) - 100)}")
