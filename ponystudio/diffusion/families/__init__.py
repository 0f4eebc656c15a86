"""The model families, one module each: `FAMILY` in a module of this package is all it takes.

Importing this loads no torch.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from types import MappingProxyType
from typing import TYPE_CHECKING

from ponystudio.errors import UnsupportedModel

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True)
class Betas:
    """How much noise each of the training steps adds: linear in √β between the two ends."""

    start: float
    end: float
    steps: int = 1000


@dataclass(frozen=True)
class Family:
    """What all models of one architecture share.

    `downscale`: pixels a latent cell spans, per side. `scaling_factor` and `shift`: the denoiser
    works on (latent − shift) · scaling_factor; latents elsewhere are in VAE units.
    `native`: the side in pixels of the pictures it was trained on. `clip_skip`: its layer of the
    text encoder, counted as A1111 does (1 the last, 2 the one before). `prediction`: "eps", "v" or
    "flow", where the file does not tell; `schedule`: what `scheduler: auto` means.
    `flow_shift`: how far flow models bend time towards noise; `flow_time`: their time at σ = 1.
    `context_width`: of the prompt. `unet_heads`: attention heads on every level.
    `text_activation`: "quick_gelu" in OpenAI's CLIP, "gelu" in the larger ones of open_clip.
    `rgb`: a linear guess from a scaled latent to a picture in −1..1, one row a channel.
    """

    name: str
    title: str
    context_width: int
    native: int
    betas: Betas
    scaling_factor: float
    shift: float = 0.0
    latent_channels: int = 4
    downscale: int = 8
    clip_skip: int = 1
    prediction: str = "eps"
    schedule: str = "normal"
    flow_shift: float = 1.0
    flow_time: float = 1000.0
    unet_heads: int = 8
    text_activation: str = "quick_gelu"
    rgb: tuple[tuple[float, float, float], ...] = ()

    def to_rgb(self, values: Tensor) -> Tensor:
        """A rough picture [B,3,h,w] in 0..1 of a latent [B,C,h,w] in VAE units, for previews."""
        import torch

        scaled = (values.float() - self.shift) * self.scaling_factor
        rgb = torch.tensor(self.rgb, device=values.device)
        return (torch.einsum("bchw,cr->brhw", scaled, rgb) / 2 + 0.5).clamp(0, 1)


@cache
def families() -> Mapping[str, Family]:
    """Every family there is, by name."""
    modules = (
        importlib.import_module(f"{__name__}.{found.name}")
        for found in pkgutil.iter_modules(__path__)
    )
    return MappingProxyType({module.FAMILY.name: module.FAMILY for module in modules})


def family(name: str) -> Family:
    """The family of that name ("sd1", ...); raises UnsupportedModel for one that is not here."""
    try:
        return families()[name]
    except KeyError:
        titles = ", ".join(known.title for known in families().values())
        raise UnsupportedModel(
            f"Models of the family {name or 'unknown'!r} cannot be run.",
            remedy=f"This version runs: {titles}.",
        ) from None
