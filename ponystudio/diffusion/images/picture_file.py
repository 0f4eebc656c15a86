"""Pictures between files and tensors. Importing this loads no torch."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from ponystudio.diffusion.images.picture_levels import read_levels

if TYPE_CHECKING:
    from torch import Tensor


def read_picture(path: Path) -> tuple[Tensor, Tensor]:
    """A picture and its alpha: float32 [1,3,H,W] and [1,1,H,W] in 0..1, as `read_levels` has them.

    Raises DamagedFile.
    """
    import torch

    planes = read_levels(path).transpose(2, 0, 1)[None]
    pixels = torch.from_numpy(np.ascontiguousarray(planes))
    return pixels[:, :3], pixels[:, 3:]


def to_picture(pixels: Tensor, alpha: Tensor | None = None) -> Image.Image:
    """8-bit RGB, or RGBA with an `alpha` of [1,H,W], from [3,H,W] in 0..1.

    Levels are 255·v cut off, not rounded, so that files equal ComfyUI's.
    """
    import torch

    planes = pixels if alpha is None else torch.cat((pixels, alpha.to(pixels)))
    levels = (planes.clamp(0, 1) * 255).byte().permute(1, 2, 0).cpu().contiguous().numpy()
    return Image.fromarray(levels)
