"""What a sampler is and works on; the functions, found by the rows of `names.py`."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from importlib import import_module

from torch import Tensor

from ponystudio.diffusion.sampling.names import SAMPLER_SPECS
from ponystudio.diffusion.sampling.noise import Noise
from ponystudio.diffusion.sampling.parameterisation import Parameterisation

# D(x, σ): x [B,C,h,w] at noise level σ without its noise.
Denoise = Callable[[Tensor, Tensor], Tensor]


@dataclass(frozen=True, eq=False)
class Process:
    """A denoiser D(x, σ), what σ means to it, and fresh noise from one σ to the next."""

    D: Denoise
    space: Parameterisation
    noise: Noise


# After each step: x at the new noise level, and the last D(x, σ).
Steps = Iterator[tuple[Tensor, Tensor]]

# From x at the first noise level through all of them. Samplers never write into x or D.
Sampler = Callable[[Process, Tensor, Tensor], Steps]


@cache
def samplers() -> dict[str, Sampler]:
    """Every sampler by its name."""
    return {
        spec.name: getattr(
            import_module(f"ponystudio.diffusion.sampling.{spec.module}"),
            spec.function or spec.name,
        )
        for spec in SAMPLER_SPECS
    }


BROWNIAN = frozenset(spec.name for spec in SAMPLER_SPECS if spec.brownian)
