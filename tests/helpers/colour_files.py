"""ICC profiles and PNG chunks, by the letter of their specifications."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Mapping, Sequence
from pathlib import Path

# XYZ under D50 of red, green and blue, as the makers of these profiles write them.
SRGB_XYZ = ((0.43607, 0.22249, 0.01392), (0.38515, 0.71687, 0.09708), (0.14307, 0.06061, 0.71410))
P3_XYZ = ((0.51512, 0.24120, -0.00105), (0.29198, 0.69225, 0.04189), (0.15710, 0.06657, 0.78407))
ADOBE_XYZ = ((0.60974, 0.31111, 0.01947), (0.20528, 0.62567, 0.06087), (0.14919, 0.06322, 0.74457))


def s15(*values: float) -> bytes:
    return struct.pack(f">{len(values)}i", *(round(value * 65536) for value in values))


def gamma_curve(gamma: float) -> bytes:
    return b"curv" + bytes(4) + struct.pack(">IH", 1, round(gamma * 256))


def table_curve(values: Sequence[int]) -> bytes:
    return b"curv" + bytes(4) + struct.pack(f">I{len(values)}H", len(values), *values)


def formula_curve(kind: int, *values: float) -> bytes:
    return b"para" + bytes(4) + struct.pack(">H2x", kind) + s15(*values)


SRGB_CURVE = formula_curve(3, 2.4, 1 / 1.055, 0.055 / 1.055, 1 / 12.92, 0.04045)


def profile(
    tags: Mapping[bytes, bytes],
    *,
    name: str = "",
    space: bytes = b"RGB ",
    pcs: bytes = b"XYZ ",
    kind: bytes = b"mntr",
) -> bytes:
    text = name.encode("utf-16-be")
    named = {
        b"desc": b"mluc"
        + bytes(4)
        + struct.pack(">II2s2sII", 1, 12, b"en", b"US", len(text), 28)
        + text
    }
    white = {b"wtpt": b"XYZ " + bytes(4) + s15(0.9642, 1, 0.8249)}
    parts = {**named, **white, **tags}
    table, body, start = b"", b"", 132 + 12 * len(parts)
    for tag, data in parts.items():
        table += tag + struct.pack(">II", start + len(body), len(data))
        body += data + bytes(-len(data) % 4)
    header = (
        struct.pack(
            ">II4s4s4s4s12s4s28s",
            0,
            0,
            b"\x04\x30\0\0",
            kind,
            space,
            pcs,
            bytes(12),
            b"acsp",
            bytes(28),
        )
        + s15(0.9642, 1, 0.8249)
        + bytes(48)
    )
    whole = header + struct.pack(">I", len(parts)) + table + body
    return struct.pack(">I", len(whole)) + whole[4:]


def rgb_profile(
    xyz: Sequence[Sequence[float]], curve: bytes | Sequence[bytes] = SRGB_CURVE, *, name: str = ""
) -> bytes:
    curves = [curve] * 3 if isinstance(curve, bytes) else curve
    tags = {}
    for letter, place, data in zip("rgb", xyz, curves, strict=True):
        tags[f"{letter}XYZ".encode()] = b"XYZ " + bytes(4) + s15(*place)
        tags[f"{letter}TRC".encode()] = data
    return profile(tags, name=name)


def grey_profile(curve: bytes, *, name: str = "") -> bytes:
    return profile({b"kTRC": curve}, name=name, space=b"GRAY")


def cmyk_profile(*, name: str = "") -> bytes:
    """Tables of two points a channel, from ink to Lab: paper white, and black for any full ink.

    Each ink takes its third of the light, and shifts the colour as that ink does.
    """
    shifts = ((-30, -40), (60, -5), (-5, 80), (0, 0))
    points = []
    for corner in range(16):
        inks = [corner >> (3 - n) & 1 for n in range(4)]
        dark = 100 * (0.55 ** sum(inks[:3])) * (1 - 0.9 * inks[3])
        a, b = (
            sum(ink * shift[n] for ink, shift in zip(inks, shifts, strict=True)) for n in (0, 1)
        )
        points += [round(dark * 2.55), round(a + 128), round(b + 128)]
    linear = bytes(range(256))
    lut = (
        b"mft1"
        + bytes(4)
        + struct.pack(">BBBx", 4, 3, 2)
        + s15(1, 0, 0, 0, 1, 0, 0, 0, 1)
        + linear * 4
        + bytes(points)
        + linear * 3
    )
    return profile({b"A2B0": lut}, name=name, space=b"CMYK", pcs=b"Lab ", kind=b"prtr")


def chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I4s", len(data), kind) + data + struct.pack(">I", zlib.crc32(kind + data))


def gama(gamma: float) -> bytes:
    return chunk(b"gAMA", struct.pack(">I", round(gamma * 100_000)))


def chrm(*places: float) -> bytes:
    """White, red, green, blue, each as x and y."""
    return chunk(b"cHRM", struct.pack(">8I", *(round(place * 100_000) for place in places)))


def iccp(data: bytes) -> bytes:
    return chunk(b"iCCP", b"its name\0\0" + zlib.compress(data))


def cicp(primaries: int, curve: int, matrix: int = 0, full: int = 1) -> bytes:
    return chunk(b"cICP", bytes((primaries, curve, matrix, full)))


def insert_chunks(path: Path, *chunks: bytes) -> None:
    """Put chunks behind the header of a PNG, in place of those of their kinds."""
    data = path.read_bytes()
    header = 8 + 25
    path.write_bytes(data[:header] + b"".join(chunks) + data[header:])
