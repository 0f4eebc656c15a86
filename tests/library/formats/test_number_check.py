"""A number that is none is found in every kind of float, wherever it stands."""

from __future__ import annotations

import os

import numpy
import pytest
import torch
from safetensors.torch import save_file

from ponystudio.errors import DamagedFile
from ponystudio.library.formats import content_id, number_check
from ponystudio.library.formats.number_check import (
    INFINITE,
    NOT_A_NUMBER,
    bad_number,
    check_numbers,
)
from ponystudio.library.formats.weights_file import open_weights

DTYPES = (
    *(torch.float64, torch.float32, torch.float16, torch.bfloat16),
    *(torch.float8_e4m3fn, torch.float8_e5m2),
)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("bad", ["", "nan", "inf", "-inf"])
@pytest.mark.parametrize("place", [0, 12345, -1])
def test_every_kind(dtype, bad, place, tmp_path, monkeypatch):
    monkeypatch.setattr(number_check, "PIECE", 1000)
    top = torch.finfo(dtype).max / 4
    values = torch.linspace(-top, top, 20_000, dtype=torch.float64).to(dtype)
    if bad:
        values[place] = float(bad)
    expected = "" if values.double().isfinite().all() else NOT_A_NUMBER
    if expected and not values.double().isnan().any():
        expected = INFINITE
    save_file({"x": values}, tmp_path / "x.safetensors")
    with open_weights(tmp_path / "x.safetensors") as file:
        assert bad_number(file, "x") == expected


def test_every_bit_pattern_of_sixteen_bits(tmp_path):
    """Each alone, against what numpy makes of it."""
    bits = numpy.arange(1 << 16, dtype=numpy.uint16)
    values = torch.from_numpy(bits.view(numpy.float16).copy())
    some = {
        f"{n:05}": values[n : n + 1]
        for n in (*range(0, 1 << 16, 97), 0x7C00, 0x7C01, 0xFC00, 0xFFFF)
    }
    save_file(some, tmp_path / "x.safetensors")
    with open_weights(tmp_path / "x.safetensors") as file:
        for name, value in some.items():
            assert bool(bad_number(file, name)) == (not value.isfinite().all()), name


def test_whole_numbers_are_numbers(tmp_path):
    save_file({"x": torch.full((4,), -1, dtype=torch.int16)}, tmp_path / "x.safetensors")
    check_numbers(tmp_path / "x.safetensors")


def test_what_was_found_holds_while_the_file_does(tmp_path, monkeypatch):
    monkeypatch.setattr(content_id, "YOUNG_NS", 0)  # as if it was written long ago
    path = tmp_path / "x.safetensors"
    save_file({"a": torch.ones(4), "b": torch.tensor([1.0, torch.inf])}, path)
    for _ in range(2):
        with pytest.raises(DamagedFile, match="an infinite number in its tensor 'b'") as caught:
            check_numbers(path)
        assert caught.value.where == str(path)
        monkeypatch.setattr(number_check, "open_weights", None)  # not opened again
    monkeypatch.undo()
    save_file({"a": torch.ones(4), "b": torch.ones(2)}, path)
    os.utime(path, ns=(1, 1))
    check_numbers(path)


def test_large_files_and_folders_are_passed_over(tmp_path, monkeypatch):
    path = tmp_path / "x.safetensors"
    save_file({"a": torch.full((4,), torch.nan)}, path)
    monkeypatch.setattr(number_check, "LARGEST", 50)
    check_numbers(path)
    check_numbers(tmp_path)
