"""Which textual inversion a prompt means."""

from __future__ import annotations

import pytest

from ponystudio.diffusion.text.clip_tokens import END, Chunk, ClipTokenizer, TokenRow
from ponystudio.diffusion.text.embedding_names import EmbeddingNames, may_mean
from ponystudio.diffusion.text.prompt_syntax import parse
from ponystudio.errors import MissingFile


def chunks(text: str, dialect: str, **embeddings: int) -> list[Chunk]:
    """`embeddings`: name → number of vectors."""
    return ClipTokenizer().chunks(
        parse(text, dialect), dialect, embeddings=embeddings, size=embeddings.__getitem__
    )


def body(chunk: Chunk) -> list[int | TokenRow]:
    """What stands between the frame tokens, without the padding."""
    ids = chunk.ids
    return [token.row or token.id for token in chunk.tokens[1 : 1 + ids[1:].index(END)]]


class TestNames:
    NAMES = (
        *("EasyNegative.safetensors", "style/birb.pt", "birb.pt", "v1.5.pt", "A.pt", "a.pt"),
        *("Pok\u00e9.pt", "Bc.pt", "bC.pt"),
    )

    @pytest.mark.parametrize(
        ("word", "name"),
        [
            ("EasyNegative", "EasyNegative.safetensors"),
            ("easynegative.safetensors", "EasyNegative.safetensors"),
            ("birb", "birb.pt"),
            ("style/birb", "style/birb.pt"),
            ("v1.5", "v1.5.pt"),
            ("A", "A.pt"),
            ("a", "a.pt"),
            ("Poke\u0301", "Pok\u00e9.pt"),
            ("pok\u00e9", "Pok\u00e9.pt"),
            ("bc", None),
            ("birb.safetensors", None),
            ("", None),
        ],
    )
    def test_find(self, word, name):
        assert EmbeddingNames(self.NAMES, ClipTokenizer().ids).find(word) == name

    @pytest.mark.parametrize("dialect", ["a1111", "comfyui"])
    @pytest.mark.parametrize("end", ["", ",", ".", " pony", ",pony", ", pony"])
    def test_what_may_follow_a_name(self, dialect, end):
        (chunk,) = chunks(f"embedding:birb{end}", dialect, **{"birb.pt": 1})
        assert body(chunk) == [TokenRow("birb.pt", 0), *ClipTokenizer().ids(end)]

    @pytest.mark.parametrize("before", ["cat,", "cat, ", "cat;", "cat|", ""])
    def test_what_may_stand_before_one(self, before):
        (chunk,) = chunks(f"{before}embedding:birb", "a1111", **{"birb.pt": 1})
        assert body(chunk) == [*ClipTokenizer().ids(before), TokenRow("birb.pt", 0)]

    def test_comfyui_knows_one_after_a_blank_only(self):
        (chunk,) = chunks("cat,embedding:birb", "comfyui", **{"birb.pt": 1})
        assert body(chunk) == ClipTokenizer().ids("cat,embedding:birb")

    def test_one_after_the_other(self):
        (chunk,) = chunks("embedding:birb,embedding:cat", "a1111", **{"birb.pt": 1, "cat.pt": 1})
        comma = ClipTokenizer().ids(",")
        assert body(chunk) == [TokenRow("birb.pt", 0), *comma, TokenRow("cat.pt", 0)]

    def test_a_missing_one_in_a_comment_is_not_missed(self):
        assert body(chunks("a # embedding:nothing", "a1111")[0]) == ClipTokenizer().ids("a")

    def test_an_unknown_embedding_is_refused_with_near_names(self):
        with pytest.raises(MissingFile, match=r"'EasyNegativ'.*Did you mean EasyNegative\?"):
            chunks("a, embedding:EasyNegativ, b", "comfyui", **{"EasyNegative.pt": 1})
        with pytest.raises(MissingFile, match=r"Did you mean Bc or bC\?"):
            chunks("embedding:bc", "comfyui", **{"Bc.pt": 1, "bC.pt": 1})
        with pytest.raises(MissingFile, match="embeddings folder"):
            chunks("embedding:start", "comfyui", **{"aura.pt": 1})
        with pytest.raises(MissingFile, match="embeddings folder"):
            chunks("embedding:nothing", "a1111")

    @pytest.mark.parametrize(
        "text", ["embedding:", "embedding: , b", "embedding: embedding:", "an embedding of x"]
    )
    def test_the_word_alone_is_a_word(self, text):
        assert chunks(text, "comfyui")[0].ids[1:3] == ClipTokenizer().ids(text)[:2]


class TestMayMean:
    @pytest.mark.parametrize(
        "prompt",
        [
            "bad_hands",
            "a Bad_Hands, b",
            r"bad\_hands",
            "bad<lora:x:1>_hands",
            "bad _\nhands",
            "(bad:1)_hands",
            "[(bad)]_hands",
            "((bad_hands:1.2))",
            "embedding:neg/bad_hands.pt",
        ],
    )
    def test_whatever_is_encoded_as_one_is_noticed(self, prompt):
        name = "neg/bad_hands.pt"
        assert any(
            isinstance(item, TokenRow) for item in body(chunks(prompt, "a1111", **{name: 1})[0])
        )
        assert may_mean(prompt, name)

    def test_spellings_of_accents_and_brackets(self):
        assert may_mean("a cafe\u0301", "caf\u00e9.pt")
        assert may_mean(r"girl \(cute\)", "girl (cute).safetensors")

    def test_others_are_not(self):
        assert not may_mean("good hands", "bad_hands.pt")
        assert not may_mean("", "bad_hands.pt")
