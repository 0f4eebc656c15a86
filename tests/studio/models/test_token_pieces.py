"""The tokens of a prompt and their places in it."""

import pytest

from ponystudio.diffusion.text.clip_tokens import ClipTokenizer
from ponystudio.diffusion.text.prompt_syntax import Segment, parse
from ponystudio.diffusion.text.sentencepiece_tokens import shipped
from ponystudio.errors import MissingFile
from ponystudio.studio.models.token_pieces import pieces, pieces_at_once

LONG = ", ".join(f"word{i} (weighted words:1.2)" for i in range(20))


def encoded(text, dialect):
    """The (id, weight) pairs of each chunk, as the text encoder is given them."""
    chunks = ClipTokenizer(pad=0).chunks(parse(text, dialect), dialect)
    return [
        [(token.id, token.weight) for token in chunk.tokens[1 : chunk.ids.index(49407)]]
        for chunk in chunks
    ]


def said(text, found):
    return [text[slice(*piece.span)] for chunk in found for piece in chunk]


@pytest.mark.parametrize("dialect", ["a1111", "comfyui"])
@pytest.mark.parametrize(
    "text",
    ["", "unicorn, 3d", "(rainbow mane:1.2), blue", LONG, "a BREAK b", r"\(a\) [b] ((c",
     "日本語 été 🦄", "unicorn " * 200, "<lora:a:1> b", "AB  Cd\nef",
     "a # b pony\npony", "a // b (pony:1.2)\n(pony:1.3)", "x /* pony BREAK\n */ {pony} \\{y\\}"],
)  # fmt: skip
def test_are_the_encoders_own(text, dialect):
    found = pieces(text, dialect)
    assert [[(p.id, p.weight) for p in chunk] for chunk in found] == encoded(text, dialect)
    places = [piece.span for chunk in found for piece in chunk]
    assert places == sorted(places)
    assert all(0 <= start < end <= len(text) for start, end in places)


def test_each_stands_for_its_letters():
    text = "score_9, (rainbowmane:1.2), [Été]"
    found = pieces(text, "a1111")
    letters = said(text, found)
    assert "".join(letters) == "score_9,rainbowmane,Été"
    assert letters[:4] == ["score", "_", "9", ","]
    assert [piece.ends for piece in found[0]][:4] == [True] * 4
    assert {round(piece.weight, 3) for piece in found[0]} == {1.0, 1.2, 0.909}


@pytest.mark.parametrize(
    ("dialect", "text"), [("a1111", "a # pony\npony"), ("comfyui", "a /* pony */ // pony\npony")]
)
def test_none_of_a_comment_is_meant(dialect, text):
    (chunk,) = pieces(text, dialect)
    assert [piece.span for piece in chunk] == [(0, 1), (len(text) - 4, len(text))]


def test_words_end_where_the_vocabulary_says():
    (chunk,) = pieces("unicornio pony", "comfyui")
    words = ClipTokenizer().ids("unicornio")
    assert len(words) > 1
    assert [piece.ends for piece in chunk] == [False] * (len(words) - 1) + [True, True]


def test_a_textual_inversion_is_one_piece():
    text = "a (embedding:birb:1.3), birb"
    (chunk,) = pieces(text, "a1111", {"style/birb.pt": 8})
    named = [piece for piece in chunk if piece.name]
    assert [(p.name, p.count, p.weight, text[slice(*p.span)]) for p in named] == [
        ("style/birb.pt", 8, 1.3, "embedding:birb"),
        ("style/birb.pt", 8, 1.0, "birb"),
    ]
    assert said(text, [chunk]) == ["a", "embedding:birb", ",", "birb"]


def test_one_over_the_end_of_a_chunk_is_in_both():
    text = "word " * 70 + "embedding:birb and more"
    first, second = pieces(text, "comfyui", {"birb.pt": 10})
    assert (first[-1].name, first[-1].count) == ("birb.pt", 5)
    assert (second[0].name, second[0].count) == ("birb.pt", 5)
    assert said(text, [second])[1:] == ["and", "more"]


def test_one_that_is_not_there():
    with pytest.raises(MissingFile, match="gone"):
        pieces("embedding:gone", "a1111")


class TestAtOnce:
    """As T5 reads a prompt."""

    @pytest.mark.parametrize("dialect", ["a1111", "comfyui"])
    @pytest.mark.parametrize(
        "text",
        ["", "unicorn, 3d", "(rainbow mane:1.2), blue", LONG, "a BREAK b", "  a\n ponies ",
         "日本 🦄x", "unicorn " * 200, "<lora:a:1> b", "ﬁx ｆｕｌｌ…x"],
    )  # fmt: skip
    def test_are_the_encoders_own(self, text, dialect):
        found = pieces_at_once(text, dialect, shipped("t5"))
        segments = [part for part in parse(text, dialect) if isinstance(part, Segment)]
        assert [(p.id, p.weight) for p in found] == [
            (id, part.weight) for part in segments for id in shipped("t5").ids(part.text)
        ]
        places = [piece.span for piece in found]
        assert places == sorted(places)
        assert all(0 <= start <= end <= len(text) for start, end in places)

    def test_each_stands_for_its_letters(self):
        text = "score_9, (rainbow ponies:1.2)"
        found = pieces_at_once(text, "a1111", shipped("t5"))
        assert said(text, [found]) == ["score", "_", "9", ",", "rainbow", "po", "nies"]
        ends = [text[piece.span[0]] for piece in found if piece.ends]
        assert ends == [",", "r", "n"]

    def test_textual_inversions_are_left_out(self):
        text = "a embedding:birb, cat"
        found = pieces_at_once(text, "comfyui", shipped("t5"), ["birb.pt"])
        assert "".join(said(text, [found])) == "a,cat"
        with pytest.raises(MissingFile):
            pieces_at_once(text, "comfyui", shipped("t5"))
