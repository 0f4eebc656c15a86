"""The model families, one module each, which says all of it in its `FAMILY`.

One more family is such a module; a module of `architectures`, where its denoiser is built in a way
of its own; and its rows in `library/recognition/denoiser_signatures.py`, by which its files are
told. Text encoders that no other family has are described in `text_encoder_specs.py`, and a new way
to put together what they say is one more of `text.conditioning.joined`. Then the shipped catalog is
written anew, since nodes list the families. Importing this loads no torch.
"""

from __future__ import annotations

import importlib
import math
import pkgutil
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from types import MappingProxyType

from ponystudio.diffusion.families.text_encoder_specs import T5EncoderSpec, TextEncoderSpec
from ponystudio.errors import UnsupportedModel

# The size that ComfyUI says a picture had to those that are told its beauty.
_SCORED = (768, 768)


@dataclass(frozen=True)
class Betas:
    """How much noise each of the training steps adds: linear in √β between the two ends."""

    start: float = 0.00085
    end: float = 0.012
    steps: int = 1000


@dataclass(frozen=True)
class Bending:
    """How far flow models of some kinds bend time, by the number of tokens that a picture has.

    μ is linear in that number between (tokens, μ) `low` and `high`; the shift is e^μ.
    """

    low: tuple[int, float]
    high: tuple[int, float]

    def shift(self, tokens: int) -> float:
        (n0, mu0), (n1, mu1) = self.low, self.high
        return math.exp(mu0 + (mu1 - mu0) * (tokens - n0) / (n1 - n0))


@dataclass(frozen=True)
class Rgb:
    """A linear guess of a picture: one row of red, green and blue for each channel of a latent."""

    rows: tuple[tuple[float, ...], ...] = ()
    bias: tuple[float, ...] = (0.0, 0.0, 0.0)


@dataclass(frozen=True)
class Family:
    """What all models of one architecture share.

    `title` and `short` name it to people; `position`: its place in lists that they choose from.
    `downscale`: pixels a latent cell spans, per side. `scaling_factor` and `shift`: the denoiser
    works on (latent − shift) · scaling_factor; latents elsewhere are in VAE units.
    `native`: the side in pixels of the pictures it was trained on. `clip_skip`: its layer of the
    text encoder, counted as A1111 does (1 the last, 2 the one before). `prediction`: "eps", "v" or
    "flow", where the file does not tell; `schedule`: what `scheduler: auto` means.
    `aligned`: ten steps from noise to picture that were optimised for it (Sabour et al. 2024), as
    falling noise levels; () where nobody has.
    `flow_shift`: how far flow models bend time towards noise; `flow_time`: their time at σ = 1.
    `bending`: how far those of them do that are told their guidance, which is `guidance` where
    nothing else is said. `wide`: fp16 is too narrow for its denoiser.
    `architecture`: of the denoiser, one of `architectures`; `patch`: latent cells that one of its
    tokens spans, per side. `repeats`: its prompts may be lengthened by repeating their tokens.
    `towers`: the text encoders; `joined`: how what they say is put together, as
    `text.conditioning.joined` knows it.
    `least_skip`: the highest layer that is read, whatever `clip_skip` is asked for.
    `unet_heads`: attention heads on every level; 0: as many as have a width of 64.
    `sized`: the denoiser is told the size that a picture had, and where it was cut. `scores`: and,
    in place of the size aimed at, how beautiful it is, 1 to 10: by positive and by negative prompts
    that name nothing else.
    `zero_empty`: an empty prompt is nothing at all, instead of the states of no words.
    `refers`: its denoiser reads further pictures beside the one that it makes.
    `grey`: a scaled latent of nothing but grey, where it is known.
    `rgb`: a guess from a scaled latent to a picture in −1..1.
    """

    name: str
    title: str
    short: str
    position: int
    towers: tuple[TextEncoderSpec, ...]
    native: int
    scaling_factor: float
    betas: Betas = Betas()
    shift: float = 0.0
    latent_channels: int = 4
    downscale: int = 8
    clip_skip: int = 1
    least_skip: int = 1
    prediction: str = "eps"
    schedule: str = "normal"
    aligned: tuple[float, ...] = ()
    flow_shift: float = 1.0
    flow_time: float = 1000.0
    bending: Bending | None = None
    guidance: float = 0.0
    wide: bool = False
    architecture: str = "unet"
    patch: int = 1
    repeats: bool = True
    joined: str = "beside"
    unet_heads: int = 0
    sized: bool = False
    scores: tuple[float, float] | None = None
    zero_empty: bool = False
    refers: bool = False
    grey: tuple[float, ...] = ()
    rgb: Rgb = Rgb()

    def plain_sizes(self, sizes: tuple[float, ...], *, negative: bool = False) -> tuple[float, ...]:
        """What the denoiser is told by prompts that name no sizes, of those of the picture."""
        return sizes if self.scores is None else (*_SCORED, 0, 0, self.scores[negative])

    @property
    def wide_text(self) -> bool:
        """Whether fp16 is too narrow for its text encoders: T5's states grow beyond it."""
        return any(isinstance(tower, T5EncoderSpec) for tower in self.towers)

    def shares_latents(self, name: str) -> bool:
        """Whether the latents of that family mean the same here."""
        other = find_family(name)
        return (self.latent_channels, self.scaling_factor, self.shift) == (
            other.latent_channels,
            other.scaling_factor,
            other.shift,
        )


def tower_prefix(family: Family, tower: TextEncoderSpec) -> str:
    """What stands before the names of a tower's tensors: nothing where it is the only one."""
    return f"{tower.name}." if len(family.towers) > 1 else ""


@cache
def families() -> Mapping[str, Family]:
    """Every family there is, by name."""
    modules = (
        importlib.import_module(f"{__name__}.{found.name}")
        for found in pkgutil.iter_modules(__path__)
    )
    known = (module.FAMILY for module in modules if hasattr(module, "FAMILY"))
    return MappingProxyType({family.name: family for family in known})


def find_family(name: str) -> Family:
    """The family of that name ("sd1", ...); raises UnsupportedModel for one that is not here."""
    try:
        return families()[name]
    except KeyError:
        titles = ", ".join(known.title for known in families().values())
        raise UnsupportedModel(
            f"Models of the family {name or 'unknown'!r} cannot be run.",
            remedy=f"This version runs: {titles}.",
        ) from None
