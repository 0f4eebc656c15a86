"""Samplers of Karras et al. 2022 and their relatives: Euler, Heun, DPM-Solver-2, and the leaps of
consistency models.

All follow dx/dσ = (x − D(x, σ))/σ, which holds for VP and for flow models.
"""

from __future__ import annotations

from itertools import pairwise

from torch import Tensor

from ponystudio.diffusion.sampling.parameterisation import rounded
from ponystudio.diffusion.sampling.samplers import Process, Steps


def euler(p: Process, x: Tensor, sigmas: Tensor) -> Steps:
    """Euler's method (Karras et al. 2022, algorithm 2 without churn)."""
    for σ, σ_next in pairwise(sigmas):
        D = p.D(x, σ)
        d = (x - D) / σ
        x = x + d * (σ_next - σ)
        yield x, D


def euler_ancestral(p: Process, x: Tensor, sigmas: Tensor, *, eta: float = 1.0) -> Steps:
    """Euler's method past the next noise level, and back up to it with fresh noise."""
    for σ, σ_next in pairwise(sigmas):
        D = p.D(x, σ)
        if σ_next == 0:
            x = D
        else:
            σ_down, scale, up = p.ancestral(σ, σ_next, eta)
            d = (x - D) / σ
            x = scale * (x + d * (σ_down - σ))
            if up > 0:
                x = x + p.noise(σ, σ_next) * up
        yield x, D


def ddim(p: Process, x: Tensor, sigmas: Tensor, *, eta: float = 0.0) -> Steps:
    """Song et al. 2020: Euler's method; with `eta` that share of the noise is taken afresh."""
    yield from euler_ancestral(p, x, sigmas, eta=eta) if eta > 0 else euler(p, x, sigmas)


def heun(p: Process, x: Tensor, sigmas: Tensor) -> Steps:
    """Heun's method: the mean slope of both ends (Karras et al. 2022, algorithm 1)."""
    for σ, σ_next in pairwise(sigmas):
        D = p.D(x, σ)
        d = (x - D) / σ
        if σ_next > 0:
            x_2 = x + d * (σ_next - σ)
            d_2 = (x_2 - p.D(x_2, σ_next)) / σ_next
            d = (d + d_2) / 2
        x = x + d * (σ_next - σ)
        yield x, D


def heunpp2(p: Process, x: Tensor, sigmas: Tensor) -> Steps:
    """Heun++: up to three slopes a step, those of later levels weighted by how noisy they are.

    The last step is Euler's, the one before it has two slopes.
    """
    last = len(sigmas) - 2
    for i, (σ, σ_1) in enumerate(pairwise(sigmas)):
        D = p.D(x, σ)
        d = (x - D) / σ
        if i < last:
            x_1 = x + d * (σ_1 - σ)
            d_1 = (x_1 - p.D(x_1, σ_1)) / σ_1
            if i == last - 1:
                w_1 = σ_1 / (2 * sigmas[0])
                d = (1 - w_1) * d + w_1 * d_1
            else:
                σ_2 = sigmas[i + 2]
                x_2 = x_1 + d_1 * (σ_2 - σ_1)
                d_2 = (x_2 - p.D(x_2, σ_2)) / σ_2
                w_1, w_2 = σ_1 / (3 * sigmas[0]), σ_2 / (3 * sigmas[0])
                d = (1 - w_1 - w_2) * d + w_1 * d_1 + w_2 * d_2
        x = x + d * (σ_1 - σ)
        yield x, D


def dpm_2(p: Process, x: Tensor, sigmas: Tensor) -> Steps:
    """DPM-Solver-2 (Lu et al. 2022): the slope at the midpoint in log σ."""
    for σ, σ_next in pairwise(sigmas):
        D = p.D(x, σ)
        d = (x - D) / σ
        if σ_next > 0:
            σ_mid = _midpoint(σ, σ_next)
            x_2 = x + d * (σ_mid - σ)
            d = (x_2 - p.D(x_2, σ_mid)) / σ_mid
        x = x + d * (σ_next - σ)
        yield x, D


def dpm_2_ancestral(p: Process, x: Tensor, sigmas: Tensor, *, eta: float = 1.0) -> Steps:
    """DPM-Solver-2 past the next noise level, and back up to it with fresh noise."""
    for σ, σ_next in pairwise(sigmas):
        D = p.D(x, σ)
        d = (x - D) / σ
        if σ_next == 0:
            x = x + d * (σ_next - σ)
        else:
            σ_down, scale, up = p.ancestral(σ, σ_next, eta)
            # Down to the picture there is no middle in log σ.
            if σ_down > 0:
                σ_mid = _midpoint(σ, σ_down)
                x_2 = x + d * (σ_mid - σ)
                d = (x_2 - p.D(x_2, σ_mid)) / σ_mid
            x = scale * (x + d * (σ_down - σ))
            if up > 0:
                x = x + p.noise(σ, σ_next) * up
        yield x, D


def lcm(p: Process, x: Tensor, sigmas: Tensor) -> Steps:
    """Latent consistency (Luo et al. 2023): jump to the picture, and noise it again."""
    for σ, σ_next in pairwise(sigmas):
        D = p.D(x, σ)
        x = p.space.renoise(D, p.noise(σ, σ_next), σ_next) if σ_next > 0 else D
        yield x, D


def tcd(p: Process, x: Tensor, sigmas: Tensor, *, eta: float = 0.3) -> Steps:
    """Trajectory consistency (Zheng et al. 2024): a leap past the next level, and noise up to it.

    `eta` is the paper's γ: at 0 nothing is drawn, at 1 it is `lcm`.
    """
    for σ, σ_next in pairwise(sigmas):
        D = p.D(x, σ)
        if σ_next == 0:
            x = D
        else:
            ε = (x - p.space.alpha(σ) * D) / σ
            s = p.space.at_share(σ_next, 1 - eta)
            α = p.space.alpha(σ_next)
            scale = α / p.space.alpha(s)
            x = α * D + scale * s * ε
            if eta > 0:
                x = x + p.noise(σ, σ_next) * (σ_next**2 - (scale * s) ** 2).clamp_min(0).sqrt()
        yield x, D


def _midpoint(σ: Tensor, σ_next: Tensor) -> Tensor:
    """Of log σ in float32: as ComfyUI and A1111 round it, so falls the nearest step of the
    training."""
    return rounded(σ.log().float().lerp(σ_next.log().float(), 0.5).double().exp())
