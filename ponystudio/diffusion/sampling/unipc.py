"""UniPC (Zhao et al. 2023): a predictor and a corrector of any order, for D(x, σ)."""

from __future__ import annotations

import math
from collections.abc import Callable
from itertools import pairwise

import numpy as np
import torch
from torch import Tensor

from ponystudio.diffusion.sampling.samplers import Process, Steps

# λ is infinite at σ = 0, so the last step ends a little above it.
_LAST_SIGMA = 0.001

_MAX_ORDER = 3


def uni_pc(p: Process, x: Tensor, sigmas: Tensor) -> Steps:
    """With B(h) = h, better at few steps."""
    return _uni_pc(p, x, sigmas, lambda h: h)


def uni_pc_bh2(p: Process, x: Tensor, sigmas: Tensor) -> Steps:
    """With B(h) = eʰ − 1, better at strong guidance."""
    return _uni_pc(p, x, sigmas, math.expm1)


def _uni_pc(p: Process, x: Tensor, sigmas: Tensor, B: Callable[[float], float]) -> Steps:
    """Algorithms 1 and 2 of the paper: the corrector costs no call, since D at the predicted point
    serves the next step too. The order rises from 1 at the start and falls to 1 at the end.
    """
    levels = p.space.with_finite_snr(torch.where(sigmas == 0, _LAST_SIGMA, sigmas))
    λ = p.space.half_log_snr(levels).tolist()
    steps = len(levels) - 1
    past = [p.D(x, levels[0])]  # newest first
    for i, (σ, σ_next) in enumerate(pairwise(levels)):
        order = min(_MAX_ORDER, i + 1, steps - i)
        h = λ[i + 1] - λ[i]
        r = [(λ[i - k] - λ[i]) / h for k in range(1, order)]
        D = past[0]
        D1 = [(D_k - D) / r_k for r_k, D_k in zip(r, past[1:], strict=False)]
        α = p.space.alpha(σ_next)
        base = (σ_next / σ) * x - α * math.expm1(-h) * D
        x = base - α * B(-h) * _weighted(_predictor(r, h, B), D1)
        if i + 1 < steps:
            D_next = p.D(x, σ_next)
            x = base - α * B(-h) * _weighted(_corrector(r, h, B), [*D1, D_next - D])
            past = [D_next, *past[: _MAX_ORDER - 1]]
        else:
            x = x / α
        yield x, D


def _weighted(ρ: list[float], values: list[Tensor]) -> Tensor | float:
    return sum(weight * value for weight, value in zip(ρ, values, strict=True))


def _predictor(r: list[float], h: float, B: Callable[[float], float]) -> list[float]:
    """Weights of the differences to the D before; ½ for a single one is of the same order."""
    return [0.5] if len(r) == 1 else _solve(r, h, B)


def _corrector(r: list[float], h: float, B: Callable[[float], float]) -> list[float]:
    """As `_predictor`, with the difference to D at the predicted point as the last."""
    return _solve([*r, 1.0], h, B) if r else [0.5]


def _solve(r: list[float], h: float, B: Callable[[float], float]) -> list[float]:
    """ρ of R(r)·ρ = b, with R_jk = r_k^(j−1), b_j = j!·hʲφ_{j+1}(−h)/B(−h) (theorem 3.1)."""
    if not r:
        return []
    b, φ = [], math.expm1(-h) / -h - 1
    for j in range(1, len(r) + 1):
        b.append(φ * math.factorial(j) / B(-h))
        φ = φ / -h - 1 / math.factorial(j + 1)
    R = np.vander(np.array(r), increasing=True).T
    return list(np.linalg.solve(R, b))
