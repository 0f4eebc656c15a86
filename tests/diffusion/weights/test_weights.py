"""Stored tensors as torch's, mapped and not copied."""

from __future__ import annotations

import gc
import json
from pathlib import Path

import psutil
import pytest
import torch
from safetensors.torch import save_file

from helpers import checkpoints, written_out
from ponystudio.diffusion.weights.name_table import SWAPPED, THIRDS, TRANSPOSED, Naming
from ponystudio.diffusion.weights.weights import Weights, tensors
from ponystudio.errors import UnsupportedModel
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


ROW, ONE, BLOCK = (24, 1), (), (3, 8)
MARKS: dict[str, tuple[torch.dtype, tuple[int, ...], dict[str, object]]] = {
    "fp8": (torch.float8_e4m3fn, ONE, {"format": "float8_e4m3fn"}),
    "fp8 e5m2": (torch.float8_e5m2, ONE, {"format": "float8_e5m2"}),
    "fp8 rows": (torch.float8_e4m3fn, ROW, {"format": "float8_e4m3fn_rowwise"}),
    "fp8 blocks": (torch.float8_e4m3fn, BLOCK,
                   {"format": "float8_e4m3fn_blockwise", "group_size": 8}),
    "int8": (torch.int8, ONE, {"format": "int8_tensorwise"}),
    "int8 rows": (torch.int8, ROW, {"format": "int8_tensorwise", "per_row": True}),
    "int8 flat rows": (torch.int8, (24,), {"format": "int8_tensorwise"}),
    "int8 blocks": (torch.int8, BLOCK, {"format": "int8_blockwise", "group_size": 8}),
    "convrot": (torch.int8, ROW,
                {"format": "int8_tensorwise", "convrot": True, "convrot_groupsize": 16}),
    "convrot blocks": (torch.int8, BLOCK, {"format": "int8_blockwise", "group_size": 8,
                                           "convrot": True, "convrot_groupsize": 64}),
    "convrot fp8": (torch.float8_e4m3fn, ROW, {"convrot": True, "convrot_groupsize": 4}),
}  # fmt: skip
CUTS = {"whole": None, "third": THIRDS[1], "swapped": SWAPPED, "transposed": TRANSPOSED}


@pytest.mark.parametrize("cut", CUTS)
@pytest.mark.parametrize("name", MARKS)
def test_every_format_is_what_its_definition_says(name: str, cut: str, tmp_path: Path) -> None:
    dtype, sides, mark = MARKS[name]
    drawn = torch.Generator().manual_seed(len(name))
    numbers = torch.randint(-120, 121, (24, 64), generator=drawn).to(dtype)
    scale = torch.rand(sides, generator=drawn)
    text = torch.tensor(list(json.dumps(mark).encode()), dtype=torch.uint8)
    tensors = {"x.weight": numbers, "x.weight_scale": scale, "x.comfy_quant": text}
    save_file(tensors, tmp_path / "x.safetensors")

    block = 8 if sides == BLOCK else 0
    meant = written_out.scaled(numbers.double().numpy(), scale.numpy(), block)
    if mark.get("convrot"):
        meant = written_out.rotated(meant, int(str(mark["convrot_groupsize"])))
    expected = torch.from_numpy(meant)
    taken = CUTS[cut]
    if taken is not None:
        expected = taken.of(expected)
    fused = {} if taken is None else {"ours": taken}
    weights = Weights(open_weights(tmp_path / "x.safetensors"), Naming({"ours": "x.weight"}, fused))
    stored = weights.stored("ours", expected.shape)
    assert stored.precision is None
    found = stored.on(torch.device("cpu"), torch.float32)
    assert torch.allclose(found.double(), expected, atol=1e-4)
    weights.close()


def test_whole_numbers_are_no_weights(tmp_path: Path) -> None:
    """Nothing says what they mean."""
    save_file({"table": torch.ones(4, 4, dtype=torch.int8)}, tmp_path / "x.safetensors")
    with open_weights(tmp_path / "x.safetensors") as file:
        weights = Weights(file, Naming({"ours": "table"}))
        with pytest.raises(UnsupportedModel, match="whole numbers"):
            weights.stored("ours", torch.Size([4, 4]))
