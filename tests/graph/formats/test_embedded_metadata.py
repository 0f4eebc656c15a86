from __future__ import annotations

import io
import json
import struct
import subprocess
import sys
import time
import zlib
from pathlib import Path

import pytest
from PIL import Image, PngImagePlugin

from helpers.paths import DATA, needs_data
from ponystudio.errors import GraphFileError
from ponystudio.graph.formats import embedded_metadata
from ponystudio.graph.formats.embedded_metadata import GRAPH, PARAMETERS, RECEIPT
from ponystudio.graph.formats.picture_writer import FORMATS, SUFFIXES, embed


def read_fields(path: Path) -> dict[str, str]:
    with path.open("rb") as file:
        return embedded_metadata.read_fields(file)


def graph_text(path: Path) -> str:
    return embedded_metadata.graph_text(read_fields(path), str(path))


FIELDS = {
    GRAPH: json.dumps({"format": "ponystudio.graph", "text": 'ünïcorn, "3d" <&> 🦄\x0b\r\n]]>'}),
    RECEIPT: json.dumps({"seed": 2**64 - 1}),
    PARAMETERS: "a pony, 小马\nNegative prompt: blurry\nSteps: 20, Sampler: Euler, Seed: 1",
}


def picture(mode: str = "RGB") -> Image.Image:
    ramp = Image.linear_gradient("L").resize((48, 32))
    return Image.merge(mode, [ramp.rotate(90 * i).resize((48, 32)) for i in range(len(mode))])


@pytest.mark.parametrize("format", FORMATS)
def test_what_goes_in_comes_out(tmp_path: Path, format: str) -> None:
    path = tmp_path / f"p{SUFFIXES[format]}"
    embed(picture(), path, format, FIELDS)
    assert read_fields(path) == FIELDS
    assert json.loads(graph_text(path))["text"].startswith("ünïcorn")
    assert list(tmp_path.iterdir()) == [path]


def test_text_after_the_pixels_and_compressed_text(tmp_path: Path) -> None:
    info = PngImagePlugin.PngInfo()
    info.add_itxt("late", "später 🦄", zip=True, lang="de", tkey="spät")
    info.add_text("old", "zipped", zip=True)
    file = io.BytesIO()
    picture().save(file, "PNG", pnginfo=info)
    data = file.getvalue()
    chunks = png_chunks(data)
    text = [chunk for chunk in chunks if chunk[0] in (b"iTXt", b"zTXt")]
    ordered = [chunk for chunk in chunks[:-1] if chunk not in text] + text + chunks[-1:]
    path = tmp_path / "p.png"
    path.write_bytes(data[:8] + b"".join(png_chunk(*chunk) for chunk in ordered))
    with Image.open(path) as found:
        assert "late" not in found.info  # Pillow needs the pixels first
    assert read_fields(path) == {"late": "später 🦄", "old": "zipped"}


def test_xmp_as_other_tools_rewrite_it(tmp_path: Path) -> None:
    packet = (
        '<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
        '<rdf:Description xmlns:p="urn:x-ponystudio:1.0:" '
        "p:fields='{&quot;a&quot;: &quot;b\\&quot;&lt;&quot;}'/></rdf:RDF>"
    )
    path = tmp_path / "p.webp"
    path.write_bytes(b"RIFF\0\0\0\0WEBPXMP " + riff(packet.encode()))
    assert read_fields(path) == {"a": 'b"<'}


def test_no_graph_is_said(tmp_path: Path) -> None:
    path = tmp_path / "p.png"
    embed(picture(), path, "png", {"Author": "me"})
    with pytest.raises(GraphFileError, match=r"carries no .* only: Author.*original file") as e:
        graph_text(path)
    assert str(path) in str(e.value)


@pytest.mark.parametrize(
    ("fields", "said", "stripped"),
    [
        ({}, "carries no PonyStudio graph", True),
        ({RECEIPT: "{}"}, "carries no PonyStudio graph", True),
        ({PARAMETERS: "a pony\nSteps: 1, Version: PonyStudio 0.1"}, "carries no", True),
        ({PARAMETERS: "a pony\nSteps: 1, Version: v1.9"}, "made by AUTOMATIC1111's", False),
        ({PARAMETERS: '{"sui_image_params": {}}'}, "made by SwarmUI", False),
        ({PARAMETERS: "{}", "fooocus_scheme": "fooocus"}, "made by Fooocus", False),
        ({"prompt": "{}", "workflow": "{}"}, "made by ComfyUI", False),
        ({"prompt": "{}"}, "made by ComfyUI", False),
        ({"Software": "NovelAI", "Comment": "{}"}, "made by NovelAI", False),
        ({"Software": "GIMP", "Comment": "mine"}, "only: Comment, Software", True),
    ],
)
def test_the_maker_of_a_picture_without_a_graph_is_named(
    fields: dict[str, str], said: str, stripped: bool, tmp_path: Path
) -> None:
    embed(picture(), tmp_path / "p.png", "png", fields)
    with pytest.raises(GraphFileError) as caught:
        graph_text(tmp_path / "p.png")
    assert said in caught.value.what
    assert ("original file" in caught.value.remedy) is stripped
    assert ("becomes a graph" in caught.value.remedy) is not stripped


@pytest.mark.parametrize("format", FORMATS)
def test_cut_and_flipped_files_never_raise(tmp_path: Path, format: str) -> None:
    path = tmp_path / "p"
    embed(picture(), path, format, FIELDS)
    data = path.read_bytes()
    for cut in range(0, len(data), 7):
        path.write_bytes(data[:cut])
        read_fields(path)
    for place in range(0, min(len(data), 3000), 3):
        path.write_bytes(data[:place] + bytes([data[place] ^ 0xFF]) + data[place + 1 :])
        read_fields(path)


def test_bombs_are_small_and_quick(tmp_path: Path) -> None:
    bomb = zlib.compress(bytes(200 * 2**20), 9)
    head = b"\x89PNG\r\n\x1a\n" + png_chunk(b"IHDR", struct.pack(">IIBBBBB", 1, 1, 8, 0, 0, 0, 0))
    piece = b"PonyStudio\0" + struct.pack(">HH", 0, 4) + bomb[:60_000]
    hostile = {
        "bomb.png": head + png_chunk(b"zTXt", b"parameters\0\0" + bomb),
        "chunks.png": head + png_chunk(b"tEXt", b"") * 200_000,
        "fields.png": head + b"".join(png_chunk(b"tEXt", b"%d\0x" % i) for i in range(5000)),
        "length.png": head + struct.pack(">I4s", 2**32 - 1, b"tEXt") + b"parameters\0x",
        "bomb.jpg": b"\xff\xd8" + segment(0xFE, piece) * 3 + b"\xff\xd9",
        "padding.jpg": b"\xff\xd8" + b"\xff" * 100_000,
        "xml.webp": b"RIFF\0\0\0\0WEBPXMP "
        + riff(b'<!DOCTYPE x [<!ENTITY a "aaaa">]><x>' + b"&a;" * 1000 + b"</x>"),
        "deep.webp": b"RIFF\0\0\0\0WEBPXMP "
        + riff(b'<x xmlns="urn:x-ponystudio:1.0:"><fields>' + b"[" * 99_999 + b"</fields></x>"),
    }
    for name, data in hostile.items():
        (tmp_path / name).write_bytes(data)
    started = time.monotonic()
    counts = {name: len(read_fields(tmp_path / name)) for name in hostile}
    assert time.monotonic() - started < 10
    assert counts.pop("fields.png") == embedded_metadata.MAX_FIELDS
    assert set(counts.values()) == {0}


@pytest.mark.parametrize("format", FORMATS)
def test_reading_loads_no_pillow(tmp_path: Path, format: str) -> None:
    path = tmp_path / "p"
    embed(picture(), path, format, FIELDS)
    code = (
        "import sys; from pathlib import Path;"
        "from ponystudio.graph.formats.embedded_metadata import read_fields; "
        "read_fields(open(sys.argv[1], 'rb')); print('PIL' in sys.modules, 'torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code, path], capture_output=True, text=True)
    assert done.stdout.split() == ["False", "False"], done.stderr


@needs_data
def test_pictures_of_other_tools() -> None:
    folder = DATA / "pictures"
    keys = {path.name: set(read_fields(path)) for path in folder.glob("*.png")}
    assert keys["automatic1111_cropped.png"] == {"parameters"}
    assert keys["fooocus1_cropped.png"] == {"parameters", "fooocus_scheme"}
    assert keys["esrgan_example.png"] == {"prompt", "workflow"}
    assert keys["novelai1_cropped.png"] == {"Title", "Description", "Software", "Source", "Comment"}
    assert keys["empty_file.png"] == keys["automatic1111_stealth.png"] == set()


def png_chunks(data: bytes) -> list[tuple[bytes, bytes]]:
    chunks, place = [], 8
    while place < len(data):
        length, kind = struct.unpack(">I4s", data[place : place + 8])
        chunks.append((kind, data[place + 8 : place + 8 + length]))
        place += 12 + length
    return chunks


def png_chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I4s", len(data), kind) + data + struct.pack(">I", zlib.crc32(kind + data))


def segment(marker: int, body: bytes) -> bytes:
    return bytes((0xFF, marker)) + struct.pack(">H", len(body) + 2) + body


def riff(body: bytes) -> bytes:
    return struct.pack("<I", len(body)) + body
