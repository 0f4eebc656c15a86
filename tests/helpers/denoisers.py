"""Denoisers whose answers are known, for tests of sampling."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

import torch
from torch import Tensor

from ponystudio.api import Conditioning, Entry, Modifier
from ponystudio.diffusion.families import Family, find_family
from ponystudio.diffusion.sampling.parameterisation import Parameterisation
from ponystudio.diffusion.sampling.unclip import FeatureScale

SD1 = find_family("sd1")
FLOW = replace(SD1, prediction="flow", schedule="simple", flow_shift=1.73)
CPU = torch.device("cpu")


@dataclass(eq=False)
class FunctionDenoiser:
    """A network that is a function of (x, t, context); keeps what it was shown."""

    function: Callable[[Tensor, Tensor, Tensor], Tensor]
    prediction: str = "eps"
    zsnr: bool = False
    family: Family = SD1
    in_channels: int = 4
    largest: int = 0
    guided: bool = False
    modifiers: tuple[Modifier, ...] = ()
    pictured: int = 0
    module: Any = None
    features: FeatureScale | None = None
    device: torch.device = CPU
    dtype: torch.dtype = torch.float32
    calls: list[tuple[Tensor, Tensor, Tensor, dict[str, Any]]] = field(default_factory=list)

    def __call__(self, x: Tensor, t: Tensor, context: Tensor, **extra: Any) -> Tensor:
        self.calls.append((x, t, context, extra))
        return self.function(x, t, context)


def words(context: Tensor, family: str = "sd1", **options: Any) -> Conditioning:
    """A prompt of one entry, of given vectors."""
    return Conditioning((Entry(context, **options),), family)


def prompt(value: float = 0.0, chunks: int = 1, **options: Any) -> Conditioning:
    """A prompt of `chunks` × 77 equal tokens, three wide."""
    return words(torch.full((1, 77 * chunks, 3), value), **options)


@dataclass(frozen=True)
class Gaussian:
    """Pictures whose values are independent, of one mean and standard deviation.

    D(x, σ) = E[x₀ | x_σ = x] and the solution of dx/dσ = (x − D)/σ are known in closed form.
    """

    mean: float = 0.7
    std: float = 0.5

    def denoised(self, space: Parameterisation, x: Tensor, σ: Tensor) -> Tensor:
        α = space.alpha(σ)
        total = α**2 * self.std**2 + σ**2
        return (α * self.std**2 * x + σ**2 * self.mean) / total

    def at(self, space: Parameterisation, offset: Tensor, σ: Tensor) -> Tensor:
        """The solution that ends `offset` standard deviations from the mean, at σ."""
        α = space.alpha(σ)
        return α * self.mean + offset * (α**2 * self.std**2 + σ**2).sqrt()

    def flowed(self, space: Parameterisation, x: Tensor, σ: Tensor) -> Tensor:
        """Where x at σ comes to rest at σ = 0."""
        α = space.alpha(σ)
        return self.mean + (x - α * self.mean) * self.std / (α**2 * self.std**2 + σ**2).sqrt()
