"""Text encoders as a part of a model: described and built at full size, and what is missing."""

from __future__ import annotations

import pytest
import torch

from helpers import diffusers_config as full
from ponystudio.diffusion.families import families, find_family
from ponystudio.diffusion.loading import text_part
from ponystudio.errors import WrongKind

NO_HINTS = {component: {} for component in text_part.COMPONENTS}
T5_XXL = {
    "d_model": 4096,
    "d_ff": 10240,
    "d_kv": 64,
    "num_heads": 64,
    "num_layers": 24,
    "vocab_size": 32128,
    "feed_forward_proj": "gated-gelu",
}
PILE_T5_XL = {**T5_XXL, "d_model": 2048, "d_ff": 5120, "num_heads": 32}


def shapes_of(module, prefix=""):
    return {prefix + name: tuple(value.shape) for name, value in module.named_parameters()}


@pytest.fixture(scope="module")
def shapes():
    """By tower, those of the network that was released, which has no memory here."""
    from transformers import (
        CLIPTextConfig,
        CLIPTextModel,
        CLIPTextModelWithProjection,
        T5Config,
        T5EncoderModel,
        UMT5Config,
        UMT5EncoderModel,
    )

    with torch.device("meta"):
        return {
            "clip_l": shapes_of(CLIPTextModel(CLIPTextConfig(**full.CLIP_L))),
            "clip_g": shapes_of(CLIPTextModelWithProjection(CLIPTextConfig(**full.CLIP_G))),
            "t5xxl": shapes_of(T5EncoderModel(T5Config(**T5_XXL)).encoder),
            "pile_t5xl": shapes_of(UMT5EncoderModel(UMT5Config(**PILE_T5_XL)).encoder),
        }


def under_towers(shapes, name, without=""):
    family = find_family(name)
    several = len(family.towers) > 1
    return {
        (f"{tower.name}." if several else "") + key: shape
        for tower in family.towers
        if tower.name != without
        for key, shape in shapes[tower.name].items()
    }


@pytest.mark.parametrize(
    ("name", "numbers"),
    [
        ("sd1", 123_060_480),
        ("sdxl", 123_060_480 + 694_659_840),
        ("flux", 123_060_480 + 4_762_310_656),
        ("sd3", 123_060_480 + 694_659_840 + 4_762_310_656),
        ("auraflow", 1_223_550_976),
    ],
)
def test_those_that_were_released(shapes, name, numbers):
    family, stored = find_family(name), under_towers(shapes, name)
    assert text_part.fits(stored, family)
    arguments = text_part.describe(stored, family, NO_HINTS)
    with torch.device("meta"):
        built = text_part.build(arguments, family)
    assert shapes_of(built) == stored
    assert sum(value.numel() for value in built.parameters()) == numbers


def test_a_family_is_told_by_its_own_encoders_alone(shapes):
    for name in ("sdxl", "flux", "sd3", "auraflow"):
        stored = under_towers(shapes, name)
        fitting = [family.name for family in families().values() if text_part.fits(stored, family)]
        assert name in fitting
        assert not {"sd1", "sd2"} & set(fitting)


def test_only_what_is_optional_may_be_missing(shapes):
    for name, tower in (("sdxl", "clip_g"), ("flux", "t5xxl"), ("sd3", "clip_l")):
        stored = under_towers(shapes, name, without=tower)
        with pytest.raises(WrongKind, match=r"There is no .* in this file.*core\.load_clip"):
            text_part.describe(stored, find_family(name), NO_HINTS)
    stored = under_towers(shapes, "sd3", without="t5xxl")
    arguments = text_part.describe(stored, find_family("sd3"), NO_HINTS)
    with torch.device("meta"):
        assert list(text_part.build(arguments, find_family("sd3"))) == ["clip_l", "clip_g"]
