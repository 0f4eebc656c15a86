"""The shapes of masks: grown, shrunk, faded out at their borders, put together."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from ponystudio.diffusion.images.compositing import overlap

if TYPE_CHECKING:
    from torch import Tensor

# From two masks where they overlap to one; and, or and xor are of masks that are rounded.
_TWO: Mapping[str, Callable[[Tensor, Tensor], Tensor]] = {
    "add": lambda a, b: a + b,
    "subtract": lambda a, b: a - b,
    "multiply": lambda a, b: a * b,
    "and": lambda a, b: a.round() * b.round(),
    "or": lambda a, b: a.round().maximum(b.round()),
    "xor": lambda a, b: (a.round() - b.round()).abs(),
    "lighter": lambda a, b: a.maximum(b),
    "darker": lambda a, b: a.minimum(b),
}
OPERATIONS = tuple(_TWO)
FEATHERS = ("even", "comfyui")


def grown(mask: Tensor, by: int, *, tapered: bool) -> Tensor:
    """Grey dilation of masks [B,1,H,W] by so many pixels, erosion where `by` is negative.

    As if each pixel widened by what touches it, `by` times: all eight around it, or, tapered, the
    four at its sides, so that corners are bevelled. O(log by) passes.
    """
    from torch.nn.functional import pad

    if by < 0:
        return -grown(-mask, -by, tapered=tapered)
    wide = pad(mask, (by, by, by, by), value=-math.inf)
    if not tapered:
        return _running_max(_running_max(wide, 2 * by + 1, -2), 2 * by + 1, -1)
    # Diamonds of radius r around four points s ≤ r away make one of radius r + s. Those of radius 0
    # need their middle, too.
    radius = 0
    while radius < by:
        s = min(max(radius, 1), by - radius)
        middle = wide[..., s:-s, s:-s]
        sides = wide[..., : -2 * s, s:-s], wide[..., 2 * s :, s:-s]
        ends = wide[..., s:-s, : -2 * s], wide[..., s:-s, 2 * s :]
        four = sides[0].maximum(sides[1]).maximum(ends[0]).maximum(ends[1])
        wide = four if radius else four.maximum(middle)
        radius += s
    return wide


def grown_hole(hole: Tensor, window: int) -> Tensor:
    """A hole [B,1,H,W] of 0 and 1, widened to where a window of so many pixels a side around the
    pixel meets it; 0 leaves it. With an even window it grows by one less to the left and up."""
    from torch.nn.functional import pad

    if not window:
        return hole
    before, after = window // 2, window - 1 - window // 2
    wide = pad(hole, (before, after, before, after))
    return _running_max(_running_max(wide, window, -2), window, -1)


def _running_max(values: Tensor, window: int, axis: int) -> Tensor:
    """The maximum of each so many values that follow each other; so many less one fewer."""
    width = 1
    while width < window:
        step = min(width, window - width)
        length = values.shape[axis] - step
        values = values.narrow(axis, 0, length).maximum(values.narrow(axis, step, length))
        width += step
    return values


def feathered(
    mask: Tensor, *, left: int, top: int, right: int, bottom: int, rule: str = "even"
) -> Tensor:
    """Masks [B,1,H,W] that fade out towards their borders: 1/n at it, n/n at the n-th pixel.

    `rule` "comfyui" counts from the right and from below as ComfyUI does, which begins with the
    first column and row: -0 is 0.
    """
    fading = mask.clone()
    width, height = mask.shape[-1], mask.shape[-2]
    for axis, length, near, far in ((-1, width, left, right), (-2, height, top, bottom)):
        for i in range(min(near, length)):
            fading.select(axis, i).mul_((i + 1) / near)
        for i in range(min(far, length)):
            at = -i if rule == "comfyui" else -i - 1
            fading.select(axis, at).mul_((i + 1) / far)
    return fading


def combined(mask: Tensor, other: Tensor, operation: str, *, x: int = 0, y: int = 0) -> Tensor:
    """Masks [B,1,H,W] with one of OPERATIONS done to them where the other [1 or B,1,h,w] lies, its
    left upper corner at (x, y), which may be outside; in 0..1."""
    result = mask.clone()
    there, here = overlap(mask.shape[-2:], other.shape[-2:], x, y)
    result[..., *there] = _TWO[operation](mask[..., *there], other.to(mask)[..., *here])
    return result.clamp(0, 1)
