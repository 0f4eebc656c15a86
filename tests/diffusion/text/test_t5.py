"""T5 and UMT5: transformers' own states, and how words, weights and lengths go in."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from helpers import encoders
from helpers.encoders import network
from ponystudio.diffusion.families.text_encoder_specs import PILE_T5_XL, T5_XXL
from ponystudio.diffusion.text.sentencepiece_tokens import parse, shipped
from ponystudio.diffusion.text.t5 import T5Encoder
from ponystudio.errors import MissingFile, ParamChoice, UnsupportedModel

T5, UMT5 = replace(T5_XXL, least=16), replace(PILE_T5_XL, least=16)
NOTHING: tuple[str, ...] = ()


@pytest.fixture(scope="module", params=["T5", "UMT5"])
def both(request):
    """An encoder, transformers' network of the same weights, and its tokenizer."""
    if request.param == "T5":
        theirs, pieces, tower = network("flux", "t5xxl"), shipped("t5"), T5
    else:
        theirs, tower = network("auraflow", "pile_t5xl"), UMT5
        pieces = parse(encoders.tokenizer_model(), "the test")
    return T5Encoder(tower, theirs.encoder, pieces), theirs, pieces


@pytest.fixture(scope="module")
def t5():
    return T5Encoder(T5, network("flux", "t5xxl").encoder, shipped("t5"))


def tower_of(theirs):
    return T5 if type(theirs).__name__ == "T5EncoderModel" else UMT5


@torch.no_grad()
def encoded(encoder, text, dialect="comfyui", embeddings=NOTHING):
    found = encoder.encode(text, dialect, 0, embeddings)
    assert found.padding is found.pooled is None
    return found.context


def states(theirs, ids, least=16):
    """transformers' own, of ids with their end; the padding is masked for UMT5, seen by T5."""
    is_t5 = tower_of(theirs) is T5
    pad = 0 if is_t5 else 1
    row = torch.tensor([ids + [pad] * (least - len(ids))])
    mask = None if is_t5 else (torch.arange(row.shape[1]) < len(ids)).long()[None]
    with torch.no_grad():
        found = theirs(row, attention_mask=mask).last_hidden_state
    return found if is_t5 else found * mask[..., None]


@pytest.mark.parametrize("text", ["", "a pony", "score_9, a unicorn on the moon\nand é"])
def test_states_are_transformers_own(both, text):
    encoder, theirs, pieces = both
    end = 1 if pieces.end == 1 else 2
    expected = states(theirs, [*pieces.ids(text), end])
    ours = encoded(encoder, text)
    torch.testing.assert_close(ours, expected, rtol=1e-4, atol=1e-4)
    assert ours.shape[1] == max(16, len(pieces.ids(text)) + 1)
    assert ours.dtype == torch.float32


def test_shorter_prompts_are_padded_and_longer_ones_are_whole(both):
    encoder, _, pieces = both
    assert encoded(encoder, "a pony").shape[1] == 16
    words = "a pony on the hill and the moon with a red unicorn " * 3
    assert encoded(encoder, words).shape[1] == len(pieces.ids(words)) + 1


def test_padding_is_seen_by_t5_alone(both):
    encoder, theirs, pieces = both
    tower = tower_of(theirs)
    wider = T5Encoder(replace(tower, least=32), theirs.encoder, pieces)
    n = len(pieces.ids("a pony")) + 1
    short, long = encoded(encoder, "a pony"), encoded(wider, "a pony")
    same = torch.allclose(short[:, :n], long[:, :n], atol=1e-5)
    assert same == tower.masked
    assert long[:, n:].any() != tower.masked


class TestWords:
    def test_each_segment_is_tokenised_by_itself(self, both):
        encoder, theirs, pieces = both
        ids = [*pieces.ids("a "), *pieces.ids("pony"), *pieces.ids(" on"), pieces.end]
        weightless = encoded(encoder, "a (pony:1.0) on")
        torch.testing.assert_close(weightless, states(theirs, ids), rtol=1e-4, atol=1e-4)

    def test_break_means_nothing(self, t5):
        assert torch.equal(encoded(t5, "a BREAK b", "a1111"), encoded(t5, "a b", "a1111"))

    def test_textual_inversions_are_left_out(self, t5):
        known = ("style/birb.pt",)
        for dialect in ("a1111", "comfyui"):
            found = encoded(t5, "a pony, embedding:birb, hill", dialect, known)
            assert torch.equal(found, encoded(t5, "a pony, , hill", dialect))
        with pytest.raises(MissingFile, match=r"no embedding called 'brib'.*Did you mean birb"):
            encoded(t5, "embedding:brib", embeddings=known)

    def test_a_bare_name_of_one_is_a_word(self, t5):
        assert torch.equal(encoded(t5, "a birb", "a1111", ("birb.pt",)), encoded(t5, "a birb"))

    def test_an_unknown_dialect(self, t5):
        with pytest.raises(ParamChoice, match="dialect"):
            encoded(t5, "a", "klingon")


class TestWeights:
    def test_comfyui_moves_away_from_the_empty_prompt_of_that_length(self, both):
        encoder, _, pieces = both
        z, empty = encoded(encoder, "a (pony:1.0)"), encoded(encoder, "")
        first = len(pieces.ids("a "))
        mine = slice(first, first + len(pieces.ids("pony")))
        expected = z.clone()
        expected[:, mine] = (z[:, mine] - empty[:, mine]) * 1.5 + empty[:, mine]
        found = encoded(encoder, "a (pony:1.5)")
        torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-5)
        assert not torch.allclose(found, z, atol=0.01)

    def test_also_where_the_prompt_is_longer_than_the_least(self, t5):
        words = "a pony on the hill and the moon with a red unicorn"
        n = len(shipped("t5").ids(words)) + 1
        assert n > 8
        stack = network("flux", "t5xxl").encoder
        longer = T5Encoder(replace(T5, least=n), stack, shipped("t5"))
        shorter = T5Encoder(replace(T5, least=4), stack, shipped("t5"))
        assert torch.equal(encoded(longer, f"({words}:0)"), encoded(shorter, f"({words}:0)"))

    def test_a1111_multiplies(self, both):
        encoder, theirs, pieces = both
        first, mine = pieces.ids("a "), pieces.ids("pony")
        z = states(theirs, [*first, *mine, pieces.end])
        w = torch.ones(1, z.shape[1], 1)
        w[:, len(first) : len(first) + len(mine)] = 1.5
        found = encoded(encoder, "a (pony:1.5)", "a1111")
        torch.testing.assert_close(found, z * w, rtol=1e-4, atol=1e-4)


class TestTokenizer:
    def test_of_more_tokens_than_the_encoder_knows_is_refused(self, both):
        _, theirs, pieces = both
        larger = replace(pieces, size=theirs.config.vocab_size + 1)
        with pytest.raises(UnsupportedModel, match=r"has 32,129 tokens.*knows 32,128.*set_tokeniz"):
            T5Encoder(tower_of(theirs), theirs.encoder, larger)

    def test_of_another_encoder_is_refused(self):
        with pytest.raises(UnsupportedModel, match=r"not that of Pile-T5-XL.*token 1.*with 2"):
            T5Encoder(UMT5, network("auraflow", "pile_t5xl").encoder, shipped("t5"))
