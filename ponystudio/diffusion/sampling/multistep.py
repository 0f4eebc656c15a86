"""Multistep methods: each step also uses what the network said at the steps before.

All of dx/dσ = d with d = (x − D(x, σ))/σ, which holds for VP and for flow models.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from itertools import pairwise

import numpy as np
from torch import Tensor

from ponystudio.diffusion.sampling.samplers import Process, Steps

# Of the process that DEIS integrates in: the noise levels and the time at which it begins and ends.
_DEIS_ENDS, _DEIS_ε = (0.002, 80.0), 1e-3
_DEIS_POINTS = 10_000


def lms(p: Process, x: Tensor, sigmas: Tensor, *, order: int = 4) -> Steps:
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


def ipndm(p: Process, x: Tensor, sigmas: Tensor, *, order: int = 4) -> Steps:
    """Improved PNDM (Zhang & Chen 2022): Adams-Bashforth with weights of even steps."""
    yield from _by_slopes(p, x, sigmas, order, _even_weights)


def plms(p: Process, x: Tensor, sigmas: Tensor) -> Steps:
    """Pseudo linear multistep (Liu et al. 2022): as `ipndm`, with Heun's method for its first step.

    That step's second slope is not looked back at.
    """
    yield from _by_slopes(p, x, sigmas, 4, _even_weights, heun=True)


def ipndm_v(p: Process, x: Tensor, sigmas: Tensor, *, order: int = 4) -> Steps:
    """As `ipndm`, with weights of the steps as long as they are."""
    yield from _by_slopes(p, x, sigmas, order, _variable_weights)


def _by_slopes(
    p: Process,
    x: Tensor,
    sigmas: Tensor,
    order: int,
    weights: Callable[[np.ndarray, int], list[float]],
    *,
    heun: bool = False,
) -> Steps:
    """x' = x + h·Σ w_k·d_k; `weights` is given the lengths of the steps, newest first, and how many
    slopes there are. `heun`: the first step goes by the mean of the slopes at both ends.
    """
    slopes: list[Tensor] = []
    h = np.diff(sigmas.numpy())
    for i, (σ, σ_next) in enumerate(pairwise(sigmas)):
        D = p.D(x, σ)
        slopes = [(x - D) / σ, *slopes[: order - 1]]
        if σ_next == 0:
            x = D
        elif heun and i == 0:
            x_2 = x + slopes[0] * (σ_next - σ)
            x = x + (σ_next - σ) * (slopes[0] + (x_2 - p.D(x_2, σ_next)) / σ_next) / 2
        else:
            w = weights(h[: i + 1][::-1], len(slopes))
            x = x + (σ_next - σ) * sum(w_k * d for w_k, d in zip(w, slopes, strict=True))
        yield x, D


def _even_weights(_: np.ndarray, count: int) -> list[float]:
    """Of slopes at even distances."""
    even = ((1,), (3, -1), (23, -16, 5), (55, -59, 37, -9))[count - 1]
    return [weight / sum(even) for weight in even]


def _variable_weights(h: np.ndarray, count: int) -> list[float]:
    """Of the slopes now and at the ends of steps of length h[1], h[2], h[3]; the step is h[0]."""
    w = [1.0]
    if count > 1:
        w = [1 + h[0] / (2 * h[1]), -h[0] / (2 * h[1])]
    if count > 2:
        T = 0.5 * (1 - h[0] / (3 * (h[0] + h[1])) * h[0] * (h[0] + h[1]) / (h[1] * (h[1] + h[2])))
        w = [w[0] + T, w[1] - (1 + h[1] / h[2]) * T, T * h[1] / h[2]]
    if count > 3:
        first, second = h[0] + h[1], h[0] + h[1] + h[2]
        T = 0.5 * (1 - h[0] / (3 * first)) + (1 - h[0] / (2 * first)) * h[0] / (6 * second)
        T *= h[0] * first * second / (h[1] * (h[1] + h[2]) * (h[1] + h[2] + h[3]))
        Q = h[1] * (h[1] + h[2]) / (h[2] * (h[2] + h[3]))
        w = [
            w[0] + T,
            w[1] - (1 + h[1] / h[2] + Q) * T,
            w[2] + (h[1] / h[2] + Q * (1 + h[2] / h[3])) * T,
            -T * Q * h[1] / h[2],
        ]
    return [float(weight) for weight in w]


def deis(p: Process, x: Tensor, sigmas: Tensor, *, order: int = 3) -> Steps:
    """DEIS (Zhang & Chen 2022), tAB: extrapolates the slope in the time of a VP process.

    The first step is Euler's, as are the last and those down to levels so low that their time
    rounds to 0: the slope has no end there.
    """
    slopes: list[Tensor] = []
    levels = sigmas.numpy()
    for i, (σ, σ_next) in enumerate(pairwise(sigmas)):
        D = p.D(x, σ)
        slopes = [(x - D) / σ, *slopes[: order - 1]]
        c = [float(σ_next - σ)]
        if len(slopes) > 1 and i < len(sigmas) - 2:
            τ = _deis_times(levels[i + 1 - len(slopes) : i + 2][::-1])
            with np.errstate(divide="ignore", invalid="ignore"):
                weights = _deis_weights(τ[0], τ[1:])
            # Levels so low that their time is 0 have none.
            c = weights if np.isfinite(weights).all() else c
        x = x + sum(c_k * d for c_k, d in zip(c, slopes, strict=False))
        yield x, D


def _deis_beta() -> tuple[float, float]:
    """β₀ and the slope of β(τ) = β₀ + β_d·τ: from the first noise level at ε to the last at 1."""
    low, high = (math.log(level**2 + 1) for level in _DEIS_ENDS)
    slope = 2 * (low / _DEIS_ε - high) / (_DEIS_ε - 1)
    return high - slope / 2, slope


def _deis_times(levels: np.ndarray) -> np.ndarray:
    β_0, β_d = _deis_beta()
    τ: np.ndarray = (np.sqrt(β_0**2 + 2 * β_d * np.log(levels**2 + 1)) - β_0) / β_d
    return τ


def _deis_weights(τ_next: float, past: np.ndarray) -> list[float]:
    """∫ of dσ/dτ times each Lagrange basis polynomial through the times `past`, newest first."""
    β_0, β_d = _deis_beta()
    τ = np.linspace(past[0], τ_next, _DEIS_POINTS)
    ᾱ = np.exp(-0.5 * β_d * τ**2 - β_0 * τ)
    slope = 0.5 * (β_d * τ + β_0) / np.sqrt(ᾱ * (1 - ᾱ))

    def weight(j: int) -> float:
        others = np.delete(past, j)[:, None]
        basis = np.prod((τ - others) / (past[j] - others), axis=0)
        return float((slope * basis).sum() * (τ_next - past[0]) / _DEIS_POINTS)

    return [weight(j) for j in range(len(past))]


def gradient_estimation(p: Process, x: Tensor, sigmas: Tensor, *, gamma: float = 2.0) -> Steps:
    """Permenter & Yuan 2023: Euler's method with γ·d + (1 − γ)·d of the step before."""
    d_last = None
    for σ, σ_next in pairwise(sigmas):
        D = p.D(x, σ)
        d = (x - D) / σ
        x = x + d * (σ_next - σ)
        if d_last is not None and σ_next > 0:
            x = x + (gamma - 1) * (d - d_last) * (σ_next - σ)
        d_last = d
        yield x, D


def res_multistep(p: Process, x: Tensor, sigmas: Tensor) -> Steps:
    """RES (Zhang et al. 2023): an exponential integrator of second order in −log σ."""
    yield from res_multistep_ancestral(p, x, sigmas, eta=0.0)


def res_multistep_ancestral(p: Process, x: Tensor, sigmas: Tensor, *, eta: float = 1.0) -> Steps:
    """As `res_multistep`, past the next noise level, and back up to it with fresh noise."""
    D_last, σ_last, σ_down_last = None, None, None
    for σ, σ_next in pairwise(sigmas):
        D = p.D(x, σ)
        σ_down, scale, up = p.ancestral(σ, σ_next, eta)
        if D_last is None or σ_down == 0:
            x = x + (x - D) / σ * (σ_down - σ)
        else:
            h, b_1, b_2 = res_weights(σ, σ_down, σ_last, σ_down_last)
            x = (-h).exp() * x + h * (b_1 * D + b_2 * D_last)
        if up > 0:
            x = scale * x + p.noise(σ, σ_next) * up
        D_last, σ_last, σ_down_last = D, σ, σ_down
        yield x, D


def res_weights(
    σ: Tensor, σ_down: Tensor, σ_last: Tensor, σ_down_last: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    """h, and what D of now and D of the step before count in x' = e^(−h)·x + h·(b₁·D + b₂·D₁)."""
    h = σ.log() - σ_down.log()
    c_2 = (σ_down_last.log() - σ_last.log()) / h
    φ_1 = (-h).expm1() / -h
    φ_2 = (φ_1 - 1) / -h
    return h, φ_1 - φ_2 / c_2, φ_2 / c_2


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
