"""Where random numbers come from. No function here touches torch's global generator."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from ponystudio.diffusion.noise.brownian_path import BrownianPath
from ponystudio.diffusion.noise.philox import PhiloxGenerator

# The next draw of a generator, float32 of a shape.
Stream = Callable[[Sequence[int]], Tensor]

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
    draw = stream(seed)
    if batch_index is None:
        return draw(shape)
    drawn = [draw((1, *shape[1:])) for _ in range(max(batch_index) + 1)]
    return torch.cat([drawn[i] for i in batch_index])


def stream(
    seed: int, source: str = "cpu", device: str | torch.device = "cpu", threads: int = 0
) -> Stream:
    """What the generator of a `source` of names.NOISES draws, one draw after the other.

    "cpu" and "nvidia" draw on the CPU, "gpu" on `device`. `threads` is that of PhiloxGenerator.
    """
    if source == "nvidia":
        return PhiloxGenerator(seed, threads).randn
    there = torch.device(device if source == "gpu" else "cpu")
    # Seeds are unsigned 64-bit numbers; arithmetic on them wraps.
    generator = torch.Generator(there).manual_seed(seed % _SEEDS)

    def draw(shape: Sequence[int]) -> Tensor:
        return torch.randn(tuple(shape), generator=generator, device=there)

    return draw


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


def centred(small: Tensor, whole: Tensor) -> Tensor:
    """Noise [B,C,h,w] with other noise in its middle, of which what is larger is cut off."""
    places = []
    for ours, theirs in zip(whole.shape[-2:], small.shape[-2:], strict=True):
        margin = (ours - theirs) // 2
        length = theirs + 2 * min(margin, 0)
        begin, cut = max(margin, 0), max(-margin, 0)
        places.append((slice(begin, begin + length), slice(cut, cut + length)))
    (rows, from_rows), (columns, from_columns) = places
    whole = whole.clone()
    whole[..., rows, columns] = small[..., from_rows, from_columns]
    return whole


def _direction(x: Tensor, along: int) -> Tensor:
    return x / torch.linalg.vector_norm(x, dim=along, keepdim=True)


def between(x: Tensor, seed: int, *, source: str = "cpu", threads: int = 0) -> Draw:
    """The fresh noise that ancestral samplers add at each step.

    `source` "cpu" draws on the CPU and gives the same numbers on every device; "gpu" draws with
    the generator of x's device, as ComfyUI does there, and "nvidia" with that of a card of NVIDIA
    on every device. The CPU's seed is one up, so that the noise differs from the first.
    """
    on_cpu = source == "cpu" or (source == "gpu" and x.device.type == "cpu")
    draw = stream(seed + 1 if on_cpu else seed, source, x.device, threads)
    return lambda *_: draw(x.shape).to(x.device)


def brownian(
    x: Tensor, seed: int, sigmas: Tensor, *, source: str = "cpu", threads: int = 0
) -> Draw:
    """Increments of one Brownian path W over σ, so that the picture does not depend on the steps.

    The noise from σ to σ_next is (W(σ_next) − W(σ)) / √|σ_next − σ|. `source` and `threads` are
    those of `stream`, on x's device; `sigmas` is the schedule, whose positive levels span the path.
    """
    levels = sigmas[sigmas > 0]
    if len(levels) < 2:
        # A single step ends without noise, and a path of no length cannot be built.
        return between(x, seed, source=source, threads=threads)
    low, high = float(levels.min()), float(levels.max())
    if source == "nvidia":
        path = BrownianPath(
            low, high, seed % _SEEDS, lambda half: PhiloxGenerator(half, threads).randn(x.shape)
        )
        return lambda σ, σ_next: (-path(float(σ_next), float(σ)) / (σ - σ_next).sqrt()).to(x.device)
    from torchsde import BrownianTree

    w_0 = torch.zeros(x.shape, device=x.device if source == "gpu" else "cpu")
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
