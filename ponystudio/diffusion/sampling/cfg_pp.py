"""CFG++ (Chung et al. 2024): steps to the guided picture, with the noise of the unguided one.

D is as guided, u what the negative prompt alone makes of x. What is added to D at the next level is
the noise of u, so that strong guidance does not push x off what the network has seen.
"""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import Tensor

from ponystudio.diffusion.sampling.multistep import res_weights
from ponystudio.diffusion.sampling.samplers import Process, Steps


def euler_cfg_pp(p: Process, x: Tensor, sigmas: Tensor) -> Steps:
    """Euler's method in CFG++; that of DDIM in the paper."""
    yield from euler_ancestral_cfg_pp(p, x, sigmas, eta=0.0)


def euler_ancestral_cfg_pp(p: Process, x: Tensor, sigmas: Tensor, *, eta: float = 1.0) -> Steps:
    """As `euler_cfg_pp`, past the next level of σ/α, and back up to it with fresh noise."""
    for σ, σ_next in pairwise(p.space.with_finite_snr(sigmas)):
        D, u = p.both(x, σ)
        α, α_next = p.space.alpha(σ), p.space.alpha(σ_next)
        ε = (x - α * u) / σ
        if eta == 0 or σ_next == 0:
            x = α_next * D + σ_next * ε
        else:
            a, b = σ / α, σ_next / α_next
            up = torch.minimum(b, eta * (b**2 * (a**2 - b**2) / a**2) ** 0.5)
            down = (b**2 - up**2) ** 0.5
            x = α_next * (D + down * ε) + p.noise(σ, σ_next) * (α_next * up)
        yield x, D


def dpmpp_2m_cfg_pp(p: Process, x: Tensor, sigmas: Tensor) -> Steps:
    """DPM-Solver++ of second order by the step before, in CFG++."""
    sigmas = p.space.with_finite_snr(sigmas)
    u_last, h_last = None, None
    for σ, σ_next in pairwise(sigmas):
        D, u = p.both(x, σ)
        if σ_next == 0:
            x = D
        else:
            α, α_next = p.space.alpha(σ), p.space.alpha(σ_next)
            h = p.space.half_log_snr(σ_next) - p.space.half_log_snr(σ)
            x = α_next * D + (σ_next / σ) * (x - α * u)
            if u_last is not None:
                r = h_last / h
                x = x - α_next * torch.expm1(-h) / (2 * r) * (D - u_last)
            h_last = h
        u_last = u
        yield x, D


def dpmpp_2s_ancestral_cfg_pp(p: Process, x: Tensor, sigmas: Tensor, *, eta: float = 1.0) -> Steps:
    """DPM-Solver++ by a stage in the middle, past the next level, in CFG++.

    The second formula takes the u of the middle for that of the start, as those who use it do.
    """
    for σ, σ_next in pairwise(p.space.with_finite_snr(sigmas)):
        D, u = p.both(x, σ)
        if σ_next == 0:
            x = D
        else:
            σ_down, scale, up = p.ancestral(σ, σ_next, eta)
            α = p.space.alpha(σ)
            λ, λ_next = p.space.half_log_snr(σ), p.space.half_log_snr(σ_down)
            h = λ_next - λ
            D_2, u_2 = D, u
            # Down to the picture there is no middle in λ.
            if σ_down > 0:
                σ_mid = p.space.sigma_of_half_log_snr(λ + h / 2)
                drift_mid = p.space.alpha(σ_mid) * torch.expm1(-h / 2)
                x_2 = (σ_mid / σ) * (x + α * (D - u)) - drift_mid * D
                D_2, u_2 = p.both(x_2, σ_mid)
            drift = p.space.alpha(σ_down) * torch.expm1(-h)
            x = (σ_down / σ) * (x + α * (D - u_2)) - drift * D_2
            if up > 0:
                x = scale * x + p.noise(σ, σ_next) * up
        yield x, D


def gradient_estimation_cfg_pp(
    p: Process, x: Tensor, sigmas: Tensor, *, gamma: float = 2.0
) -> Steps:
    """Euler's method in CFG++, its slope corrected by that of the step before."""
    d_last = None
    for σ, σ_next in pairwise(p.space.with_finite_snr(sigmas)):
        D, u = p.both(x, σ)
        d = (x - u) / σ
        ε = (x - p.space.alpha(σ) * u) / σ
        x = p.space.alpha(σ_next) * D + σ_next * ε
        if d_last is not None and σ_next > 0:
            x = x + (gamma - 1) * (d - d_last) * (σ_next - σ)
        d_last = d
        yield x, D


def res_multistep_cfg_pp(p: Process, x: Tensor, sigmas: Tensor) -> Steps:
    """RES of second order in CFG++."""
    yield from res_multistep_ancestral_cfg_pp(p, x, sigmas, eta=0.0)


def res_multistep_ancestral_cfg_pp(
    p: Process, x: Tensor, sigmas: Tensor, *, eta: float = 1.0
) -> Steps:
    """As `res_multistep_cfg_pp`, past the next noise level, and back up to it with fresh noise."""
    u_last, σ_last, σ_down_last = None, None, None
    for σ, σ_next in pairwise(p.space.with_finite_snr(sigmas)):
        D, u = p.both(x, σ)
        α = p.space.alpha(σ)
        σ_down, scale, up = p.ancestral(σ, σ_next, eta)
        if u_last is None or σ_down == 0:
            x = p.space.alpha(σ_down) * D + (x - α * u) / σ * σ_down
        else:
            h, b_1, b_2 = res_weights(σ, σ_down, σ_last, σ_down_last)
            x = (-h).exp() * (x + α * (D - u)) + h * (b_1 * u + b_2 * u_last)
        if up > 0:
            x = scale * x + p.noise(σ, σ_next) * up
        u_last, σ_last, σ_down_last = u, σ, σ_down
        yield x, D
