"""The header of .safetensors files, which may mean one thing alone."""

from __future__ import annotations

import json
import struct
from typing import Any

import pytest
import torch
from safetensors.torch import save

from ponystudio.errors import DamagedFile, UnsupportedModel
from ponystudio.library.formats.safetensors_file import looks_like, read_header


def file_of(header: Any, body: bytes = bytes(8)) -> bytes:
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + body


def entry(dtype: str = "F32", shape: Any = (2,), offsets: Any = (0, 8)) -> dict[str, Any]:
    return {"dtype": dtype, "shape": shape, "data_offsets": offsets}


def read(data: bytes):
    return read_header(memoryview(data), "file")


def test_tensors_come_in_the_order_of_the_file_with_what_is_said():
    state = {"b": torch.ones(2, 3), "a": torch.zeros(4, dtype=torch.float16)}
    data = save(state, {"title": "Pony"})
    found, metadata = read(data)
    assert metadata == {"title": "Pony"}
    assert {name: (info.dtype, info.shape) for name, info in found.items()} == {
        "b": ("F32", (2, 3)),
        "a": ("F16", (4,)),
    }
    starts = [info.start for info in found.values()]
    assert starts == sorted(starts)
    assert data[found["b"].start :][:4] == struct.pack("<f", 1)


def test_what_is_said_becomes_text():
    _, metadata = read(file_of({"__metadata__": {"n": 3, "half": "\ud800"}, "a": entry()}))
    assert metadata == {"n": "3", "half": "?"}


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (file_of({"a": entry()})[:20], "ends inside its header"),
        (file_of(b'{"a": 1, "a": 2}'), "names 'a' twice"),
        (file_of(b"{"), "not readable"),
        (file_of([1]), "makes no sense"),
        (file_of({"__metadata__": "x"}), "metadata of the file makes no sense"),
        (file_of({"a": entry(shape=[-2])}), "says of 'a' makes no sense"),
        (file_of({"a": entry(shape=[True, 2])}), "says of 'a' makes no sense"),
        (file_of({"a": entry(shape=[3])}), "gives 'a' 8 bytes, its shape needs 12"),
        (file_of({"\ud800": entry()}), "is no text"),
        (file_of({"a": entry()}, bytes(9)), "belong to no tensor"),
    ],
)
def test_refusals(data: bytes, words: str):
    with pytest.raises(DamagedFile, match=words):
        read(data)


def test_numbers_of_an_unknown_kind():
    with pytest.raises(UnsupportedModel, match="'F4'"):
        read(file_of({"a": entry("F4")}))


def test_how_such_a_file_begins():
    assert looks_like(file_of({"a": entry()})[:9])
    assert not looks_like(b"PK\x03\x04" + bytes(5))
    assert not looks_like(b"\x01")
    assert not looks_like(struct.pack("<Q", 1 << 40) + b"{")
