"""Where random numbers come from. No function here touches torch's global generator."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

# From σ and σ_next to standard normal noise of x's shape, on x's device.
Noise = Callable[[Tensor, Tensor], Tensor]

_SEEDS = 2**64

# Of the tolerance 1e-6 to which torchsde resolves a path by default.
_TREE_DIGITS = 6


def first(shape: Sequence[int], seed: int, *, batch_index: Sequence[int] | None = None) -> Tensor:
    """The noise that a picture starts from: float32 `shape` [B,C,h,w] on the CPU.

    One draw for the whole batch; `batch_index` picks, for each picture, one of noises drawn one by
    one, so that a single picture of a batch can be made again where C·h·w is a multiple of 16.
    """
    generator = _generator("cpu", seed)
    if batch_index is None:
        return torch.randn(tuple(shape), generator=generator)
    one = (1, *shape[1:])
    drawn = [torch.randn(one, generator=generator) for _ in range(max(batch_index) + 1)]
    return torch.cat([drawn[i] for i in batch_index])


def between(x: Tensor, seed: int, *, source: str = "cpu") -> Noise:
    """The fresh noise that ancestral samplers add at each step.

    `source` "cpu" draws on the CPU and gives the same numbers on every device; "gpu" draws with
    the generator of x's device, as ComfyUI does there. The CPU's seed is one up, so that the noise
    differs from the first.
    """
    device = x.device if source == "gpu" else torch.device("cpu")
    generator = _generator(device, seed + 1 if device.type == "cpu" else seed)

    def draw(*_: Tensor) -> Tensor:
        return torch.randn(x.shape, generator=generator, device=device).to(x.device)

    return draw


def brownian(x: Tensor, seed: int, sigmas: Tensor, *, source: str = "cpu") -> Noise:
    """Increments of one Brownian path W over σ, so that the picture does not depend on the steps.

    The noise from σ to σ_next is (W(σ_next) − W(σ)) / √|σ_next − σ|. Drawn on the CPU, or with the
    generators of x's device where `source` is "gpu"; `sigmas` is the schedule, whose positive
    levels span the path.
    """
    from torchsde import BrownianTree

    levels = sigmas[sigmas > 0]
    if len(levels) < 2:
        # A single step ends without noise, and a path of no length cannot be built.
        return between(x, seed, source=source)
    low, high = float(levels[-1]), float(levels[0])
    device = x.device if source == "gpu" else torch.device("cpu")
    w_0 = torch.zeros(x.shape, device=device)
    w = BrownianTree(t0=low, w0=w_0, t1=high, entropy=seed % _SEEDS)
    # The tree rounds its ends to its tolerance, and warns of times beyond them.
    low, high = round(low, _TREE_DIGITS), round(high, _TREE_DIGITS)

    def draw(σ: Tensor, σ_next: Tensor) -> Tensor:
        a, b = (min(max(float(level), low), high) for level in (σ, σ_next))
        return (-w(b, a) / (σ - σ_next).sqrt()).to(x.device)

    return draw


def scaled(noise: Noise, strength: float) -> Noise:
    """Noise of that standard deviation."""
    if strength == 1:
        return noise
    return lambda σ, σ_next: noise(σ, σ_next) * strength


def _generator(device: str | torch.device, seed: int) -> torch.Generator:
    """Seeds are unsigned 64-bit numbers; arithmetic on them wraps."""
    return torch.Generator(device).manual_seed(seed % _SEEDS)
