"""Texts in EXIF: how a picture was made, by the names under which PNG has them.

    UserComment 0x9286        A1111's `parameters`, SwarmUI's, Fooocus's, behind its character set
    MakerNote 0x927C          Fooocus's scheme
    Model 0x0110 and below    "prompt:{…}", "workflow:{…}": ComfyUI's, a tag each
    Software 0x0131, ImageDescription 0x010E

Writers put the first two into the table of EXIF, where they belong, or into the one before it.
Sources: Exif 2.32, TIFF 6.0.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator

_COMMENT, _SCHEME = "parameters", "fooocus_scheme"
_EXIF_IFD, USER_COMMENT, _MAKER_NOTE = 0x8769, 0x9286, 0x927C
_SOFTWARE, _DESCRIPTION, _MODEL = 0x0131, 0x010E, 0x0110
# Types of values whose elements are bytes: numbers, ASCII, no kind in particular, UTF-8.
_BYTES = (1, 2, 7, 129)
_SCHEMES = ("fooocus", "a1111")
_NAMED = re.compile(r"\s*([A-Za-z][\w -]{0,40}):\s*(?=[{\[])")


def texts_in(block: bytes) -> dict[str, str]:
    """The texts of a block of EXIF, with or without the mark before it; {} for a damaged one.

    Together they are no longer than the block: values that overlap count twice.
    """
    tiff = block.removeprefix(b"Exif\0\0")
    fields: dict[str, str] = {}
    left = len(tiff)
    for tag, value in _values(tiff):
        left -= len(value)
        if left < 0:
            break
        if tag == USER_COMMENT:
            fields.setdefault(_COMMENT, _user_comment(value))
        elif tag == _MAKER_NOTE:
            if (scheme := _plain(value)) in _SCHEMES:
                fields[_SCHEME] = scheme
        elif tag == _SOFTWARE:
            fields.setdefault("Software", _plain(value))
        elif named := _NAMED.match(text := _plain(value)):
            name = named[1].lower() if named[1].lower() in ("prompt", "workflow") else named[1]
            fields.setdefault(name, text[named.end() :])
        elif tag == _DESCRIPTION:
            fields.setdefault("Description", text)
    return {name: text for name, text in fields.items() if text}


def _values(tiff: bytes) -> Iterator[tuple[int, bytes]]:
    """The tags that are asked for here with their bytes: those of EXIF's own table first."""
    order = {b"II": "<", b"MM": ">"}.get(tiff[:2])
    if order is None:
        return
    try:
        (first,) = struct.unpack_from(f"{order}I", tiff, 4)
        tables = [first]
        for tag, _, _, place in _entries(tiff, order, first):
            if tag == _EXIF_IFD:
                tables.insert(0, struct.unpack_from(f"{order}I", tiff, place)[0])
                break
        for table in tables:
            for tag, kind, length, place in _entries(tiff, order, table):
                if kind in _BYTES and _is_wanted(tag):
                    if length > 4:
                        (place,) = struct.unpack_from(f"{order}I", tiff, place)
                    yield tag, tiff[place : place + length]
    except struct.error:
        return


def _is_wanted(tag: int) -> bool:
    return tag in (USER_COMMENT, _MAKER_NOTE, _SOFTWARE) or 0x0100 <= tag <= _MODEL


def _entries(tiff: bytes, order: str, table: int) -> Iterator[tuple[int, int, int, int]]:
    """(tag, type, count, where its value or the offset of it stands) of a table."""
    (count,) = struct.unpack_from(f"{order}H", tiff, table)
    for place in range(table + 2, table + 2 + 12 * count, 12):
        tag, kind, length = struct.unpack_from(f"{order}HHI", tiff, place)
        yield tag, kind, length, place + 8


def _plain(value: bytes) -> str:
    return value.decode("utf-8", "replace").strip("\0 \r\n")


def _user_comment(comment: bytes) -> str:
    """By the character set that it names; without one it is taken for UTF-8."""
    code, text = comment[:8], comment[8:]
    if code in (b"ASCII\0\0\0", b"\0" * 8):
        return _plain(text)
    if code != b"UNICODE\0":
        return _plain(comment)
    # Byte order is told by no mark: nearly every character's high byte is 0. None of them is where
    # a writer names one character set and uses another.
    high, low = text[0::2].count(0), text[1::2].count(0)
    if not high + low:
        try:
            return text.decode("utf-8").strip()
        except UnicodeDecodeError:
            pass
    encoding = "utf-16-le" if low > high else "utf-16-be"
    return text.decode(encoding, "replace").removeprefix("\ufeff").rstrip("\0")
