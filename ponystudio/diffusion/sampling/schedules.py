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

from ponystudio.diffusion.sampling.fitting import nobody_aligned
from ponystudio.diffusion.sampling.names import LET_FALL
from ponystudio.diffusion.sampling.parameterisation import Parameterisation, rounded
from ponystudio.errors import ParamRange

# These evaluate between or beyond the given levels, and gain nothing from a last tiny step.
_WITHOUT_PENULTIMATE = frozenset({"dpm_2", "dpm_2_ancestral", "uni_pc", "uni_pc_bh2"})

# Denoising this much or more is a full run.
_FULL = 0.9999

# Steps of a schedule of which a run may be a part.
LONGEST = 1_000_000


def sigmas(
    space: Parameterisation, schedule: str, steps: int, *, sampler: str = "", denoise: float = 1.0
) -> Tensor:
    """The noise levels of a run, as `rounded` gives them on the CPU: strictly falling, to 0.

    `schedule`: one of names.SCHEDULES but "auto". `denoise` below 1 takes the last `steps` of a
    longer schedule; 0 gives no levels at all. Raises ParamRange where that would be too long.
    """
    if denoise <= 0:
        return torch.empty(0, dtype=torch.float64)
    some = denoise <= _FULL
    n = int(min(steps / denoise, 2 * LONGEST)) if some else steps
    if n > LONGEST:
        raise too_long(steps, denoise)
    discard = sampler in _WITHOUT_PENULTIMATE
    levels = SCHEDULES[schedule](space, n + 1 if discard else n)
    if discard and len(levels) > 1:
        levels = levels[:-1]
    levels = torch.cat([rounded(levels), torch.zeros(1, dtype=torch.float64)])
    if some:
        levels = levels[-(steps + 1) :]
    # With more steps than table entries some repeat; a step of no length is no step.
    return torch.unique_consecutive(levels)


def too_long(steps: int, denoise: float) -> ParamRange:
    """That a run would be a part of one that is too long."""
    return ParamRange(
        f"{steps} steps for {denoise:g} of a run are part of a run of over {LONGEST:,} steps.",
        remedy="Use fewer steps, or a larger share.",
        socket="denoise",
    )


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
    return space.sigma(_even(space.end, space.begin, n + 1)[:-1])


def karras(space: Parameterisation, n: int) -> Tensor:
    """Dense where there is little noise (Karras et al. 2022)."""
    return karras_levels(n, float(space.sigma_max), float(space.sigma_min))


def exponential(space: Parameterisation, n: int) -> Tensor:
    """Even in log σ."""
    return polyexponential_levels(n, float(space.sigma_max), float(space.sigma_min))


def polyexponential(space: Parameterisation, n: int) -> Tensor:
    """As `exponential`: where nobody chooses an exponent it is 1."""
    return exponential(space, n)


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
    """Even in atan σ (Sabour et al. 2024)."""
    return kl_optimal_levels(n, float(space.sigma_max), float(space.sigma_min))


def linear_quadratic(space: Parameterisation, n: int, threshold: float = 0.025) -> Tensor:
    """The first half of the steps takes σ/σ_max down by `threshold` evenly, the rest is a parabola
    to 0 that begins as steep (Polyak et al. 2024, "Movie Gen").
    """
    half = n // 2
    even = threshold * np.arange(half) / max(half, 1)
    if half == 0:
        return space.sigma_max.view(1)
    i = np.arange(half, n)
    short = half - threshold * n
    slope = threshold / half - 2 * short / (n - half) ** 2
    curve = short / (half * (n - half) ** 2)
    parabola = curve * i**2 + slope * i + curve * half**2
    return (1 - torch.from_numpy(np.concatenate([even, parabola]))) * space.sigma_max


def align_your_steps(space: Parameterisation, n: int) -> Tensor:
    """Between the steps that were optimised for the family, evenly in log σ (Sabour et al. 2024).

    Raises ParamChoice where nobody has optimised any.
    """
    if not space.aligned:
        raise nobody_aligned("models of this kind")
    return aligned_levels(space.aligned, n)


# Parts of a run


def part(levels: Tensor, first: int, last: int, *, leftover: bool) -> Tensor:
    """The levels of the steps from number `first` up to `last`, counted from 0; fewer than two
    where there are none. Where the run goes on after them, and its noise is no `leftover`, the last
    of them goes to 0.
    """
    if last < len(levels) - 1:
        levels = levels[: last + 1]
        if not leftover and len(levels):
            levels = torch.cat([levels[:-1], levels.new_zeros(1)])
    return levels[first:] if first < len(levels) - 1 else levels[:0]


def split(levels: Tensor, step: int) -> tuple[Tensor, Tensor]:
    """Before and after a step; both have the level between them."""
    return levels[: step + 1], levels[step:]


def split_at_share(levels: Tensor, share: float) -> tuple[Tensor, Tensor]:
    """So that the second part is that share of the steps."""
    steps = max(len(levels) - 1, 0)
    after = round(steps * share)
    return levels[: len(levels) - after if after else 0], levels[steps - after :]


def flipped(levels: Tensor) -> Tensor:
    """Rising; 0, from which no step leads, becomes 1e-4."""
    levels = levels.flip(0)
    return torch.where((torch.arange(len(levels)) == 0) & (levels == 0), 1e-4, levels)


def turbo(space: Parameterisation, steps: int, denoise: float) -> Tensor:
    """The steps that SD and SDXL Turbo were distilled to: from every hundredth entry of the table,
    counted from the top, those from the share `denoise` on.
    """
    first = 10 - int(10 * denoise)
    times = torch.arange(999, 0, -100, dtype=torch.float64)[first : first + steps]
    return torch.cat([rounded(space.sigma(times)), torch.zeros(1, dtype=torch.float64)])


def ended(levels: Tensor) -> Tensor:
    """Positive levels as those of a run, with its 0."""
    run = torch.cat([rounded(levels), torch.zeros(1, dtype=torch.float64)])
    return torch.unique_consecutive(run)


def checked(levels: Tensor, *, rising: bool) -> Tensor:
    """The levels of a run, none of them twice. Raises ParamRange where they are none, or do not
    fall; they may rise from first to last where `rising` allows it.
    """
    levels = torch.unique_consecutive(levels)
    if not torch.isfinite(levels).all() or (levels < 0).any():
        raise ParamRange("A noise level is below 0, or no number.", remedy="Make them anew.")
    steps = levels.diff()
    up = torch.nonzero(steps > 0)
    if not len(up) or (rising and len(up) == len(steps)):
        return levels
    step = int(up[0]) + 1
    raise ParamRange(
        f"The noise levels rise at step {step}, from {levels[step - 1]:.4g} to {levels[step]:.4g}.",
        remedy=LET_FALL,
        socket="sigmas",
    )


# Levels by their own ends, for those who choose these


def karras_levels(n: int, σ_max: float, σ_min: float, ρ: float = 7.0) -> Tensor:
    """σ_i = (σ_max^⅟ρ + i/(n−1)·(σ_min^⅟ρ − σ_max^⅟ρ))^ρ (Karras et al. 2022, eq. 5)."""
    return _even(σ_max ** (1 / ρ), σ_min ** (1 / ρ), n) ** ρ


def polyexponential_levels(n: int, σ_max: float, σ_min: float, ρ: float = 1.0) -> Tensor:
    """log σ falls as the ρ-th power of what is left of the way; 1 is even."""
    low, high = math.log(σ_min), math.log(σ_max)
    if ρ == 1:
        return _even(high, low, n).exp()
    return (_even(1, 0, n) ** ρ * (high - low) + low).exp()


def kl_optimal_levels(n: int, σ_max: float, σ_min: float) -> Tensor:
    """σ = tan(w·atan σ_min + (1−w)·atan σ_max), w = i/(n−1) (Sabour et al. 2024)."""
    return _even(math.atan(σ_max), math.atan(σ_min), n).tan()


def vp_levels(n: int, β_d: float = 19.9, β_min: float = 0.1, ε: float = 1e-3) -> Tensor:
    """Even in the time of a continuous VP process (Song et al. 2021)."""
    t = _even(1, ε, n)
    return torch.expm1(β_d * t**2 / 2 + β_min * t).sqrt()


def laplace_levels(n: int, σ_max: float, σ_min: float, μ: float = 0.0, β: float = 0.5) -> Tensor:
    """log σ at quantiles of a Laplace distribution, dense around e^μ (Hang & Gu 2024)."""
    x = _even(0, 1, n)
    log_σ = μ - β * (0.5 - x).sign() * torch.log(1 - 2 * (0.5 - x).abs() + 1e-5)
    return log_σ.exp().clamp(σ_min, σ_max)


def aligned_levels(levels: tuple[float, ...], n: int) -> Tensor:
    """n + 1 levels, of which the last is left to the final 0, evenly between those in log σ."""
    places = np.linspace(0, 1, len(levels))
    logs = np.interp(np.linspace(0, 1, n + 1)[:-1], places, np.log(levels))
    return torch.from_numpy(np.exp(logs))


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
        linear_quadratic,
        align_your_steps,
        polyexponential,
    )
}
