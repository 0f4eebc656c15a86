"""What is written in an AVIF beside its pixels: EXIF and XMP, which are items of its own.

Source: ISO/IEC 14496-12 (boxes), 23008-12 (items; annex A has EXIF).
"""

from __future__ import annotations

import io
import struct
from collections.abc import Callable, Iterator
from typing import BinaryIO, NamedTuple

# Bytes of the box that says what there is and where, which has some hundred; and items, and pieces
# of one.
MAX_META, MAX_ITEMS, MAX_EXTENTS = 2**20, 1000, 1000
_XMP = b"application/rdf+xml"


class _AvifItem(NamedTuple):
    """`extents` are (start, length), in the file or in the box of data within `meta`."""

    inside: bool
    extents: list[tuple[int, int]]


def is_avif(head: bytes) -> bool:
    """Whether a file with this beginning, of 12 bytes and more, is made of such boxes."""
    return head[4:8] == b"ftyp" and head[8:12] in (b"avif", b"avis", b"mif1", b"msf1")


def exif_and_xmp(file: BinaryIO, take: Callable[[int], bool]) -> tuple[bytes, bytes]:
    """The first of each, b"" where there is none or it is damaged; EXIF begins with its byte order.

    `take` is asked before so many bytes are read, and may refuse.
    """
    meta = _meta(file)
    try:
        boxes: dict[bytes, bytes] = {}
        for kind, body in _boxes(meta[4:]):
            boxes.setdefault(kind, body)
        kinds = _kinds(boxes.get(b"iinf", b""))
        places = _places(boxes.get(b"iloc", b""), set(kinds))
    except struct.error:
        return b"", b""
    found: dict[bytes, bytes] = {}
    for id, kind in kinds.items():
        if kind not in found and id in places:
            found[kind] = _content(file, boxes.get(b"idat", b""), places[id], take)
    exif = found.get(b"Exif", b"")
    # Before it stands how far it is to its beginning.
    return exif[4 + int.from_bytes(exif[:4], "big") :], found.get(_XMP, b"")


def _meta(file: BinaryIO) -> bytes:
    """The box `meta`, which stands near the beginning."""
    size, place = file.seek(0, io.SEEK_END), 0
    for _ in range(MAX_ITEMS):
        file.seek(place)
        head = file.read(16)
        if len(head) < 8:
            break
        length, kind = struct.unpack_from(">I4s", head)
        skip = 8
        if length == 1 and len(head) == 16:
            skip, length = 16, int.from_bytes(head[8:], "big")
        elif length == 0:
            length = size - place
        if length < skip:
            break
        if kind == b"meta":
            file.seek(place + skip)
            return file.read(length - skip) if length <= MAX_META else b""
        place += length
        if place >= size:
            break
    return b""


def _boxes(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    place = 0
    while place + 8 <= len(data):
        length, kind = struct.unpack_from(">I4s", data, place)
        if length < 8:  # to the end, or damaged
            length = len(data) - place
        yield kind, data[place + 8 : place + length]
        place += length


def _kinds(iinf: bytes) -> dict[int, bytes]:
    """Of the items that hold EXIF or XMP, by their ids."""
    if not iinf:
        return {}
    entries = iinf[6:] if iinf[0] == 0 else iinf[8:]
    kinds: dict[int, bytes] = {}
    for _, (name, body) in zip(range(MAX_ITEMS), _boxes(entries), strict=False):
        if name != b"infe" or len(body) < 12 or body[0] not in (2, 3):
            continue
        wide = body[0] == 3
        id = int.from_bytes(body[4 : 8 if wide else 6], "big")
        kind, rest = body[10 if wide else 8 :][:4], body[14 if wide else 12 :]
        if kind == b"mime":
            _name, _, rest = rest.partition(b"\0")
            kind = rest.partition(b"\0")[0]
        if kind in (b"Exif", _XMP):
            kinds[id] = kind
    return kinds


def _places(iloc: bytes, wanted: set[int]) -> dict[int, _AvifItem]:
    """Where these items lie. Raises struct.error for what is cut off."""
    if not iloc:
        return {}
    version = iloc[0]
    sizes, more = struct.unpack_from(">BB", iloc, 4)
    offset_size, length_size, base_size = sizes >> 4, sizes & 15, more >> 4
    index_size = more & 15 if version else 0
    numbers = _Numbers(iloc, 6)
    places: dict[int, _AvifItem] = {}
    for _ in range(min(numbers.next(4 if version == 2 else 2), MAX_ITEMS)):
        id = numbers.next(4 if version == 2 else 2)
        method = numbers.next(2) & 15 if version else 0
        numbers.next(2)  # the file that it is in, which is this one
        base = numbers.next(base_size)
        extents = []
        for _ in range(min(numbers.next(2), MAX_EXTENTS)):
            numbers.next(index_size)
            extents.append((base + numbers.next(offset_size), numbers.next(length_size)))
        if id in wanted and method in (0, 1):
            places[id] = _AvifItem(method == 1, extents)
    return places


class _Numbers:
    """Big-endian numbers of any size, one after the other."""

    def __init__(self, data: bytes, place: int) -> None:
        self._data, self._place = data, place

    def next(self, size: int) -> int:
        piece = self._data[self._place : self._place + size]
        if len(piece) < size:
            raise struct.error
        self._place += size
        return int.from_bytes(piece, "big")


def _content(file: BinaryIO, idat: bytes, item: _AvifItem, take: Callable[[int], bool]) -> bytes:
    pieces: list[bytes] = []
    for start, length in item.extents:
        if not take(length):
            return b""
        if item.inside:
            pieces.append(idat[start : start + length])
        elif start < 2**62:
            file.seek(start)
            pieces.append(file.read(length))
    return b"".join(pieces)
