"""Colours of picture files: against littleCMS, and against the formulas of the standards."""

from __future__ import annotations

import io
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageCms

from helpers import colour_files as files
from helpers.png16 import write_png16
from ponystudio.pictures.picture_reader import read_levels

RANDOM = np.random.default_rng(11)
LEVELS = RANDOM.integers(0, 256, (9, 13, 3), dtype=np.uint8)
P3 = files.rgb_profile(files.P3_XYZ, name="Display P3")
ADOBE = files.rgb_profile(files.ADOBE_XYZ, files.gamma_curve(563 / 256), name="Adobe RGB (1998)")
SWAPPED = files.rgb_profile(
    (files.SRGB_XYZ[1], files.SRGB_XYZ[0], files.SRGB_XYZ[2]), name="red is green"
)
# From linear Display P3 to linear sRGB, as CSS Color 4 has it.
P3_TO_SRGB = np.array(
    [
        [1.2249401763, -0.2249401763, 0],
        [-0.0420569547, 1.0420569547, 0],
        [-0.0196375546, -0.0786360456, 1.0982736001],
    ]
)


def to_light(v: np.ndarray) -> np.ndarray:
    return np.where(v <= 0.04045, v / 12.92, ((v + 0.055) / 1.055) ** 2.4)


def to_level(light: np.ndarray) -> np.ndarray:
    light = light.clip(0, 1)
    return np.where(light <= 0.0031308, light * 12.92, 1.055 * light ** (1 / 2.4) - 0.055)


def by_little_cms(picture: Image.Image, data: bytes) -> np.ndarray:
    opened = ImageCms.ImageCmsProfile(io.BytesIO(data))
    srgb = ImageCms.createProfile("sRGB")
    done = ImageCms.profileToProfile(picture, opened, srgb, outputMode="RGB")
    assert done is not None
    return np.asarray(done) / 255


def rgb(path: Path, **how: bool) -> np.ndarray:
    return read_levels(path, **how).levels[..., :3]


def close(found: np.ndarray, wanted: np.ndarray, levels: float = 1.01) -> bool:
    return found.shape == wanted.shape and float(np.abs(found - wanted).max()) * 255 <= levels


def png(path: Path, *chunks: bytes, levels: np.ndarray = LEVELS) -> Path:
    Image.fromarray(levels).save(path)
    files.insert_chunks(path, *chunks)
    return path


# --- Profiles -------------------------------------------------------------------------------------


@pytest.mark.parametrize("data", [P3, ADOBE, SWAPPED], ids=["P3", "Adobe", "swapped"])
@pytest.mark.parametrize("format", ["PNG", "WEBP", "TIFF", "JPEG", "AVIF"])
def test_a_profile_is_followed_in_every_format(tmp_path: Path, format: str, data: bytes) -> None:
    path = tmp_path / "p"
    Image.fromarray(LEVELS).save(path, format, icc_profile=data, lossless=True)
    with Image.open(path) as picture:
        wanted = by_little_cms(picture.convert("RGB"), data)
    picture, notes = read_levels(path)
    assert close(picture[..., :3], wanted, 1.2)
    name = {P3: "Display P3", ADOBE: "Adobe RGB (1998)", SWAPPED: "red is green"}[data]
    assert notes == (f"The picture's colours were converted from {name} to sRGB.",)


def test_a_profile_in_a_bmp(tmp_path: Path) -> None:
    """Behind the pixels, pointed at by a header of version 5."""
    height, width, _ = LEVELS.shape
    rows = b"".join(
        row[:, ::-1].tobytes() + bytes(-3 * width % 4) for row in np.ascontiguousarray(LEVELS[::-1])
    )
    header = struct.pack("<IiiHHIIiiII", 124, width, height, 1, 24, 0, len(rows), 0, 0, 0, 0)
    header += bytes(16) + b"DEBM" + bytes(48)
    header += struct.pack("<IIII", 4, 124 + len(rows), len(SWAPPED), 0)
    start = struct.pack("<2sIII", b"BM", 14 + 124 + len(rows) + len(SWAPPED), 0, 14 + 124)
    (tmp_path / "p.bmp").write_bytes(start + header + rows + SWAPPED)
    assert close(rgb(tmp_path / "p.bmp"), LEVELS[..., [1, 0, 2]] / 255, 0.6)


def test_display_p3_by_its_formula(tmp_path: Path) -> None:
    Image.fromarray(LEVELS).save(tmp_path / "p.png", icc_profile=P3)
    wanted = to_level(to_light(LEVELS / 255) @ P3_TO_SRGB.T)
    assert close(rgb(tmp_path / "p.png"), wanted, 0.7)


def test_swapped_primaries_swap_the_channels(tmp_path: Path) -> None:
    Image.fromarray(LEVELS).save(tmp_path / "p.png", icc_profile=SWAPPED)
    assert close(rgb(tmp_path / "p.png"), LEVELS[..., [1, 0, 2]] / 255, 0.6)


def test_16_bits_are_kept(tmp_path: Path) -> None:
    path = tmp_path / "p.png"
    levels = np.linspace(20_000, 20_600, 300).astype(np.uint16).reshape(10, 10, 3)
    write_png16(path, levels)
    files.insert_chunks(path, files.iccp(ADOBE))
    light = (levels / 65535) ** (563 / 256)
    xyz = np.array(files.ADOBE_XYZ).T
    wanted = to_level(light @ (np.linalg.inv(np.array(files.SRGB_XYZ).T) @ xyz).T)
    found = rgb(path)
    assert np.abs(found - wanted).max() * 65535 < 8  # the profile's own digits
    assert len(np.unique(found)) > 250  # 8 bits would leave three or so


def test_alpha_and_hidden_colours_go_along(tmp_path: Path) -> None:
    alpha = RANDOM.integers(0, 256, LEVELS.shape[:2], dtype=np.uint8)
    path = tmp_path / "p.png"
    Image.fromarray(np.dstack((LEVELS, alpha))).save(path, icc_profile=P3)
    found = read_levels(path).levels
    assert np.array_equal(found[..., 3], alpha / np.float32(255))
    assert close(found[..., :3], by_little_cms(Image.fromarray(LEVELS), P3))


def test_palettes_and_turned_cameras(tmp_path: Path) -> None:
    picture = Image.fromarray(LEVELS).quantize(16)
    picture.save(tmp_path / "p.png", icc_profile=P3)
    assert close(rgb(tmp_path / "p.png"), by_little_cms(picture.convert("RGB"), P3))
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(LEVELS).save(tmp_path / "t.png", icc_profile=P3, exif=exif)
    assert close(rgb(tmp_path / "t.png"), np.rot90(by_little_cms(Image.fromarray(LEVELS), P3), -1))


@pytest.mark.parametrize("gamma", [1.0, 1.8, 2.2])
def test_grey_with_its_gamma(tmp_path: Path, gamma: float) -> None:
    levels = np.arange(256, dtype=np.uint8).reshape(8, 32)
    for mode in ("L", "LA"):
        path = tmp_path / f"{mode}.png"
        data = files.grey_profile(files.gamma_curve(gamma), name="grey")
        Image.fromarray(levels).convert(mode).save(path, icc_profile=data)
        exact = round(gamma * 256) / 256
        wanted = to_level((levels / 255) ** exact)[..., None].repeat(3, 2)
        assert close(rgb(path), wanted, 0.6)


def test_16_bits_of_grey(tmp_path: Path) -> None:
    levels = np.linspace(0, 65535, 4000).astype(np.uint16).reshape(40, 100)
    data = files.grey_profile(files.gamma_curve(1), name="linear")
    Image.fromarray(levels).save(tmp_path / "p.tiff", icc_profile=data)
    wanted = to_level(levels / 65535)[..., None].repeat(3, 2)
    assert np.abs(rgb(tmp_path / "p.tiff") - wanted).max() < 1e-5


def test_a_profile_of_rgb_explains_grey(tmp_path: Path) -> None:
    levels = np.arange(0, 256, 5, dtype=np.uint8)[None]
    Image.fromarray(levels).save(tmp_path / "p.png", icc_profile=ADOBE)
    wanted = to_level((levels / 255) ** (563 / 256))[..., None].repeat(3, 2)
    assert close(rgb(tmp_path / "p.png"), wanted, 0.7)


@pytest.mark.parametrize(
    ("curve", "formula"),
    [
        (files.formula_curve(0, 1.7), lambda v: v**1.7),
        (files.formula_curve(1, 2, 0.8, 0.2), lambda v: (0.8 * v + 0.2) ** 2),
        (files.formula_curve(1, 2, 1.2, -0.2), lambda v: (1.2 * v - 0.2).clip(0) ** 2),
        (files.formula_curve(2, 2, 0.9, -0.1, 0.2), lambda v: (0.9 * v - 0.1).clip(0) ** 2 + 0.2),
        (files.SRGB_CURVE, to_light),
        (
            files.formula_curve(4, 2, 0.7, 0.1, 0.5, 0.3, 0.15, 0.05),
            lambda v: np.where(v >= 0.3, (0.7 * v + 0.1) ** 2 + 0.15, 0.5 * v + 0.05),
        ),
        (files.table_curve([0, 3000, 20_000, 65_535]), None),
        (b"curv" + bytes(8), lambda v: v),
    ],
)  # fmt: skip
def test_every_kind_of_curve(tmp_path: Path, curve: bytes, formula: object) -> None:
    v = np.arange(256) / 255
    light = np.interp(v * 3, range(4), np.array([0, 3000, 20_000, 65_535]) / 65_535)
    if formula is not None:
        light = formula(v)  # type: ignore[operator]
    path = tmp_path / "p.png"
    Image.fromarray(np.arange(256, dtype=np.uint8)[None]).save(
        path, icc_profile=files.grey_profile(curve)
    )
    assert close(rgb(path)[..., 0], to_level(light)[None], 0.6)


def test_a_profile_of_srgb_moves_nothing(tmp_path: Path) -> None:
    for n, data in enumerate(
        (
            ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes(),
            files.rgb_profile(files.SRGB_XYZ, name="sRGB"),
        )
    ):
        path = tmp_path / f"{n}.png"
        Image.fromarray(LEVELS).save(path, icc_profile=data)
        picture, notes = read_levels(path)
        assert np.array_equal(picture[..., :3], LEVELS / np.float32(255))
        assert notes == ()


# --- Ink and Lab ----------------------------------------------------------------------------------


@pytest.mark.parametrize("format", ["TIFF", "JPEG"])
def test_ink_with_a_profile(tmp_path: Path, format: str) -> None:
    data, path = files.cmyk_profile(name="Ink"), tmp_path / "p"
    ink = Image.fromarray(np.dstack((LEVELS, LEVELS[..., 0] // 3)), mode="CMYK")
    ink.save(path, format, icc_profile=data)
    with Image.open(path) as picture:
        wanted = by_little_cms(picture, data)
        naive = np.asarray(picture.convert("RGB")) / 255
    picture, notes = read_levels(path)
    assert close(picture[..., :3], wanted, 0.5)
    assert not close(picture[..., :3], naive, 30)
    assert notes == ("The picture's colours were converted from Ink to sRGB.",)
    # Its numbers cannot stand for RGB, so there is nothing to keep.
    assert close(rgb(path, keep_colours=True), wanted, 0.5)


def test_ink_without_a_profile(tmp_path: Path) -> None:
    ink = np.dstack((LEVELS, LEVELS[..., 0] // 3))
    Image.fromarray(ink, mode="CMYK").save(tmp_path / "p.tiff")
    part = 1 - ink / 255
    picture, notes = read_levels(tmp_path / "p.tiff")
    assert close(picture[..., :3], part[..., :3] * part[..., 3:], 0.6)
    assert "CMYK without a profile" in notes[0]


def test_ink_of_a_jpeg_is_inverted_only_where_adobe_says_so(tmp_path: Path) -> None:
    path = tmp_path / "p.jpg"
    Image.new("CMYK", (16, 16), (255, 0, 0, 0)).save(path, quality=100)
    assert rgb(path)[8, 8].tolist() == pytest.approx([0, 1, 1], abs=0.02)
    data = path.read_bytes()
    start = data.index(b"\xff\xee")
    path.write_bytes(data[:start] + data[start + 16 :])
    assert rgb(path)[8, 8].tolist() == pytest.approx([0, 0, 0], abs=0.02)


def test_lab(tmp_path: Path) -> None:
    srgb, lab = ImageCms.createProfile("sRGB"), ImageCms.createProfile("LAB")
    done = ImageCms.profileToProfile(Image.fromarray(LEVELS), srgb, lab, outputMode="LAB")
    assert done is not None
    done.save(tmp_path / "p.tiff")
    wanted = ImageCms.profileToProfile(done, lab, srgb, outputMode="RGB")
    picture, notes = read_levels(tmp_path / "p.tiff")
    assert close(picture[..., :3], np.asarray(wanted) / 255, 0.5)
    assert "from CIE L*a*b* to sRGB" in notes[0]


def test_tables_leave_8_bits_and_that_is_said(tmp_path: Path) -> None:
    """A profile of RGB with a table: from each corner of the cube to a Lab of its own."""
    corners = [(round(n / 7 * 255), 128 + 10 * n, 128 - 10 * n) for n in range(8)]
    lut = (
        b"mft1" + bytes(4) + b"\3\3\2\0" + files.s15(1, 0, 0, 0, 1, 0, 0, 0, 1)
        + bytes(range(256)) * 3 + b"".join(map(bytes, corners)) + bytes(range(256)) * 3
    )  # fmt: skip
    data = files.profile({b"A2B0": lut}, name="Scanner", pcs=b"Lab ", kind=b"scnr")
    Image.fromarray(LEVELS).save(tmp_path / "p.png", icc_profile=data)
    picture, notes = read_levels(tmp_path / "p.png")
    assert close(picture[..., :3], by_little_cms(Image.fromarray(LEVELS), data), 0.5)
    assert notes == ("The picture's colours were converted from Scanner to sRGB.",)
    write_png16(tmp_path / "deep.png", (LEVELS * 257.0 + 100).clip(0, 65535))
    files.insert_chunks(tmp_path / "deep.png", files.iccp(data))
    picture, notes = read_levels(tmp_path / "deep.png")
    assert close(picture[..., :3], by_little_cms(Image.fromarray(LEVELS), data), 1.5)
    assert notes[0].endswith("to sRGB; of its 16 bits a channel 8 are left.")


# --- What PNG says --------------------------------------------------------------------------------

P3_PLACES = (0.3127, 0.3290, 0.680, 0.320, 0.265, 0.690, 0.150, 0.060)
SRGB_PLACES = (0.3127, 0.3290, 0.640, 0.330, 0.300, 0.600, 0.150, 0.060)
P3_LEVELS = to_level(to_light(LEVELS / 255) @ P3_TO_SRGB.T)
SRGB_CHUNK = files.chunk(b"sRGB", b"\0")


def test_gamma_and_primaries(tmp_path: Path) -> None:
    path = png(tmp_path / "g.png", files.gama(1))
    assert close(rgb(path), to_level(LEVELS / 255), 0.6)
    assert "from BT.709 with gamma 1 to sRGB" in read_levels(path).notes[0]
    path = png(tmp_path / "b.png", files.gama(0.5), files.chrm(*P3_PLACES))
    assert close(rgb(path), to_level((LEVELS / 255) ** 2 @ P3_TO_SRGB.T), 0.7)
    assert "Display P3 with gamma 2" in read_levels(path).notes[0]
    path = png(tmp_path / "c.png", files.chrm(*P3_PLACES))
    assert close(rgb(path), P3_LEVELS, 0.7)


def test_the_gamma_that_stands_for_srgb(tmp_path: Path) -> None:
    for n, chunks in enumerate(
        ([files.gama(0.45455)], [files.gama(0.45455), files.chrm(*SRGB_PLACES)], [SRGB_CHUNK])
    ):
        path = png(tmp_path / f"{n}.png", *chunks)
        assert np.array_equal(rgb(path), LEVELS / np.float32(255))
        assert read_levels(path).notes == ()


def test_of_several_chunks_the_specification_takes_the_first(tmp_path: Path) -> None:
    """cICP, then iCCP, then sRGB, then gAMA and cHRM."""
    plain, linear = LEVELS / 255, to_level(LEVELS / 255)
    swapped = LEVELS[..., [1, 0, 2]] / 255
    everything = [files.gama(1), files.chrm(*P3_PLACES), SRGB_CHUNK, files.iccp(SWAPPED)]
    for n, (chunks, wanted) in enumerate(
        [
            ([files.gama(1), SRGB_CHUNK], plain),
            ([files.gama(1), files.iccp(SWAPPED)], swapped),
            ([*everything, files.cicp(12, 13)], P3_LEVELS),
            ([*everything, files.cicp(1, 13)], plain),
            ([files.cicp(1, 8), files.iccp(SWAPPED)], linear),
            ([files.cicp(2, 2), files.iccp(SWAPPED)], swapped),
        ]
    ):
        assert close(rgb(png(tmp_path / f"{n}.png", *chunks)), wanted, 0.6), n


def test_code_points(tmp_path: Path) -> None:
    v = LEVELS / 255
    path = png(tmp_path / "v.png", files.cicp(1, 1))
    video = np.where(v < 0.081, v / 4.5, ((v + 0.099) / 1.099) ** (1 / 0.45))
    assert close(rgb(path), to_level(video), 0.6)
    path = png(tmp_path / "n.png", files.cicp(1, 13, 0, 0))  # of 16 to 235
    assert close(rgb(path), ((LEVELS - 16.0) / 219).clip(0, 1), 0.6)
    path = png(tmp_path / "w.png", files.cicp(9, 8), levels=np.full((2, 2, 3), 255, np.uint8))
    assert close(rgb(path), np.ones((2, 2, 3)), 0.6)


def test_paper_white_of_pictures_for_bright_screens(tmp_path: Path) -> None:
    """203 cd/m² are 0.5807 in PQ and 0.75 in HLG (BT.2408); above is cut off, and said to be."""
    for curve, white, name in ((16, 0.5807, "PQ"), (18, 0.75, "HLG")):
        levels = np.array([0, round(white * 65535 * 0.7), round(white * 65535), 65535], np.uint16)
        path = tmp_path / f"{curve}.png"
        write_png16(path, levels[None, :, None].repeat(3, 2))
        files.insert_chunks(path, files.cicp(9, curve))
        picture, notes = read_levels(path)
        black, middle, paper, brightest = picture[0, :, 0]
        assert black == 0
        assert 0.2 < middle < 0.8
        assert paper == pytest.approx(1, abs=0.004)
        assert brightest == 1
        assert f"BT.2020 with {name} to sRGB; what is brighter than white" in notes[0]


def test_avif_says_it_by_code_points(tmp_path: Path) -> None:
    path = tmp_path / "p.avif"
    Image.fromarray(LEVELS).save(path, quality=100, subsampling="4:4:4")
    as_srgb = rgb(path)
    data = path.read_bytes()
    assert data.count(b"colrnclx\0\1\0\x0d") == 1
    path.write_bytes(data.replace(b"colrnclx\0\1\0\x0d", b"colrnclx\0\x0c\0\x0d"))
    wanted = to_level(to_light(as_srgb) @ P3_TO_SRGB.T)
    assert close(rgb(path), wanted, 0.7)
    assert "from Display P3 to sRGB" in read_levels(path).notes[0]


# --- Cameras --------------------------------------------------------------------------------------


@pytest.mark.parametrize("number", [2, 0xFFFF])
def test_cameras_mark_adobe_rgb(tmp_path: Path, number: int) -> None:
    exif = Image.Exif()
    exif.get_ifd(0x8769)[0xA001] = number
    if number == 0xFFFF:
        exif.get_ifd(0x8769)[0xA005] = {1: "R03"}
    path = tmp_path / "p.webp"
    Image.fromarray(LEVELS).save(path, lossless=True, exif=exif)
    assert close(rgb(path), by_little_cms(Image.fromarray(LEVELS), ADOBE))
    assert "from Adobe RGB to sRGB" in read_levels(path).notes[0]
    # A profile says more than a mark.
    Image.fromarray(LEVELS).save(path, lossless=True, exif=exif, icc_profile=SWAPPED)
    assert close(rgb(path), LEVELS[..., [1, 0, 2]] / 255, 0.6)


# --- The switch, and what cannot be understood ----------------------------------------------------


def test_numbers_can_be_kept(tmp_path: Path) -> None:
    Image.fromarray(LEVELS).save(tmp_path / "p.png", icc_profile=P3)
    picture, notes = read_levels(tmp_path / "p.png", keep_colours=True)
    assert np.array_equal(picture[..., :3], LEVELS / np.float32(255))
    assert notes == ("The picture's colours are in Display P3, and their numbers were kept.",)


def damaged() -> list[bytes]:
    count = int.from_bytes(P3[128:132], "big")
    tags = 132
    return [
        b"x",
        P3[:100],
        P3[: tags + 12 * count - 6],
        P3[:-300],
        P3[:36] + b"nope" + P3[40:],
        P3[:16] + b"6CLR" + P3[20:],
        P3[:12] + b"link" + P3[16:],
        P3[:128] + b"\xff\xff\xff\xff" + P3[132:],
        P3.replace(b"rTRC", b"xTRC"),
        P3.replace(b"para\0\0\0\0\0\3", b"para\0\0\0\0\0\x63"),
        P3.replace(b"para", b"zzzz"),
        files.rgb_profile(files.P3_XYZ, b"curv" + bytes(4) + b"\x7f\xff\xff\xff\0\0"),
        files.rgb_profile(files.P3_XYZ, files.formula_curve(1, -3, 0, 0)),
        files.cmyk_profile(),
        files.grey_profile(files.gamma_curve(2)),
        files.profile({b"A2B0": b"mft1" + bytes(60)}, pcs=b"Lab "),
        files.profile({b"A2B0": b"mft2" + bytes(4) + b"\3\3\xff\0" + bytes(60)}, pcs=b"Lab "),
    ]


@pytest.mark.parametrize("data", damaged())
def test_a_damaged_profile_is_said_and_taken_as_srgb(tmp_path: Path, data: bytes) -> None:
    Image.fromarray(LEVELS).save(tmp_path / "p.png", icc_profile=data)
    picture, notes = read_levels(tmp_path / "p.png")
    assert np.array_equal(picture[..., :3], LEVELS / np.float32(255))
    assert len(notes) == 1
    assert "cannot be used" in notes[0]
    assert notes[0].endswith("They are taken as sRGB.")


@pytest.mark.parametrize(
    "chunk",
    [
        files.cicp(99, 13),
        files.cicp(12, 77),
        files.cicp(12, 13, 6),
        files.gama(0),
        files.chrm(0.3127, 0, 0.640, 0.330, 0.300, 0.600, 0.150, 0.060),
        files.chrm(*[0.3] * 8),
        files.chunk(b"iCCP", b"name\0\0" + b"no zlib"),
        files.chunk(b"iCCP", b"name\0\0" + zlib.compress(P3)[:60]),
        files.chunk(b"iCCP", b"name\0\5" + zlib.compress(P3)),
        files.chunk(b"iCCP", b"name\0\0" + zlib.compress(bytes(17 * 2**20))),
        files.iccp(P3)[:-1] + b"?",
        files.chunk(b"gAMA", b"\1"),
        files.chunk(b"cHRM", b"\1"),
        files.chunk(b"sRGB", b""),
        files.chunk(b"iCCP", b"no name"),
    ],
)
def test_damaged_chunks_are_said(tmp_path: Path, chunk: bytes) -> None:
    picture, notes = read_levels(png(tmp_path / "p.png", chunk))
    assert np.array_equal(picture[..., :3], LEVELS / np.float32(255))
    assert len(notes) == 1
    assert "cannot be used" in notes[0]


def test_a_profile_of_a_jpeg_whose_pieces_are_not_all_there(tmp_path: Path) -> None:
    path = tmp_path / "p.jpg"
    Image.fromarray(LEVELS).save(path, icc_profile=P3 + bytes(100_000))
    data = path.read_bytes()
    start = data.rindex(b"\xff\xe2")
    path.write_bytes(data[:start] + data[start + 2 + int.from_bytes(data[start + 2 : start + 4]) :])
    picture, notes = read_levels(path)
    with Image.open(path) as opened:
        assert np.array_equal(picture[..., :3], np.asarray(opened) / np.float32(255))
    assert "its profile is damaged" in notes[0]


def test_where_the_first_cannot_be_used_the_next_is(tmp_path: Path) -> None:
    path = png(tmp_path / "p.png", files.cicp(99, 13), files.iccp(SWAPPED))
    picture, notes = read_levels(path)
    assert close(picture[..., :3], LEVELS[..., [1, 0, 2]] / 255, 0.6)
    assert len(notes) == 2


def test_any_byte_of_a_profile_may_be_wrong(tmp_path: Path) -> None:
    """Whatever a profile says, the picture opens, in time that does not grow."""
    data = files.cmyk_profile(name="Ink")
    ink = Image.fromarray(np.dstack((LEVELS, LEVELS[..., 0])), mode="CMYK")
    for profile, picture in ((P3, Image.fromarray(LEVELS)), (data, ink)):
        for _ in range(150):
            spoilt = bytearray(profile)
            for place in RANDOM.integers(0, min(len(profile), 700), 3):
                spoilt[place] = RANDOM.integers(0, 256)
            picture.save(tmp_path / "p.tiff", icc_profile=bytes(spoilt))
            found, notes = read_levels(tmp_path / "p.tiff")
            assert np.isfinite(found).all()
            assert found.min() >= 0
            assert found.max() <= 1
            assert all(len(note) < 300 for note in notes)
