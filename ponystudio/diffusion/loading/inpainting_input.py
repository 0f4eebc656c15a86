"""What a model for inpainting is shown of a picture: everything but the hole."""

from __future__ import annotations

from torch import Tensor
from torch.nn.functional import interpolate

GREY = 0.5


def with_hole(pixels: Tensor, mask: Tensor) -> Tensor:
    """Pictures float32 [B,3,H,W] in 0..1, grey wherever the mask [B or 1,1,h,w] is over 0.5."""
    hole = interpolate(mask.to(pixels), size=pixels.shape[-2:], mode="bilinear").round()
    return pixels * (1 - hole) + GREY * hole
