"""Stored tensors as torch's, mapped and not copied."""

from __future__ import annotations

import gc
from pathlib import Path

import psutil
import pytest
import torch
from safetensors.torch import save_file

from helpers import checkpoints
from ponystudio.diffusion.weights.weights import tensors
from ponystudio.library.formats.weights_file import open_weights


@pytest.mark.parametrize(
    "dtype",
    [
        torch.float64,
        torch.float32,
        torch.float16,
        torch.bfloat16,
        torch.float8_e4m3fn,
        torch.float8_e5m2,
        torch.int64,
        torch.int32,
        torch.int16,
        torch.int8,
        torch.uint8,
        torch.bool,
    ],
)
def test_every_kind_of_number(dtype: torch.dtype, tmp_path: Path) -> None:
    state = {"x": torch.tensor([0, 1, 1, 0, 1]).to(dtype)}
    save_file(state, tmp_path / "x.safetensors")
    torch.save(state, tmp_path / "x.pt")
    for name in ("x.safetensors", "x.pt"):
        with open_weights(tmp_path / name) as file:
            found = dict(tensors(file))["x"]
            assert found.dtype == dtype
            assert torch.equal(found.float(), state["x"].float())


def test_buffers_outlive_the_file(tmp_path: Path) -> None:
    path = checkpoints.micro(tmp_path / "m.safetensors")
    name = "first_stage_model.decoder.conv_in.weight"
    with open_weights(path) as file:
        value = dict(tensors(file))[name]
    assert torch.equal(value, checkpoints.weights()[name])
    assert _is_mapped(path)
    del value
    gc.collect()
    assert not _is_mapped(path)


def _is_mapped(path: Path) -> bool:
    return any(region.path == str(path) for region in psutil.Process().memory_maps(grouped=False))
