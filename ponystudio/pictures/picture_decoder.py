"""Pictures to plain numbers, by Pillow's decoders alone; imported by the reader's process only.

What is wanted small is decoded small where the format can. Of PNG with 16 bits a channel Pillow
keeps the upper 8 (except for plain grey), so these are read here, by the PNG specification,
sections 9 (filtering) and 11 (chunks).
"""

from __future__ import annotations

import io
import math
import struct
import zlib
from typing import BinaryIO

import msgspec
import numpy as np
from PIL import (
    AvifImagePlugin,
    BmpImagePlugin,
    GifImagePlugin,
    Image,
    ImageFile,
    JpegImagePlugin,
    PngImagePlugin,
    TiffImagePlugin,
    WebPImagePlugin,
)

from ponystudio.pictures.colour import Meaning, meaning_of, to_srgb
from ponystudio.pictures.picture_bytes import (
    NoPicture,
    format_of,
    is_lossy_webp,
    sound_parts,
    told_size,
)
from ponystudio.pictures.reader_protocol import (
    MAX_PIXELS,
    PictureHead,
    PicturePixels,
    PictureVectors,
)

# By these alone: Pillow has sixty more, of which some start programs.
_DECODERS: dict[str, type[ImageFile.ImageFile]] = {
    "PNG": PngImagePlugin.PngImageFile,
    "JPEG": JpegImagePlugin.JpegImageFile,
    "WebP": WebPImagePlugin.WebPImageFile,
    "AVIF": AvifImagePlugin.AvifImageFile,
    "GIF": GifImagePlugin.GifImageFile,
    "BMP": BmpImagePlugin.BmpImageFile,
    "TIFF": TiffImagePlugin.TiffImageFile,
}
# The reader may start no threads.
AvifImagePlugin.DEFAULT_MAX_THREADS = 1
Image.MAX_IMAGE_PIXELS = MAX_PIXELS // 2  # it raises at twice its own limit
# Bytes that decoding takes a pixel: Pillow's four, the same again converted, and what is handed on.
_BYTES_A_PIXEL = 12

_ORIENTATION = 0x0112
_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


def head(file: BinaryIO, memory: int) -> PictureHead:
    """Raises NoPicture, and what Pillow raises for damaged files."""
    format = format_of(file)
    if (told := told_size(file, format)) is None:
        picture = _opened(file, memory)
        width, height = _upright(picture)
    else:
        width, height, exif = told
        _check_size(width, height, memory)
        if orientation_in(exif) >= 5:
            width, height = height, width
    return PictureHead(format=format, width=width, height=height)


def thumbnail(
    file: BinaryIO, memory: int, side: int, *, fill: bool = False
) -> tuple[PicturePixels, bytes]:
    """As ReadThumbnail asks for it; `memory` is how many bytes may be taken."""
    picture, meaning = _understood(file, memory)
    whole = _upright(picture)
    picture.draft("RGB", (2 * side, 2 * side))
    shown = _for_screen(picture)
    if fill:
        edge = min(shown.size)
        left, top = (shown.width - edge) / 2, (shown.height - edge) / 2
        shown = shown.resize(
            (side, side),
            Image.Resampling.HAMMING,
            box=(left, top, left + edge, top + edge),
            reducing_gap=2.0,
        )
    else:
        shown.thumbnail((side, side), Image.Resampling.HAMMING, reducing_gap=2.0)
    return _as_bgra(_in_srgb(shown, picture, meaning), _orientation(picture), whole)


def pixels(file: BinaryIO, memory: int, most: int = 2**62) -> tuple[PicturePixels, bytes]:
    """As ReadPixels asks for it."""
    picture, meaning = _understood(file, memory)
    whole = _upright(picture)
    shown = _for_screen(picture)
    if (factor := math.ceil(math.sqrt(4 * shown.width * shown.height / most))) > 1:
        clear = shown.mode == "RGBA"  # whose hidden colours must not be mixed in
        shown = (shown.convert("RGBa") if clear else shown).reduce(factor)
        shown = shown.convert("RGBA") if clear else shown
    shown = _in_srgb(shown, picture, meaning)
    return _as_bgra(shown, _orientation(picture), whole)


def levels(file: BinaryIO, memory: int, *, keep_colours: bool) -> tuple[PicturePixels, np.ndarray]:
    """As ReadLevels asks for it."""
    picture, meaning = _understood(file, memory)
    whole = _upright(picture)
    deep = any(";16" in str(tile.args) for tile in picture.tile)  # as Pillow calls raw numbers
    numbers = (
        read_png16(sound_parts(file, "PNG"), picture.size) if picture.format == "PNG" else None
    )
    if numbers is None:
        numbers = _numbers(picture)
    notes: tuple[str, ...] = ()
    shortened = deep and numbers.dtype == np.uint8
    inks = picture.mode in ("CMYK", "LAB")
    if meaning.space is not None or inks or meaning.fault:
        clear = not inks and numbers.shape[2] in (2, 4)
        colours = numbers[..., :-1] if clear else numbers
        converted, notes = to_srgb(_in_0_1(colours), meaning, keep=keep_colours)
        if meaning.space is not None:
            alpha = [_in_0_1(numbers[..., -1:])] if clear else []
            numbers = np.concatenate([converted, *alpha], axis=2, dtype=np.float32)
    if shortened:
        notes = (*notes, "Of the picture's 16 bits a channel the upper 8 were read.")
    numbers = np.ascontiguousarray(numbers, dtype=numbers.dtype.newbyteorder("<"))
    height, width, channels = numbers.shape
    said = PicturePixels(
        width=width,
        height=height,
        channels=channels,
        numbers={"u1": "u1", "<u2": "u2", "<f4": "f4"}[numbers.dtype.str.lstrip("|")],  # type: ignore[arg-type]
        orientation=_orientation(picture),
        whole=whole,
        notes=notes,
    )
    return said, numbers


# Modes whose numbers are the red, green, blue and alpha of the file, as they stand there.
_EXACT = ("RGB", "RGBA")


def exact_levels(file: BinaryIO, memory: int, most: int) -> np.ndarray | None:
    """uint8 [H,W,3 or 4] as the file has them, for which no colour is converted and nothing turned.

    None for a picture of another kind, for one that was packed with loss, and for one of more than
    `most` pixels. Raises NoPicture, and what Pillow raises for damaged files.
    """
    format = format_of(file)
    size = told_size(file, format) if format in ("PNG", "WebP") else None
    if size is None or size[0] * size[1] > most or (format == "WebP" and is_lossy_webp(file)):
        return None
    picture = _opened(file, memory)
    return np.asarray(picture) if picture.mode in _EXACT else None


def _understood(file: BinaryIO, memory: int) -> tuple[ImageFile.ImageFile, Meaning]:
    """With what its numbers mean, which is not to be told any more once it is decoded."""
    picture = _opened(file, memory)
    return picture, meaning_of(picture, file)


def _opened(file: BinaryIO, memory: int) -> ImageFile.ImageFile:
    """Its headers are read; no more is decoded than they say, and that is bearable."""
    format = format_of(file)
    if format in ("WebP", "AVIF"):  # these are taken whole
        size = file.seek(0, io.SEEK_END)
        _check_room(2 * size, memory, f"the {size:,} bytes of the file")
    try:
        picture = _DECODERS[format](sound_parts(file, format))
    except Image.DecompressionBombError:
        raise NoPicture(f"it says that it has more than {MAX_PIXELS:,} pixels") from None
    _check_size(*picture.size, memory)
    return picture


def _check_size(width: int, height: int, memory: int) -> None:
    if width * height > MAX_PIXELS:
        raise NoPicture(f"it says that it has {width:,} × {height:,} pixels")
    _check_room(_BYTES_A_PIXEL * width * height, memory, f"its {width:,} × {height:,} pixels")


def _check_room(needed: int, memory: int, what: str) -> None:
    if needed > memory:
        raise NoPicture(
            f"{what} take {needed / 2**30:.1f} GiB, and {memory / 2**30:.1f} GiB of memory are free"
        )


def _upright(picture: Image.Image) -> tuple[int, int]:
    width, height = picture.size
    return (height, width) if _orientation(picture) >= 5 else (width, height)


def _orientation(picture: Image.Image) -> int:
    """That of EXIF, 1..8; Pillow turns TIFF itself."""
    exif = picture.info.get("exif")
    return orientation_in(exif) if picture.format != "TIFF" and isinstance(exif, bytes) else 1


def orientation_in(exif: bytes) -> int:
    """1..8; 1 where it says none."""
    tiff = exif.removeprefix(b"Exif\0\0")
    order = {b"II": "<", b"MM": ">"}.get(tiff[:2])
    if order is None:
        return 1
    try:
        (table,) = struct.unpack_from(f"{order}I", tiff, 4)
        (count,) = struct.unpack_from(f"{order}H", tiff, table)
        for place in range(table + 2, table + 2 + 12 * count, 12):
            tag, kind, _, value = struct.unpack_from(f"{order}HHIH", tiff, place)
            if tag == _ORIENTATION and kind == 3:
                return value if 1 <= value <= 8 else 1
    except struct.error:
        pass
    return 1


# --- For a screen ---------------------------------------------------------------------------------


def _for_screen(picture: Image.Image) -> Image.Image:
    """8 bits a channel: RGB, RGBA, or inks that are still to become colours."""
    if picture.mode == "F" or picture.mode.startswith("I"):
        numbers = _numbers(picture)[..., 0]
        grey = (numbers * 255).round() if numbers.dtype == np.float32 else numbers >> 8
        return Image.fromarray(grey.astype(np.uint8)).convert("RGB")
    if picture.mode in ("CMYK", "LAB"):
        picture.load()
        return picture
    return picture.convert("RGBA" if picture.has_transparency_data else "RGB")


def _in_srgb(shown: Image.Image, picture: Image.Image, meaning: Meaning) -> Image.Image:
    """`shown` is what is left of the picture."""
    if meaning.space is None:
        return shown if shown.mode in ("RGB", "RGBA") else shown.convert("RGB")
    array = np.asarray(shown)
    if shown.mode == "CMYK" and _is_plain_ink(picture):
        array = 255 - array
    colours = array[..., :3] if shown.mode == "RGBA" else array
    converted, _ = to_srgb(_in_0_1(colours), meaning)
    result = np.rint(np.broadcast_to(converted, (*array.shape[:2], 3)) * 255).astype(np.uint8)
    if shown.mode == "RGBA":
        result = np.concatenate([result, array[..., 3:]], axis=2)
    return Image.fromarray(result)


def _as_bgra(
    shown: Image.Image, orientation: int, whole: tuple[int, int]
) -> tuple[PicturePixels, bytes]:
    """`shown` is RGB or RGBA, not yet turned."""
    if orientation in _TURNS:
        shown = shown.transpose(_TURNS[orientation])
    opaque = shown.mode == "RGB"
    # What is opaque has 255 as its alpha, too.
    data = (
        shown.convert("RGBA").tobytes("raw", "BGRA")
        if opaque
        else shown.convert("RGBa").tobytes("raw", "BGRa")
    )
    said = PicturePixels(
        width=shown.width, height=shown.height, channels=4, opaque=opaque, whole=whole
    )
    return said, data


# --- As levels ------------------------------------------------------------------------------------


def _in_0_1(numbers: np.ndarray) -> np.ndarray:
    most = {"u1": 255, "u2": 65535}.get(numbers.dtype.str[1:], 1)
    return numbers / np.float32(most)


def _numbers(picture: Image.Image) -> np.ndarray:
    """uint8, uint16 or float32 (0..1) [H,W,C], of grey, RGB, CMYK or Lab, and alpha if any."""
    mode = picture.mode
    if mode == "F":
        floats: np.ndarray = np.nan_to_num(np.asarray(picture)[..., None]).clip(0, 1)
        return floats
    if mode.startswith("I"):
        return np.asarray(picture)[..., None].clip(0, 65535).astype(np.uint16)
    if mode in ("CMYK", "LAB"):
        ink: np.ndarray = np.asarray(picture)
        return np.subtract(255, ink, dtype=np.uint8) if _is_plain_ink(picture) else ink
    colours = "L" if mode in ("1", "L", "LA", "La") else "RGB"
    alpha = "A" if picture.has_transparency_data else ""
    array: np.ndarray = np.atleast_3d(np.asarray(picture.convert(colours + alpha)))
    return array


def _is_plain_ink(picture: Image.Image) -> bool:
    """Adobe writes the ink of JPEG inverted, and says that it was Adobe; Pillow always believes."""
    return (picture.mode, picture.format) == ("CMYK", "JPEG") and "adobe" not in picture.info


CHANNELS = {0: 1, 2: 3, 4: 2, 6: 4}


def read_png16(file: BinaryIO, size: tuple[int, int]) -> np.ndarray | None:
    """uint16 [H,W,C], C = 1 grey, 2 grey and alpha, 3 RGB, 4 RGBA.

    None for a PNG that is not 16 bits deep, or that is interlaced or has a transparent colour,
    both of which are rare at this depth. `size` is the width and height that the caller has found
    bearable. Raises ValueError for a damaged one.
    """
    packed = bytearray()
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
    return levels.view(">u2").astype(np.uint16)


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


# --- Textual inversions ---------------------------------------------------------------------------

VECTORS_FIELD = "sd-ti-embedding"
# Base64 of JSON: 75 vectors of SDXL's 1,280 numbers in 20 letters each have 2 MB.
MAX_VECTORS_TEXT = 16 * 2**20


class _Tensor(msgspec.Struct):
    rows: list[float | list[float]] = msgspec.field(name="TORCHTENSOR")


class _Embedding(msgspec.Struct):
    string_to_param: dict[str, _Tensor]


def vectors(text: str) -> tuple[PictureVectors, bytes]:
    """A1111 writes base64 of JSON, tensors as {"TORCHTENSOR": rows}, into a text field.

    Raises ValueError (also as msgspec's and binascii's) for what is damaged.
    """
    import base64

    if not text:
        return PictureVectors(shapes={}), b""
    if len(text) > MAX_VECTORS_TEXT:
        raise ValueError("it is too long")
    found = msgspec.json.decode(base64.b64decode(text), type=_Embedding)
    arrays = {
        name: np.array(tensor.rows, np.float32, ndmin=2).reshape(len(tensor.rows), -1)
        for name, tensor in found.string_to_param.items()
        if tensor.rows
    }
    shapes = {name: (array.shape[0], array.shape[1]) for name, array in arrays.items()}
    data = b"".join(array.astype("<f4").tobytes() for array in arrays.values())
    return PictureVectors(shapes=shapes), data
