"""Writes pictures with what they carry: how they were made, and that a model made them.

PNG         one text chunk a field.
WebP, AVIF  EXIF and XMP.
JPEG        EXIF and XMP; fields that have no place there as one JSON object, deflated, in as many
            COM segments as it needs, since no segment holds more than 64 KB.

EXIF has what other tools look for there: A1111's `parameters` as UserComment, ComfyUI's documents
as `prompt:{…}` (0x0110) and `workflow:{…}` (0x010F). XMP has IPTC's source type in all four formats
and, in WebP and AVIF, our own fields as one JSON object.

Each says that its colours are sRGB: PNG by a chunk, AVIF by code points, the others by a profile.
"""

from __future__ import annotations

import io
import json
import struct
import zlib
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from ponystudio.errors import NotWritable
from ponystudio.graph.atomic_write import write_bytes
from ponystudio.graph.formats.embedded_metadata import (
    COMMENT_MARK,
    JPEG_XMP,
    PARAMETERS,
    PNG_XMP,
    PROMPT,
    WORKFLOW,
)
from ponystudio.graph.formats.exif_texts import USER_COMMENT
from ponystudio.graph.formats.xmp_packet import packet
from ponystudio.graph.plain_json import plain_text

if TYPE_CHECKING:
    from PIL.Image import Image as Picture

FORMATS = ("png", "webp", "jpeg", "avif")
SUFFIXES = {"png": ".png", "webp": ".webp", "jpeg": ".jpg", "avif": ".avif"}
# Of an AVIF what every decoder takes.
LONGEST_SIDE = {"webp": 16_383, "jpeg": 65_535, "png": 2**31 - 1, "avif": 16_384}

_EXIF_IFD = 0x8769
_DOCUMENTS: Mapping[str, int] = {PROMPT: 0x0110, WORKFLOW: 0x010F}
_IN_EXIF = (PARAMETERS, PROMPT, WORKFLOW)
_SEGMENT = 65_533  # what a JPEG segment holds besides its own length

Sign = Callable[[bytes, str, str], bytes]


def embed(
    picture: Picture,
    path: Path,
    format: str,
    fields: Mapping[str, str],
    quality: int = 95,
    *,
    source_type: str = "",
    sign: Sign | None = None,
) -> None:
    """Write `picture` to `path` with `fields` inside: whole, or not at all.

    `format` is one of FORMATS. `quality` (1..100) is for all but png; a webp of 100 is lossless.
    JPEG knows no transparency: such a picture is laid on white. A field's name has 1 to 79
    characters of Latin-1. `source_type` is what IPTC calls where it comes from; where it is known,
    `sign` gets the file's bytes, its format and this, and gives the signed ones.

    Raises NotWritable (also for a picture larger than the format allows) or StorageFull, and what
    `sign` raises.
    """
    longest = LONGEST_SIDE[format]
    if max(picture.size) > longest:
        raise NotWritable(
            f"A {format} picture has at most {longest} pixels a side, this one has "
            f"{max(picture.size)}.",
            where=str(path),
            remedy="Save it as png.",
        )
    clean = {name: plain_text(text) for name, text in fields.items()}
    encode = {"png": _as_png, "webp": _as_webp, "jpeg": _as_jpeg, "avif": _as_avif}[format]
    data = encode(picture, clean, source_type, quality)
    write_bytes(path, sign(data, format, source_type) if sign and source_type else data)


def _as_png(picture: Picture, fields: Mapping[str, str], source_type: str, _quality: int) -> bytes:
    from PIL.PngImagePlugin import PngInfo

    info = PngInfo()
    info.add(b"sRGB", b"\0")
    info.add(b"gAMA", struct.pack(">I", 45455))  # for readers that know no sRGB chunk
    if source_type:
        info.add_itxt(PNG_XMP, packet({}, source_type).decode())
    for name, text in fields.items():
        # Latin-1 becomes tEXt, the only kind that the oldest readers of `parameters` know. Others
        # know no packed texts.
        info.add_text(name, text, zip=len(text) > 4096 and name not in _IN_EXIF)
    file = io.BytesIO()
    picture.save(file, "PNG", pnginfo=info)
    return file.getvalue()


def _as_webp(picture: Picture, fields: Mapping[str, str], source_type: str, quality: int) -> bytes:
    file = io.BytesIO()
    # exact: the colours under full transparency are kept, too.
    lossless = quality >= 100
    picture.save(
        file,
        "WEBP",
        quality=quality,
        lossless=lossless,
        exact=lossless,
        method=4,
        icc_profile=_srgb_profile(),
        **_blocks(fields, source_type),
    )
    return file.getvalue()


def _as_avif(picture: Picture, fields: Mapping[str, str], source_type: str, quality: int) -> bytes:
    file = io.BytesIO()
    mode = "RGBA" if picture.has_transparency_data else "RGB"
    picture.convert(mode).save(
        file,
        "AVIF",
        quality=quality,
        subsampling="4:4:4",
        icc_profile=None,
        **_blocks(fields, source_type),
    )
    return file.getvalue()


def _blocks(fields: Mapping[str, str], source_type: str) -> dict[str, bytes]:
    """EXIF and XMP, those that there are."""
    own = {name: text for name, text in fields.items() if name not in _IN_EXIF}
    blocks = {"exif": _exif(fields), "xmp": packet(own, source_type)}
    return {name: block for name, block in blocks.items() if block}


def _as_jpeg(picture: Picture, fields: Mapping[str, str], source_type: str, quality: int) -> bytes:
    exif, others = _exif_of_one_segment(fields)
    file = io.BytesIO()
    solid = _on_white(picture)
    profile = _srgb_profile() if solid.mode == "RGB" else None  # one for RGB explains no grey
    solid.save(file, "JPEG", quality=quality, subsampling=0, exif=exif, icc_profile=profile)
    data = file.getvalue()
    start = _after_headers(data)
    xmp = _segment(0xE1, JPEG_XMP + packet({}, source_type)) if source_type else b""
    return b"".join((data[:start], xmp, *_comments(others), data[start:]))


def _exif_of_one_segment(fields: Mapping[str, str]) -> tuple[bytes, dict[str, str]]:
    """EXIF of as many fields as a segment holds, and the others."""
    others = dict(fields)
    for names in (_IN_EXIF, (PARAMETERS,)):
        inside = {name: fields[name] for name in names if name in fields}
        if len(exif := _exif(inside)) <= _SEGMENT:
            return exif, {name: text for name, text in others.items() if name not in inside}
    return b"", others


def _on_white(picture: Picture) -> Picture:
    from PIL import Image

    if not picture.has_transparency_data:
        return picture if picture.mode == "L" else picture.convert("RGB")
    solid = Image.new("RGBA", picture.size, "white")
    solid.alpha_composite(picture.convert("RGBA"))
    return solid.convert("RGB")


def _comments(fields: Mapping[str, str]) -> Iterator[bytes]:
    """COM segments: mark, number and count (2 bytes each, big-endian), a piece of the whole."""
    if not fields:
        return
    whole = zlib.compress(json.dumps(fields).encode(), 9)
    size = _SEGMENT - len(COMMENT_MARK) - 4
    count = -(-len(whole) // size)
    for number in range(count):
        piece = whole[number * size : (number + 1) * size]
        yield _segment(0xFE, COMMENT_MARK + struct.pack(">HH", number, count) + piece)


def _segment(marker: int, body: bytes) -> bytes:
    return bytes((0xFF, marker)) + struct.pack(">H", len(body) + 2) + body


def _after_headers(data: bytes) -> int:
    """Where the APPn segments end, which readers want first."""
    position = 2
    while data[position] == 0xFF and 0xE0 <= data[position + 1] <= 0xEF:
        position += 2 + int.from_bytes(data[position + 2 : position + 4], "big")
    return position


@cache
def _srgb_profile() -> bytes:
    """That of littleCMS, made on one day for ever, so that equal pictures are equal files."""
    from PIL import ImageCms

    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    return profile[:24] + struct.pack(">6H", 2000, 1, 1, 0, 0, 0) + profile[36:]


def _exif(fields: Mapping[str, str]) -> bytes:
    """A block that says those of _IN_EXIF; b"" for none. The comment is in UTF-16, as the standard
    wants it; ComfyUI's documents are ASCII, as it writes them."""
    from PIL import Image

    if not any(name in fields for name in _IN_EXIF):
        return b""
    exif = Image.Exif()
    for name, tag in _DOCUMENTS.items():
        if name in fields:
            exif[tag] = f"{name}:{fields[name]}"
    if PARAMETERS in fields:
        comment = b"UNICODE\0" + fields[PARAMETERS].encode("utf-16-be")
        exif.get_ifd(_EXIF_IFD)[USER_COMMENT] = comment
    return exif.tobytes()
