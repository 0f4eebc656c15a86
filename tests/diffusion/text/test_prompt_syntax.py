"""Attention syntax: the rules of both dialects, and that no text breaks them."""

from __future__ import annotations

import json
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ponystudio.diffusion.text.prompt_syntax import (
    DIALECTS,
    MOST_NESTED,
    Break,
    Segment,
    notes,
    parse,
    without_comments,
)
from ponystudio.errors import ParamChoice

PARITY = Path(__file__).parents[2] / "data" / "parity"

# Everything that means something in either dialect, thick enough to nest.
PROMPTS = st.text(alphabet="ab (()))[[]]::1.\\", max_size=24)


def read(text: str, dialect: str) -> list[tuple[str, float] | str]:
    """Segments as (text, weight rounded), breaks as "BREAK"."""
    return [
        "BREAK" if isinstance(part, Break) else (part.text, pytest.approx(part.weight))
        for part in parse(text, dialect)
    ]


class TestA1111:
    @pytest.mark.parametrize(
        ("text", "segments"),
        [
            ("", []),
            ("a pony", [("a pony", 1.0)]),
            ("(x)", [("x", 1.1)]),
            ("((x))", [("x", 1.21)]),
            ("(x:1.3)", [("x", 1.3)]),
            ("(x: 1.3 )", [("x", 1.3)]),
            ("(x:-1)", [("x", -1.0)]),
            ("(x:.5)", [("x", 0.5)]),
            ("[x]", [("x", 1 / 1.1)]),
            ("([x])", [("x", 1.0)]),
            ("((x:2):3)", [("x", 6.0)]),
            ("(a:b)", [("a:b", 1.1)]),
            ("a:b", [("a:b", 1.0)]),
            ("x:1.3)", [("x:1.3)", 1.0)]),
            ("x) y]", [("x) y]", 1.0)]),
            ("(unbalanced", [("unbalanced", 1.1)]),
            ("a [b (c", [("a ", 1.0), ("b ", 1 / 1.1), ("c", 1.0)]),
            ("(a [b) c]", [("a ", 1.1), ("b", 1.0), (" c", 1 / 1.1)]),
            # Two products of the same factors, equal but for the last bit, do not merge.
            ("(([a:([,", [("a:", 1.1), (",", 1.1)]),
            (r"\(literal\]", [("(literal]", 1.0)]),
            (r"rem_\(re:zero\)", [("rem_(re:zero)", 1.0)]),
            (r"a\\b\c", [(r"a\bc", 1.0)]),
            ("(x:1.2.3)", [("x:1.2.3", 1.1)]),
            (f"(x:{'9' * 400})", [(f"x:{'9' * 400})", 1.1)]),
            (
                "a (((house:1.3)) [on] a (hill:0.5), sun, (((sky))).",
                [
                    ("a ", 1.0),
                    ("house", 1.573),
                    (" ", 1.1),
                    ("on", 1.0),
                    (" a ", 1.1),
                    ("hill", 0.55),
                    (", sun, ", 1.1),
                    ("sky", 1.4641),
                    (".", 1.1),
                ],
            ),
        ],
    )
    def test_weights(self, text, segments):
        assert read(text, "a1111") == segments

    def test_break_ends_a_chunk_and_swallows_the_space_around_it(self):
        assert read("a BREAK b", "a1111") == [("a", 1.0), "BREAK", ("b", 1.0)]
        assert read("BREAK  BREAK", "a1111") == ["BREAK", "BREAK"]
        assert read("BREAKFAST break", "a1111") == [("BREAKFAST break", 1.0)]

    def test_break_inside_brackets_still_ends_a_chunk(self):
        assert read("(a BREAK b:1.5)", "a1111") == [("a", 1.5), "BREAK", ("b", 1.5)]

    def test_extra_networks_are_taken_out(self):
        assert read("a<lora:ponies:0.8> b", "a1111") == [("a b", 1.0)]
        assert read("a < b", "a1111") == [("a < b", 1.0)]

    @given(PROMPTS)
    def test_neighbours_differ_in_weight_and_none_is_empty(self, text):
        segments = parse(text, "a1111")
        assert all(isinstance(part, Break) or part.text for part in segments)
        for a, b in pairwise(segments):
            assert not (isinstance(a, Segment) and isinstance(b, Segment) and a.weight == b.weight)


def by_recursion(text: str, weight: float = 1.0) -> list[tuple[str, float]]:
    """The ComfyUI dialect said another way: cut at depth 0, then read every bracket anew."""
    pieces, depth = [""], 0
    for char in text:
        if char == "(" and depth == 0:
            pieces.append("")
        pieces[-1] += char
        depth += {"(": 1, ")": -1}.get(char, 0)
        if char == ")" and depth == 0:
            pieces.append("")
    found = []
    for piece in filter(None, pieces):
        if len(piece) > 1 and piece[0] + piece[-1] == "()":
            body, factor = piece[1:-1], weight * 1.1
            head, colon, tail = body.rpartition(":")
            if colon and head:
                try:
                    body, factor = head, float(tail)
                except ValueError:
                    pass
            found += by_recursion(body, factor)
        else:
            found.append((piece, weight))
    return found


class TestComfyUI:
    @pytest.mark.parametrize(
        ("text", "segments"),
        [
            ("", []),
            ("(x)", [("x", 1.1)]),
            ("((x))", [("x", 1.21)]),
            ("((x):3)", [("x", 3.3)]),
            ("((x:2):3)", [("x", 2.0)]),
            ("(x:1e0)", [("x", 1.0)]),
            ("(x:nan)", [("x:nan", 1.1)]),
            ("(:2)", [(":2", 1.1)]),
            ("()", []),
            ("[x] BREAK AND", [("[x] BREAK AND", 1.0)]),
            ("a (b", [("a ", 1.0), ("(b", 1.0)]),
            ("a (b) (c", [("a ", 1.0), ("b", 1.1), (" ", 1.0), ("(c", 1.0)]),
            ("(a (b)", [("a ", 1.1), ("(b", 1.1)]),
            # A surplus bracket takes the next one, whose own partner is surplus then, and so on.
            ("a) (b) (c)", [("a) (b) (c)", 1.0)]),
            ("a) (b ((c))", [("a) (b ", 1.0), ("c", 1.21)]),
            (r"\(a\) (b\))", [("(a) ", 1.0), ("b)", 1.1)]),
            (r"(a\)", [("(a)", 1.0)]),
            (r"a\\b", [(r"a\\b", 1.0)]),
            ("<lora:x:1>", [("<lora:x:1>", 1.0)]),
        ],
    )
    def test_weights(self, text, segments):
        assert read(text, "comfyui") == segments

    def test_segments_of_the_reference(self):
        for case in json.loads((PARITY / "tokens.json").read_text("utf-8")).values():
            # The reference keeps escaped brackets as placeholders of its own.
            segments = [
                (text.replace("\0\1", ")").replace("\0\2", "("), weight)
                for text, weight in case["segments"]
            ]
            assert [(s.text, s.weight) for s in parse(case["prompt"], "comfyui")] == segments

    @given(st.text(alphabet="a (()))::1.", max_size=24))
    def test_agrees_with_the_recursive_reading(self, text):
        assert [(s.text, s.weight) for s in parse(text, "comfyui")] == by_recursion(text)


@pytest.mark.parametrize("dialect", DIALECTS)
class TestBoth:
    @given(text=st.text())
    def test_any_text_is_a_prompt(self, dialect, text):
        assert all(isinstance(part, Segment | Break) for part in parse(text, dialect))

    @given(text=st.text(alphabet=st.characters(exclude_characters="()[]<>:\\#/{}"), min_size=1))
    def test_text_without_syntax_stays_as_it_is(self, dialect, text):
        if "BREAK" not in text:
            assert parse(text, dialect) == [Segment(text, 1.0)]

    @pytest.mark.parametrize(
        "text", ["(" * 50_000, ")" * 50_000, "(" * 20_000 + "a" + ")" * 20_000]
    )
    @pytest.mark.timeout(20)
    def test_deep_nesting_costs_neither_the_stack_nor_minutes(self, dialect, text):
        parse(text, dialect)


COMMENTED = [
    ("a1111", "a pony, # with wings\nsmiling", "a pony, \nsmiling"),
    ("a1111", "# (all:1.2\nof it)", "\nof it)"),
    ("a1111", "a# <lora:x:1> BREAK", "a"),
    ("a1111", "a // b /* c */", "a // b /* c */"),
    ("a1111", "#", ""),
    ("comfyui", "a pony, // with wings\nsmiling", "a pony, \nsmiling"),
    ("comfyui", "a /* (b:1.2)\nc */, d", "a , d"),
    ("comfyui", "a /* b // c */ d", "a  d"),
    ("comfyui", "a // b /* c\n d */", "a \n d */"),
    ("comfyui", "a /*/ b */ c", "a  c"),
    ("comfyui", "a /* b", "a /* b"),
    ("comfyui", "/*// c", "/*"),
    ("comfyui", "# a", "# a"),
    ("comfyui", "a//b\u2028c", "a\u2028c"),
]


@pytest.mark.parametrize(("dialect", "text", "words"), COMMENTED)
def test_comments_are_left_out(dialect, text, words):
    assert "".join(part.text for part in parse(text, dialect)) == words


@pytest.mark.parametrize(("dialect", "text", "words"), COMMENTED)
def test_a_filled_comment_moves_no_letter(dialect, text, words):
    filled = without_comments(text, dialect, " ")
    assert len(filled) == len(text)
    assert filled.replace(" ", "") == words.replace(" ", "")


def test_nothing_in_a_comment_is_noted():
    assert notes("# {a|b} __c__ <lora:x:1> AND [d|e]\na pony", "a1111") == []
    assert notes("/* {a|b} __c__ BREAK */ a pony // x++", "comfyui") == []


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("{a pony}", "a pony"),
        ("{a {b} c}", "a b c"),
        ("{}", ""),
        ("{cat|dog}", "{cat|dog}"),
        ("{a {cat|dog}}", "a {cat|dog}"),
        (r"\{a|b\} \| \x", r"{a|b} | \x"),
        (r"{a\|b}", "a|b"),
        ("a } b { c", "a } b { c"),
        ("(({a|b}))", "{a|b}"),
    ],
)
def test_braces_of_comfyui(text, words):
    assert "".join(part.text for part in parse(text, "comfyui")) == words


def test_long_lists_of_what_does_not_act_are_cut():
    text = " ".join(f"{{{'word' * 40}{i}|b}}" for i in range(2000))
    (note,) = notes(text, "comfyui")
    assert len(note) < 700
    assert "and 1,995 more" in note


@pytest.mark.parametrize(
    "part", ["/*", "/**/", "//", "#", "# a\nb", "{", "}", "{|", "{a|b}", "\\{"]
)
@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.timeout(20)
def test_many_comments_and_braces_do_not_take_for_ever(dialect, part):
    parse(part * 50_000, dialect)
    notes(part * 50_000, dialect)


def test_an_unknown_dialect_is_refused():
    with pytest.raises(ParamChoice, match=r"invokeai.*a1111 or comfyui"):
        parse("a", "invokeai")


@pytest.mark.parametrize(
    ("text", "dialect", "word"),
    [
        ("a <lora:ponies:0.8>", "a1111", "left out"),
        ("a <lora:ponies:0.8>", "comfyui", "plain text"),
        ("cat AND dog", "a1111", "AND"),
        ("a [cat:dog:0.5]", "a1111", "from:to:when"),
        ("a [cat::3]", "a1111", "from:to:when"),
        ("a [cat|dog]", "a1111", "a|b"),
        ("a {cat|dog}, {x {y|z}}", "comfyui", "{cat|dog}, {y|z}: "),
        ("a {cat|dog}", "a1111", "{cat|dog}: "),
        ("{cat|{dog|bird}} runs", "comfyui", "{cat|{dog|bird}}: "),
        ("a {{cat}}", "a1111", "{x}"),
        ("__animals__ of __my/big-place__", "a1111", "__animals__, __my/big-place__: "),
        ("__animals__ of __my/big-place__", "comfyui", "__animals__, __my/big-place__: "),
        ("a <wildcard:animals>", "a1111", "<wildcard:animals>: left out"),
        ("a cat // and no dog", "a1111", "//"),
        ("a cat /* and no dog */", "a1111", "/*"),
        ("  # a cat\na dog", "comfyui", "#"),
        ("a cat # and no dog", "comfyui", "#"),
        ("a mane, #ff0000, a tail", "a1111", "#ff0000, a tail: left out"),
        ("see http://a.b\nc", "comfyui", "//a.b: left out"),
        ("cat,embedding:x", "comfyui", "embedding:x: read as words"),
        ("(a)(b,embedding:x:1.2)", "comfyui", "embedding:x: read as words"),
        ("a BREAK b", "comfyui", "BREAK"),
        ("pony++, cat", "comfyui", "y++: "),
        ("1.2::pony::, cat", "a1111", "1.2::"),
    ],
)
def test_notes_name_what_does_not_act(text, dialect, word):
    (note,) = notes(text, dialect)
    assert word in note


@pytest.mark.parametrize(
    "text",
    ["a pony", "(x:1.2) [y]", r"\[a|b\]", "SAND, a:1.5", "1 < 2 > 0",
     r"\{a|b\}", "a | b", "a /* b", "score_9, __init", "and/or", "embedding:x, y"],
)  # fmt: skip
@pytest.mark.parametrize("dialect", DIALECTS)
def test_no_notes_on_what_acts(text, dialect):
    assert notes(text, dialect) == []


def test_and_is_an_ordinary_word_in_comfyui():
    assert notes("a AND b [c|d]", "comfyui") == []


def test_brackets_without_end_are_words_and_said_so():
    text = "(" * 1000 + "pony" + ")" * 1000
    (first, *_) = parse(text, "a1111")
    assert max(part.weight for part in parse(text, "a1111")) == pytest.approx(1.1**MOST_NESTED)
    assert "(" in first.text or "pony" in first.text
    assert any("more than 100 others" in note for note in notes(text, "a1111"))
    honest = "(" * MOST_NESTED + "pony" + ")" * MOST_NESTED
    assert not any("others" in note for note in notes(honest, "a1111"))
    assert [part.text for part in parse(honest, "a1111")] == ["pony"]


def test_a_word_and_its_break_part_without_the_blanks_between():
    found = parse("a  BREAK \n BREAK b BREAKER", "a1111")
    assert found == [Segment("a"), Break(), Break(), Segment("b BREAKER")]
