"""Pictures of files as numbers, without torch: the studio compares them, too.

Of PNG with 16 bits a channel Pillow keeps only the upper 8 (except for plain grey), so these are
written and read here, by the PNG specification, sections 9 (filtering) and 11 (chunks).
"""

from __future__ import annotations

import struct
import warnings
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import ExifTags, Image

from ponystudio.errors import DamagedFile
from ponystudio.pictures.colour import meaning_of, to_srgb
from ponystudio.system.regular_file import open_regular

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


class PictureLevels(NamedTuple):
    """`levels`: float32 [H,W,4] in 0..1, red, green, blue and alpha, that 1 where opaque; `notes`
    are sentences for the user on what was done to the colours."""

    levels: np.ndarray
    notes: tuple[str, ...]


def read_levels(path: Path, *, keep_colours: bool = False) -> PictureLevels:
    """A picture in sRGB, or with `keep_colours` with the numbers that the file has.

    16 bits a channel are kept, the orientation in EXIF is applied, grey becomes three channels,
    of an animation the first picture is taken. Raises DamagedFile, also for more than MAX_PIXELS.
    """
    try:
        return _read(path, keep_colours)
    except _DAMAGED as error:
        raise DamagedFile(
            f"The picture cannot be read: {error}.",
            where=str(path),
            remedy=f"Known are {', '.join(FORMATS)}; is the file whole?",
        ) from None


def _read(path: Path, keep_colours: bool) -> PictureLevels:
    with open_regular(path) as file, Image.open(file, formats=FORMATS) as picture:
        orientation = picture.getexif().get(ExifTags.Base.Orientation, 1)
        meaning = meaning_of(picture, file)
        deep = read_png16(path, picture.size) if picture.format == "PNG" else None
        colours, alpha = _of_pillow(picture) if deep is None else _apart(deep)
    colours, notes = to_srgb(colours, meaning, keep=keep_colours)
    result = np.ones((*colours.shape[:2], 4), np.float32)
    result[..., :3] = colours
    if alpha is not None:
        result[..., 3:] = alpha
    return PictureLevels(_TURNS.get(orientation, _TURNS[1])(result), notes)


def _of_pillow(picture: Image.Image) -> tuple[np.ndarray, np.ndarray | None]:
    """[H,W,C] in 0..1, of grey, RGB, CMYK or Lab; and the alpha [H,W,1], where there is one."""
    mode = picture.mode
    if mode == "F":
        return np.asarray(picture)[..., None].clip(0, 1), None
    if mode.startswith("I"):
        return (np.asarray(picture)[..., None] / np.float32(65535)).clip(0, 1), None
    if mode in ("CMYK", "LAB"):
        levels = np.asarray(picture) / np.float32(255)
        # Adobe writes the ink of JPEG inverted, and says that it was Adobe; Pillow always believes.
        plain = mode == "CMYK" and picture.format == "JPEG" and "adobe" not in picture.info
        return 1 - levels if plain else levels, None
    grey = mode in ("1", "L", "LA", "La")
    clear = picture.has_transparency_data
    picture = picture.convert(("L" if grey else "RGB") + ("A" if clear else ""))
    return _apart(np.atleast_3d(np.asarray(picture)) / np.float32(255))


def _apart(levels: np.ndarray) -> tuple[np.ndarray, np.ndarray | None]:
    """Colours and alpha of grey, grey and alpha, RGB, or RGBA."""
    if levels.shape[2] in (2, 4):
        return levels[..., :-1], levels[..., -1:]
    return levels, None


CHANNELS = {0: 1, 2: 3, 4: 2, 6: 4}


def read_png16(path: Path, size: tuple[int, int]) -> np.ndarray | None:
    """float32 [H,W,C] in 0..1, C = 1 grey, 2 grey and alpha, 3 RGB, 4 RGBA.

    None for a PNG that is not 16 bits deep, or that is interlaced or has a transparent colour,
    both of which are rare at this depth. `size` is the width and height that the caller has found
    bearable. Raises ValueError for a damaged one.
    """
    packed = bytearray()
    with open_regular(path) as file:
        file.seek(8)
        width = height = channels = 0
        while len(head := file.read(8)) == 8:
            length, kind = struct.unpack(">I4s", head)
            if kind == b"IHDR":
                width, height, depth, colour, _, _, interlaced = struct.unpack(
                    ">IIBBBBB", file.read(13)
                )
                if depth != 16 or interlaced or colour not in CHANNELS:
                    return None
                channels = CHANNELS[colour]
            elif kind == b"tRNS":
                return None
            elif kind == b"IDAT":
                packed += file.read(length)
            elif kind == b"IEND":
                break
            else:
                file.seek(length, 1)
            file.seek(4, 1)
    if (width, height) != size:
        raise ValueError("it tells two sizes")
    rows = _inflated(bytes(packed), height, 1 + width * channels * 2)
    levels = _unfiltered(rows[:, 0], rows[:, 1:].reshape(height, width, channels * 2))
    return levels.view(">u2").astype(np.float32) / 65535


def _inflated(packed: bytes, height: int, row: int) -> np.ndarray:
    try:
        data = zlib.decompressobj().decompress(packed, max(height * row, 1))
    except zlib.error as error:
        raise ValueError(f"its pixels are damaged ({error})") from None
    if len(data) != height * row or not data:
        raise ValueError("its pixels are cut off")
    return np.frombuffer(data, np.uint8).reshape(height, row)


def _unfiltered(filters: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """Undo the filter of each row; `rows` is [H,W,bytes a pixel].

    A pixel needs its left, upper and upper left neighbours, so one diagonal of the picture is
    done after the other. In a flat array with a border of zeros its pixels lie W apart.
    """
    if filters.max(initial=0) > 4:
        raise ValueError("it uses an unknown filter")
    height, width, depth = rows.shape
    bordered = np.zeros((height + 1, width + 1, depth), np.int16)
    bordered[1:, 1:] = rows
    flat = bordered.reshape(-1, depth)
    for k in range(height + width - 1):
        first, last = max(0, k - width + 1), min(height - 1, k)
        a, b, c, x = (
            flat[k + first * width + offset : k + last * width + offset + 1 : width]
            for offset in (width + 1, 1, 0, width + 2)
        )
        x += _predicted(filters[first : last + 1, None], a, b, c)
        x &= 255
    return bordered[1:, 1:].astype(np.uint8)


def _predicted(
    filters: np.ndarray, left: np.ndarray, up: np.ndarray, upper_left: np.ndarray
) -> np.ndarray:
    p = left + up - upper_left
    off = [abs(p - neighbour) for neighbour in (left, up, upper_left)]
    paeth = np.where(
        (off[0] <= off[1]) & (off[0] <= off[2]), left, np.where(off[1] <= off[2], up, upper_left)
    )
    return np.select(
        [filters == kind for kind in range(1, 5)], [left, up, (left + up) >> 1, paeth], 0
    )
