"""A network gets all of its tensors, and no others."""

from __future__ import annotations

import pytest
import torch

from helpers import checkpoints
from ponystudio.diffusion.loading.load import load
from ponystudio.errors import DamagedFile, UnsupportedModel

FP32 = torch.float32


def test_a_missing_tensor(tmp_path):
    path = checkpoints.incomplete(tmp_path / "x.safetensors", "middle_block.0.in_layers.2.bias")
    with pytest.raises(DamagedFile, match=r"lacks 1 of its tensors.*mid_block.resnets.0.conv1"):
        load(path, "model", device="cpu", dtype=FP32)


def test_a_tensor_too_many(tmp_path):
    extra = "model.diffusion_model.input_blocks.1.0.gate.weight"
    path = checkpoints.incomplete(tmp_path / "x.safetensors", add=[(extra, torch.zeros(2))])
    with pytest.raises(UnsupportedModel, match="1 tensors too many"):
        load(path, "model", device="cpu", dtype=FP32)


@pytest.mark.parametrize("mark", ["hessian", "weight.zero", "outliers"])
def test_what_an_unknown_quantiser_wrote_beside_a_weight(mark, tmp_path):
    """Neither another architecture nor an incomplete file: a weight that means something else."""
    extra = f"model.diffusion_model.input_blocks.0.0.{mark}"
    path = checkpoints.incomplete(tmp_path / "x.safetensors", add=[(extra, torch.zeros(2))])
    with pytest.raises(UnsupportedModel, match=rf"'.{mark}' beside its weights.*quantiser"):
        load(path, "model", device="cpu", dtype=FP32)


def test_a_tensor_of_another_shape(tmp_path):
    name = "model.diffusion_model.time_embed.2.weight"
    path = checkpoints.incomplete(tmp_path / "x.safetensors", add=[(name, torch.zeros(5, 5))])
    with pytest.raises(UnsupportedModel, match=r"time_embedding.linear_2.weight.*\[5, 5\]"):
        load(path, "model", device="cpu", dtype=FP32)
