"""What the numbers of a picture mean, and the same colours in sRGB, which all else here works in.

A picture says it by an ICC profile, by code points (cICP, nclx: ITU-T H.273), by gamma and
primaries (PNG), or by a mark of the camera (EXIF); one that says nothing is sRGB. Where a file says
several things, the PNG specification (third edition, 4.3) orders them: cICP, iCCP, sRGB, then gAMA
with cHRM. What cannot be understood is said, and taken as sRGB.

`meaning_of` an opened picture, then `to_srgb` with its levels.
"""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import BinaryIO, NamedTuple

import numpy as np
from PIL import ExifTags, Image, ImageCms

from ponystudio.pictures.icc_profile import STEPS, parse_profile
from ponystudio.pictures.picture_bytes import MAX_PROFILE

# So many pixels are worked on at once.
BLOCK = 2**20
# A space in which no colour is further than a level of 255 from sRGB's is sRGB.
SAME = 1 / 255
# A picture has about twenty chunks before its pixels, and an AVIF some dozens of boxes.
MAX_CHUNKS, MAX_BOXES, MAX_META = 10_000, 10_000, 4 * 2**20
# What PQ and HLG take as the white of paper, in cd/m² (ITU-R BT.2408).
PAPER = 203

XY = tuple[float, float]
# Red, green, blue, white.
Primaries = tuple[XY, XY, XY, XY]

_D65 = (0.3127, 0.3290)
# By their numbers in H.273, table 2.
PRIMARIES: dict[int, tuple[str, Primaries]] = {
    1: ("BT.709", ((0.640, 0.330), (0.300, 0.600), (0.150, 0.060), _D65)),
    4: ("BT.470 M", ((0.67, 0.33), (0.21, 0.71), (0.14, 0.08), (0.310, 0.316))),
    5: ("BT.601 of 625 lines", ((0.64, 0.33), (0.29, 0.60), (0.15, 0.06), _D65)),
    6: ("BT.601 of 525 lines", ((0.630, 0.340), (0.310, 0.595), (0.155, 0.070), _D65)),
    7: ("SMPTE 240M", ((0.630, 0.340), (0.310, 0.595), (0.155, 0.070), _D65)),
    8: ("film", ((0.681, 0.319), (0.243, 0.692), (0.145, 0.049), (0.310, 0.316))),
    9: ("BT.2020", ((0.708, 0.292), (0.170, 0.797), (0.131, 0.046), _D65)),
    10: ("XYZ", ((1, 0), (0, 1), (0, 0), (1 / 3, 1 / 3))),
    11: ("DCI-P3", ((0.680, 0.320), (0.265, 0.690), (0.150, 0.060), (0.314, 0.351))),
    12: ("Display P3", ((0.680, 0.320), (0.265, 0.690), (0.150, 0.060), _D65)),
    22: ("EBU 3213", ((0.630, 0.340), (0.295, 0.605), (0.155, 0.077), _D65)),
}
SRGB_PRIMARIES = PRIMARIES[1][1]
ADOBE_PRIMARIES: Primaries = ((0.64, 0.33), (0.21, 0.71), (0.15, 0.06), _D65)
ADOBE_GAMMA = 563 / 256

Curve = Callable[[np.ndarray], np.ndarray]


def _srgb_curve(v: np.ndarray) -> np.ndarray:
    return np.where(v <= 0.04045, v / 12.92, ((v + 0.055) / 1.055) ** 2.4)


def _video_curve(v: np.ndarray) -> np.ndarray:
    return np.where(v < 0.081, v / 4.5, ((v + 0.099) / 1.099) ** (1 / 0.45))


def _pq_curve(v: np.ndarray) -> np.ndarray:
    root = v ** (32 / 2523)
    light = (root - 0.8359375).clip(0) / (18.8515625 - 18.6875 * root)
    return light ** (8192 / 1305) * 10_000 / PAPER


def _hlg_curve(v: np.ndarray) -> np.ndarray:
    """The light of the scene; that of the screen is its power by HLG_GAMMA."""
    a, b, c = 0.17883277, 0.28466892, 0.55991073
    return np.where(v <= 0.5, v**2 / 3, (np.exp((v - c) / a) + b) / 12)


def _power(gamma: float) -> Curve:
    return lambda v: v**gamma


# The screen on which HLG is mastered, in cd/m², its gamma, and what the eye sees of BT.2020's
# primaries (BT.2100).
HLG_PEAK, HLG_GAMMA = 1000, 1.2
HLG_WEIGHTS = (0.2627, 0.6780, 0.0593)
PQ, HLG = 16, 18
# From level to light, by their numbers in H.273, table 3; 1 is white.
CURVES: dict[int, tuple[str, Curve]] = {
    **dict.fromkeys((1, 6, 11, 12, 14, 15), ("the curve of video", _video_curve)),
    4: ("gamma 2.2", _power(2.2)),
    5: ("gamma 2.8", _power(2.8)),
    7: (
        "the curve of SMPTE 240M",
        lambda v: np.where(v < 0.0913, v / 4, ((v + 0.1115) / 1.1115) ** (1 / 0.45)),
    ),
    8: ("linear light", _power(1)),
    9: ("a curve by logarithm", lambda v: np.where(v > 0, 100 ** (v - 1), 0)),
    10: ("a curve by logarithm", lambda v: np.where(v > 0, 100 ** (1.25 * (v - 1)), 0)),
    13: ("", _srgb_curve),
    PQ: ("PQ", _pq_curve),
    17: ("gamma 2.6", lambda v: v**2.6 * 52.37 / 48),
    HLG: ("HLG", _hlg_curve),
}
UNSPECIFIED = 2


# --- Spaces ---------------------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class LinearSpace:
    """Grey or RGB that curves and a matrix turn into light.

    `curves`: float32 [1 or 3, STEPS], the light of each level, 1 that of white; `matrix`:
    float64 [3,3], from that light to linear sRGB. `hlg` says that the light is that of a scene
    as HLG has it.
    """

    name: str
    curves: np.ndarray
    matrix: np.ndarray
    hlg: bool = False

    @property
    def loss(self) -> str:
        """What goes lost on the way to sRGB, besides colours that it does not have, or ""."""
        brighter = self.hlg or self.curves.max() > 1
        return "what is brighter than white was cut off" if brighter else ""

    def to_srgb(self, levels: np.ndarray) -> np.ndarray:
        """float32 [H,W,1 or 3] in 0..1 of float [H,W,1 or 3] in 0..1; 16 bits are kept."""
        places = np.rint(levels * (STEPS - 1)).astype(np.int32)
        if len(self.curves) == 1:
            light = self.curves[0][places]
        else:
            curves = enumerate(self.curves)
            light = np.stack([curve[places[..., n % places.shape[2]]] for n, curve in curves], 2)
        if self.hlg:
            weights = np.array(HLG_WEIGHTS if light.shape[2] == 3 else (1,), np.float32)
            luminance = (light @ weights)[..., None].clip(1e-9)
            light = light * luminance ** np.float32(HLG_GAMMA - 1) * np.float32(HLG_PEAK / PAPER)
        if light.shape[2] == 3:
            light = light @ self.matrix.T.astype(np.float32)
        return _encoded(light.clip(0, 1))


def _encoded(light: np.ndarray) -> np.ndarray:
    """sRGB's levels of linear light, float32 in 0..1."""
    levels = np.float32(1.055) * light ** np.float32(1 / 2.4) - np.float32(0.055)
    dark = light <= 0.0031308
    levels[dark] = light[dark] * np.float32(12.92)
    return levels


class TableSpace:
    """Any space of which a profile has tables: littleCMS looks them up, in 8 bits a channel."""

    loss = ""

    def __init__(self, name: str, mode: str, profile: ImageCms.ImageCmsProfile) -> None:
        """`mode` is Pillow's. Raises PyCMSError for tables that are damaged."""
        self.name, self.mode = name, mode
        srgb = ImageCms.createProfile("sRGB")
        self._transform = ImageCms.buildTransform(profile, srgb, mode, "RGB")

    def to_srgb(self, levels: np.ndarray) -> np.ndarray:
        """float32 [H,W,3] in 0..1 of float [H,W,C] in 0..1."""
        data = np.rint(levels * 255).astype(np.uint8)
        if data.shape[2] == 1 and self.mode == "RGB":
            data = data.repeat(3, 2)
        picture = Image.frombytes(self.mode, data.shape[1::-1], data.tobytes())
        result: np.ndarray = np.asarray(self._transform.apply(picture)) / np.float32(255)
        return result


class PlainInk:
    """CMYK that no profile explains: red is what cyan and black leave of it, and so on."""

    name = "CMYK without a profile"
    loss = "without one they are only about right"

    def to_srgb(self, levels: np.ndarray) -> np.ndarray:
        """float32 [H,W,3] in 0..1 of float [H,W,4] in 0..1, 1 all ink."""
        result: np.ndarray = (1 - levels[..., :3]) * (1 - levels[..., 3:])
        return result


ColourSpace = LinearSpace | TableSpace | PlainInk


class Meaning(NamedTuple):
    """`space` is None for sRGB; `fault` says in a sentence what could not be understood, or ""."""

    space: ColourSpace | None
    fault: str = ""


def to_srgb(
    levels: np.ndarray, meaning: Meaning, *, keep: bool = False
) -> tuple[np.ndarray, tuple[str, ...]]:
    """Levels in sRGB, float32 [H,W,1 or 3], and sentences for the user.

    `levels`: float [H,W,C] in 0..1 without alpha: grey, RGB, or what the picture's mode has.
    `keep` leaves the numbers of grey and RGB as they are. Colours outside of sRGB are cut off.
    The result has as many bits as the levels, so that white is white on every CPU.
    """
    space, fault = meaning
    faults = (fault,) if fault else ()
    if space is None:
        return levels, faults
    if keep and not _needs_space(space):
        kept = f"The picture's colours are in {space.name}, and their numbers were kept."
        return levels, (*faults, kept)
    losses = [space.loss] if space.loss else []
    steps = np.float32(STEPS - 1 if _finer(levels) else 255)
    if isinstance(space, TableSpace) and steps > 255:
        losses.append("of its 16 bits a channel 8 are left")
    told = f"The picture's colours were converted from {space.name} to sRGB"
    rows = max(1, BLOCK // levels.shape[1])
    blocks = (space.to_srgb(levels[y : y + rows]) for y in range(0, len(levels), rows))
    rounded = np.concatenate([np.rint(block * steps) / steps for block in blocks])
    return rounded, (*faults, "; ".join([told, *losses]) + ".")


def _needs_space(space: ColourSpace) -> bool:
    """Whether its numbers cannot stand for RGB."""
    return isinstance(space, PlainInk) or getattr(space, "mode", "RGB") in ("CMYK", "LAB")


def _finer(levels: np.ndarray) -> bool:
    """Whether they are of more than 8 bits."""
    return bool((np.abs(levels * 255 - np.rint(levels * 255)) > 1e-3).any())


# --- What a file says -----------------------------------------------------------------------------


def meaning_of(picture: Image.Image, file: BinaryIO) -> Meaning:
    """What the numbers of an opened picture mean; `file` is what it was opened from.

    Of what is damaged nothing is raised. The file is left at the place where it was.
    """
    place, faults = file.tell(), []
    tellers = _TELLERS.get(picture.format or "", (_profile,))
    for told in (*tellers, _camera, _mode):
        try:
            space = told(picture, file)
        except (ValueError, struct.error, ImageCms.PyCMSError) as error:
            reason = str(error) if type(error) is ValueError else "it is damaged"
            faults.append(f"What the picture says of its colours cannot be used: {reason}.")
            continue
        finally:
            file.seek(place)
        if space is not None:
            return Meaning(None if _is_srgb(space) else space, " ".join(faults))
    return Meaning(None, " ".join([*faults, "They are taken as sRGB."]) if faults else "")


def _is_srgb(space: ColourSpace) -> bool:
    """Whether it moves no colour by a level; profiles of sRGB differ in their last digits."""
    if _needs_space(space):
        return False
    axis = np.linspace(0, 1, 18)
    grid = np.stack(np.meshgrid(axis, axis, axis), 3).reshape(18, -1, 3).astype(np.float32)
    if getattr(space, "mode", "RGB") == "L":
        grid = grid[..., :1]
    return bool(np.abs(space.to_srgb(grid) - grid).max() <= SAME)


def _mode(picture: Image.Image, _file: BinaryIO) -> ColourSpace | None:
    if picture.mode == "CMYK":
        return PlainInk()
    if picture.mode == "LAB":
        lab = ImageCms.ImageCmsProfile(ImageCms.createProfile("LAB"))
        return TableSpace("CIE L*a*b*", "LAB", lab)
    return None


def _profile(picture: Image.Image, file: BinaryIO) -> ColourSpace | None:
    in_file = {"PNG": _profile_in_png, "BMP": _profile_in_bmp}.get(picture.format or "")
    data = in_file(file) if in_file else picture.info.get("icc_profile", b"")
    # Lab is what it is; profiles for it change nothing.
    if data == b"" or picture.mode == "LAB":
        return None
    if not isinstance(data, bytes):  # Pillow found pieces that do not fit together
        raise ValueError("its profile is damaged")
    profile = parse_profile(data)
    if not _fits(profile.mode, picture.mode):
        raise ValueError(f"its profile is one for {_MODE_TITLES[profile.mode]}")
    if profile.curves is None:
        opened = ImageCms.ImageCmsProfile(io.BytesIO(data))
        return TableSpace(profile.name, profile.mode, opened)
    matrix = np.eye(3) if profile.colorants is None else _XYZ_TO_SRGB @ profile.colorants
    return LinearSpace(profile.name, profile.curves, matrix)


_MODE_TITLES = {"L": "grey", "RGB": "RGB", "CMYK": "ink"}
_GREY_MODES = ("1", "L", "LA", "La", "I", "F")


def _fits(profile: str, picture: str) -> bool:
    """Whether a profile for one of Pillow's modes explains a picture of another.

    One for RGB explains grey, too: as equal parts of each.
    """
    if "CMYK" in (picture, profile):
        return profile == picture
    return profile == "RGB" or picture in _GREY_MODES or picture.startswith("I;")


def _profile_in_bmp(file: BinaryIO) -> bytes:
    """What a header of version 5 points at, which Pillow does not read."""
    file.seek(14)
    header = file.read(124)
    if len(header) < 124 or header[:4] != b"\x7c\0\0\0" or header[56:60] != b"DEBM":
        return b""
    start, length = struct.unpack_from("<II", header, 112)
    if length > MAX_PROFILE:
        raise ValueError("its profile is too large")
    file.seek(14 + start)
    return file.read(length)


def _code_points(primaries: int, curve: int, *, full: bool = True) -> ColourSpace | None:
    """By their numbers in H.273. Raises ValueError for numbers that it does not have."""
    if primaries == curve == UNSPECIFIED:
        return None
    try:
        name, places = PRIMARIES[1 if primaries == UNSPECIFIED else primaries]
        curve_name, light = CURVES[13 if curve == UNSPECIFIED else curve]
    except KeyError:
        raise ValueError(f"the numbers {primaries} and {curve} mean nothing") from None
    v = np.linspace(0, 1, STEPS)
    if not full:
        v = ((v * 255 - 16) / 219).clip(0, 1)
    title = f"{name} with {curve_name}" if curve_name else name
    return LinearSpace(title, light(v)[None].astype(np.float32), _from(places), curve == HLG)


def _chunk(file: BinaryIO, kind: bytes) -> bytes | None:
    """The content of a PNG's chunk before the pixels, None where there is none.

    Raises ValueError for a damaged one.
    """
    place = file.seek(8)
    for _ in range(MAX_CHUNKS):
        head = file.read(8)
        if len(head) < 8 or head[4:] in (b"IDAT", b"IEND"):
            break
        length = int.from_bytes(head[:4], "big")
        if head[4:] == kind:
            data, check = file.read(min(length, MAX_PROFILE)), file.read(4)
            if length != len(data) or zlib.crc32(kind + data) != int.from_bytes(check, "big"):
                raise ValueError(f"its {kind.decode()} chunk is damaged")
            return data
        place = file.seek(place + length + 12)
    return None


def _numbers_in(file: BinaryIO, kind: bytes, format: str) -> tuple[int, ...]:
    """What a chunk of a PNG holds, () where there is none. Raises ValueError for a damaged one."""
    data = _chunk(file, kind)
    if data is None:
        return ()
    if len(data) != struct.calcsize(format):
        raise ValueError(f"its {kind.decode()} chunk is damaged")
    return struct.unpack(format, data)


def _profile_in_png(file: BinaryIO) -> bytes:
    if (chunk := _chunk(file, b"iCCP")) is None:
        return b""
    _name, _, packed = chunk.partition(b"\0")
    stream = zlib.decompressobj()
    try:
        data = stream.decompress(packed[1:], MAX_PROFILE)
    except zlib.error:
        raise ValueError("its profile is damaged") from None
    if not stream.eof or packed[:1] != b"\0":
        raise ValueError("its profile is cut off, or too large")
    return data


def _cicp(_picture: Image.Image, file: BinaryIO) -> ColourSpace | None:
    if not (numbers := _numbers_in(file, b"cICP", "4B")):
        return None
    primaries, curve, matrix, full = numbers
    if matrix != 0:
        raise ValueError("its cICP chunk is not of RGB")
    return _code_points(primaries, curve, full=bool(full))


def _srgb(_picture: Image.Image, file: BinaryIO) -> ColourSpace | None:
    return _code_points(1, 13) if _numbers_in(file, b"sRGB", "B") else None


def _gamma(_picture: Image.Image, file: BinaryIO) -> ColourSpace | None:
    """By gAMA and cHRM, or one of them."""
    gammas, places = _numbers_in(file, b"gAMA", ">I"), _numbers_in(file, b"cHRM", ">8I")
    if not gammas and not places:
        return None
    primaries = SRGB_PRIMARIES
    if places:
        white, *rgb = ((x / 1e5, y / 1e5) for x, y in zip(places[::2], places[1::2], strict=True))
        primaries = (rgb[0], rgb[1], rgb[2], white)
    named = (name for name, known in PRIMARIES.values() if np.allclose(known, primaries, atol=2e-3))
    name = next(named, "primaries of its own")
    gamma = gammas[0] / 1e5 if gammas else 0.45455
    if not gammas or (name == "BT.709" and abs(gamma - 0.45455) < 0.001):
        # So sRGB is written for readers that know no sRGB chunk.
        light: Curve = _srgb_curve
    elif 0.05 < gamma < 20:
        light, name = _power(1 / gamma), f"{name} with gamma {1 / gamma:.3g}"
    else:
        raise ValueError(f"its gamma is {gamma:g}")
    curve = light(np.linspace(0, 1, STEPS))[None].astype(np.float32)
    return LinearSpace(name, curve, _from(primaries))


def _nclx(_picture: Image.Image, file: BinaryIO) -> ColourSpace | None:
    """Of the main picture of an AVIF (ISO/IEC 23008-12: its properties, and whose they are)."""
    meta = _meta_box(file)
    boxes = dict(_boxes(meta[4:]))
    parts = dict(_boxes(boxes.get(b"iprp", b"")))
    properties = list(_boxes(parts.get(b"ipco", b"")))
    for index in _properties(boxes.get(b"pitm", b""), parts.get(b"ipma", b"")):
        kind, body = properties[index - 1] if 0 < index <= len(properties) else (b"", b"")
        if kind == b"colr" and body[:4] == b"nclx":
            primaries, curve = struct.unpack_from(">HH", body, 4)
            return _code_points(primaries, curve)
    return None


def _meta_box(file: BinaryIO) -> bytes:
    file.seek(0)
    for _ in range(MAX_BOXES):
        head = file.read(16)
        if len(head) < 8:
            break
        length, kind = struct.unpack_from(">I4s", head)
        if kind == b"meta":
            file.seek(8 - len(head), io.SEEK_CUR)
            return file.read(min(max(length - 8, 0), MAX_META))
        if length == 1 and len(head) == 16:
            length = int.from_bytes(head[8:], "big")
        if not 8 <= length < 2**62:
            break
        file.seek(length - len(head), io.SEEK_CUR)
    return b""


def _boxes(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    place = 0
    for _ in range(MAX_BOXES):
        if len(data) < place + 8:
            return
        length, kind = struct.unpack_from(">I4s", data, place)
        if length < 8:
            return
        yield kind, data[place + 8 : place + length]
        place += length


def _properties(pitm: bytes, ipma: bytes) -> Iterator[int]:
    """The numbers, from 1, of the properties of the main picture."""
    if not pitm or not ipma:
        return
    (main,) = struct.unpack_from(">I" if pitm[0] else ">H", pitm, 4)
    (count,) = struct.unpack_from(">I", ipma, 4)
    place = 8
    for _ in range(min(count, MAX_BOXES)):
        item, held = struct.unpack_from(">IB" if ipma[0] else ">HB", ipma, place)
        place += 5 if ipma[0] else 3
        wide = ipma[3] & 1
        if item == main:
            numbers = struct.unpack_from(f">{held}{'H' if wide else 'B'}", ipma, place)
            yield from (number & (0x7FFF if wide else 0x7F) for number in numbers)
            return
        place += held * (2 if wide else 1)


def _camera(picture: Image.Image, _file: BinaryIO) -> ColourSpace | None:
    """Cameras have no profile for Adobe RGB, but a mark: the index R03 of DCF, or number 2."""
    try:
        exif = picture.getexif()
        number = exif.get_ifd(ExifTags.IFD.Exif).get(ExifTags.Base.ColorSpace)
        index = str(exif.get_ifd(ExifTags.IFD.Interop).get(1, ""))
    except Exception:  # Pillow's reader of EXIF has many ways to end on what is damaged
        return None
    if number == 2 or (number != 1 and index.startswith("R03")):
        curve = _power(ADOBE_GAMMA)(np.linspace(0, 1, STEPS))[None].astype(np.float32)
        return LinearSpace("Adobe RGB", curve, _from(ADOBE_PRIMARIES))
    return None


_TELLERS: dict[str, tuple[Callable[[Image.Image, BinaryIO], ColourSpace | None], ...]] = {
    "PNG": (_cicp, _profile, _srgb, _gamma),
    "AVIF": (_profile, _nclx),
}


# --- Light ----------------------------------------------------------------------------------------

_D50 = np.array([0.9642, 1.0, 0.8249])
_BRADFORD = np.array(
    [[0.8951, 0.2664, -0.1614], [-0.7502, 1.7135, 0.0367], [0.0389, -0.0685, 1.0296]]
)


def _to_xyz(primaries: Primaries) -> np.ndarray:
    """[3,3], from linear RGB to XYZ under D50, the white adapted as ICC has it (Bradford).

    Raises ValueError for primaries that span nothing.
    """
    *rgb, white = (np.array([x, y, 1 - x - y]) for x, y in primaries)
    columns = np.array(rgb).T
    if white[1] <= 0 or abs(np.linalg.det(columns)) < 1e-4:
        raise ValueError("its primaries span no colours")
    white = white / white[1]
    cones = (_BRADFORD @ _D50) / (_BRADFORD @ white)
    adapted = np.linalg.inv(_BRADFORD) @ np.diag(cones) @ _BRADFORD
    matrix: np.ndarray = adapted @ columns @ np.diag(np.linalg.solve(columns, white))
    return matrix


_XYZ_TO_SRGB = np.linalg.inv(_to_xyz(SRGB_PRIMARIES))


def _from(primaries: Primaries) -> np.ndarray:
    """[3,3], from their linear RGB to sRGB's."""
    matrix: np.ndarray = _XYZ_TO_SRGB @ _to_xyz(primaries)
    return matrix
