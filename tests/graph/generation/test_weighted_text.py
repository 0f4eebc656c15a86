"""Weights of other programs in our dialects; the sums are done by hand."""

from __future__ import annotations

import pytest

from ponystudio.diffusion.text import prompt_syntax
from ponystudio.graph.generation.weighted_text import from_invokeai, from_novelai


@pytest.mark.parametrize(
    ("theirs", "ours"),
    [
        ("a {cat}, {{dog}}", "a (cat:1.05), (dog:1.103)"),
        ("[x] [[y]] z", "(x:0.952) (y:0.907) z"),
        ("{a [b] c}", "(a:1.05) b (c:1.05)"),
        ("1.3::red hat::, (y) :3", "(red hat:1.3), \\(y\\) :3"),
        ("-1::hat:: 10:30, 2::a::b", "(hat:-1) 10:30, (a:2)b"),
        ("1girl, {unclosed", "1girl, (unclosed:1.05)"),
        ("a} b]", "a b"),
        ("", ""),
        ("{}", ""),
    ],
)
def test_novelais(theirs, ours):
    assert from_novelai(theirs) == ours


@pytest.mark.parametrize(
    ("theirs", "ours"),
    [
        ("a cat++ on a mat", "a (cat:1.21) on a mat"),
        ("blue-, (old man)--", "(blue:0.9), (old man:0.81)"),
        ("(a big mat)1.3", "(a big mat:1.3)"),
        ("(a (b)+ c)++", "(a:1.21) (b:1.331) (c:1.21)"),
        ("(plain) x-ray, well-known", "plain x-ray, well-known"),
        ("\\(esc\\) word+.", "\\(esc\\) (word:1.1)."),
        ("a++b c-", "a++b (c:0.9)"),
        ("(unclosed", "\\(unclosed"),
        ("", ""),
    ],
)
def test_invokeais(theirs, ours):
    assert from_invokeai(theirs) == ours


def test_our_reader_gives_the_words_these_weights():
    found = prompt_syntax.parse(from_novelai("a {{red}} hat [b]"), "a1111")
    assert {part.text.strip(): part.weight for part in found} == {
        "a": 1.0,
        "red": 1.103,
        "hat": 1.0,
        "b": 0.952,
    }
    found = prompt_syntax.parse(from_invokeai("a red++ hat"), "comfyui")
    assert [(part.text.strip(), part.weight) for part in found] == [
        ("a", 1.0),
        ("red", 1.21),
        ("hat", 1.0),
    ]


@pytest.mark.parametrize("part", ["{", "[", "(", "((a)+", "+", "a-", "1::", "::", "\\", "(1.3"])
def test_any_length_is_read(part):
    for read in (from_novelai, from_invokeai):
        assert len(read(part * 20_000)) < 20_000 * 20
