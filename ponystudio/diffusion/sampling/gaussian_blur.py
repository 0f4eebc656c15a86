"""Planes of numbers weighed by a bell, mirrored at their borders: pictures, masks and latents.

Importing this loads no torch.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor


def blur(planes: Tensor, radius: int, sigma: float) -> Tensor:
    """[B,C,H,W] weighed by exp(−d²/2σ²) over 2·radius + 1 pixels each way, mirrored at the borders.

    `sigma` in pixels.
    """
    import torch
    from torch.nn.functional import conv2d

    bell = torch.exp(-(torch.arange(-radius, radius + 1).double() ** 2) / (2 * sigma**2))
    weights = (bell / bell.sum()).to(planes)
    for axis, kernel in ((-1, weights[None, None, None]), (-2, weights[None, None, :, None])):
        length = planes.shape[axis]
        places = mirrored(torch.arange(-radius, length + radius), length).to(planes.device)
        wide = planes.index_select(axis, places).flatten(0, 1)[:, None]
        planes = conv2d(wide, kernel)[:, 0].unflatten(0, planes.shape[:2])
    return planes


def mirrored(index: Tensor, length: int) -> Tensor:
    """Places in 0..length−1 of any whole numbers, turned back at both ends as often as needed; the
    ends are not repeated."""
    if length == 1:
        return index * 0
    turn = index % (2 * (length - 1))
    return turn.minimum(2 * (length - 1) - turn)
