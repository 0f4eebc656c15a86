"""Samplers of Karras et al. 2022 and their relatives: Euler, Heun, DPM-Solver-2, LMS, LCM.

All follow dx/dσ = (x − D(x, σ))/σ, which holds for VP and for flow models.
"""

from __future__ import annotations

from itertools import pairwise

import numpy as np
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


def euler_ancestral(p: Process, x: Tensor, sigmas: Tensor) -> Steps:
    """Euler's method past the next noise level, and back up to it with fresh noise."""
    for σ, σ_next in pairwise(sigmas):
        D = p.D(x, σ)
        if σ_next == 0:
            x = D
        else:
            σ_down, scale, up = p.space.ancestral(σ, σ_next)
            d = (x - D) / σ
            x = scale * (x + d * (σ_down - σ)) + p.noise(σ, σ_next) * up
        yield x, D


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


def dpm_2_ancestral(p: Process, x: Tensor, sigmas: Tensor) -> Steps:
    """DPM-Solver-2 past the next noise level, and back up to it with fresh noise."""
    for σ, σ_next in pairwise(sigmas):
        D = p.D(x, σ)
        d = (x - D) / σ
        if σ_next == 0:
            x = x + d * (σ_next - σ)
        else:
            σ_down, scale, up = p.space.ancestral(σ, σ_next)
            σ_mid = _midpoint(σ, σ_down)
            x_2 = x + d * (σ_mid - σ)
            d_2 = (x_2 - p.D(x_2, σ_mid)) / σ_mid
            x = scale * (x + d_2 * (σ_down - σ)) + p.noise(σ, σ_next) * up
        yield x, D


def lms(p: Process, x: Tensor, sigmas: Tensor, order: int = 4) -> Steps:
    """Linear multistep (Adams-Bashforth): integrates the polynomial through the last slopes."""
    slopes: list[Tensor] = []
    levels = sigmas.numpy()
    for i, (σ, σ_next) in enumerate(pairwise(sigmas)):
        D = p.D(x, σ)
        slopes = [(x - D) / σ, *slopes[: order - 1]]
        if σ_next == 0:
            x = D
        else:
            x = x + sum(c * d for c, d in zip(_adams(levels, i, len(slopes)), slopes, strict=True))
        yield x, D


def lcm(p: Process, x: Tensor, sigmas: Tensor) -> Steps:
    """Latent consistency (Luo et al. 2023): jump to the picture, and noise it again."""
    for σ, σ_next in pairwise(sigmas):
        D = p.D(x, σ)
        x = p.space.renoise(D, p.noise(σ, σ_next), σ_next) if σ_next > 0 else D
        yield x, D


def _midpoint(σ: Tensor, σ_next: Tensor) -> Tensor:
    """Of log σ in float32: as the peers round it, so falls the nearest step of the training."""
    return rounded(σ.log().float().lerp(σ_next.log().float(), 0.5).double().exp())


def _adams(levels: np.ndarray, i: int, order: int) -> list[float]:
    """∫ of each Lagrange basis polynomial through the last `order` levels, from level i to i+1.

    Newest first. Gauss-Legendre on two nodes is exact up to cubics, all that order 4 needs.
    """
    past = levels[i - order + 1 : i + 1][::-1]
    middle, half = (levels[i + 1] + levels[i]) / 2, (levels[i + 1] - levels[i]) / 2
    τ = middle + half * np.array([-1, 1]) / 3**0.5

    def integral(j: int) -> float:
        others = np.delete(past, j)[:, None]
        return float(half * np.prod((τ - others) / (past[j] - others), axis=0).sum())

    return [integral(j) for j in range(order)]
