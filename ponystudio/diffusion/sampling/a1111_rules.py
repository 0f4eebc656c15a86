"""How A1111 runs a sampler, where that differs from ComfyUI: noise levels, begin and end.

Its own are the forms of three schedules, how many steps of a run with `denoise` are taken, which
samplers go without the last level but one, and the time steps of DDIM, PLMS and UniPC: those walk
on √ᾱ·x over whole steps of the training, down to the second, and end with its noise.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from ponystudio.api import A1111Rules
from ponystudio.diffusion.families import Family
from ponystudio.diffusion.sampling import schedules
from ponystudio.diffusion.sampling.fitting import nobody_aligned
from ponystudio.diffusion.sampling.names import A1111_AUTOMATIC
from ponystudio.diffusion.sampling.parameterisation import VP, Parameterisation, rounded
from ponystudio.errors import ParamRange

_WITHOUT_PENULTIMATE = frozenset({"dpm_2", "dpm_2_ancestral", "dpmpp_3m_sde", "dpmpp_3m_sde_gpu"})
# Those that walk time steps; of them, those that end at the second of the training.
_BY_TIME_STEPS = frozenset({"ddim", "plms", "uni_pc", "uni_pc_bh2"})
_TO_THE_SECOND = frozenset({"ddim", "plms"})

# Those that draw all their noise afresh here, and elsewhere none.
_FRESH_NOISE = frozenset({"dpm_fast", "dpm_adaptive"})

# No more of a schedule than this is run when a picture is changed, so that it begins below its end.
_ALMOST_ALL = 0.999

# Published to three digits with Align Your Steps (Sabour et al. 2024).
_ALIGNED = (14.615, 6.475, 3.861, 2.697, 1.886, 1.396, 0.963, 0.652, 0.399, 0.152, 0.029)
_ALIGNED_SDXL = (14.615, 6.315, 3.771, 2.181, 1.342, 0.862, 0.555, 0.380, 0.234, 0.113, 0.029)


def walks_time_steps(sampler: str, space: Parameterisation) -> bool:
    """Whether a sampler has time steps in place of a schedule: for models with a whole table."""
    return sampler in _BY_TIME_STEPS and type(space) is VP


def levels(
    space: Parameterisation,
    family: Family,
    schedule: str,
    steps: int,
    *,
    rules: A1111Rules,
    sampler: str = "",
    denoise: float = 1.0,
    empty: bool = True,
) -> Tensor:
    """The noise levels of a run, as `schedules.sigmas` gives them; kl_optimal and time steps end
    above 0.

    `schedule` is of names.SCHEDULES. `empty`: the run begins from noise, and not from a picture.
    Raises ParamRange where the schedule would be too long.
    """
    if denoise <= 0:
        return torch.empty(0, dtype=torch.float64)
    share = min(denoise, _ALMOST_ALL)
    whole, last = steps, int(share * steps)
    if rules.all_steps:
        whole, last = int(min(steps / share, 2 * schedules.LONGEST)), steps - 1
    if whole > schedules.LONGEST:
        raise schedules.too_long(steps, denoise)
    if walks_time_steps(sampler, space):
        return _time_steps(space, whole, None if empty and denoise >= 1 else last, sampler, rules)
    discard = rules.discard or sampler in _WITHOUT_PENULTIMATE
    if denoise >= 1:
        whole, last = steps, steps - 1
    made = _whole(space, family, schedule, whole + discard, sampler, rules)
    if discard and len(made) > 2:
        made = torch.cat([made[:-2], made[-1:]])
    # A step of no length is no step.
    return torch.unique_consecutive(made[max(whole - last - 1, 0) :])


def _whole(
    space: Parameterisation, family: Family, schedule: str, n: int, sampler: str, rules: A1111Rules
) -> Tensor:
    """A schedule of n steps with its end."""
    if schedule == "auto":
        flow = space.prediction == "flow"
        schedule = family.schedule if flow else A1111_AUTOMATIC.get(sampler, "normal")
    if schedule == "align_your_steps" and not space.aligned:
        raise nobody_aligned(family.title)
    high, low = rules.sigma_max or float(space.sigma_max), rules.sigma_min or float(space.sigma_min)
    if low >= high:
        raise ParamRange(
            f"The lowest noise level, {low:g}, is not below the highest, {high:g}.",
            remedy="Change one of them in A1111 rules (core.a1111_rules).",
            socket="model",
        )
    own: dict[str, Callable[[], Tensor]] = {
        "karras": lambda: schedules.karras_levels(n, high, low, rules.rho or 7.0),
        "exponential": lambda: schedules.polyexponential_levels(n, high, low),
        "polyexponential": lambda: schedules.polyexponential_levels(n, high, low, rules.rho or 1.0),
        "sgm_uniform": lambda: space.sigma(_times(space, high, low, n + 1)[:-1]),
        "beta": lambda: _beta(n, high, low),
        "kl_optimal": lambda: schedules.kl_optimal_levels(n + 1, high, low),
        "align_your_steps": lambda: _aligned(n, sdxl=family.name.startswith("sdxl")),
    }
    made = own[schedule]() if schedule in own else schedules.SCHEDULES[schedule](space, n)
    end = [] if schedule == "kl_optimal" else [torch.zeros(1, dtype=torch.float64)]
    return torch.cat([rounded(made), *end])


def _times(space: Parameterisation, high: float, low: float, n: int) -> Tensor:
    """Even in the network's time from one noise level to another."""
    ends = (float(space.t(torch.tensor(σ, dtype=torch.float64))) for σ in (high, low))
    return torch.linspace(*ends, n, dtype=torch.float64)


def _beta(n: int, high: float, low: float, a: float = 0.6, b: float = 0.6) -> Tensor:
    """σ at quantiles of a Beta distribution, both ends included."""
    from scipy.special import betaincinv

    quantiles = betaincinv(a, b, 1 - np.linspace(0, 1, n))
    return torch.from_numpy(low + quantiles * (high - low))


def _aligned(n: int, *, sdxl: bool) -> Tensor:
    """n levels evenly between the aligned ones in log σ, the last of them included."""
    nodes = _ALIGNED_SDXL if sdxl else _ALIGNED
    places = np.linspace(1, 0, len(nodes))
    logs = np.interp(np.linspace(0, 1, n), places[::-1], np.log(nodes[::-1]))
    return torch.from_numpy(np.exp(logs[::-1]).copy())


# Time steps


def _time_steps(
    space: Parameterisation, whole: int, last: int | None, sampler: str, rules: A1111Rules
) -> Tensor:
    """The levels of the time steps of a run of `whole`, of which the first `last` are taken when a
    picture is changed."""
    count = len(space.table)
    stride = max(count // (whole + rules.discard), 1)
    times = [min(t + 1, count - 1) for t in range(0, count, stride)]
    if last is not None:
        times = times[:last]
    if not times:
        return torch.empty(0, dtype=torch.float64)
    if sampler in _TO_THE_SECOND:
        return torch.unique_consecutive(space.table[times].flip(0))
    # UniPC counts them, and takes as many of equal length to the first step of the training. Its
    # log α is even between two of these.
    top = count - 1 if last is None else times[-1]
    log_α = -0.5 * torch.log1p(space.table**2).numpy()
    between = np.interp(np.linspace(top, 0, len(times) + 1), np.arange(count), log_α)
    return rounded(torch.from_numpy(np.sqrt(np.expm1(-2 * between))))


# Begin and end


def start(
    space: Parameterisation,
    rules: A1111Rules,
    sampler: str,
    latent: Tensor,
    noise: Tensor,
    levels: Tensor,
) -> Tensor:
    """x at the first of the levels: with the noise of that, and no more."""
    σ = levels[0]
    if space.prediction == "flow":
        return space.renoise(latent, noise, σ)
    stretch = (1 + σ**2).sqrt()
    if walks_time_steps(sampler, space) and levels[-1] > 0:
        noised = _noised_to(space, sampler, levels)
        if noised is None:
            return noise * stretch
        return space.renoise(latent, noise, noised) * (stretch / (1 + noised**2).sqrt())
    if rules.scaled_start and not latent.any():
        return noise * stretch
    return space.renoise(latent, noise, σ)


def _noised_to(space: Parameterisation, sampler: str, levels: Tensor) -> Tensor | None:
    """Up to which level a picture is noised: that of the time step above those that are walked.
    None where there is none above: then the run begins from noise alone."""
    top, count = float(space.t(levels[0])), len(levels) - (sampler not in _TO_THE_SECOND)
    # Time steps are even, from the second of the training on.
    above = top + (top - 1) / (count - 1) if count > 1 else top
    return space.table[round(above)] if above <= len(space.table) - 1 else None


def finish(space: Parameterisation, sampler: str, x: Tensor, σ: Tensor) -> Tensor:
    """The latent of x at the last level: of time steps it is √ᾱ·x, where they end."""
    ended = walks_time_steps(sampler, space) and 0 < σ <= space.table[1]
    return space.finish(x, σ) if ended else space.left(x, σ)


def own_eta(rules: A1111Rules, sampler: str) -> float | None:
    """The eta of a sampler that has one; None for what the sampler has itself."""
    if rules.eta >= 0:
        return rules.eta
    return 1.0 if sampler in _FRESH_NOISE else None
