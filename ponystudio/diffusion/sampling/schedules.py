"""Schedules: how σ falls from step to step.

Each takes a parameterisation and a number of steps n and gives the positive noise levels, falling;
the 0 that every schedule ends with is added in one place. Where a formula works on table entries
the result may have a step more or fewer than asked.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from ponystudio.diffusion.sampling.parameterisation import Parameterisation, rounded
from ponystudio.errors import ParamRange

# These evaluate between or beyond the given levels, and gain nothing from a last tiny step.
_WITHOUT_PENULTIMATE = frozenset({"dpm_2", "dpm_2_ancestral", "uni_pc", "uni_pc_bh2"})

# Denoising this much or more is a full run.
_FULL = 0.9999

# Steps of a schedule of which a run may be a part.
_LONGEST = 1_000_000


def sigmas(
    space: Parameterisation, schedule: str, steps: int, *, sampler: str = "", denoise: float = 1.0
) -> Tensor:
    """The noise levels of a run, as `rounded` gives them on the CPU: strictly falling, to 0.

    `schedule`: one of names.SCHEDULES but "auto". `denoise` below 1 takes the last `steps` of a
    longer schedule; 0 gives no levels at all. Raises ParamRange where that would be too long.
    """
    if denoise <= 0:
        return torch.empty(0, dtype=torch.float64)
    part = denoise <= _FULL
    n = int(min(steps / denoise, 2 * _LONGEST)) if part else steps
    if n > _LONGEST:
        raise ParamRange(
            f"{steps} steps for {denoise:g} of a run are part of a run of over {_LONGEST:,} steps.",
            remedy="Use fewer steps, or a larger share.",
            socket="denoise",
        )
    discard = sampler in _WITHOUT_PENULTIMATE
    levels = SCHEDULES[schedule](space, n + 1 if discard else n)
    if discard and len(levels) > 1:
        levels = levels[:-1]
    levels = torch.cat([rounded(levels), torch.zeros(1, dtype=torch.float64)])
    if part:
        levels = levels[-(steps + 1) :]
    # With more steps than table entries some repeat; a step of no length is no step.
    return torch.unique_consecutive(levels)


def normal(space: Parameterisation, n: int) -> Tensor:
    """Even in the network's time, both ends included."""
    return space.sigma(_even(*_ends(space), n))


def sgm_uniform(space: Parameterisation, n: int) -> Tensor:
    """Even in the network's time, the far end left to the final 0."""
    return space.sigma(_even(*_ends(space), n + 1)[:-1])


def linear(space: Parameterisation, n: int) -> Tensor:
    """Even in the network's time from its very end, the other end left to the final 0: what flow
    models come with (Esser et al. 2024). For those it is what diffusers calls trailing, which for
    the others takes whole steps of the training.
    """
    return space.sigma(_even(space.end, 0, n + 1)[:-1])


def karras(space: Parameterisation, n: int, ρ: float = 7.0) -> Tensor:
    """σ_i = (σ_max^⅟ρ + i/(n−1)·(σ_min^⅟ρ − σ_max^⅟ρ))^ρ (Karras et al. 2022, eq. 5)."""
    σ_min, σ_max = float(space.sigma_min) ** (1 / ρ), float(space.sigma_max) ** (1 / ρ)
    return _even(σ_max, σ_min, n) ** ρ


def exponential(space: Parameterisation, n: int) -> Tensor:
    """Even in log σ."""
    return _even(math.log(space.sigma_max), math.log(space.sigma_min), n).exp()


def simple(space: Parameterisation, n: int) -> Tensor:
    """Every (N/n)-th table entry, counted from the noisy end."""
    stride = len(space.table) / n
    return space.table[[-(1 + int(i * stride)) for i in range(n)]]


def ddim_uniform(space: Parameterisation, n: int) -> Tensor:
    """Every ⌊N/n⌋-th table entry, counted from the second of the clean end (Song et al. 2020)."""
    return space.table[1 :: max(len(space.table) // n, 1)].flip(0)


def beta(space: Parameterisation, n: int, a: float = 0.6, b: float = 0.6) -> Tensor:
    """Table entries at quantiles of a Beta distribution, dense at both ends (Lee et al. 2024)."""
    from scipy.special import betaincinv

    quantiles = betaincinv(a, b, 1 - np.linspace(0, 1, n, endpoint=False))
    # The median lies between two entries of an even number: it must be a tie to its last digit.
    indices = np.rint(np.round(quantiles * (len(space.table) - 1), 6)).astype(int)
    return torch.unique_consecutive(space.table[indices])


def kl_optimal(space: Parameterisation, n: int) -> Tensor:
    """σ = tan(w·atan σ_min + (1−w)·atan σ_max), w = i/(n−1) (Sabour et al. 2024)."""
    return _even(math.atan(space.sigma_max), math.atan(space.sigma_min), n).tan()


def _even(first: float, last: float, n: int) -> Tensor:
    return torch.linspace(first, last, n, dtype=torch.float64)


def _ends(space: Parameterisation) -> tuple[float, float]:
    return float(space.t(space.sigma_max)), float(space.t(space.sigma_min))


SCHEDULES: dict[str, Callable[[Parameterisation, int], Tensor]] = {
    schedule.__name__: schedule
    for schedule in (
        normal,
        karras,
        exponential,
        sgm_uniform,
        linear,
        simple,
        ddim_uniform,
        beta,
        kl_optimal,
    )
}
