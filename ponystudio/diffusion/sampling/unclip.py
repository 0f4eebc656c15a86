"""What unCLIP models are told of pictures (Ramesh et al. 2022; Stable unCLIP, Stability AI 2023):
features that an image encoder sees, with noise on them, and how much noise that is.

e' = unscale(√ᾱ_L·scale(e) + √(1−ᾱ_L)·n), by the mean and deviation that features have, on the
schedule of squared cosines; beside it the level L as sinusoids.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Protocol

import torch
from torch import Tensor

from ponystudio.api import Entry, Pictured
from ponystudio.diffusion.families import Family
from ponystudio.diffusion.sampling.fitting import check_seen

LEVELS = 1000
# Several pictures are merged at this share of the levels.
MERGED_AT = 0.05
# ComfyUI's: by so much its seed is another than that of the picture.
SEED_OFFSET = -10


@dataclass(frozen=True, eq=False)
class FeatureScale:
    """How features are distributed in the training of a model: `mean` and `deviation`, [width]."""

    mean: Tensor
    deviation: Tensor


class PicturedDenoiser(Protocol):
    """As far as a denoiser says what it is told of pictures: features `pictured` wide, 0 for none,
    that are distributed as `features` says, where that is known."""

    @property
    def family(self) -> Family: ...
    @property
    def pictured(self) -> int: ...
    @property
    def features(self) -> FeatureScale | None: ...


def inputs(entry: Entry, denoiser: PicturedDenoiser, seed: int) -> dict[str, Tensor]:
    """What a denoiser is told of the pictures of an entry, by name.

    unCLIP models get zeros for none. In SDXL the features take the place of the pooled prompt
    ("revision", Stability AI 2023). Raises MismatchedValues for features of another width.
    """
    if denoiser.pictured:
        if not entry.unclip:
            return {"pictured": torch.zeros(1, 2 * denoiser.pictured)}
        check_width(entry.unclip, denoiser.pictured)
        return {"pictured": told(entry.unclip, seed, denoiser.features)}
    if entry.unclip and denoiser.family.sized and entry.pooled is not None:
        width = entry.pooled.shape[-1]
        check_width(entry.unclip, width)
        return {"pooled": told(entry.unclip, seed)[:, :width]}
    return {}


def check_width(pictures: Sequence[Pictured], width: int) -> None:
    """Raise MismatchedValues for features that are not so wide."""
    for one in pictures:
        check_seen("model", width, len(one.embed), "positive")


def reads_pictures(denoiser: PicturedDenoiser) -> bool:
    """Whether features of pictures mean anything to a denoiser."""
    return bool(denoiser.pictured) or denoiser.family.sized


def told(pictures: Sequence[Pictured], seed: int, scale: FeatureScale | None = None) -> Tensor:
    """What the denoiser is told of pictures, float32 [1,2·width]: features, then the level.

    `seed` is that of the picture that is made. Several are added up, each with its strength, and
    the sum is noised once more, by MERGED_AT. Noise is drawn on the CPU, the same for each of them.
    """
    parts = [_noised(one.embed, level(one.noise), _generator(seed), scale) for one in pictures]
    whole = sum(
        torch.cat([part, sinusoids(level(one.noise), len(part))]) * one.strength
        for part, one in zip(parts, pictures, strict=True)
    )
    assert isinstance(whole, Tensor)
    if len(pictures) > 1:
        width, generator = len(whole) // 2, _generator(seed)
        torch.randn(width, generator=generator)  # it was drawn for the pictures
        merged = _noised(whole[:width], level(MERGED_AT), generator, scale)
        whole = torch.cat([merged, sinusoids(level(MERGED_AT), width)])
    return whole[None]


def level(noise: float) -> int:
    """The level L of a share 0..1 of noise."""
    return round((LEVELS - 1) * noise)


def sinusoids(L: int, width: int) -> Tensor:
    """cos(L·f) and sin(L·f), f from 1 down to 1/10000 geometrically, float32 [width]."""
    half = width // 2
    f = torch.exp(-math.log(10_000) * torch.arange(half, dtype=torch.float64) / half)
    return torch.cat([(L * f).cos(), (L * f).sin()]).float()


@cache
def alpha_bars() -> Tensor:
    """ᾱ of every level: squared cosines (Nichol & Dhariwal 2021), float64 [LEVELS]."""
    t = torch.arange(LEVELS + 1, dtype=torch.float64) / LEVELS
    f = ((t + 0.008) / 1.008 * math.pi / 2).cos() ** 2
    β = (1 - f[1:] / f[:-1]).clamp_max(0.999)
    return (1 - β).cumprod(0)


def _noised(e: Tensor, L: int, generator: torch.Generator, scale: FeatureScale | None) -> Tensor:
    e = e.float().cpu()
    mean, deviation = (0.0, 1.0) if scale is None else (scale.mean, scale.deviation)
    n = torch.randn(e.shape, generator=generator)
    ᾱ = float(alpha_bars()[L])
    return (ᾱ**0.5 * ((e - mean) / deviation) + (1 - ᾱ) ** 0.5 * n) * deviation + mean


def _generator(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed((seed + SEED_OFFSET) % 2**64)
