"""Pictures with transparency that hides colours."""

from __future__ import annotations

import torch

from ponystudio.api import Image, Mask


def disc(side: int, light: tuple[float, float, float] = (1.0, 1.0, 1.0)) -> tuple[Image, Mask]:
    """A disc of one colour with a soft border of two pixels, on transparent black."""
    y, x = torch.meshgrid(*[torch.arange(side) - (side - 1) / 2] * 2, indexing="ij")
    alpha = ((side / 3 - (x**2 + y**2).sqrt()) / 2 + 0.5).clamp(0, 1)
    pixels = torch.tensor(light).view(3, 1, 1) * (alpha > 0)
    return Image(pixels[None].float()), Mask(alpha[None, None].float())
