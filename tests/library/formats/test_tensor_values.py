"""Numbers as numpy's arrays, a piece at a time."""

from __future__ import annotations

from pathlib import Path

import gguf
import numpy
import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file

from ponystudio.library.convert import convert


def metadata(path: Path) -> dict[str, str]:
    with safe_open(path, "pt") as file:
        return dict(file.metadata())


@pytest.mark.parametrize("piece", [100, 1 << 22])
def test_packed_numbers_are_unpacked(
    piece: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ponystudio.library.formats.tensor_values.PIECE", piece)
    rng = numpy.random.default_rng(3)
    values = {
        "packed": (rng.standard_normal((3, 64)), "Q8_0"),
        "too large": (rng.uniform(-5e4, 2e5, (2, 32)), "Q4_1"),
        "plain": (rng.standard_normal(5), "F32"),
    }
    writer = gguf.GGUFWriter(tmp_path / "in.gguf", "flux")
    expected = {}
    for name, (numbers, kind) in values.items():
        theirs = gguf.GGMLQuantizationType[kind]
        packed = gguf.quantize(numbers.astype("f4"), theirs)
        writer.add_tensor(name, packed, raw_dtype=theirs)
        expected[name] = torch.from_numpy(gguf.dequantize(packed, theirs))
    writer.add_array("comfy.gguf.orig_shape.packed", [6, 32])
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    convert(tmp_path / "in.gguf", tmp_path / "out.safetensors")
    found = load_file(tmp_path / "out.safetensors")
    assert torch.equal(found["packed"], expected["packed"].view(6, 32).half())
    assert found["too large"].dtype == torch.float32
    assert torch.equal(found["too large"], expected["too large"])
    assert torch.equal(found["plain"], expected["plain"])
    assert metadata(tmp_path / "out.safetensors")["general.architecture"] == "flux"


def test_pieces_join(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ponystudio.library.formats.tensor_values.PIECE", 7)
    state = {"a": torch.randn(5, 9), "b": torch.randn(6, 8).t()}
    torch.save(state, tmp_path / "in.pt")
    convert(tmp_path / "in.pt", tmp_path / "out.safetensors")
    found = load_file(tmp_path / "out.safetensors")
    assert all(torch.equal(found[name], value) for name, value in state.items())
