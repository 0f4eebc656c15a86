"""Vectors of textual inversions among other tensors."""

from __future__ import annotations

import pytest
import torch
from safetensors.torch import save_file

from ponystudio.diffusion.text.textual_inversion import read_embedding
from ponystudio.diffusion.weights.embedding_tensors import bundled
from ponystudio.errors import (
    MismatchedValues,
)

WIDTH = 768


VECTORS = torch.arange(3 * WIDTH, dtype=torch.float32).reshape(3, WIDTH) / 1000


@pytest.mark.parametrize("layout", ["string_to_param.*", "clip_l"])
def test_bundled_in_a_lora(tmp_path, layout):
    """As kohya's tools do it; the layers of the LoRA, and other words, are no part of it."""
    file = tmp_path / "lora.safetensors"
    tensors = {
        f"bundle_emb.birb.{layout}": VECTORS,
        "bundle_emb.moth.clip_l": torch.ones(2, WIDTH),
        "lora_unet_mid_block.lora_down.weight": torch.ones(2, WIDTH),
    }
    save_file(tensors, file)
    found = bundled(file)
    assert sorted(found) == ["birb", "moth"]
    assert torch.equal(read_embedding(found["birb"], WIDTH), VECTORS)
    assert torch.equal(read_embedding(found["moth"], WIDTH), torch.ones(2, WIDTH))


def test_bundled_for_both_encoders_of_sdxl(tmp_path):
    file = tmp_path / "lora.safetensors"
    pair = {"clip_l": VECTORS, "clip_g": torch.ones(4, 1280)}
    save_file({f"bundle_emb.birb.{name}": value for name, value in pair.items()}, file)
    birb = bundled(file)["birb"]
    assert torch.equal(read_embedding(birb, WIDTH, "clip_l"), VECTORS)
    assert torch.equal(read_embedding(birb, 1280, "clip_g"), torch.ones(4, 1280))
    with pytest.raises(MismatchedValues, match="SDXL"):
        read_embedding(birb, 1024, "clip_h")
