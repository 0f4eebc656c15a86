"""Cut-outs: pictures with an alpha. Where neighbours are mixed, hidden colours must not show."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ponystudio.diffusion.images.resample import resize

if TYPE_CHECKING:
    from torch import Tensor

# Below this alpha the mean that is weighed by alpha gives way to the plain one: of little weight,
# by kernels with negative parts, it may be anything.
FAINT = 1 / 8


def spread_colours(pixels: Tensor, alpha: Tensor) -> Tensor:
    """Pictures whose hidden colours are those of what is seen nearby.

    `pixels` [B,3,H,W]; `alpha` [1 or B,1,H,W], 1 opaque. Where alpha is 0 the result has means, by
    alpha, over the smallest square in which anything is seen; elsewhere it is `pixels`, and so it
    is all over where nothing is seen at all.
    """
    import torch

    alpha = alpha.to(pixels).expand(len(pixels), -1, -1, -1)
    seen = _means(torch.cat((pixels * alpha, alpha), 1))
    return torch.where((alpha > 0) | (alpha.amax((2, 3), keepdim=True) <= 0), pixels, seen)


def _means(weighted: Tensor) -> Tensor:
    """[B,3,H,W] from colours times alpha, and alpha, [B,4,H,W]: the colours that are seen, around
    them the means of 3×3, and farther off what half the size has."""
    import torch
    from torch.nn.functional import avg_pool2d, interpolate

    size = weighted.shape[-2:]
    around = avg_pool2d(weighted, 3, stride=1, padding=1)
    near = torch.where(weighted[:, 3:] > 0, weighted, around)
    colours, alpha = near[:, :3], near[:, 3:]
    means = colours / torch.where(alpha > 0, alpha, 1)
    if max(size) <= 2:
        return means
    halves = avg_pool2d(weighted, 2, ceil_mode=True, count_include_pad=False)
    coarser = interpolate(_means(halves), size=size, mode="bilinear")
    return torch.where(alpha > 0, means, coarser)


def without_noise(enlarged: Tensor, alpha: Tensor) -> Tensor:
    """An alpha [B,1,H·n,W·n] that a network made of one [1 or B,1,H,W], 0 and 1 where that is so
    all around: the network leaves a shimmer there."""
    import torch
    from torch.nn.functional import interpolate, max_pool2d

    for value, told in ((0.0, alpha), (1.0, 1 - alpha)):
        touched = max_pool2d(told.to(enlarged), 3, stride=1, padding=1)
        there = interpolate(touched, size=enlarged.shape[-2:], mode="nearest")
        enlarged = torch.where(there > 0, enlarged, value)
    return enlarged


def scale_cut_out(
    pixels: Tensor, alpha: Tensor, size: tuple[int, int], method: str
) -> tuple[Tensor, Tensor]:
    """Resize pictures [B,3,H,W] and their alpha [1 or B,1,H,W] to [B,C,*size] (height, width), by
    one of PICTURE_METHODS: every colour counts as much as it is seen."""
    import torch

    alpha = alpha.to(pixels).expand(len(pixels), -1, -1, -1)
    filled = spread_colours(pixels, alpha)
    scaled = resize(torch.cat((filled * alpha, alpha, filled), 1), size, method)
    weighted, weight, plain = scaled[:, :3], scaled[:, 3:4], scaled[:, 4:]
    share = (weight / FAINT).clamp(0, 1)
    colours = weighted / torch.where(share > 0, weight, 1) * share + plain * (1 - share)
    return colours.clamp(0, 1), weight.clamp(0, 1)
