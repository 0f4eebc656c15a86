"""What changes a model while it samples, and none of its weights: the values in `Model.modifiers`.

A network that is loaded serves models with other modifiers as well: it gets those of a model for
as long as that is open.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TypeVar


@dataclass(frozen=True)
class Modifier:
    """One such change. Of a kind the last counts, but for Hypernetwork, whose effects add up."""


@dataclass(frozen=True)
class Shift(Modifier):
    """How far a flow model bends time towards noise: σ = a·s / (1 + (a−1)·s)."""

    a: float


@dataclass(frozen=True)
class Predicts(Modifier):
    """What the network's answer means and how its noise is counted, in place of what the file says.

    `answer`: "eps" the noise, "v" the velocity, "x0" the picture, "lcm" the noise of a consistency
    model of 50 levels, "edm" as of Karras et al. 2022, "img_to_img" the picture of one that is
    shown as it is. `zsnr`: the levels of the training end without signal. `counted`: by the "table"
    of the training, or from `sigma_max` to `sigma_min` by "log" or by "angle". `own_latents`: it
    works on latents as Playground 2.5 scales them.
    """

    answer: str
    zsnr: bool = False
    counted: str = "table"
    sigma_max: float = 120.0
    sigma_min: float = 0.002
    own_latents: bool = False


@dataclass(frozen=True)
class Rescaled(Modifier):
    """The guided velocity gets the spread of the positive prompt's (Lin et al. 2023, section 3.4);
    φ in 0..1: how much of it."""

    φ: float


@dataclass(frozen=True)
class FreeU(Modifier):
    """In the decoder of a UNet (Si et al. 2023) half of the hidden channels times b, the lowest
    frequencies of the skip times s: b1, s1 where the hidden ones are four times the narrowest, b2,
    s2 where twice. `adaptive`: b follows the mean of the channels at each place (FreeU V2)."""

    b1: float
    b2: float
    s1: float
    s2: float
    adaptive: bool


@dataclass(frozen=True)
class PerturbedAttention(Modifier):
    """D += scale·(c − p), p of a pass whose middle attends to nothing (Ahn et al. 2024)."""

    scale: float


@dataclass(frozen=True)
class SelfAttention(Modifier):
    """D += scale·(û − s), û the unguided picture, blurred by `blur` cells where the middle of a
    UNet looks at it more than elsewhere, and s what the network sees in that (Hong et al. 2023)."""

    scale: float
    blur: float


@dataclass(frozen=True)
class SkipLayers(Modifier):
    """D += scale·(c − s), s of a pass without some blocks of a transformer; between the fractions
    `start` and `end` of a run.

    `double` and `single`: the blocks, by number, with streams of text and picture, and over both.
    `rescale` in 0..1: how much of the result takes the spread of c. `negative`: instead, the
    negative prompt's own pass is the one without them, and `scale` has no effect.
    """

    double: tuple[int, ...]
    single: tuple[int, ...]
    scale: float
    start: float
    end: float
    rescale: float = 0.0
    negative: bool = False


@dataclass(frozen=True)
class FreSca(Modifier):
    """The difference c − u of guidance, by frequency (Huang et al. 2025): times `low` up to
    `cutoff` steps from the lowest, times `high` beyond."""

    low: float
    high: float
    cutoff: int


@dataclass(frozen=True)
class NormedGuidance(Modifier):
    """What guidance gives is nowhere longer, over channels, than c: D·s·min(1, ‖c‖/‖D‖)."""

    s: float


@dataclass(frozen=True)
class Differential(Modifier):
    """A mask of grey levels says how early each place is let go of (Levin & Fried 2023)."""


@dataclass(frozen=True)
class Hypernetwork(Modifier):
    """Small networks that change what attention makes its keys and values of. `content` stands for
    all bytes of the file."""

    path: str
    content: str
    strength: float


@dataclass(frozen=True)
class A1111Rules(Modifier):
    """The model is sampled as A1111's web UI does it, not as ComfyUI does.

    A run begins at noise·σ₀, each picture of a batch with a seed and a generator of its own that
    goes on between steps; times are fractions of training steps; of `denoise` below 1 that share
    of the steps is taken.

    `all_steps`: all of them are taken, of a longer run. `scaled_start`: a run from noise begins at
    noise·√(1+σ₀²). `quantized`: times are whole. `half_alphas`: ᾱ is rounded to half precision.
    `zero_snr`: the levels of the training end without signal. `discard`: every sampler goes without
    the last level but one. `sigma_max`, `sigma_min`, `rho`: of the schedule, 0 for its own. `eta`:
    of samplers that add noise, -1 for their own. `ensd`: between steps noise is that of the seed
    and this; 0 for the generator that made the first noise. `threads`: those of Noise, where that
    says none.
    """

    all_steps: bool = False
    scaled_start: bool = False
    quantized: bool = False
    half_alphas: bool = False
    zero_snr: bool = False
    discard: bool = False
    sigma_max: float = 0.0
    sigma_min: float = 0.0
    rho: float = 0.0
    eta: float = -1.0
    ensd: int = 0
    threads: int = 0


Kind = TypeVar("Kind", bound=Modifier)


def find(modifiers: Iterable[Modifier], kind: type[Kind]) -> Kind | None:
    """The one of this kind that counts, the last."""
    found = [modifier for modifier in modifiers if isinstance(modifier, kind)]
    return found[-1] if found else None
