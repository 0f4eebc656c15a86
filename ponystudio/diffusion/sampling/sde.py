"""Solvers of the reverse SDE in λ = log(α/σ): ER-SDE, SEEDS and SA-Solver.

`eta` is how much noise the SDE keeps taking and giving: 0 leaves the ODE, 1 is the reverse of the
process that added the noise. A step that ends without noise leaps to D.
"""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import torch
from torch import Tensor

from ponystudio.diffusion.sampling.parameterisation import Parameterisation
from ponystudio.diffusion.sampling.samplers import Process, Steps

# Into how many pieces ER-SDE cuts a step to integrate over it.
_PIECES = 200

# SA-Solver is stochastic between these shares of the run's time.
_SA_FROM, _SA_TO = 0.2, 0.8


def er_sde(p: Process, x: Tensor, sigmas: Tensor, *, order: int = 3) -> Steps:
    """Extended reverse-time SDE (Cui et al. 2023), with φ(λ) = λ·(exp(λ^0.3) + 10), λ = σ/α."""
    D_last, Dʹ_last, λ_last, λ_older = None, None, None, None
    for σ, σ_next in pairwise(p.space.with_finite_snr(sigmas)):
        D = p.D(x, σ)
        α, α_next = p.space.alpha(σ), p.space.alpha(σ_next)
        λ, λ_next = σ / α, σ_next / α_next
        if σ_next == 0:
            x = D
        else:
            r = _er_φ(λ_next) / _er_φ(λ)
            x = (α_next / α) * r * x + α_next * (1 - r) * D
            if D_last is not None and order > 1:
                Δ = λ_next - λ
                piece = -Δ / _PIECES
                y = λ_next + piece * torch.arange(_PIECES, dtype=torch.float64)
                S = (piece / _er_φ(y)).sum()
                Dʹ = (D - D_last) / (λ - λ_last)
                x = x + α_next * (Δ + S * _er_φ(λ_next)) * Dʹ
                if Dʹ_last is not None and order > 2:
                    U = (piece * (y - λ) / _er_φ(y)).sum()
                    Dʺ = 2 * (Dʹ - Dʹ_last) / (λ - λ_older)
                    x = x + α_next * (Δ**2 / 2 + U * _er_φ(λ_next)) * Dʺ
                Dʹ_last = Dʹ
            fresh = (λ_next**2 - (λ * r) ** 2).clamp_min(0).sqrt()
            x = x + p.noise(σ, σ_next) * (α_next * fresh)
        D_last, λ_last, λ_older = D, λ, λ_last
        yield x, D


def _er_φ(λ: Tensor) -> Tensor:
    return λ * ((λ**0.3).exp() + 10)


def seeds_2(p: Process, x: Tensor, sigmas: Tensor, *, eta: float = 1.0, r: float = 0.5) -> Steps:
    """SEEDS (Gonzalez et al. 2023) of two stages, the second at the share `r` of a step."""
    for σ, σ_next in pairwise(p.space.with_finite_snr(sigmas)):
        D = p.D(x, σ)
        if σ_next == 0:
            x = D
        else:
            step = _SeedsStep(p, x, σ, σ_next, eta)
            D_1 = p.D(step.to(r, [(1.0, D)]), step.level(r))
            x = step.to(1.0, [(1 - 1 / (2 * r), D), (1 / (2 * r), D_1)])
        yield x, D


def seeds_3(p: Process, x: Tensor, sigmas: Tensor, *, eta: float = 1.0) -> Steps:
    """SEEDS (Gonzalez et al. 2023) of three stages, at a third and two thirds of a step."""
    r_1, r_2 = 1 / 3, 2 / 3
    for σ, σ_next in pairwise(p.space.with_finite_snr(sigmas)):
        D = p.D(x, σ)
        if σ_next == 0:
            x = D
        else:
            step = _SeedsStep(p, x, σ, σ_next, eta)
            D_1 = p.D(step.to(r_1, [(1.0, D)]), step.level(r_1))
            b = step.bend(r_2) * r_2 / r_1
            D_2 = p.D(step.to(r_2, [(1 - b, D), (b, D_1)]), step.level(r_2))
            b = step.bend(1.0) / r_2
            x = step.to(1.0, [(1 - b, D), (b, D_2)])
        yield x, D


class _SeedsStep:
    """From x at σ to shares of the way to σ_next, in λ, along one path of noise.

    The noise of each stage begins where that of the stage before ended, and is fresh from there.
    """

    def __init__(self, p: Process, x: Tensor, σ: Tensor, σ_next: Tensor, η: float) -> None:
        self._p, self._x, self._σ, self._η = p, x, σ, η
        self._λ = p.space.half_log_snr(σ)
        self._h = p.space.half_log_snr(σ_next) - self._λ
        self._σ_next = σ_next
        self._reached, self._noise = 0.0, torch.zeros_like(x)

    def level(self, r: float) -> Tensor:
        """The σ at the share r."""
        return self._p.space.sigma_of_half_log_snr(self._λ + r * self._h) if r < 1 else self._σ_next

    def bend(self, r: float) -> Tensor:
        """φ₂(−H)/φ₁(−H) of the way to r: what a D that changes evenly has come to by then."""
        H = (1 + self._η) * r * self._h
        return (H + torch.expm1(-H)) / (-H * torch.expm1(-H))

    def to(self, r: float, weighted: list[tuple[float | Tensor, Tensor]]) -> Tensor:
        """x at the share r with D the sum of `weighted`; r only grows from call to call."""
        η, σ = self._η, self.level(r)
        h = r * self._h
        D = sum(weight * D for weight, D in weighted)
        x = (σ / self._σ) * (-η * h).exp() * self._x
        x = x - self._p.space.alpha(σ) * torch.expm1(-(1 + η) * h) * D
        if η == 0:
            return x
        new = η * (r - self._reached) * self._h
        fresh = self._p.noise(self.level(self._reached), σ)
        self._noise = (-new).exp() * self._noise + (-torch.expm1(-2 * new)).sqrt() * fresh
        self._reached = r
        return x + σ * self._noise


def sa_solver(p: Process, x: Tensor, sigmas: Tensor, *, eta: float = 1.0) -> Steps:
    """SA-Solver (Xue et al. 2023): a stochastic Adams predictor of order 3, corrector of order 4.

    `eta` is the paper's τ in the middle of a run; both ends are without fresh noise. One call of
    the network a step: what it says of the predicted x serves the next step too (PEC).
    """
    yield from _sa_solver(p, x, sigmas, eta, again=False)


def sa_solver_pece(p: Process, x: Tensor, sigmas: Tensor, *, eta: float = 1.0) -> Steps:
    """As `sa_solver`, but the network is asked of the corrected x again (PECE)."""
    yield from _sa_solver(p, x, sigmas, eta, again=True)


def _sa_solver(p: Process, x: Tensor, sigmas: Tensor, τ: float, *, again: bool) -> Steps:
    predictor, corrector = 3, 4
    sigmas = p.space.with_finite_snr(sigmas)
    past: list[tuple[float, Tensor]] = []  # λ and D, newest first
    step: _SaStep | None = None
    for i, (σ, σ_next) in enumerate(pairwise(sigmas)):
        λ = float(p.space.half_log_snr(σ))
        D = p.D(x, σ)
        if step is not None:
            x = step.to([(λ, D), *past][:corrector])
            if again:
                D = p.D(x, σ)
        past = [(λ, D), *past][: corrector - 1]
        if σ_next == 0:
            x, step = D, None
        else:
            step = _SaStep(p, x, σ, σ_next, τ if _is_stochastic(p.space, σ_next) else 0.0)
            # The order falls towards the end, where D changes little and slopes are long.
            x = step.to(past[: min(predictor, len(sigmas) - 1 - i)])
        yield x, D


def _is_stochastic(space: Parameterisation, σ: Tensor) -> bool:
    return bool(space.sigma_at(_SA_TO) <= σ <= space.sigma_at(_SA_FROM))


class _SaStep:
    """A step of the stochastic Adams methods, by the polynomial through D at some levels.

    x' = (σ'/σ)·e^(−τ²h)·x + α'·Σ bⱼ·Dⱼ + σ'·√(1 − e^(−2τ²h))·n. Predictor and corrector have the
    same noise n.
    """

    def __init__(self, p: Process, x: Tensor, σ: Tensor, σ_next: Tensor, τ: float) -> None:
        self._λ, self._λ_next = (float(p.space.half_log_snr(level)) for level in (σ, σ_next))
        self._τ2 = τ**2
        h = torch.tensor(self._λ_next - self._λ, dtype=torch.float64)
        self._α = p.space.alpha(σ_next)
        self._kept = (σ_next / σ) * (-self._τ2 * h).exp() * x
        if τ > 0:
            fresh = σ_next * (-torch.expm1(-2 * self._τ2 * h)).sqrt()
            self._kept = self._kept + p.noise(σ, σ_next) * fresh

    def to(self, known: list[tuple[float, Tensor]]) -> Tensor:
        b = self._weights(np.array([λ for λ, _ in known]))
        return self._kept + self._α * sum(b_j * D for b_j, (_, D) in zip(b, known, strict=True))

    def _weights(self, λ: np.ndarray) -> list[float]:
        """bⱼ = ∫ (1+τ²)·e^((1+τ²)(λ−λ')) ℓⱼ(λ) dλ, ℓⱼ the Lagrange basis through the levels `λ`."""
        q, h = 1 + self._τ2, self._λ_next - self._λ
        # In s = λ − λ', where the integrals of q·e^(qs)·sᵏ over −h..0 follow from one another.
        moments = [-np.expm1(-q * h)]
        for k in range(1, len(λ)):
            moments.append(-((-h) ** k) * np.exp(-q * h) - k / q * moments[-1])
        nodes = λ - self._λ_next
        V = np.vander(nodes, increasing=True).T
        return [float(b) for b in np.linalg.solve(V, np.array(moments))]
