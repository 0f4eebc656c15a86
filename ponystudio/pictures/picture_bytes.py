"""Which kind of picture a file is, by its content, and those parts of it that decoding needs.

A decoder is given no more than these parts: texts, comments, previews, later pictures of an
animation and second copies of anything never reach it, so that they can cost nothing.
"""

from __future__ import annotations

import io
import os
import re
import struct
from bisect import bisect_right
from collections.abc import Iterable, Iterator
from typing import BinaryIO

FORMATS = ("PNG", "JPEG", "WebP", "AVIF", "GIF", "BMP", "TIFF")
KNOWN = f"Known are {', '.join(FORMATS[:-1])} and {FORMATS[-1]}."

# Chunks of a PNG: 1.6 GB in the usual ones of 8 KB.
MAX_CHUNKS = 200_000
# Scans of a progressive JPEG; encoders write about ten.
MAX_SCANS = 100
# An ICC profile, unpacked; those of printers have 1 to 3 MB.
MAX_PROFILE = 16 * 2**20
# Pieces before the pixels, and bytes of EXIF; a JPEG has 64 KB of it at most.
MAX_HEADERS, MAX_EXIF = 10_000, 2**20
_JPEG_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}

_HEAD = 64
_BUFFER = 2**16
_BEGINNINGS = (
    (b"\x89PNG\r\n\x1a\n", "PNG"),
    (b"\xff\xd8\xff", "JPEG"),
    (b"GIF87a", "GIF"),
    (b"GIF89a", "GIF"),
    (b"II*\0", "TIFF"),
    (b"MM\0*", "TIFF"),
    (b"II+\0", "TIFF"),
    (b"MM\0+", "TIFF"),
)
# What others call pictures, by how they begin.
_OTHERS = (
    (b"<svg", "an SVG drawing"),
    (b"\x1f\x8b", "a compressed file, perhaps an SVG drawing"),
    (b"icns", "an icon of macOS"),
    (b"\0\0\1\0", "an icon of Windows"),
    (b"8BPS", "a Photoshop document"),
    (b"gimp xcf", "a GIMP document"),
    (b"\0\0\0\x0cjP  ", "a JPEG 2000"),
    (b"\xffO\xffQ", "a JPEG 2000"),
    (b"\xff\x0a", "a JPEG XL"),
    (b"\0\0\0\x0cJXL ", "a JPEG XL"),
    (b"v/1\x01", "an OpenEXR picture"),
    (b"#?RADIANCE", "a Radiance picture"),
    (b"qoif", "a QOI picture"),
    (b"DDS ", "a texture of DirectX"),
    (b"%!PS", "a PostScript program"),
    (b"%PDF", "a PDF document"),
    (b"PK\x03\x04", "a ZIP archive"),
    *((b"P%d" % n, "a Netpbm picture") for n in range(1, 8)),
)


class NoPicture(ValueError):
    """The reason, for after "The picture cannot be read: "."""


def format_of(file: BinaryIO) -> str:
    """One of FORMATS. Raises NoPicture for anything else; the file is left at its beginning."""
    file.seek(0)
    head = file.read(_HEAD)
    file.seek(0)
    for beginning, format in _BEGINNINGS:
        if head.startswith(beginning):
            return format
    if head.startswith(b"RIFF") and head[8:12] == b"WEBP":
        return "WebP"
    if head.startswith(b"BM") and len(head) >= 18 and _is_bitmap(head):
        return "BMP"
    if head[4:8] == b"ftyp":
        brands = {head[place : place + 4] for place in range(8, len(head) - 3, 4) if place != 12}
        if brands & {b"avif", b"avis"}:
            return "AVIF"
        if brands & {b"heic", b"heix", b"mif1", b"hevc"}:
            raise NoPicture(f"this is a HEIC picture. {KNOWN}")
    if not head:
        raise NoPicture("the file is empty")
    text = head.lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    for beginning, what in _OTHERS:
        if head.startswith(beginning) or text.startswith(beginning):
            raise NoPicture(f"this is {what}. {KNOWN}")
    if text.startswith((b"<?xml", b"<!doctype", b"<html", b"<!--")):
        raise NoPicture(f"this is a drawing or a page in XML. {KNOWN}")
    raise NoPicture(f"this is no picture. {KNOWN}")


def _is_bitmap(head: bytes) -> bool:
    """Two letters alone say little: the length of what follows is one of those that exist."""
    return struct.unpack_from("<I", head, 14)[0] in (12, 16, 40, 52, 56, 64, 108, 124)


def told_size(file: BinaryIO, format: str) -> tuple[int, int, bytes] | None:
    """Width, height and EXIF data (or b"") of the formats that saved pictures have, from their
    first bytes; None for other formats. Raises NoPicture for what is cut off before."""
    reader = {"PNG": _png_size, "JPEG": _jpeg_size, "WebP": _webp_size}.get(format)
    if reader is None:
        return None
    try:
        width, height, exif = reader(file)
    except struct.error:
        raise NoPicture("it is cut off") from None
    if not width or not height:
        raise NoPicture("it has no pixels")
    return width, height, exif


def _png_size(file: BinaryIO) -> tuple[int, int, bytes]:
    file.seek(8)
    width, height, exif = 0, 0, b""
    for _ in range(MAX_HEADERS):
        length, kind = struct.unpack(">I4s", file.read(8))
        if kind == b"IDAT":
            break
        if kind == b"IHDR":
            width, height = struct.unpack(">II", file.read(8))
            file.seek(length - 8 + 4, os.SEEK_CUR)
        elif kind == b"eXIf" and length <= MAX_EXIF:
            exif = file.read(length)
            file.seek(4, os.SEEK_CUR)
        else:
            file.seek(length + 4, os.SEEK_CUR)
    return width, height, exif


def _jpeg_size(file: BinaryIO) -> tuple[int, int, bytes]:
    exif = b""
    for marker, place, length in _jpeg_segments(file):
        if marker in _JPEG_FRAMES:
            file.seek(place + 5)
            height, width = struct.unpack(">HH", file.read(4))
            return width, height, exif
        if marker == 0xE1 and not exif:
            file.seek(place + 4)
            data = file.read(length - 4)
            exif = data if data.startswith(b"Exif\0") else b""
    raise NoPicture("it is cut off")


def _webp_size(file: BinaryIO) -> tuple[int, int, bytes]:
    file.seek(12)
    kind, _ = struct.unpack("<4sI", file.read(8))
    head = file.read(10)
    if kind == b"VP8 ":
        width, height = struct.unpack_from("<HH", head, 6)
        return width & 0x3FFF, height & 0x3FFF, b""
    if kind == b"VP8L":
        (bits,) = struct.unpack_from("<I", head, 1)
        return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1, b""
    if kind != b"VP8X" or len(head) < 10:
        raise NoPicture("it is cut off")
    width, height = (1 + int.from_bytes(head[n : n + 3], "little") for n in (4, 7))
    return width, height, _webp_exif(file) if head[0] & 8 else b""


def _webp_exif(file: BinaryIO) -> bytes:
    file.seek(12)
    for _ in range(MAX_HEADERS):
        head = file.read(8)
        if len(head) < 8:
            break
        kind, length = struct.unpack("<4sI", head)
        if kind == b"EXIF":
            return file.read(min(length, MAX_EXIF))
        file.seek(length + length % 2, os.SEEK_CUR)
    return b""


def is_lossy_webp(file: BinaryIO) -> bool:
    """Whether the first pixels of a WebP are packed with loss."""
    file.seek(12)
    for _ in range(MAX_HEADERS):
        head = file.read(8)
        if len(head) < 8 or head[:4] in (b"VP8L", b"ANMF"):
            break
        if head[:4] == b"VP8 ":
            return True
        length = int.from_bytes(head[4:], "little")
        file.seek(length + length % 2, os.SEEK_CUR)
    return False


def sound_parts(file: BinaryIO, format: str) -> BinaryIO:
    """What a decoder gets to see of a picture of this format. Raises NoPicture for a bomb."""
    if format == "PNG":
        return io.BufferedReader(FileParts(file, _png_parts(file)), _BUFFER)
    if format == "JPEG":
        return io.BufferedReader(FileParts(file, _jpeg_parts(file)), _BUFFER)
    if format == "TIFF":
        _check_tags(file, file.seek(0, os.SEEK_END))
    file.seek(0)
    return file


def _check_tags(file: BinaryIO, size: int) -> None:
    """Of the first table of a TIFF, which has `size` bytes: its values lie in the file beside each
    other, so that they cannot be more than all of it. Raises NoPicture.

    Source: TIFF 6.0, section 2; BigTIFF has longer fields.
    """
    file.seek(0)
    head = file.read(16)
    order = "<" if head[:2] == b"II" else ">"
    try:
        if big := head[2:4] in (b"+\0", b"\0+"):
            (place,) = struct.unpack_from(f"{order}Q", head, 8)
        else:
            (place,) = struct.unpack_from(f"{order}I", head, 4)
        entry = struct.Struct(f"{order}HHQ8x" if big else f"{order}HHI4x")
        file.seek(min(place, size))
        (count,) = struct.unpack(f"{order}Q" if big else f"{order}H", file.read(8 if big else 2))
        total = 0
        for _ in range(count):
            _, kind, length = entry.unpack(file.read(entry.size))
            total += _TIFF_BYTES.get(kind, 1) * length
            if total > size:
                raise NoPicture("its tags say that they are larger than the file")
    except struct.error:
        raise NoPicture("it is cut off") from None


_TIFF_BYTES = {3: 2, 4: 4, 5: 8, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4, 16: 8, 17: 8, 18: 8}


# Without what says how colours are meant: that is read in `colour.py`, and may be damaged.
_PNG_ONCE = (b"IHDR", b"PLTE", b"tRNS", b"eXIf", b"sBIT", b"IEND")


def _png_parts(file: BinaryIO) -> Iterator[tuple[int, int]]:
    """(start, length) of the chunks of the first picture, in their order."""
    yield 0, 8
    seen: set[bytes] = set()
    place = file.seek(8)
    for _ in range(MAX_CHUNKS):
        head = file.read(8)
        if len(head) < 8:
            return
        length, kind = struct.unpack(">I4s", head)
        if kind == b"IDAT" or (kind in _PNG_ONCE and kind not in seen):
            seen.add(kind)
            if kind != b"eXIf" or _is_exif(file, length):
                yield place, length + 12
        if kind == b"IEND":
            return
        place = file.seek(place + length + 12)
    raise NoPicture(f"it comes in more than {MAX_CHUNKS:,} pieces")


def _is_exif(file: BinaryIO, length: int) -> bool:
    if length > MAX_EXIF:
        return False
    try:
        _check_tags(io.BytesIO(file.read(length)), length)
    except NoPicture:
        return False
    return True


def _jpeg_parts(file: BinaryIO) -> Iterator[tuple[int, int]]:
    """Headers that say what the pixels mean, then the pixels."""
    yield 0, 2
    seen: set[int] = set()
    profile, end = 0, 2
    for marker, place, length in _jpeg_segments(file):
        end = place + length
        wanted = not (0xE0 <= marker <= 0xEF or marker == 0xFE)
        start = b"" if wanted else file.read(12)
        if marker == 0xE2 and start.startswith(b"ICC_PROFILE\0"):
            profile += length
            wanted = profile <= MAX_PROFILE
        elif marker in _JPEG_ONCE and marker not in seen and start.startswith(_JPEG_ONCE[marker]):
            seen.add(marker)
            wanted = True
        if wanted:
            yield place, length
    yield end, _end_of_scans(file, end) - end


# Of applications' segments these say something of the pixels.
_JPEG_ONCE = {0xE0: b"JFIF\0", 0xE1: b"Exif\0", 0xEE: b"Adobe"}


def _jpeg_segments(file: BinaryIO) -> Iterator[tuple[int, int, int]]:
    """(marker, start, length) of what stands before the pixels, the marker included; the file is
    left behind marker and length."""
    place = 2
    for _ in range(MAX_HEADERS):
        file.seek(place)
        head = file.read(4)
        if len(head) < 4 or head[0] != 0xFF or head[1] in (0xD9, 0xDA):
            return
        if head[1] == 0xFF:  # padding
            place += 1
        elif head[1] == 0x01 or 0xD0 <= head[1] <= 0xD8:  # markers without a body
            place += 2
        else:
            length = 2 + int.from_bytes(head[2:], "big")
            yield head[1], place, length
            place += length


# As decoders look for them: behind bytes that fill, passing over FF among the pixels and the marks
# at which reading can begin again.
_JPEG_MARKER = re.compile(rb"\xff[^\x00\xff\xd0-\xd7]")
_BLOCK = 2**20


def _end_of_scans(file: BinaryIO, place: int) -> int:
    """Where the picture ends whose pixels begin at a place: cameras write films behind it. Raises
    NoPicture for too many scans.

    Source: ITU-T T.81, annex B.
    """
    scans = 0
    for pieces, (marker, start) in enumerate(_jpeg_markers(file, place)):
        if marker == 0xD9:
            return start + 2
        scans += marker == 0xDA
        if scans > MAX_SCANS:
            raise NoPicture(f"it comes in more than {MAX_SCANS} scans, which no camera writes")
        if pieces > MAX_HEADERS:
            raise NoPicture(f"it comes in more than {MAX_HEADERS:,} pieces")
    return max(place, file.seek(0, os.SEEK_END))


def _jpeg_markers(file: BinaryIO, place: int) -> Iterator[tuple[int, int]]:
    """(marker, start) from a place among the pixels on; what looks like one within a segment is
    none."""
    while True:
        file.seek(place)
        block = file.read(_BLOCK)
        offset, last = 0, len(block) < _BLOCK
        while found := _JPEG_MARKER.search(block, offset):
            start, marker = found.start(), block[found.end() - 1]
            offset = start + 2
            if marker >= 0xC0 and marker not in (0xD8, 0xD9):  # with a body
                if start + 4 > len(block) and not last:
                    offset = start
                    break
                offset += max(2, int.from_bytes(block[start + 2 : start + 4], "big"))
            yield marker, place + start
        else:
            if last:
                return
            offset = max(offset, len(block) - 1)  # a marker may begin with the last byte
        place += offset


class FileParts(io.RawIOBase):
    """Some parts of a file, one after the other, as if there were nothing else in it."""

    def __init__(self, file: BinaryIO, parts: Iterable[tuple[int, int]]) -> None:
        """`parts` are (start, length); a last one may reach beyond the end."""
        self._file = file
        self._starts: list[int] = []
        self._ends: list[int] = []  # in this file, not in that one
        size = 0
        for start, length in parts:
            if self._starts and start == self._starts[-1] + self._ends[-1] - (
                self._ends[-2] if len(self._ends) > 1 else 0
            ):
                self._ends[-1] += length
            else:
                self._starts.append(start)
                self._ends.append(size + length)
            size += length
        self._size = size
        self._place = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._place

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        base = {os.SEEK_SET: 0, os.SEEK_CUR: self._place, os.SEEK_END: self._size}[whence]
        self._place = max(0, base + offset)
        return self._place

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        part = bisect_right(self._ends, self._place)
        if part == len(self._ends):
            return 0
        before = self._ends[part - 1] if part else 0
        count = min(len(buffer), self._ends[part] - self._place)
        self._file.seek(self._starts[part] + self._place - before)
        data = self._file.read(count)
        buffer[: len(data)] = data
        self._place += len(data)
        return len(data)
