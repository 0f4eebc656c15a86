"""The tokens of a prompt and their places in it."""

import pytest

from ponystudio.canvas.params.pieces import pieces
from ponystudio.diffusion.prompt import parse
from ponystudio.diffusion.tokens import ClipTokenizer
from ponystudio.errors import MissingFile

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
     "日本語 été 🦄", "unicorn " * 200, "<lora:a:1> b", "AB  Cd\nef"],
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
