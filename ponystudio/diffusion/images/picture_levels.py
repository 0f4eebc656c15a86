"""Pictures of files as numbers, without torch: the studio compares them, too."""

from __future__ import annotations

import struct
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import ExifTags, Image

from ponystudio.diffusion.images.png16 import read_png16
from ponystudio.errors import DamagedFile

# Others of Pillow's readers start programs (EPS) or are seldom looked at by anybody.
FORMATS = ("PNG", "JPEG", "WEBP", "AVIF", "TIFF", "BMP", "GIF", "PPM")
# 16,384 × 16,384; as floats such a picture fills 4 GB. Pillow raises at twice its own limit, whose
# usual value refuses honest grids, and warns from that limit on, which helps nobody here.
MAX_PIXELS = 2**28
Image.MAX_IMAGE_PIXELS = MAX_PIXELS // 2
warnings.simplefilter("ignore", Image.DecompressionBombWarning)
# What is odd in the EXIF data of a picture that can be read is no news to its user.
warnings.filterwarnings("ignore", category=UserWarning, module=r"PIL\.")
# What Pillow raises for damaged files, RuntimeError from its reader of AVIF.
_DAMAGED = (
    OSError,
    SyntaxError,
    ValueError,
    EOFError,
    RuntimeError,
    struct.error,
    Image.DecompressionBombError,
)

# What the orientations of EXIF do to [H,W,C].
_TURNS: dict[int, Callable[[np.ndarray], np.ndarray]] = {
    1: lambda x: x,
    2: lambda x: x[:, ::-1],
    3: lambda x: x[::-1, ::-1],
    4: lambda x: x[::-1],
    5: lambda x: x.transpose(1, 0, 2),
    6: lambda x: x[::-1].transpose(1, 0, 2),
    7: lambda x: x[::-1, ::-1].transpose(1, 0, 2),
    8: lambda x: x[:, ::-1].transpose(1, 0, 2),
}


def read_levels(path: Path) -> np.ndarray:
    """A picture: float32 [H,W,4] in 0..1, red, green, blue and alpha, that 1 where opaque.

    16 bits a channel are kept, the orientation in EXIF is applied, grey becomes three channels,
    of an animation the first picture is taken. Raises DamagedFile, also for more than MAX_PIXELS.
    """
    try:
        return _levels(path)
    except _DAMAGED as error:
        raise DamagedFile(
            f"The picture cannot be read: {error}.",
            where=str(path),
            remedy=f"Known are {', '.join(FORMATS)}; is the file whole?",
        ) from None


def _levels(path: Path) -> np.ndarray:
    with Image.open(path, formats=FORMATS) as picture:
        orientation = picture.getexif().get(ExifTags.Base.Orientation, 1)
        levels = read_png16(path, picture.size) if picture.format == "PNG" else None
        if levels is None:
            levels = _of_pillow(picture)
    height, width, channels = levels.shape
    result = np.ones((height, width, 4), np.float32)
    if channels in (2, 4):
        result[..., 3] = levels[..., -1]
    result[..., :3] = levels[..., : 1 if channels < 3 else 3]
    return _TURNS.get(orientation, _TURNS[1])(result)


def _of_pillow(picture: Image.Image) -> np.ndarray:
    """[H,W,C] in 0..1: grey, grey and alpha, RGB, or RGBA."""
    if picture.mode == "F":
        return np.asarray(picture)[..., None].clip(0, 1)
    if picture.mode.startswith("I"):
        return (np.asarray(picture)[..., None] / np.float32(65535)).clip(0, 1)
    picture = picture.convert("RGBA" if picture.has_transparency_data else "RGB")
    return np.asarray(picture) / np.float32(255)
