"""A sampler of few steps between which the picture grows: the first ones work on little."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from ponystudio.api import Annotated, Choice, Label, Latent, Noise, Range, Sampler, node
from ponystudio.diffusion.images.resample import LATENT_METHODS

if TYPE_CHECKING:
    from torch import Tensor

    from ponystudio.diffusion.sampling.run import Sampled

# Options of a sampler that say how its pictures grow; it does not know them itself.
_SCALE, _STEPS, _METHOD = "grow", "grow_steps", "grow_method"


@node(
    "core.growing_sampler",
    title="Growing sampler",
    group="Sampling",
    exact=True,
    aliases=("SamplerLCMUpscale", "LCM Upscale"),
)
def growing_sampler(
    *,
    scale: Annotated[float, Range(0.1, 20, soft=(1, 3), step=0.05)] = 2.0,
    steps: Annotated[int, Range(0, 1000, soft=(0, 8)), Label("Growing steps")] = 0,
    method: Annotated[str, Choice(LATENT_METHODS)] = "bislerp",
) -> Sampler:
    """LCM for Sample by parts, whose picture grows from step to step: large ones in less time.

    For latent consistency models, which see a whole picture at each step.

    Args:
        scale: How much larger both sides become.
        steps: In how many steps; 0 is half of them.
        method: How the latent is scaled.
    """
    return Sampler("lcm", ((_SCALE, scale), (_STEPS, steps), (_METHOD, method)))


# A run of a latent along some levels, with this noise, after so many steps of the whole.
Walk = Callable[[Latent, "Tensor", Noise, int], "Sampled"]


@dataclass(frozen=True)
class Growth:
    """How a picture grows in a run of LCM."""

    scale: float
    steps: int
    method: str

    def factors(self, levels: int) -> list[float]:
        """Of both sides after each of the first steps of a run of so many levels."""
        count = min(self.steps, levels) if self.steps else max(levels // 2, 1)
        return [1 + (self.scale - 1) * (i + 1) / count for i in range(count)]

    def walked(self, walk: Walk) -> Walk:
        """The same, a step at a time: each but the first begins from the picture of the one before,
        grown, with noise of its own."""

        def grown(latent: Latent, sigmas: Tensor, noise: Noise, before: int) -> Sampled:
            return self._grown(walk, latent, sigmas, noise, before)

        return grown

    def _grown(
        self, walk: Walk, latent: Latent, sigmas: Tensor, noise: Noise, before: int
    ) -> Sampled:
        from ponystudio.diffusion.images.resample import scale_latent

        height, width = latent.values.shape[-2:]
        factors, last = self.factors(len(sigmas)), len(sigmas) - 2
        made = walk(latent, sigmas[:0], noise, before)  # the latent, where there are no levels
        for i in range(last + 1):
            # From the second step on all noise is fresh, of seeds one after the other.
            own = noise if i == 0 else replace(noise, seed=noise.seed + i, off=False, variation=0.0)
            ends = sigmas[i : i + 2].clone()
            if i < last:
                ends[1] = 0
            made = walk(latent, ends, own, before + i)
            if i < len(factors):
                size = round(height * factors[i]), round(width * factors[i])
                grown = [scale_latent(planes, size, self.method) for planes in made]
                made = type(made)(*grown)
            latent = replace(latent, values=made.values, shown=None)
        return made


def without_growth(sampler: Sampler) -> tuple[Sampler, Growth | None]:
    """The sampler as it knows itself, and how its picture grows, if it does."""
    said = dict(sampler.options)
    if _SCALE not in said:
        return sampler, None
    growth = Growth(said.pop(_SCALE), said.pop(_STEPS), said.pop(_METHOD))
    return Sampler(sampler.name, tuple(said.items())), growth
