"""Where random numbers come from. No function here touches torch's global generator."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from ponystudio.api import Noise

# From σ and σ_next to standard normal noise of x's shape, on x's device.
Draw = Callable[[Tensor, Tensor], Tensor]

_SEEDS = 2**64

# Cosine beyond which two noises have no arc between them.
_PARALLEL = 0.9995

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


def of(noise: Noise, shape: Sequence[int], batch_index: Sequence[int] | None = None) -> Tensor:
    """The `first` noise that a node asks for: none at all, that of its seed, or a variation."""
    if noise.off:
        return torch.zeros(tuple(shape))
    drawn = first(shape, noise.seed, batch_index=batch_index)
    if not noise.variation:
        return drawn
    other = first(shape, noise.variation_seed, batch_index=batch_index)
    return turned(drawn, other, noise.variation)


def turned(low: Tensor, high: Tensor, share: float) -> Tensor:
    """From noise to other noise [B,C,h,w] along the arc between them, as A1111 does for variations.

    Each column of each channel has an arc of its own; where they are all but parallel the way is
    straight.
    """
    along = -2
    cosine = (_direction(low, along) * _direction(high, along)).sum(along, keepdim=True)
    if cosine.mean() > _PARALLEL:
        return torch.lerp(low, high, share)
    angle = torch.acos(cosine.clamp(-1, 1))
    return (torch.sin((1 - share) * angle) * low + torch.sin(share * angle) * high) / angle.sin()


def _direction(x: Tensor, along: int) -> Tensor:
    return x / torch.linalg.vector_norm(x, dim=along, keepdim=True)


def between(x: Tensor, seed: int, *, source: str = "cpu") -> Draw:
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


def brownian(x: Tensor, seed: int, sigmas: Tensor, *, source: str = "cpu") -> Draw:
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


def scaled(noise: Draw, strength: float) -> Draw:
    """Noise of that standard deviation."""
    if strength == 1:
        return noise
    return lambda σ, σ_next: noise(σ, σ_next) * strength


def _generator(device: str | torch.device, seed: int) -> torch.Generator:
    """Seeds are unsigned 64-bit numbers; arithmetic on them wraps."""
    return torch.Generator(device).manual_seed(seed % _SEEDS)
