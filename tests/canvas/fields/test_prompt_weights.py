"""Weights in prompts, as keys change them."""

import pytest

from ponystudio.canvas.fields.prompt_weights import adjusted, spans


def marked(text):
    """A text with its selection between two bars (one bar: the cursor)."""
    plain, start = text.replace("|", ""), text.index("|")
    return plain, start, text.rindex("|") - (text.count("|") == 2)


@pytest.mark.parametrize(
    ("before", "by", "after"),
    [
        ("a uni|corn, 3d", 0.1, "a (unicorn:1.1), 3d"),
        ("a |unicorn, 3d|", 0.1, "a (unicorn, 3d:1.1)"),
        ("a |unicorn, | 3d", 0.1, "a (unicorn:1.1),  3d"),
        ("(uni|corn:1.1)", 0.1, "(unicorn:1.2)"),
        ("(unicorn:1.1|)", 0.1, "(unicorn:1.2)"),
        ("(uni|corn:1.1), 3d", -0.1, "unicorn, 3d"),
        ("(uni|corn)", -0.1, "unicorn"),
        ("(uni|corn)", 0.1, "(unicorn:1.2)"),
        ("[uni|corn]", 0.1, "(unicorn:1.01)"),
        ("uni|corn", -0.1, "(unicorn:0.9)"),
        ("|(rainbow mane:1.2)|", 0.1, "(rainbow mane:1.3)"),
        ("(|rainbow mane|:1.2)", 0.1, "(rainbow mane:1.3)"),
        ("(a (b|b:1.2):1.1)", 0.1, "(a (bb:1.3):1.1)"),
        ("<lora:po|ny:0.8>", 0.1, "<lora:pony:0.9>"),
        (r"a \(b|\) c", 0.1, None),
        ("a |(b| c)", 0.1, None),
        ("a , | , b", 0.1, None),
        ("|", 0.1, None),
    ],
)
def test_weighing(before, by, after):
    text, start, end = marked(before)
    weighed, first, last = adjusted(text, start, end, by)
    if after is None:
        assert weighed == text or weighed.count("(") == text.count("(") + 1
    else:
        assert weighed == after
    assert 0 <= first <= last <= len(weighed)


def test_up_and_down_leads_back():
    text, start, end = "a unicorn", 2, 9
    for by in (0.1, 0.1, -0.1, -0.1):
        text, start, end = adjusted(text, start, end, by)
        assert text[start:end] == "unicorn"
    assert text == "a unicorn"


def test_no_weight_falls_below_nothing():
    assert adjusted("(a:0.05)", 1, 2, -0.1)[0] == "(a:0)"


@pytest.mark.parametrize(
    ("text", "dialect", "words"),
    [
        ("a (b:1.2), [c] d", "a1111", ["(b:1.2)", "[c]"]),
        ("a (b:1.2), [c] d", "comfyui", ["(b:1.2)"]),
        ("(a (b:1.2))", "a1111", ["(a (b:1.2))"]),
        (r"\(a\) b", "a1111", []),
        ("(a, b", "a1111", []),
        ("(a\nb)", "a1111", ["(a\nb)"]),
        ("(a # (c) :1.2)\nb)", "a1111", ["(a # (c) :1.2)\nb)"]),
        ("# (a)\n(b)", "a1111", ["(b)"]),
        ("# (a)\n(b)", "comfyui", ["(a)", "(b)"]),
        (r"// (a) \ /* (c) */", "comfyui", []),
    ],
)
def test_weighted_words(text, dialect, words):
    assert [text[start:end] for start, end in spans(text, dialect)] == words
