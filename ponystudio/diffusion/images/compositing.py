"""One picture, or latent, laid on another: where it lies, how it fades into it, how colours mix."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

from ponystudio.diffusion.sampling.gaussian_blur import mirrored

if TYPE_CHECKING:
    from torch import Tensor

Place = tuple[slice, slice]


def overlap(below: Sequence[int], above: Sequence[int], x: int, y: int) -> tuple[Place, Place]:
    """Where a plane of the size `above` (height, width) covers one of the size `below` if its left
    upper corner is at (x, y) of that: rows and columns there, and its own. Empty if nowhere."""
    places = [
        (slice(max(0, at), max(0, min(length, at + own))), slice(max(0, -at), max(0, length - at)))
        for at, length, own in ((y, below[0], above[0]), (x, below[1], above[1]))
    ]
    (rows, own_rows), (columns, own_columns) = places
    return (rows, columns), (own_rows, own_columns)


def laid_on(below: Tensor, above: Tensor, x: int, y: int, mask: Tensor | None = None) -> Tensor:
    """`above` [1 or B,C,h,w] on `below` [B,C,H,W], its left upper corner at (x, y), which may be
    outside; where `mask` [1 or B,1,h,w] is 0 it is not to be seen. On the device of `below`."""
    result = below.clone()
    there, here = overlap(below.shape[-2:], above.shape[-2:], x, y)
    seen = above.to(below)[..., *here]
    if mask is not None:
        m = mask.to(below)[..., *here]
        seen = below[..., *there] * (1 - m) + seen * m
    result[..., *there] = seen
    return result


def soft_borders(below: Sequence[int], above: Tensor, x: int, y: int, cells: int) -> Tensor:
    """A mask [1,1,h,w] for `above` [B,C,h,w] in a plane of the size `below`: 1, falling over so
    many cells, to 1/cells, towards each side that lies within `below`."""
    height, width = above.shape[-2:]
    mask = above.new_ones(1, 1, height, width)
    for axis, length, inner_start, inner_end in (
        (-2, height, y > 0, y + height < below[0]),
        (-1, width, x > 0, x + width < below[1]),
    ):
        for t in range(min(cells, length)):
            if inner_start:
                mask.select(axis, t).mul_((t + 1) / cells)
            if inner_end:
                mask.select(axis, -t - 1).mul_((t + 1) / cells)
    return mask


FILLS = ("grey", "edge", "mirror")


def padded(
    pixels: Tensor, *, left: int, top: int, right: int, bottom: int, feather: int, fill: str
) -> tuple[Tensor, Tensor]:
    """Pictures [B,3,H,W] with a border, and a mask [1,1,H',W'] that is 1 on it.

    Inside the picture the mask falls as ((f − d)/f)², d pixels from the nearest side that has a
    border (d = 0 in the first column or row, 1 in the last), unless the picture is no larger than
    2·f either way. `fill`, one of FILLS: what is on the border.
    """
    import torch

    _, _, height, width = pixels.shape
    rows = torch.arange(-top, height + bottom)
    columns = torch.arange(-left, width + right)
    inside = ((rows >= 0) & (rows < height))[:, None] & ((columns >= 0) & (columns < width))
    far = max(height, width, feather)
    down = torch.minimum(
        rows if top else torch.full_like(rows, far),
        height - rows if bottom else torch.full_like(rows, far),
    )
    along = torch.minimum(
        columns if left else torch.full_like(columns, far),
        width - columns if right else torch.full_like(columns, far),
    )
    mask = torch.zeros(len(rows), len(columns))
    if feather and 2 * feather < min(height, width):
        d = torch.minimum(down[:, None], along[None, :])
        mask = ((feather - d) / feather).clamp(min=0) ** 2
    mask = torch.where(inside, mask, 1).to(pixels)[None, None]
    if fill == "grey":
        picture = pixels.new_full((*pixels.shape[:2], len(rows), len(columns)), 0.5)
        return laid_on(picture, pixels, left, top), mask
    at = mirrored if fill == "mirror" else _clamped
    near = at(rows, height).to(pixels.device), at(columns, width).to(pixels.device)
    return pixels[..., near[0], :][..., near[1]], mask


def _clamped(index: Tensor, length: int) -> Tensor:
    return index.clamp(0, length - 1)


def _soft_light(a: Tensor, b: Tensor) -> Tensor:
    d = a.sqrt().where(a > 0.25, ((16 * a - 12) * a + 4) * a)
    return (a - (1 - 2 * b) * a * (1 - a)).where(b <= 0.5, a + (2 * b - 1) * (d - a))


def _overlay(a: Tensor, b: Tensor) -> Tensor:
    return (2 * a * b).where(a <= 0.5, 1 - 2 * (1 - a) * (1 - b))


# From the picture below, a, and the one above, b, as W3C's Compositing and Blending has them, and,
# of its kin in painting programs, add, subtract and linear_burn.
_BLENDS: Mapping[str, Callable[[Tensor, Tensor], Tensor]] = {
    "normal": lambda _, b: b,
    "multiply": lambda a, b: a * b,
    "screen": lambda a, b: 1 - (1 - a) * (1 - b),
    "overlay": _overlay,
    "soft_light": _soft_light,
    "hard_light": lambda a, b: _overlay(b, a),
    "darken": lambda a, b: a.minimum(b),
    "lighten": lambda a, b: a.maximum(b),
    "color_dodge": lambda a, b: (a / (1 - b).clamp(min=1e-12)).clamp(max=1),
    "color_burn": lambda a, b: 1 - ((1 - a) / b.clamp(min=1e-12)).clamp(max=1),
    "linear_burn": lambda a, b: a + b - 1,
    "add": lambda a, b: a + b,
    "subtract": lambda a, b: a - b,
    "difference": lambda a, b: (a - b).abs(),
    "exclusion": lambda a, b: a + b - 2 * a * b,
}
BLENDS = tuple(_BLENDS)


def blended(below: Tensor, above: Tensor, mode: str, factor: float) -> Tensor:
    """Pictures [B,3,H,W] in 0..1 mixed with others of the same size [1 or B,3,H,W] by one of
    BLENDS, of which `factor` in 0..1 is taken; in 0..1."""
    mixed = _BLENDS[mode](below, above.to(below))
    return (below * (1 - factor) + mixed * factor).clamp(0, 1)
