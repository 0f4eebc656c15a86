"""Scaling latents and pictures. Importing this loads no torch: nodes offer the names as choices."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor

LATENT_METHODS = ("nearest-exact", "bilinear", "area", "bicubic", "bislerp")
PICTURE_METHODS = ("nearest-exact", "bilinear", "bicubic", "area", "lanczos")
# What becomes of other proportions: all is stretched, or what is too much is cut off around.
CROPS = ("disabled", "center")


def scale_latent(values: Tensor, size: tuple[int, int], method: str) -> Tensor:
    """Resize [B,C,h,w] to [B,C,*size] (height, width) by one of LATENT_METHODS."""
    from torch.nn.functional import interpolate

    if method == "bislerp":
        return _slerp_axis(_slerp_axis(values, size[1], 3), size[0], 2)
    return interpolate(values, size=size, mode=method)


def scale_picture(pixels: Tensor, size: tuple[int, int], method: str) -> Tensor:
    """Resize [B,C,H,W] in 0..1 to [B,C,*size] (height, width) by one of PICTURE_METHODS.

    bilinear and bicubic look at the nearest pixels alone, as in ComfyUI, so they do not suit
    making smaller; area and lanczos (a = 3) weigh all that fall together. Pictures with an alpha
    want `transparency.scale_cut_out`.
    """
    return resize(pixels, size, method).clamp(0, 1)


def resize(planes: Tensor, size: tuple[int, int], method: str) -> Tensor:
    """As `scale_picture`, but any numbers; the sharp methods overshoot."""
    from torch.nn.functional import interpolate

    if method == "lanczos":
        return _lanczos(planes, size)
    return interpolate(planes, size=size, mode=method)


def centre_cut(planes: Tensor, size: tuple[int, int], of: tuple[int, int] | None = None) -> Tensor:
    """The largest part around the centre of [B,C,H,W] of the proportions of `size` (height, width),
    to whole values, at least one; ComfyUI's "crop: center". `of` is the height and width of what
    the planes belong to, if they lie over it in another size: a mask is cut where its latent is.
    """
    height, width = of or planes.shape[-2:]
    top = left = 0
    if width * size[0] > size[1] * height:
        left = min(round((width - height * size[1] / size[0]) / 2), (width - 1) // 2)
    else:
        top = min(round((height - width * size[0] / size[1]) / 2), (height - 1) // 2)
    if of is not None:
        rows, columns = planes.shape[-2:]
        top = min(round(top * rows / height), (rows - 1) // 2)
        left = min(round(left * columns / width), (columns - 1) // 2)
    return planes[..., top : planes.shape[-2] - top, left : planes.shape[-1] - left]


def wanted_size(planes: Tensor, width: int, height: int) -> tuple[int, int]:
    """Height and width for [B,C,H,W]; of these, 0 keeps the proportions, and twice 0 the size."""
    old_height, old_width = planes.shape[-2:]
    if not width and not height:
        return old_height, old_width
    return (
        height or max(1, round(old_height * width / old_width)),
        width or max(1, round(old_width * height / old_height)),
    )


def size_of_area(planes: Tensor, megapixels: float) -> tuple[int, int]:
    """Height and width of [B,C,H,W] scaled to an area in units of 1024² pixels, each rounded."""
    height, width = planes.shape[-2:]
    factor = math.sqrt(int(megapixels * 1024 * 1024) / (width * height))
    return max(1, round(height * factor)), max(1, round(width * factor))


def _lanczos(pixels: Tensor, size: tuple[int, int]) -> Tensor:
    """Pillow's, in float and plane by plane, on the CPU."""
    import numpy as np
    import torch
    from PIL import Image

    planes = pixels.float().cpu().numpy().reshape(-1, *pixels.shape[-2:])
    scaled = [
        np.asarray(Image.fromarray(plane).resize(size[::-1], Image.Resampling.LANCZOS))
        for plane in planes
    ]
    return torch.from_numpy(np.stack(scaled)).reshape(*pixels.shape[:2], *size).to(pixels.device)


def _slerp_axis(values: Tensor, length: int, axis: int) -> Tensor:
    """Resize one axis, interpolating channel vectors on the sphere and their norms linearly.

    A linear mean of two unrelated latents is shorter than either, which shows as blur; the
    spherical one keeps the length. Positions are those of bilinear resizing.
    """
    import torch

    old = values.shape[axis]
    position = (torch.arange(length, device=values.device, dtype=torch.float32) + 0.5) * (
        old / length
    ) - 0.5
    position = position.clamp(0, old - 1)
    left = position.floor().long()
    right = (left + 1).clamp(max=old - 1)
    t = (position - left).view([-1 if d == axis else 1 for d in range(4)])
    return _slerp(
        values.float().index_select(axis, left), values.float().index_select(axis, right), t
    ).to(values.dtype)


def _slerp(a: Tensor, b: Tensor, t: Tensor) -> Tensor:
    """sin((1−t)ω)/sin ω·â + sin(tω)/sin ω·b̂, times the interpolated norm; channels are dim 1."""
    import torch

    norm_a, norm_b = a.norm(dim=1, keepdim=True), b.norm(dim=1, keepdim=True)
    unit_a = torch.where(norm_a > 0, a / norm_a, 0)
    unit_b = torch.where(norm_b > 0, b / norm_b, 0)
    cosine = (unit_a * unit_b).sum(1, keepdim=True)
    omega = cosine.clamp(-1, 1).acos()
    mixed = (((1 - t) * omega).sin() * unit_a + (t * omega).sin() * unit_b) / omega.sin()
    mixed = mixed * (norm_a * (1 - t) + norm_b * t)
    # Parallel vectors need no arc, and opposite ones have no unique arc.
    mixed = torch.where(cosine > 1 - 1e-5, a, mixed)
    return torch.where(cosine < 1e-5 - 1, a * (1 - t) + b * t, mixed)
