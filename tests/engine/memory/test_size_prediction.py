"""How large a network will be, before any of it is read."""

from __future__ import annotations

import pytest
import torch

from helpers.sparse import write_sparse
from ponystudio.api import Clip, Model
from ponystudio.engine.memory.weights_pool import predicted_size

CLIP = {"text_model.encoder.layers.0.mlp.fc1.weight": [3072, 768]}
DENOISER = {
    "model.diffusion_model.input_blocks.0.0.weight": [320, 4, 3, 3],
    "model.diffusion_model.input_blocks.1.1.transformer_blocks.0.attn2.to_k.weight": [320, 768],
}
VAE = {"first_stage_model.decoder.conv_in.weight": [512, 4, 3, 3]}


@pytest.mark.parametrize("dtype", [torch.float16, torch.float32])
def test_it_is_that_of_the_part_in_the_dtype_it_will_have(dtype, tmp_path):
    path = write_sparse(tmp_path / "m.safetensors", {**DENOISER, **VAE})
    numbers = 320 * 4 * 9 + 320 * 768
    recipe = Model(str(path), "m", "sd1")
    assert predicted_size(recipe, dtype) == numbers * dtype.itemsize


def test_further_files_count(tmp_path):
    paths = [write_sparse(tmp_path / f"{name}.safetensors", CLIP) for name in "ab"]
    clip = Clip(str(paths[0]), "a", "sd3")
    alone = predicted_size(clip, torch.float16)
    assert alone == 3072 * 768 * 2
    assert predicted_size(clip.with_file("with", str(paths[1]), "b"), torch.float16) == 2 * alone


def test_what_cannot_be_recognised_is_as_large_as_its_file(tmp_path):
    (tmp_path / "odd").write_bytes(bytes(123))
    assert predicted_size(Model(str(tmp_path / "odd"), "", "sd1"), torch.float16) == 123
