"""Filters of pictures: Gaussian blur, unsharp masking, and Canny's edges."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ponystudio.diffusion.sampling.gaussian_blur import blur

if TYPE_CHECKING:
    from torch import Tensor

# How much of red, green and blue is in grey (ITU-R BT.601).
_GREY = (0.299, 0.587, 0.114)
# By the direction of a gradient in steps of 45°: the neighbour (row, column) that it points at.
_NEIGHBOURS = ((0, 1), (1, 1), (1, 0), (1, -1), (0, -1), (-1, -1), (-1, 0), (-1, 1))
# Below the root of Canny's magnitude, as kornia has it.
_EPS = 1e-6


def sharpen(pixels: Tensor, radius: int, sigma: float, strength: float) -> Tensor:
    """Unsharp masking: p + strength·(p − blur(p)), in 0..1."""
    return (pixels + strength * (pixels - blur(pixels, radius, sigma))).clamp(0, 1)


def edges(pixels: Tensor, low: float, high: float) -> Tensor:
    """Canny's edges of pictures [B,3,H,W]: 0 and 1, [B,1,H,W].

    Grey, a Gaussian of 5 × 5 with σ 1, Sobel's gradient, of which only the largest across an edge
    is kept where it is over `high`, or hangs together with such over `low`. The scale is kornia's:
    a step from black to white has a gradient of 2.6. Of two that are equal one is kept.
    """
    import torch
    from torch.nn.functional import pad

    r, g, b = _GREY
    red, green, blue = pixels.float().split(1, dim=1)
    grey = blur(red * r + green * g + blue * b, 2, 1.0)
    gy, gx = _sobel(grey)
    magnitude = (gx**2 + gy**2 + _EPS).sqrt()
    direction = (torch.atan2(gy, gx) * (4 / torch.pi)).round().long() % 8
    height, width = magnitude.shape[-2:]
    around = pad(magnitude, (1, 1, 1, 1))
    next_to = torch.stack(
        [
            around[..., 1 + row : 1 + row + height, 1 + column : 1 + column + width]
            for row, column in _NEIGHBOURS
        ]
    )
    ahead = next_to.gather(0, direction[None])[0]
    behind = next_to.gather(0, (direction[None] + 4) % 8)[0]
    ridge = magnitude.where((magnitude > ahead) & (magnitude >= behind), 0)
    return _hysteresis(ridge > low, ridge > high).to(pixels)


def _sobel(planes: Tensor) -> tuple[Tensor, Tensor]:
    """The gradient downwards and to the right, with the outermost values repeated."""
    from torch.nn.functional import pad

    wide = pad(planes, (1, 1, 1, 1), mode="replicate")
    down = wide[..., 2:, :] - wide[..., :-2, :]
    right = wide[..., 2:] - wide[..., :-2]
    return (
        down[..., :-2] + 2 * down[..., 1:-1] + down[..., 2:],
        right[..., :-2, :] + 2 * right[..., 1:-1, :] + right[..., 2:, :],
    )


def _hysteresis(weak: Tensor, strong: Tensor) -> Tensor:
    """Where weak [B,1,H,W] pixels touch strong ones, corners included, in any number of steps."""
    import numpy as np
    import torch
    from scipy.ndimage import binary_propagation

    touching = np.ones((3, 3), bool)
    kept = [
        binary_propagation(s, structure=touching, mask=w)
        for w, s in zip(weak[:, 0].cpu().numpy(), strong[:, 0].cpu().numpy(), strict=True)
    ]
    return torch.from_numpy(np.stack(kept))[:, None].to(weak.device)
