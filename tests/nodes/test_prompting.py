"""Nodes of words, called as functions."""

from __future__ import annotations

from types import SimpleNamespace

import torch

from helpers.node_context import FakeContext
from ponystudio.api import Clip, Conditioning
from ponystudio_nodes.prompting import encode_prompt, set_guidance, set_sizes

PLAIN = Conditioning(torch.zeros(1, 77, 8), "sdxl")


class Encoder:
    def encode(self, text, **how):
        self.asked = text, how
        return SimpleNamespace(context=torch.ones(1, 77, 8), padding=None, pooled=torch.ones(1, 4))


def test_words_go_to_the_text_encoder_of_the_recipe():
    encoder = Encoder()
    found = encode_prompt(
        Clip("/clip", "c", "sdxl"),
        text="a pony",
        clip_skip=2,
        ctx=FakeContext({"/clip": encoder}),
    )
    assert encoder.asked == ("a pony", {"dialect": "a1111", "clip_skip": 2, "empty": "auto"})
    assert (found.family, found.pooled.shape, found.sizes) == ("sdxl", (1, 4), None)


def test_sizes_are_rows_before_columns():
    found = set_sizes(PLAIN, width=1, height=2, crop_left=3, crop_top=4, target_width=5,
                      target_height=6)  # fmt: skip
    assert found.sizes == (2, 1, 4, 3, 6, 5)
    assert found.context is PLAIN.context
    assert PLAIN.sizes is None


def test_guidance_goes_with_the_words():
    assert set_guidance(PLAIN, guidance=2.0).guidance == 2.0
