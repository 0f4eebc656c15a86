"""EXIF and XMP of AVIF files, honest and hostile."""

from __future__ import annotations

import io
import struct

import pytest
from PIL import Image

from ponystudio.graph.formats.avif_items import exif_and_xmp, is_avif


def box(kind: bytes, *parts: bytes) -> bytes:
    body = b"".join(parts)
    return struct.pack(">I4s", len(body) + 8, kind) + body


def item(id: int, kind: bytes, more: bytes = b"") -> bytes:
    return box(b"infe", b"\2\0\0\0", struct.pack(">HH", id, 0), kind, b"\0", more)


def meta(infos: list[bytes], locations: bytes, *more: bytes, version: int = 0) -> bytes:
    count = struct.pack(">H", len(infos))
    return box(
        b"meta",
        bytes(4),
        box(b"iinf", bytes(4), count, *infos),
        box(b"iloc", bytes([version, 0, 0, 0]), locations),
        *more,
    )


HEAD = box(b"ftyp", b"avif", bytes(4))


def read(data: bytes, most: int = 2**20) -> tuple[bytes, bytes]:
    return exif_and_xmp(io.BytesIO(data), lambda count: count <= most)


def test_pillows_files():
    exif = Image.Exif()
    exif[0x0131] = "a program"
    file = io.BytesIO()
    Image.new("RGB", (8, 8)).save(file, "AVIF", exif=exif, xmp=b"<x/>")
    assert is_avif(file.getvalue()[:12])
    found, packet = read(file.getvalue())
    assert found.startswith((b"II*\0", b"MM\0*"))
    assert b"a program" in found
    assert packet == b"<x/>"


def test_items_in_pieces_in_the_box_of_data_and_with_numbers_of_every_size():
    # Offsets and lengths of 4 bytes, no base; the second item in two pieces.
    located = struct.pack(">BBH", 0x44, 0, 2)
    located += struct.pack(">HHHII", 1, 0, 1, 300, 9)
    located += struct.pack(">HHHIIII", 2, 0, 2, 310, 2, 320, 2)
    data = HEAD + meta([item(1, b"Exif"), item(2, b"mime", b"application/rdf+xml\0")], located)
    data = data.ljust(300, b".") + b"\0\0\0\1xII*\0"
    data = data.ljust(310, b".") + b"<x" + b"." * 8 + b"/>"
    assert read(data) == (b"II*\0", b"<x/>")


def test_an_item_within_the_box_itself():
    located = struct.pack(">BBH", 0x44, 0, 1) + struct.pack(">HHHHII", 1, 1, 0, 1, 2, 8)
    data = HEAD + meta([item(1, b"Exif")], located, box(b"idat", b"..\0\0\0\0MM\0*"), version=1)
    assert read(data)[0] == b"MM\0*"


@pytest.mark.parametrize("cut", range(0, 240, 7))
def test_what_is_cut_off_gives_nothing(cut):
    located = struct.pack(">BBH", 0x44, 0, 1) + struct.pack(">HHHII", 1, 0, 1, 500, 9)
    data = HEAD + meta([item(1, b"Exif")], located)
    assert read(data[: min(cut, len(data) - 1)]) == (b"", b"")


@pytest.mark.parametrize(
    "data",
    [
        HEAD + struct.pack(">I4s", 0, b"meta"),
        HEAD + struct.pack(">I4sQ", 1, b"meta", 2**63),
        HEAD + struct.pack(">I4s", 7, b"free") * 1000,
        HEAD + meta([item(1, b"Exif")] * 60_000, struct.pack(">BBH", 0x88, 0x88, 65535)),
        HEAD + meta([item(1, b"Exif")],
                    struct.pack(">BBH", 0x88, 0, 1) + struct.pack(">HHH", 1, 0, 1)
                    + struct.pack(">QQ", 2**63, 2**20)),
        HEAD + meta([item(1, b"Exif")],
                    struct.pack(">BBH", 0x44, 0, 1) + struct.pack(">HHHII", 1, 0, 1, 0, 2**31)),
    ],
    ids=["to the end", "long", "empty boxes", "items", "far", "large"],
)  # fmt: skip
def test_hostile_tables_cost_little(data):
    exif, packet = read(data)
    assert len(exif) + len(packet) <= 2**20
