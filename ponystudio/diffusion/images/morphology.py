"""The shapes of masks: grown, shrunk, faded out at their borders, put together."""

from __future__ import annotations

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

    Each pixel widens by what touches it, `by` times: all eight around it, or, tapered, the four at
    its sides, so that corners are bevelled.
    """
    from torch.nn.functional import max_pool2d

    if by < 0:
        return -grown(-mask, -by, tapered=tapered)
    if not tapered:
        tall = max_pool2d(mask, (2 * by + 1, 1), stride=1, padding=(by, 0))
        return max_pool2d(tall, (1, 2 * by + 1), stride=1, padding=(0, by))
    for _ in range(by):
        tall = max_pool2d(mask, (3, 1), stride=1, padding=(1, 0))
        mask = max_pool2d(mask, (1, 3), stride=1, padding=(0, 1)).maximum(tall)
    return mask


def grown_hole(hole: Tensor, window: int) -> Tensor:
    """A hole [B,1,H,W] of 0 and 1, widened to where a window of so many pixels a side around the
    pixel meets it; 0 leaves it. With an even window it grows by one less to the left and up."""
    from torch.nn.functional import max_pool2d

    if not window:
        return hole
    wide = max_pool2d(hole, window, stride=1, padding=window // 2)
    return wide[..., : hole.shape[-2], : hole.shape[-1]]


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
