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


def dpmpp_2m_sde(
    p: Process, x: Tensor, sigmas: Tensor, *, eta: float = 1.0, solver: str = "midpoint"
) -> Steps:
    """The stochastic form of `dpmpp_2m`, with its correction taken at the midpoint.

    `solver` "heun" takes what a D that changes evenly comes to instead.
    """
    sigmas = p.space.with_finite_snr(sigmas)
    D_last, h_last = None, None
    for σ, σ_next in pairwise(sigmas):
        D = p.D(x, σ)
        if σ_next == 0:
            x = D
        else:
            h = p.space.half_log_snr(σ_next) - p.space.half_log_snr(σ)
            H = (1 + eta) * h
            α = p.space.alpha(σ_next)
            drift = -α * torch.expm1(-H)
            x = (σ_next / σ) * (-eta * h).exp() * x + drift * D
            if D_last is not None:
                r = h_last / h
                bend = 0.5 * drift if solver == "midpoint" else α * _φ_2(H)
                x = x + bend * (1 / r) * (D - D_last)
            if eta > 0:
                x = x + p.noise(σ, σ_next) * (σ_next * (-torch.expm1(-2 * eta * h)).sqrt())
            h_last = h
        D_last = D
        yield x, D


def dpmpp_2m_sde_heun(p: Process, x: Tensor, sigmas: Tensor, *, eta: float = 1.0) -> Steps:
    """`dpmpp_2m_sde` with the correction of Heun's method."""
    yield from dpmpp_2m_sde(p, x, sigmas, eta=eta, solver="heun")


def dpmpp_3m_sde(p: Process, x: Tensor, sigmas: Tensor, *, eta: float = 1.0) -> Steps:
    """Stochastic, of third order by the two steps before."""
    D_1, D_2, h_1, h_2 = None, None, None, None
    for σ, σ_next in pairwise(p.space.with_finite_snr(sigmas)):
        D = p.D(x, σ)
        if σ_next == 0:
            x = D
        else:
            h = p.space.half_log_snr(σ_next) - p.space.half_log_snr(σ)
            H = (1 + eta) * h
            α = p.space.alpha(σ_next)
            x = (σ_next / σ) * (-eta * h).exp() * x - α * torch.expm1(-H) * D
            if D_2 is not None:
                r_0, r_1 = h_1 / h, h_2 / h
                a, b = (D - D_1) / r_0, (D_1 - D_2) / r_1
                d_1 = a + (a - b) * (r_0 / (r_0 + r_1))
                d_2 = (a - b) / (r_0 + r_1)
                φ_2 = _φ_2(H)
                x = x + α * (φ_2 * d_1 - (φ_2 / H - 0.5) * d_2)
            elif D_1 is not None:
                x = x + α * _φ_2(H) * (h / h_1) * (D - D_1)
            if eta > 0:
                x = x + p.noise(σ, σ_next) * (σ_next * (-torch.expm1(-2 * eta * h)).sqrt())
            h_1, h_2 = h, h_1
        D_1, D_2 = D, D_1
        yield x, D


def dpmpp_sde(p: Process, x: Tensor, sigmas: Tensor, *, eta: float = 1.0, r: float = 0.5) -> Steps:
    """Stochastic, with a stage at the share `r` of each step in λ."""
    sigmas = p.space.with_finite_snr(sigmas)
    for σ, σ_next in pairwise(sigmas):
        D = p.D(x, σ)
        if σ_next == 0:
            x = D
        else:
            σ_mid = _between(p, σ, σ_next, r)
            x_2 = _stochastic_step(p, x, D, σ, σ_mid, eta)
            D_2 = p.D(x_2, σ_mid)
            if r != 0.5:
                D_2 = (1 - 1 / (2 * r)) * D + 1 / (2 * r) * D_2
            x = _stochastic_step(p, x, D_2, σ, σ_next, eta)
        yield x, D


def dpmpp_2s_ancestral(p: Process, x: Tensor, sigmas: Tensor, *, eta: float = 1.0) -> Steps:
    """Second order by a stage in the middle, past the next noise level, then fresh noise."""
    sigmas = p.space.with_finite_snr(sigmas)
    for σ, σ_next in pairwise(sigmas):
        D = p.D(x, σ)
        if σ_next == 0:
            x = D
        else:
            σ_down, scale, up = p.ancestral(σ, σ_next, eta)
            h = p.space.half_log_snr(σ_down) - p.space.half_log_snr(σ)
            D_2 = D
            # Down to the picture there is no middle in λ.
            if σ_down > 0:
                σ_mid = _between(p, σ, σ_down, 0.5)
                x_2 = (σ_mid / σ) * x - p.space.alpha(σ_mid) * torch.expm1(-h * 0.5) * D
                D_2 = p.D(x_2, σ_mid)
            x = (σ_down / σ) * x - p.space.alpha(σ_down) * torch.expm1(-h) * D_2
            x = scale * x
            if up > 0:
                x = x + p.noise(σ, σ_next) * up
        yield x, D


def _between(p: Process, σ: Tensor, σ_next: Tensor, r: float) -> Tensor:
    """At the share r in λ, in float32: as ComfyUI and A1111 round it, so falls the nearest step of
    the training."""
    λ, λ_next = (p.space.half_log_snr(level).float() for level in (σ, σ_next))
    return rounded(p.space.sigma_of_half_log_snr((λ + (λ_next - λ) * r).double()))


def _φ_2(H: Tensor) -> Tensor:
    """What a D that grows evenly by 1 in a step of H adds to x/α."""
    return torch.expm1(-H) / H + 1


def _stochastic_step(
    p: Process, x: Tensor, D: Tensor, σ: Tensor, σ_next: Tensor, η: float
) -> Tensor:
    """Past σ_next by what an ancestral step in σ/α = exp(−λ) says, and back up with noise."""
    λ, λ_next = p.space.half_log_snr(σ), p.space.half_log_snr(σ_next)
    a, b = (-λ).exp(), (-λ_next).exp()
    up = torch.minimum(b, η * (b**2 * (a**2 - b**2) / a**2) ** 0.5)
    down = (b**2 - up**2) ** 0.5
    h = -down.log() - λ
    α, α_next = p.space.alpha(σ), p.space.alpha(σ_next)
    x = (α_next / α) * (-h).exp() * x - α_next * torch.expm1(-h) * D
    return x + p.noise(σ, σ_next) * (α_next * up) if η > 0 else x
