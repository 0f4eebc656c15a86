"""DPM-Solver (Lu et al. 2022): exponential integrators in λ = log(α/σ), for ε = (x − α·D)/σ.

Both ways here choose the levels between the first and the smallest positive one by themselves, and
end there: what is left of the noise at that level stays.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from ponystudio.diffusion.sampling.samplers import Process, Steps
from ponystudio.errors import ParamChoice

# Of the stages of the third order, in shares of a step.
_R1, _R2 = 1 / 3, 2 / 3

# Tries of an adaptive run; smooth networks take some dozens.
_MOST_TRIES = 1000


class _Stages:
    """The network at x, λ(σ), and what the orders make of the same ε without asking for it again.

    `seen` are the states that the network was shown, with what it made of them.
    """

    def __init__(self, p: Process, x: Tensor, λ: Tensor) -> None:
        self._p, self.x, self.λ = p, x, λ
        self.seen: list[tuple[Tensor, Tensor]] = []
        self.ε = self._ask(x, λ)

    def first(self, h: Tensor) -> Tensor:
        """x after h, of first order."""
        return self._step(h, self.ε * torch.expm1(h))

    def second(self, h: Tensor, r: float = 0.5) -> Tensor:
        """x after h, of second order, by a stage at r·h."""
        change = self._early(r * h) - self.ε
        return self._step(h, (self.ε + change / (2 * r)) * torch.expm1(h))

    def third(self, h: Tensor) -> Tensor:
        """x after h, of third order."""
        early, h_2 = self._early(_R1 * h) - self.ε, _R2 * h
        bend = _R2 / _R1 * (torch.expm1(h_2) / h_2 - 1)
        x_2 = self._step(h_2, self.ε * torch.expm1(h_2) + bend * early)
        late = self._ask(x_2, self.λ + h_2) - self.ε
        return self._step(h, self.ε * torch.expm1(h) + (torch.expm1(h) / h - 1) / _R2 * late)

    def _early(self, h: Tensor) -> Tensor:
        """ε at a first stage; both orders of an adaptive step share it."""
        if len(self.seen) == 1:
            self._first_stage = self._ask(self.first(h), self.λ + h)
        return self._first_stage

    def _step(self, h: Tensor, change: Tensor) -> Tensor:
        space = self._p.space
        σ, σ_next = space.sigma_of_half_log_snr(self.λ), space.sigma_of_half_log_snr(self.λ + h)
        return space.alpha(σ_next) / space.alpha(σ) * self.x - σ_next * change

    def _ask(self, x: Tensor, λ: Tensor) -> Tensor:
        σ = self._p.space.sigma_of_half_log_snr(λ)
        D = self._p.D(x, σ)
        self.seen.append((x, D))
        return (x - self._p.space.alpha(σ) * D) / σ


def dpm_fast(p: Process, x: Tensor, sigmas: Tensor, *, eta: float = 0.0) -> Steps:
    """As many calls of the network as steps were asked for, in even parts of λ of third order.

    The last parts are of a lower order, as many calls as are left.
    """
    λ, λ_end = _ends(p, sigmas)
    if λ == λ_end:
        yield from _leap(p, x, sigmas)
        return
    n = len(sigmas) - 1
    parts = n // 3 + 1
    orders = [3] * (parts - 2) + [2, 1] if n % 3 == 0 else [3] * (parts - 1) + [n % 3]
    levels = torch.linspace(float(λ), float(λ_end), parts + 1, dtype=torch.float64)
    for order, λ, λ_next in zip(orders, levels, levels[1:], strict=False):
        λ_down, scale, up = _fresh(p, λ, λ_next, eta)
        stages = _Stages(p, x, λ)
        x_next = (stages.first, stages.second, stages.third)[order - 1](λ_down - λ)
        if up > 0:
            σ, σ_next = (p.space.sigma_of_half_log_snr(level) for level in (λ, λ_next))
            x_next = scale * x_next + p.noise(σ, σ_next) * up
        # After each call stands x as it was shown next.
        states = [x for x, _ in stages.seen[1:]] + [x_next]
        yield from zip(states, (D for _, D in stages.seen), strict=True)
        x = x_next


def dpm_adaptive(
    p: Process,
    x: Tensor,
    sigmas: Tensor,
    *,
    eta: float = 0.0,
    order: int = 3,
    rtol: float = 0.05,
    atol: float = 0.0078,
    h_init: float = 0.05,
    accept: float = 0.81,
) -> Steps:
    """Steps as long as two orders agree on, to `rtol` and `atol`; `order` is 2 or 3.

    How many steps were asked for changes nothing but how the way is reported: a level of `sigmas`
    counts once it is passed. The longest step is `h_init` at first, in λ; one whose error asks for
    less than the share `accept` of it is taken again. Raises ParamChoice where no end is in sight:
    steps through a network that jumps get ever shorter.
    """
    λ, λ_end = _ends(p, sigmas)
    if λ == λ_end:
        yield from _leap(p, x, sigmas)
        return
    marks = p.space.half_log_snr(p.space.with_finite_snr(sigmas[1:-1])).tolist()
    x_last, h = x, h_init
    # Of the orders that are compared, the exponent by which an error changes the step.
    power = 1 / (order if eta == 0 else 1.5)
    for _ in range(_MOST_TRIES):
        λ_next = torch.minimum(λ_end, λ + h)
        λ_down, scale, up = _fresh(p, λ, λ_next, eta)
        stages, step = _Stages(p, x, λ), λ_down - λ
        if order == 2:
            low, high = stages.first(step), stages.second(step)
        else:
            low, high = stages.second(step, _R1), stages.third(step)
        bound = (rtol * torch.maximum(low.abs(), x_last.abs())).clamp_min(atol)
        error = float(((low - high) / bound).square().mean().sqrt())
        if not math.isfinite(error):
            # No shorter step mends that; whoever takes the steps says it.
            yield x * error, stages.seen[0][1]
            return
        factor = 1 + math.atan((1 / (error + 1e-8)) ** power - 1)
        h *= factor
        if factor < accept:
            continue
        σ, σ_next = (p.space.sigma_of_half_log_snr(level) for level in (λ, λ_next))
        x_last, x, λ = low, high, λ_next
        if up > 0:
            x = scale * x + p.noise(σ, σ_next) * up
        _, D = stages.seen[0]
        if λ >= λ_end - 1e-5:
            break
        while marks and marks[0] <= λ:
            del marks[0]
            yield x, D
    else:
        raise ParamChoice(
            f"The sampler dpm_adaptive came to no end in {_MOST_TRIES:,} tries: what the model says"
            " changes too roughly.",
            remedy="Choose another sampler, dpmpp_2m or dpmpp_2m_sde for example.",
            socket="sampler",
        )
    for _ in [*marks, λ_end]:
        yield x, D


def _ends(p: Process, sigmas: Tensor) -> tuple[Tensor, Tensor]:
    """λ of the first and of the smallest positive level."""
    levels = p.space.half_log_snr(p.space.with_finite_snr(sigmas[sigmas > 0]))
    return levels[0], levels[-1]


def _leap(p: Process, x: Tensor, sigmas: Tensor) -> Steps:
    """Where there is no second level to go to: to the picture."""
    D = p.D(x, sigmas[0])
    yield D, D


def _fresh(p: Process, λ: Tensor, λ_next: Tensor, η: float) -> tuple[Tensor, Tensor, Tensor]:
    """`Process.ancestral`, from λ to λ."""
    σ, σ_next = (p.space.sigma_of_half_log_snr(level) for level in (λ, λ_next))
    σ_down, scale, up = p.ancestral(σ, σ_next, η)
    return (λ_next if η == 0 else p.space.half_log_snr(σ_down)), scale, up
