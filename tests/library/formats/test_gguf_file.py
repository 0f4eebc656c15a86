from __future__ import annotations

import math
import re
import struct
from pathlib import Path
from typing import Any

import gguf
import numpy
import pytest
from hypothesis import given
from hypothesis import strategies as st

from helpers import gguf_writer as w
from ponystudio.errors import DamagedFile, ModelFileError, UnsupportedModel
from ponystudio.library.formats.gguf_file import KINDS, foreign, read_header
from ponystudio.library.formats.tensor_info import ITEM_SIZES, PACKED
from ponystudio.library.formats.weights_file import open_weights

SMALL = {"a.weight": [4, 64], "b": [3], "c": []}
ORIGINAL = {"comfy.gguf.orig_shape.a.weight": [8, 32, 1, 1]}


def read(content: bytes) -> tuple[dict[str, Any], dict[str, str]]:
    return read_header(memoryview(content), "file")


def small(**how: Any) -> bytes:
    head, size = w.gguf(SMALL, {"general.architecture": "flux"}, **how)
    return head + bytes(size)


def test_kinds_are_those_of_ggml() -> None:
    for number, kind in KINDS.items():
        theirs = gguf.GGMLQuantizationType(number)
        assert theirs.name == kind
        assert gguf.GGML_QUANT_SIZES[theirs] == (PACKED.get(kind) or (1, ITEM_SIZES[kind]))
    assert set(PACKED) <= set(KINDS.values())


def test_files_of_the_package(tmp_path: Path) -> None:
    """What ggml's own writer wrote, read as its own reader reads it."""
    path = tmp_path / "m.gguf"
    writer = gguf.GGUFWriter(path, "flux")
    writer.add_quantization_version(2)
    writer.add_array("tokenizer.ggml.tokens", ["a", "bc", ""] * 1000)
    writer.add_array("tokenizer.ggml.scores", [0.5] * 1000)
    writer.add_float32("some.number", 0.25)
    writer.add_bool("some.truth", True)
    rng = numpy.random.default_rng(1)
    for name, shape, kind in (
        ("img_in.weight", (6, 64), "Q8_0"),
        ("attn.weight", (3, 512), "Q5_0"),
        ("norm.scale", (5,), "F32"),
        ("conv.weight", (2, 3, 3, 3), "F16"),
        ("wide", (7, 2), "BF16"),
    ):
        values = rng.standard_normal(shape).astype("f4")
        packed = gguf.quantize(values, gguf.GGMLQuantizationType[kind])
        writer.add_tensor(name, packed, raw_dtype=gguf.GGMLQuantizationType[kind])
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    theirs = {tensor.name: tensor for tensor in gguf.GGUFReader(path).tensors}
    with open_weights(path) as file:
        assert file.format == "gguf"
        assert file.metadata == {
            "general.architecture": "flux",
            "general.quantization_version": "2",
            "some.number": "0.25",
            "some.truth": "True",
        }
        assert list(file.tensors) == list(theirs)
        for name, info in file.tensors.items():
            assert info.dtype == theirs[name].tensor_type.name
            assert info.shape == tuple(reversed(theirs[name].shape.tolist()))
            assert bytes(file.buffer(name)) == theirs[name].data.tobytes()
        # Nobody may have to ask whether what a file holds lies side by side.
        assert all(info.strides is None for info in file.tensors.values())


@pytest.mark.parametrize("version", [2, 3])
@pytest.mark.parametrize("kind", sorted(KINDS.values()))
def test_every_kind(kind: str, version: int) -> None:
    head, size = w.gguf({"x": [3, 512], "y": [256]}, kind=kind, version=version)
    tensors, _ = read(head + bytes(size))
    assert [(info.dtype, info.shape) for info in tensors.values()] == [
        (kind, (3, 512)),
        (kind, (256,)),
    ]
    block, nbytes = PACKED.get(kind) or (1, ITEM_SIZES[kind])
    assert tensors["x"].nbytes == 3 * 512 // block * nbytes
    assert tensors["x"].start == len(head)
    assert tensors["x"].numel == 3 * 512


@pytest.mark.parametrize("alignment", [1, 8, 32, 4096])
def test_alignment(alignment: int) -> None:
    head, size = w.gguf(SMALL, {"general.alignment": alignment})
    tensors, _ = read(head + bytes(size))
    assert all(info.start % alignment == 0 for info in tensors.values())
    assert list(tensors) == list(SMALL)


def test_the_last_tensor_need_not_be_padded() -> None:
    content = small()
    end = max(info.start + info.nbytes for info in read(content)[0].values())
    assert end < len(content)
    assert read(content[:end])[0].keys() == SMALL.keys()


def test_the_shape_before_packing() -> None:
    head, size = w.gguf(SMALL, ORIGINAL)
    tensors, metadata = read(head + bytes(size))
    assert tensors["a.weight"].shape == (8, 32, 1, 1)
    assert tensors["b"].shape == (3,)
    assert metadata == {}


def test_sides_of_one_that_ggml_does_not_count() -> None:
    """llama.cpp's tools write [1, 64, 32] as they would write [64, 32]."""
    names = ("positional_encoding", "model.register_tokens", "pos_embed.pos_embed")
    head, size = w.gguf({**{name: [64, 32] for name in names}, "pos_embed.proj.weight": [32, 16]})
    tensors, _ = read(head + bytes(size))
    assert [tensors[name].shape for name in names] == [(1, 64, 32)] * 3
    assert tensors["pos_embed.proj.weight"].shape == (32, 16)
    head, size = w.gguf({"positional_encoding": [1, 64, 32]})
    assert read(head + bytes(size))[0]["positional_encoding"].shape == (1, 64, 32)


def test_an_empty_file_of_tokens_alone() -> None:
    assert read(w.header([], {"tokenizer.ggml.tokens": ["a"]})) == ({}, {})


def test_long_texts_are_passed_over() -> None:
    head = w.header([], {"long": "x" * 100_000, "general.name": "Pony V7 🦄"})
    assert read(head)[1] == {"general.name": "Pony V7 🦄"}


ENTRY = w.entry("x", [4], 0, 0)
DAMAGED = {
    "no version": b"GGUF",
    "counts without end": w.header([ENTRY], counts=(2**63, 0)),
    "entries without end": w.header([ENTRY], counts=(1, 2**40)),
    "more entries than there are": w.header([ENTRY], counts=(1, 1)),
    "text without end": w.header([], {"a": struct.pack("<IQ", 8, 2**63)}),
    "text that is none": w.header([], {"a": struct.pack("<IQ", 8, 2) + b"\xff\xfe"}),
    "key that is none": w.header([], {"": 1}),
    "key twice": w.header([], counts=(0, 2)) + (w.text("a") + w.value(1)) * 2,
    "list without end": w.header([], {"a": struct.pack("<IIQ", 9, 5, 2**61)}),
    "texts without end": w.header([], {"a": struct.pack("<IIQ", 9, 8, 2**61)}),
    "lists of lists": w.header([], {"a": struct.pack("<IIQ", 9, 9, 1) + bytes(64)}),
    "unknown type": w.header([], {"a": struct.pack("<II", 13, 0)}),
    "alignment of nothing": w.header([ENTRY], {"general.alignment": 0}) + bytes(64),
    "alignment of three": w.header([ENTRY], {"general.alignment": 3}) + bytes(64),
    "alignment of words": w.header([ENTRY], {"general.alignment": "wide"}) + bytes(64),
    "name without end": w.header([w.entry("x" * 100_000, [4], 0, 0)]) + bytes(32),
    "name of nothing": w.header([w.entry("", [4], 0, 0)]) + bytes(32),
    "dimensions without end": w.header([w.text("x") + struct.pack("<I", 2**31)]) + bytes(32),
    "side without end": w.header([w.entry("x", [2**63, 4], 0, 0)]) + bytes(32),
    "row of half a block": w.header([w.entry("x", [2, 48], 8, 0)]) + bytes(128),
    "name twice": w.header([ENTRY, w.entry("x", [4], 0, 32)]) + bytes(64),
    "name of nothing twice": w.header([w.entry("x", [0], 0, 0)] * 2) + bytes(32),
    "overlap": w.header([ENTRY, w.entry("y", [4], 0, 0)]) + bytes(64),
    "gap": w.header([w.entry("x", [4], 0, 32)]) + bytes(64),
    "crooked": w.header([ENTRY, w.entry("y", [4], 0, 16)]) + bytes(64),
    "far away": w.header([w.entry("x", [4], 0, 2**64 - 32)]) + bytes(64),
    "bytes of nobody": w.header([ENTRY]) + bytes(64),
    "other shape": w.header([ENTRY], {"comfy.gguf.orig_shape.x": [5]}) + bytes(32),
    "shape of words": w.header([ENTRY], {"comfy.gguf.orig_shape.x": ["4"]}) + bytes(32),
    "shape below nothing": w.header([ENTRY], {"comfy.gguf.orig_shape.x": [-2, -2]}) + bytes(32),
}
UNSUPPORTED = {
    "version 1": (w.header([], version=1), "version 1"),
    "version of nothing": (b"GGUF" + bytes(100), "version 0"),
    "other order of bytes": (b"GGUF" + struct.pack(">IQQ", 3, 0, 0), "order of bytes"),
    "unknown kind": (w.header([w.entry("x", [64], 40, 0)]) + bytes(64), r"not known here \(40\)"),
}


@pytest.mark.parametrize("name", DAMAGED)
def test_damaged(name: str) -> None:
    with pytest.raises(DamagedFile) as caught:
        read(DAMAGED[name])
    assert caught.value.where == "file"
    assert caught.value.what.endswith(".")
    assert caught.value.remedy
    assert str(caught.value).isprintable()


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("name without end", "A name in the header is longer than 1,000 bytes."),
        ("name of nothing", "A name in the header is empty."),
        ("overlap", "'y' overlaps another tensor."),
        ("gap", "'x' follows a gap."),
        ("bytes of nobody", "32 bytes at the end of the file belong to no tensor."),
    ],
)
def test_what_is_wrong_is_said(name: str, said: str) -> None:
    with pytest.raises(DamagedFile) as caught:
        read(DAMAGED[name])
    assert str(caught.value) == f"file: {said} Download it again."


@pytest.mark.parametrize("name", UNSUPPORTED)
def test_unsupported(name: str) -> None:
    content, words = UNSUPPORTED[name]
    with pytest.raises(UnsupportedModel, match=words):
        read(content)


def test_a_header_of_empty_texts_ends() -> None:
    """A gigabyte of zeros would be a hundred million empty texts."""
    with pytest.raises(DamagedFile, match="words"):
        read(w.header([], {"a": struct.pack("<IIQ", 9, 8, 2**30)}) + bytes(40 << 20))


def test_every_length() -> None:
    """No piece of a file passes for the whole."""
    content = small()
    end = max(info.start + info.nbytes for info in read(content)[0].values())
    for length in range(4, end):
        with pytest.raises(DamagedFile):
            read(content[:length])


def test_every_byte_changed() -> None:
    """Whatever byte of the header is wrong, the file is read or refused in plain words."""
    head, size = w.gguf(SMALL, {"general.name": "x", **ORIGINAL})
    for at in range(4, len(head)):
        for change in (0xFF, head[at] ^ 0x01, 0x08, 0x00):
            _read_or_refuse(head[:at] + bytes([change]) + head[at + 1 :] + bytes(size))


@given(st.binary(max_size=300))
def test_any_bytes(noise: bytes) -> None:
    _read_or_refuse(b"GGUF" + noise)
    _read_or_refuse(b"GGUF" + struct.pack("<IQQ", 3, 2, 2) + noise)


def _read_or_refuse(content: bytes) -> None:
    tensors, said = {}, ""
    try:
        tensors, _ = read(content)
    except ModelFileError as error:
        said = str(error)
    assert said.isprintable()
    for info in tensors.values():
        assert 0 <= info.start <= info.start + info.nbytes <= len(content)
        assert info.numel == math.prod(info.shape)


LLAMA = {"general.architecture": "llama", "tokenizer.ggml.model": "gpt2"}


@pytest.mark.parametrize(
    ("metadata", "words"),
    [
        (
            {"general.architecture": "llama", "tokenizer.ggml.model": "gpt2"},
            r"language .*\(llama\)",
        ),
        ({"general.architecture": "wan"}, "kind wan, laid out as none"),
        ({"general.architecture": "x y\n"}, "^$"),
        ({}, "^$"),
    ],
)
def test_foreign(metadata: dict[str, str], words: str) -> None:
    assert re.search(words, foreign(metadata))
