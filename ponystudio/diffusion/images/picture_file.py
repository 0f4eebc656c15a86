"""Pictures between files and tensors. Importing this loads no torch."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from PIL import Image

from ponystudio.pictures.picture_reader import read_levels

if TYPE_CHECKING:
    from torch import Tensor


class ReadPicture(NamedTuple):
    """`pixels` and `alpha`: float32 [1,3,H,W] and [1,1,H,W] in 0..1; `notes` as in
    `PictureLevels`."""

    pixels: Tensor
    alpha: Tensor
    notes: tuple[str, ...]


def read_picture(path: Path, *, keep_colours: bool = False) -> ReadPicture:
    """A picture as `read_levels` has it. Raises DamagedFile."""
    import torch

    levels, notes = read_levels(path, keep_colours=keep_colours)
    planes = torch.from_numpy(np.ascontiguousarray(levels.transpose(2, 0, 1)[None]))
    return ReadPicture(planes[:, :3], planes[:, 3:], notes)


def to_picture(pixels: Tensor, alpha: Tensor | None = None) -> Image.Image:
    """8-bit RGB, or RGBA with an `alpha` of [1,H,W], from [3,H,W] in 0..1.

    Levels are 255·v cut off, not rounded, so that files equal ComfyUI's.
    """
    import torch

    planes = pixels if alpha is None else torch.cat((pixels, alpha.to(pixels)))
    levels = (planes.clamp(0, 1) * 255).byte().permute(1, 2, 0).cpu().contiguous().numpy()
    return Image.fromarray(levels)
