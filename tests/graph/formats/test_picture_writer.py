"""Pictures with what they carry, in four formats, as others read them."""

from __future__ import annotations

import io
import json
import os
from pathlib import Path
from xml.etree import ElementTree

import pytest
from PIL import Image, ImageChops, ImageCms

from ponystudio.errors import NotWritable
from ponystudio.graph.digital_source import TRAINED
from ponystudio.graph.formats import embedded_metadata
from ponystudio.graph.formats.embedded_metadata import (
    GRAPH,
    PARAMETERS,
    PROMPT,
    RECEIPT,
    WORKFLOW,
)
from ponystudio.graph.formats.picture_writer import FORMATS, SUFFIXES, embed
from ponystudio.graph.formats.xmp_packet import SOURCE_TYPE

FIELDS = {
    GRAPH: json.dumps({"format": "ponystudio.graph", "text": "ünïcorn, 小马 🦄"}),
    RECEIPT: json.dumps({"seed": 2**64 - 1}),
    PARAMETERS: "a pony, 小马\nNegative prompt: blurry\nSteps: 20, Sampler: Euler, Seed: 1",
    PROMPT: json.dumps({"1": {"class_type": "KSampler", "inputs": {"text": "小马"}}}),
    WORKFLOW: json.dumps({"nodes": [], "version": 0.4}),
}


def picture(mode: str = "RGB") -> Image.Image:
    ramp = Image.linear_gradient("L").resize((48, 32))
    return Image.merge(mode, [ramp.rotate(90 * i).resize((48, 32)) for i in range(len(mode))])


def read_fields(path: Path) -> dict[str, str]:
    with path.open("rb") as file:
        return embedded_metadata.read_fields(file)


@pytest.mark.parametrize("format", FORMATS)
def test_what_goes_in_comes_out_and_says_where_it_comes_from(tmp_path: Path, format: str) -> None:
    path = tmp_path / f"p{SUFFIXES[format]}"
    embed(picture(), path, format, FIELDS, source_type=TRAINED)
    assert read_fields(path) == {**FIELDS, SOURCE_TYPE: TRAINED}


@pytest.mark.parametrize("format", FORMATS)
def test_nothing_to_say_leaves_no_block_of_text(tmp_path: Path, format: str) -> None:
    path = tmp_path / f"p{SUFFIXES[format]}"
    embed(picture(), path, format, {})
    data = path.read_bytes()
    for mark in (b"tEXt", b"zTXt", b"iTXt", b"EXIF", b"Exif", b"XMP", b"xpacket", b"UNICODE"):
        assert mark not in data
    with Image.open(path) as found:
        assert not found.getexif()


@pytest.mark.parametrize("format", FORMATS)
def test_comfyui_finds_its_documents(tmp_path: Path, format: str) -> None:
    path = tmp_path / "p"
    embed(picture(), path, format, FIELDS)
    with Image.open(path) as found:
        if format == "png":
            assert (found.info["prompt"], found.info["workflow"]) == (
                FIELDS[PROMPT],
                FIELDS[WORKFLOW],
            )
            return
        exif = found.getexif()
        assert exif[0x0110] == f"prompt:{FIELDS[PROMPT]}"
        assert exif[0x010F] == f"workflow:{FIELDS[WORKFLOW]}"


@pytest.mark.parametrize("format", FORMATS)
def test_the_mark_of_generated_media_is_where_xmp_belongs(tmp_path: Path, format: str) -> None:
    path = tmp_path / "p"
    embed(picture(), path, format, {}, source_type=TRAINED)
    with Image.open(path) as found:
        packet = found.info.get("xmp") or found.info["XML:com.adobe.xmp"].encode()
    tree = ElementTree.fromstring(packet)
    space = "{http://iptc.org/std/Iptc4xmpExt/2008-02-29/}"
    assert [found.text for found in tree.iter(f"{space}DigitalSourceType")] == [TRAINED]


@pytest.mark.parametrize("format", FORMATS)
def test_the_pixels_stay(tmp_path: Path, format: str) -> None:
    path = tmp_path / "p"
    embed(picture(), path, format, FIELDS, quality=100)
    with Image.open(path) as found:
        assert found.format == format.upper()
        wanted, levels = picture().tobytes(), found.convert("RGB").tobytes()
    # JPEG and AVIF of 100 still round; the other two lose nothing.
    most = {"jpeg": 3, "avif": 3}.get(format, 0)
    assert max(abs(a - b) for a, b in zip(wanted, levels, strict=True)) <= most


@pytest.mark.parametrize("format", FORMATS)
def test_colours_are_marked_as_srgb(tmp_path: Path, format: str) -> None:
    files = [tmp_path / f"{n}{SUFFIXES[format]}" for n in (1, 2)]
    for path in files:
        embed(picture(), path, format, FIELDS)
    assert files[0].read_bytes() == files[1].read_bytes()
    with Image.open(files[0]) as opened:
        if format == "png":
            assert opened.info["srgb"] == 0
            assert opened.info["gamma"] == 0.45455
            return
        if format == "avif":  # by the code points of its stream
            assert not opened.info.get("icc_profile")
            return
        profile = ImageCms.ImageCmsProfile(io.BytesIO(opened.info["icc_profile"]))
        srgb = ImageCms.createProfile("sRGB")
        same = ImageCms.profileToProfile(opened.convert("RGB"), profile, srgb)
        assert same is not None
        apart = ImageChops.difference(same, opened.convert("RGB")).getextrema()
        assert max(high for _, high in apart) <= 1


def test_grey_has_no_profile_of_rgb(tmp_path: Path) -> None:
    embed(picture("RGB").convert("L"), tmp_path / "a.jpg", "jpeg", FIELDS)
    with Image.open(tmp_path / "a.jpg") as opened:
        assert opened.mode == "L"
        assert not opened.info.get("icc_profile")


@pytest.mark.parametrize("format", FORMATS)
def test_a_graph_larger_than_any_segment(tmp_path: Path, format: str) -> None:
    noise = os.urandom(300_000).hex()  # incompressible beyond half: three JPEG segments and more
    fields = {GRAPH: noise, PARAMETERS: "x" * 40_000}  # over 64 KB in UTF-16
    path = tmp_path / "p"
    embed(picture(), path, format, fields)
    assert read_fields(path) == fields
    with Image.open(path) as found:
        found.load()


@pytest.mark.parametrize("format", FORMATS)
def test_other_programs_find_the_parameters(tmp_path: Path, format: str) -> None:
    path = tmp_path / "p"
    embed(picture(), path, format, FIELDS)
    with Image.open(path) as found:
        if format == "png":
            text = found.text[PARAMETERS]
        else:
            comment = found.getexif().get_ifd(0x8769)[0x9286]
            assert comment.startswith(b"UNICODE\0")
            text = comment[8:].decode("utf-16-be")
    assert text == FIELDS[PARAMETERS]


def test_transparency(tmp_path: Path) -> None:
    rgba = picture("RGBA")
    for format in ("png", "webp"):
        embed(rgba, tmp_path / format, format, FIELDS, quality=100)
        with Image.open(tmp_path / format) as found:
            assert found.mode == "RGBA"
            assert found.tobytes() == rgba.tobytes()
    embed(rgba, tmp_path / "avif", "avif", FIELDS)
    with Image.open(tmp_path / "avif") as found:
        assert found.mode == "RGBA"
    clear = Image.new("RGBA", (16, 16), (255, 0, 0, 0))
    embed(clear, tmp_path / "jpeg", "jpeg", {})
    with Image.open(tmp_path / "jpeg") as found:
        assert found.getpixel((8, 8)) == (255, 255, 255)


def test_too_large_for_the_format(tmp_path: Path) -> None:
    wide = Image.new("L", (16_384, 1))
    with pytest.raises(NotWritable, match="at most 16383"):
        embed(wide, tmp_path / "p.webp", "webp", {})
    assert not any(tmp_path.iterdir())


def test_a_folder_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(NotWritable, match="cannot be written"):
        embed(picture(), tmp_path / "no" / "p.png", "png", FIELDS)
