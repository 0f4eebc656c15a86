"""CLIP tokens and their chunks: ComfyUI's own tokenisations, and each packing rule alone."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

import ponystudio_resources
from ponystudio.diffusion.text.clip_tokens import COMMA, END, START, Chunk, ClipTokenizer, TokenRow
from ponystudio.diffusion.text.prompt_syntax import parse

PARITY = Path(__file__).parents[2] / "data" / "parity"
REFERENCE = json.loads((PARITY / "tokens.json").read_text("utf-8"))

PONY = 12678


def chunks(text: str, dialect: str, **embeddings: int) -> list[Chunk]:
    """`embeddings`: name → number of vectors."""
    return ClipTokenizer().chunks(
        parse(text, dialect), dialect, embeddings=embeddings, size=embeddings.__getitem__
    )


def body(chunk: Chunk) -> list[int | TokenRow]:
    """What stands between the frame tokens, without the padding."""
    ids = chunk.ids
    return [token.row or token.id for token in chunk.tokens[1 : 1 + ids[1:].index(END)]]


def lengths(text: str, dialect: str, **embeddings: int) -> list[int]:
    return [len(body(chunk)) for chunk in chunks(text, dialect, **embeddings)]


class TestIds:
    @pytest.mark.parametrize(
        ("text", "ids"),
        [
            ("", []),
            ("a photo of a cat", [320, 1125, 539, 320, 2368]),
            ("score_9", [4431, 318, 280]),
            ("score_8_up", [4431, 318, 279, 318, 705]),
            ("anime_42", [6469, 318, 275, 273]),
            ("aua", [45906]),
            ("scr100", [36131, 272, 271, 271]),
            ("by=pierogarts", [638, 284, 741, 3211, 1099, 590]),
            ("looking_at_you", [1312, 318, 536, 318, 592]),
            ("looking at you", [1312, 536, 592]),
            ("Twilight Sparkle", [14512, 18287]),
            (",", [267]),
            ("1girl, solo", [272, 1611, 267, 5797]),
            ("source_pony", [3634, 318, 12678]),
            ("<|endoftext|>", [END]),
        ],
    )
    def test_known_words(self, text, ids):
        assert ClipTokenizer().ids(text) == ids

    def test_a_long_text_is_read_in_stretches_as_its_parts_are(self):
        part = "it's an ÁΣ, (looking_at_you:1.1) é́<|endoftext|> "
        one = ClipTokenizer().ids(part)
        assert ClipTokenizer().ids(part * 2000) == one * 2000

    def test_the_quality_ladder_is_34_tokens(self):
        ladder = "score_9, score_8_up, score_7_up, score_6_up, score_5_up, score_4_up, "
        assert len(ClipTokenizer().ids(ladder)) == 34
        assert len(ClipTokenizer().ids("style_cluster_1324")) == 8

    @pytest.mark.parametrize(
        "text",
        [
            "Don't we'll THEY'RE",
            "Ünïcode ponÿ 🐴 e\u0301",
            "日本語 и кириллица ٣",
            "  a\t b\r\n\x00c\u00a0d ",
            "snake_case--word!!! (^_^) $3.99",
            "a<|startoftext|>b <|endoftext|>",
        ],
    )
    def test_agrees_with_transformers(self, text):
        from transformers import CLIPTokenizer

        folder = ponystudio_resources.path("tokenizers", "clip")
        theirs = CLIPTokenizer(str(folder / "vocab.json"), str(folder / "merges.txt"))
        assert ClipTokenizer().ids(text) == theirs(text, add_special_tokens=False)["input_ids"]

    def test_lone_surrogates_are_replaced(self):
        assert ClipTokenizer().ids("\ud800 a") == ClipTokenizer().ids("? a")

    def test_the_pad_is_the_tokenizers_own(self):
        assert ClipTokenizer(pad=0).frame().ids == [START, END] + [0] * 75
        assert ClipTokenizer().frame().ids == [START] + [END] * 76


class TestComfyUI:
    @pytest.mark.parametrize("name", REFERENCE)
    def test_reference(self, name):
        case = REFERENCE[name]
        ours = [
            [[token.id, token.weight] for token in chunk.tokens]
            for chunk in chunks(case["prompt"], "comfyui")
        ]
        assert ours == case["chunks"]

    def test_a_short_segment_moves_whole_a_long_one_is_split(self):
        filler = "word " * 70
        assert lengths(f"{filler}({'pony ' * 7}:2)", "comfyui") == [70, 7]
        assert lengths(f"{filler}({'pony ' * 8}:2)", "comfyui") == [75, 3]

    def test_embeddings_are_segments_of_their_own(self):
        (chunk,) = chunks(
            "pony embedding:bad, (embedding:sub/good.pt:1.5)",
            "comfyui",
            bad=2,
            **{"sub/good.pt": 1},
        )
        assert body(chunk) == [
            PONY,
            TokenRow("bad", 0),
            TokenRow("bad", 1),
            COMMA,
            TokenRow("sub/good.pt", 0),
        ]
        assert chunk.weights[5] == 1.5
        assert lengths("word " * 70 + "embedding:bad", "comfyui", bad=7) == [70, 7]
        assert lengths("word " * 70 + "embedding:bad", "comfyui", bad=8) == [75, 3]

    def test_a_bare_name_is_a_word(self):
        assert body(chunks("pony", "comfyui", pony=3)[0]) == [PONY]

    def test_an_embedding_stands_after_white_space_only(self):
        assert body(chunks("x\nembedding:pony", "comfyui", pony=1)[0])[1:] == [TokenRow("pony", 0)]
        assert body(chunks("xembedding:pony", "comfyui", pony=1)[0])[-1] == PONY


class TestA1111:
    def test_empty(self):
        assert [chunk.ids for chunk in chunks("", "a1111")] == [[START] + [END] * 76]

    def test_75_tokens_fit_and_76_do_not(self):
        assert lengths("word " * 75, "a1111") == [75]
        assert lengths("word " * 76, "a1111") == [75, 1]

    @pytest.mark.parametrize(
        ("before", "expected"),
        [
            (54, [75, 10]),  # a comma at place 54 is 21 from the end: too far
            (55, [56, 29]),
            (70, [71, 14]),
            (74, [75, 10]),
            (75, [75, 10]),  # the comma itself is the first that does not fit
        ],
    )
    def test_a_full_chunk_ends_after_its_last_near_comma(self, before, expected):
        text = "word " * before + ", " + "pony " * (84 - before)
        assert lengths(text, "a1111") == expected

    def test_what_moves_keeps_its_weights(self):
        first, second = chunks("word " * 60 + ", " + "(pony:1.3) " * 20, "a1111")
        assert set(first.weights) == {1.0}
        assert second.weights[1:21] == [1.3] * 20

    def test_an_old_comma_does_not_end_a_second_chunk(self):
        text = "word " * 60 + ", " + "pony " * 150
        assert lengths(text, "a1111") == [61, 75, 75]

    def test_break(self):
        assert lengths("a BREAK b", "a1111") == [1, 1]
        assert lengths("a BREAK BREAK b", "a1111") == [1, 0, 1]
        assert lengths("BREAK b", "a1111") == [0, 1]
        assert lengths("a BREAK", "a1111") == [1]
        assert lengths("BREAK", "a1111") == [0]

    def test_bare_names_of_embeddings(self):
        (chunk,) = chunks("a (Bad-Hands-5:1.2), pony", "a1111", **{"neg/bad-hands-5.pt": 2})
        rows = [TokenRow("neg/bad-hands-5.pt", 0), TokenRow("neg/bad-hands-5.pt", 1)]
        assert body(chunk) == [320, *rows, COMMA, PONY]
        assert chunk.weights[2:4] == [1.2, 1.2]

    def test_the_longest_name_wins(self):
        names = {"bad.pt": 1, "bad hands.pt": 1}
        assert body(chunks("bad hands", "a1111", **names)[0]) == [TokenRow("bad hands.pt", 0)]
        assert body(chunks("bad feet", "a1111", **names)[0])[0] == TokenRow("bad.pt", 0)

    def test_a_name_within_a_longer_word_is_none(self):
        assert body(chunks("ponytail", "a1111", pony=1)[0]) == ClipTokenizer().ids("ponytail")

    def test_the_prefix_is_understood_too(self):
        assert body(chunks("a, embedding:bad", "a1111", **{"bad.pt": 1})[0]) == [
            320,
            COMMA,
            TokenRow("bad.pt", 0),
        ]

    def test_embeddings_are_not_split_unless_they_must(self):
        assert lengths("word " * 70 + "bad", "a1111", bad=6) == [70, 6]
        assert lengths("word " * 70 + "bad", "a1111", bad=160) == [70, 75, 75, 10]
        rows = [row for chunk in chunks("bad", "a1111", bad=160) for row in body(chunk)]
        assert rows == [TokenRow("bad", i) for i in range(160)]


def test_tokens_need_no_torch():
    code = (
        "import sys; from ponystudio.diffusion.text.clip_tokens import ClipTokenizer; "
        "ClipTokenizer().ids('a'); sys.exit('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
