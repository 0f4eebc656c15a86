"""Blocks of EXIF, honest and hostile."""

from __future__ import annotations

import struct

import pytest
from PIL import Image

from ponystudio.graph.formats.exif_texts import texts_in


def block(*entries: tuple[int, int, bytes], order: str = "<", inside: bool = False) -> bytes:
    """A table of (tag, type, value); with `inside` it is EXIF's own, after one that leads to it."""
    mark = b"II*\0" if order == "<" else b"MM\0*"
    start = 8
    head = b""
    if inside:
        head = struct.pack(f"{order}HHHII", 1, 0x8769, 4, 1, 8 + 18) + bytes(4)
        start += len(head)
    table, rest = struct.pack(f"{order}H", len(entries)), b""
    values = start + 2 + 12 * len(entries) + 4
    for tag, kind, value in entries:
        place = struct.pack(f"{order}I", values + len(rest))
        table += struct.pack(f"{order}HHI", tag, kind, len(value))
        table += value.ljust(4, b"\0") if len(value) <= 4 else place
        rest += value if len(value) > 4 else b""
    return mark + struct.pack(f"{order}I", 8) + head + table + bytes(4) + rest


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("inside", [False, True])
def test_texts_of_either_table_in_either_order_of_bytes(order, inside):
    found = texts_in(
        block(
            (0x9286, 7, b"ASCII\0\0\0a pony"),
            (0x927C, 7, b"a1111\0"),
            (0x0131, 2, b"Fooocus v2\0"),
            order=order,
            inside=inside,
        )
    )
    assert found == {"parameters": "a pony", "fooocus_scheme": "a1111", "Software": "Fooocus v2"}


def test_comfyuis_documents_stand_from_model_downwards():
    found = texts_in(
        block(
            (0x0110, 2, b'prompt:{"a": 1}\0'),
            (0x010F, 2, b'Workflow: {"nodes": []}\0'),
            (0x010E, 2, b"a picture of mine"),
            (0x010D, 2, b"notes:[1]"),
            (0x0100, 3, b"\1\0"),
        )
    )
    assert found == {
        "prompt": '{"a": 1}',
        "workflow": '{"nodes": []}',
        "notes": "[1]",
        "Description": "a picture of mine",
    }


def test_a_cameras_make_and_model_are_no_documents():
    assert texts_in(block((0x0110, 2, b"X-T5: mark 2"), (0x010F, 2, b"FUJIFILM"))) == {}


def test_a_short_text_stands_in_the_table_itself():
    assert texts_in(block((0x0131, 2, b"abc"))) == {"Software": "abc"}


def test_letters_of_a_comment_that_names_another_character_set():
    said = b"UNICODE\0" + "pöny, Steps: 1".encode()
    assert texts_in(block((0x9286, 7, said)))["parameters"] == "pöny, Steps: 1"
    marked = b"UNICODE\0" + "\ufeffpony 小马".encode("utf-16-le")
    assert texts_in(block((0x9286, 7, marked)))["parameters"] == "pony 小马"


def test_pillows_own_blocks_are_read():
    exif = Image.Exif()
    exif[0x9286] = "a pony"
    assert texts_in(exif.tobytes()) == {"parameters": "a pony"}


def test_values_that_overlap_are_charged_each_time():
    data = bytearray(block(*((0x0101 + n, 2, b"a:{" + b"x" * 1000) for n in range(15))))
    # Every one of them is now the whole block.
    for n in range(15):
        struct.pack_into("<II", data, 10 + 12 * n + 4, len(data), 0)
    found = texts_in(bytes(data))
    assert sum(map(len, found.values())) <= len(data)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"Exif\0\0",
        b"II*\0",
        b"MM\0*\xff\xff\xff\xff",
        b"II*\0\x08\0\0\0\xff\xff",
        block((0x8769, 4, b"\x08\0\0\0")),  # its own table again
        block((0x8769, 4, b"\xff\xff\xff\xff")),
        block((0x9286, 7, b"UNICODE\0")),
        block((0x9286, 7, b"UNICODE\0a")),
        block((0x9286, 7, b"JIS\0\0\0\0\0")),
        block((0x0110, 2, b":{")),
    ],
)
def test_what_makes_no_sense_is_bounded(data):
    assert sum(map(len, texts_in(data).values())) <= 16
