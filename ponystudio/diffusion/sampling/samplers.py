"""What a sampler is and works on; the functions, found by the rows of `names.py`."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from importlib import import_module

from torch import Tensor

from ponystudio.diffusion.noise.draws import Draw
from ponystudio.diffusion.sampling.names import SAMPLER_SPECS
from ponystudio.diffusion.sampling.parameterisation import Parameterisation

# D(x, σ): x [B,C,h,w] at noise level σ without its noise.
Denoise = Callable[[Tensor, Tensor], Tensor]

# D(x, σ) as guided, and u(x, σ), what the negative prompt alone makes of x.
DenoiseBoth = Callable[[Tensor, Tensor], tuple[Tensor, Tensor]]


@dataclass(frozen=True, eq=False)
class Process:
    """A denoiser D(x, σ), what σ means to it, and fresh noise from one σ to the next.

    `sides` gives the unguided result too; None where nothing guides.
    """

    D: Denoise
    space: Parameterisation
    noise: Draw
    sides: DenoiseBoth | None = None

    def both(self, x: Tensor, σ: Tensor) -> tuple[Tensor, Tensor]:
        """D(x, σ) and u(x, σ), which are the same where nothing guides."""
        if self.sides is not None:
            return self.sides(x, σ)
        D = self.D(x, σ)
        return D, D

    def ancestral(self, σ: Tensor, σ_next: Tensor, η: float) -> tuple[Tensor, Tensor, Tensor]:
        """`Parameterisation.ancestral`; all the way, and no noise, where η or σ_next is 0."""
        if η == 0 or σ_next == 0:
            return σ_next, σ_next.new_ones(()), σ_next.new_zeros(())
        return self.space.ancestral(σ, σ_next, η)


# After each step: x at the new noise level, and the last D(x, σ).
Steps = Iterator[tuple[Tensor, Tensor]]

# From x at the first noise level through all of them. Samplers never write into x or D. Further
# keywords are the options of their rows in `names.py`.
Method = Callable[..., Steps]


@cache
def samplers() -> dict[str, Method]:
    """Every sampler by its name."""
    return {
        spec.name: getattr(
            import_module(f"ponystudio.diffusion.sampling.{spec.module}"),
            spec.function or spec.name,
        )
        for spec in SAMPLER_SPECS
    }
