"""DPM-Solver++ (Lu et al. 2022): exponential integrators in λ = log(α/σ), for D(x, σ).

From σ to σ', with h = λ' − λ: x' = (σ'/σ)·x − α'·expm1(−h)·D is exact for constant D.
"""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import Tensor

from ponystudio.diffusion.sampling.parameterisation import rounded
from ponystudio.diffusion.sampling.samplers import Process, Steps


def dpmpp_2m(p: Process, x: Tensor, sigmas: Tensor) -> Steps:
    """Second order by the step before; the last step is of first order."""
    sigmas = p.space.with_finite_snr(sigmas)
    D_last, h_last = None, None
    for σ, σ_next in pairwise(sigmas):
        D = p.D(x, σ)
        if σ_next == 0:
            x = D
        else:
            h = p.space.half_log_snr(σ_next) - p.space.half_log_snr(σ)
            Dʹ = D
            if D_last is not None:
                r = h_last / h
                Dʹ = (1 + 1 / (2 * r)) * D - 1 / (2 * r) * D_last
            x = (σ_next / σ) * x - p.space.alpha(σ_next) * torch.expm1(-h) * Dʹ
            h_last = h
        D_last = D
        yield x, D


def dpmpp_2m_sde(p: Process, x: Tensor, sigmas: Tensor) -> Steps:
    """The stochastic form of `dpmpp_2m`, with its correction taken at the midpoint."""
    sigmas = p.space.with_finite_snr(sigmas)
    D_last, h_last = None, None
    for σ, σ_next in pairwise(sigmas):
        D = p.D(x, σ)
        if σ_next == 0:
            x = D
        else:
            h = p.space.half_log_snr(σ_next) - p.space.half_log_snr(σ)
            drift = -p.space.alpha(σ_next) * torch.expm1(-2 * h)
            x = (σ_next / σ) * (-h).exp() * x + drift * D
            if D_last is not None:
                r = h_last / h
                x = x + 0.5 * drift * (1 / r) * (D - D_last)
            x = x + p.noise(σ, σ_next) * (σ_next * (-torch.expm1(-2 * h)).sqrt())
            h_last = h
        D_last = D
        yield x, D


def dpmpp_sde(p: Process, x: Tensor, sigmas: Tensor) -> Steps:
    """Stochastic, with a stage in the middle of each step (r = ½ in λ)."""
    sigmas = p.space.with_finite_snr(sigmas)
    for σ, σ_next in pairwise(sigmas):
        D = p.D(x, σ)
        if σ_next == 0:
            x = D
        else:
            σ_mid = _midpoint(p, σ, σ_next)
            x_2 = _stochastic_step(p, x, D, σ, σ_mid)
            # With r = ½ the combination (1 − 1/2r)·D + 1/2r·D₂ is D₂ alone.
            x = _stochastic_step(p, x, p.D(x_2, σ_mid), σ, σ_next)
        yield x, D


def dpmpp_2s_ancestral(p: Process, x: Tensor, sigmas: Tensor) -> Steps:
    """Second order by a stage in the middle, past the next noise level, then fresh noise."""
    sigmas = p.space.with_finite_snr(sigmas)
    for σ, σ_next in pairwise(sigmas):
        D = p.D(x, σ)
        if σ_next == 0:
            x = D
        else:
            σ_down, scale, up = p.space.ancestral(σ, σ_next)
            h = p.space.half_log_snr(σ_down) - p.space.half_log_snr(σ)
            σ_mid = _midpoint(p, σ, σ_down)
            x_2 = (σ_mid / σ) * x - p.space.alpha(σ_mid) * torch.expm1(-h * 0.5) * D
            D_2 = p.D(x_2, σ_mid)
            x = (σ_down / σ) * x - p.space.alpha(σ_down) * torch.expm1(-h) * D_2
            x = scale * x + p.noise(σ, σ_next) * up
        yield x, D


def _midpoint(p: Process, σ: Tensor, σ_next: Tensor) -> Tensor:
    """Of λ in float32: as the peers round it, so falls the nearest step of the training."""
    λ, λ_next = (p.space.half_log_snr(level).float() for level in (σ, σ_next))
    return rounded(p.space.sigma_of_half_log_snr((λ + (λ_next - λ) * 0.5).double()))


def _stochastic_step(p: Process, x: Tensor, D: Tensor, σ: Tensor, σ_next: Tensor) -> Tensor:
    """Past σ_next by what an ancestral step in σ/α = exp(−λ) says, and back up with noise."""
    λ, λ_next = p.space.half_log_snr(σ), p.space.half_log_snr(σ_next)
    a, b = (-λ).exp(), (-λ_next).exp()
    up = torch.minimum(b, (b**2 * (a**2 - b**2) / a**2) ** 0.5)
    down = (b**2 - up**2) ** 0.5
    h = -down.log() - λ
    α, α_next = p.space.alpha(σ), p.space.alpha(σ_next)
    x = (α_next / α) * (-h).exp() * x - α_next * torch.expm1(-h) * D
    return x + p.noise(σ, σ_next) * (α_next * up)
