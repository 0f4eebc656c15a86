"""ICC profiles, as far as numbers suffice: curves and a matrix (ICC.1:2022; version 2 is the same).

A profile is a stranger's file: every length is checked against it, and whatever it holds costs no
more than a few tables of 65,536 numbers.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

import numpy as np

from ponystudio.pictures.picture_bytes import MAX_PROFILE

# As many as littleCMS takes.
MAX_TAGS = 100
MAX_NAME = 60
# A curve is kept as its values at i/65535: exact for 8 bits and for 16.
STEPS = 65_536

# How Pillow calls the spaces that pictures have.
MODES = {b"RGB ": "RGB", b"GRAY": "L", b"CMYK": "CMYK"}
# Scanners and cameras, screens, printers, and spaces of no device.
CLASSES = (b"scnr", b"mntr", b"prtr", b"spac")


@dataclass(frozen=True, eq=False)
class IccProfile:
    """`mode` is Pillow's for the numbers that it explains.

    `curves`: float32 [1 or 3, STEPS], the light, 0..1, of each level of grey or of red, green and
    blue; `colorants`: float64 [3,3], XYZ under D50 of each in its columns. Both are None for a
    profile that works with tables. `data` is the whole of it.
    """

    name: str
    mode: str
    data: bytes
    curves: np.ndarray | None = None
    colorants: np.ndarray | None = None


def parse_profile(data: bytes) -> IccProfile:
    """Raises ValueError, with the reason in a few words, for what cannot be used."""
    if len(data) > MAX_PROFILE:
        raise ValueError("it is too large")
    if len(data) < 132 or data[36:40] != b"acsp":
        raise ValueError("it is no ICC profile")
    if data[12:16] not in CLASSES:
        raise ValueError("it does not say what colours are")
    if data[16:20] not in MODES:
        raise ValueError("it is of a space that pictures here do not have")
    tags = _tags(data)
    name, mode = _name(tags.get(b"desc", b"")), MODES[data[16:20]]
    light = data[20:24] == b"XYZ " and b"A2B0" not in tags
    if light and mode == "RGB":
        curves = np.stack([_curve(_needed(tags, tag)) for tag in (b"rTRC", b"gTRC", b"bTRC")])
        columns = [_xyz(_needed(tags, tag)) for tag in (b"rXYZ", b"gXYZ", b"bXYZ")]
        return IccProfile(name, mode, data, curves, np.array(columns).T)
    if light and mode == "L":
        return IccProfile(name, mode, data, _curve(_needed(tags, b"kTRC"))[None])
    return IccProfile(name, mode, data)


def _tags(data: bytes) -> dict[bytes, bytes]:
    (count,) = struct.unpack_from(">I", data, 128)
    if count > MAX_TAGS or len(data) < 132 + 12 * count:
        raise ValueError("it is cut off")
    tags = {}
    for place in range(132, 132 + 12 * count, 12):
        tag, start, length = struct.unpack_from(">4sII", data, place)
        if start + length > len(data):
            raise ValueError("it is cut off")
        tags[tag] = data[start : start + length]
    return tags


def _needed(tags: dict[bytes, bytes], tag: bytes) -> bytes:
    if tag not in tags:
        raise ValueError(f"it lacks {tag.decode()}")
    return tags[tag]


def _xyz(tag: bytes) -> tuple[float, ...]:
    if tag[:4] != b"XYZ " or len(tag) < 20:
        raise ValueError("its primaries are damaged")
    return tuple(value / 65536 for value in struct.unpack_from(">3i", tag, 8))


def _curve(tag: bytes) -> np.ndarray:
    """float32 [STEPS] in 0..1."""
    try:
        with np.errstate(all="ignore"):
            curve = {b"curv": _sampled, b"para": _parametric}[tag[:4]](tag)
    except (LookupError, struct.error):
        raise ValueError("its curves are damaged") from None
    if not np.isfinite(curve).all():
        raise ValueError("its curves have no values")
    curve = curve.clip(0, 1).astype(np.float32)
    if np.ptp(curve) < 0.01:
        raise ValueError("its curves are flat")
    return curve


def _sampled(tag: bytes) -> np.ndarray:
    (count,) = struct.unpack_from(">I", tag, 8)
    x = np.linspace(0, 1, STEPS)
    if count < 2:
        gamma = struct.unpack_from(">H", tag, 12)[0] / 256 if count else 1
        power: np.ndarray = x**gamma
        return power
    if len(tag) < 12 + 2 * count:
        raise ValueError("its curves are cut off")
    points = np.frombuffer(tag, ">u2", count, 12) / 65535
    curve: np.ndarray = np.interp(x, np.linspace(0, 1, count), points)
    return curve


def _parametric(tag: bytes) -> np.ndarray:
    """(a·x + b)^g + e, and c·x + f below d; the simpler kinds leave some of these out."""
    (kind,) = struct.unpack_from(">H", tag, 8)
    count = (1, 3, 4, 5, 7)[kind]
    given = [value / 65536 for value in struct.unpack_from(f">{count}i", tag, 12)]
    given += [1.0, 1.0, 0.0, 0.0, 0.0, 0.0, 0.0][count:]
    g, a, b, c, d, e, f = given
    if kind in (1, 2):
        # Of kind 2 the c is added above, and is all that there is below.
        c, d, e, f = 0, -b / a if a else np.inf, c, c
    x = np.linspace(0, 1, STEPS)
    curve: np.ndarray = np.where(x >= d, np.maximum(a * x + b, 0) ** g + e, c * x + f)
    return curve


def _name(tag: bytes) -> str:
    """What it calls itself, in English where it can; a stranger's text, so clean and short."""
    try:
        if tag[:4] == b"mluc":
            count, size = struct.unpack_from(">II", tag, 8)
            records = [
                struct.unpack_from(">2s2xII", tag, 16 + n * size) for n in range(min(count, 200))
            ]
            _, length, start = next((r for r in records if r[0] == b"en"), records[0])
            text = tag[start : start + min(length, 4 * MAX_NAME)].decode("utf-16-be", "replace")
        else:
            (length,) = struct.unpack_from(">I", tag, 8)
            text = tag[12 : 12 + min(length, 2 * MAX_NAME)].decode("ascii", "replace")
    except (struct.error, LookupError):
        text = ""
    text = "".join(c for c in text.partition("\0")[0] if c.isprintable()).strip()
    return text[:MAX_NAME] or "a profile without a name"
