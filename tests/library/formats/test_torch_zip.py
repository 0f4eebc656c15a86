"""The archive that torch writes, read without unpacking."""

from __future__ import annotations

import io
import struct

import pytest
import torch

from helpers.hostile import NUMBERS, TENSOR, torch_zip
from helpers.pickle_writer import pickle_of
from ponystudio.errors import DamagedFile, PonyStudioError, UnknownModel, UnsupportedModel
from ponystudio.library.formats.torch_pickles import StoredTensor
from ponystudio.library.formats.torch_zip import read_zip

GOOD = pickle_of(TENSOR)


def read(data: bytes):
    return read_zip(memoryview(data), "file")


def test_where_the_numbers_of_a_storage_begin():
    values = torch.arange(5.0)
    buffer = io.BytesIO()
    torch.save({"x": values}, buffer)
    data = buffer.getvalue()
    content, positions = read(data)
    assert isinstance(content["x"], StoredTensor)
    (start,) = positions.values()
    assert struct.unpack_from("<5f", data, start) == tuple(values.tolist())


def test_what_stands_before_the_archive_is_passed_over():
    plain = torch_zip(GOOD)
    (start,) = read(plain)[1].values()
    (behind,) = read(b"#!/bin/sh\n" + plain)[1].values()
    assert (plain[start : start + 16], behind) == (NUMBERS, start + 10)


@pytest.mark.parametrize(
    ("data", "error", "words"),
    [
        (torch_zip(GOOD, extra={"other/data.pkl": GOOD}), UnknownModel, "without a model"),
        (torch_zip(GOOD, extra={"archive/constants.pkl": b""}), UnsupportedModel, "TorchScript"),
        (torch_zip(GOOD, extra={"archive/byteorder": b"big"}), UnsupportedModel, "big-endian"),
        (torch_zip(GOOD, data=NUMBERS[:8]), DamagedFile, "storage '0' are missing"),
        (torch_zip(GOOD)[:-4], DamagedFile, "cut short"),
    ],
)
def test_refusals(data: bytes, error: type[PonyStudioError], words: str):
    with pytest.raises(error, match=words) as caught:
        read(data)
    assert caught.value.where == "file"
