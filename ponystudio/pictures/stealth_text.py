"""Text in the lowest bits of a picture's numbers, which survives where texts beside the pixels are
stripped: as A1111's extension, SwarmUI and NovelAI write it.

Bits are taken column by column from the top left, of alpha one a pixel, of colours three (red,
green, blue): 15 letters that say which, 32 bits with the length of what follows in bits, then
UTF-8, plain or packed by gzip.
"""

from __future__ import annotations

import zlib
from typing import BinaryIO

import numpy as np

from ponystudio.graph.formats.embedded_metadata import PARAMETERS
from ponystudio.pictures import picture_decoder
from ponystudio.system.json_reader import read_json

# Bytes of such a text once it is unpacked, and pixels of a picture that is looked into: others are
# read by their headers alone, and this decodes all of them.
MAX_HIDDEN, MAX_LOOKED_INTO = 2**23, 2**25
_ALPHA, _COLOURS = b"stealth_png", b"stealth_rgb"
_PLAIN, _PACKED = b"info", b"comp"
_SIGNATURE, _LENGTH = 15, 4


def stealth_fields(file: BinaryIO, memory: int) -> dict[str, str]:
    """What is hidden in a picture, by the names under which it would stand beside the pixels; {}
    for none, and for a format that does not keep its numbers.

    Raises NoPicture, and what Pillow raises for damaged files.
    """
    levels = picture_decoder.exact_levels(file, memory, MAX_LOOKED_INTO)
    text = None if levels is None else hidden_text(levels)
    if not text:
        return {}
    try:
        said = read_json(text) if text.lstrip().startswith("{") else None
    except ValueError:
        said = None
    # NovelAI hides all of its fields.
    if isinstance(said, dict) and isinstance(said.get("Comment"), str):
        return {name: value for name, value in said.items() if isinstance(value, str)}
    return {PARAMETERS: text}


def hidden_text(levels: np.ndarray) -> str | None:
    """Of uint8 [H,W,3 or 4], red, green, blue and alpha; None where nothing is hidden."""
    if levels.shape[2] == 4 and (found := _read(levels[..., 3:], _ALPHA)) is not None:
        return found
    return _read(levels[..., :3], _COLOURS)


def _read(levels: np.ndarray, kind: bytes) -> str | None:
    head = _bytes(levels, 0, _SIGNATURE + _LENGTH)
    packing = head[len(kind) : _SIGNATURE]
    if not head.startswith(kind) or packing not in (_PLAIN, _PACKED):
        return None
    length = int.from_bytes(head[_SIGNATURE:], "big") // 8
    data = _bytes(levels, len(head), min(length, MAX_HIDDEN))
    if len(data) < length:
        return None
    if packing == _PACKED:
        stream = zlib.decompressobj(16 + zlib.MAX_WBITS)
        try:
            data = stream.decompress(data, MAX_HIDDEN)
        except zlib.error:
            return None
        if not stream.eof:  # cut off, or a bomb
            return None
    return data.decode("utf-8", "replace")


def _bytes(levels: np.ndarray, start: int, count: int) -> bytes:
    """So many of [H,W,C] from a place on; fewer where it ends before."""
    height, _, channels = levels.shape
    column = height * channels  # bits
    first, last = 8 * start // column, -(-8 * (start + count) // column)
    bits = levels[:, first:last].transpose(1, 0, 2).reshape(-1) & 1
    skipped = 8 * start - first * column
    whole = min(count, max(0, bits.size - skipped) // 8)
    return np.packbits(bits[skipped : skipped + 8 * whole]).tobytes()
