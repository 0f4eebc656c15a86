"""ControlNets and their kin are told by a few tensors, of the shapes of the released ones."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from helpers.sparse import write_sparse
from ponystudio.errors import UnsupportedModel
from ponystudio.library.recognition.recognise import check_kind, recognise

Shapes = dict[str, Sequence[int]]
READS = "transformer_blocks.0.attn2.to_k"
LDM: Shapes = {
    "input_hint_block.0.weight": [16, 3, 3, 3],
    "zero_convs.0.0.weight": [320, 320, 1, 1],
    "input_blocks.0.0.weight": [320, 4, 3, 3],
}
DIFFUSERS: Shapes = {
    "controlnet_cond_embedding.conv_in.weight": [16, 3, 3, 3],
    "conv_in.weight": [320, 4, 3, 3],
}
SDXL: Shapes = {**DIFFUSERS, "add_embedding.linear_1.weight": [1280, 2816]}
SD3: Shapes = {
    "controlnet_blocks.0.weight": [1536, 1536],
    "pos_embed_input.proj.weight": [1536, 16, 2, 2],
    "pos_embed.proj.weight": [1536, 16, 2, 2],
}
FLUX: Shapes = {
    "controlnet_blocks.0.weight": [3072, 3072],
    "controlnet_x_embedder.weight": [3072, 64],
    "single_transformer_blocks.0.attn.norm_k.weight": [128],
}
# By name: the tensors, the kind, the family, and the channels of what it reads.
FILES: dict[str, tuple[Shapes, str, str, int]] = {
    "SD1": (
        {f"control_model.{k}": v for k, v in LDM.items()}
        | {f"control_model.input_blocks.1.1.{READS}.weight": [320, 768]},
        "controlnet",
        "sd1",
        3,
    ),
    "SD2 of diffusers": (
        {**DIFFUSERS, f"down_blocks.0.attentions.0.{READS}.weight": [320, 1024]},
        "controlnet",
        "sd2",
        3,
    ),
    "SDXL of diffusers": (SDXL, "controlnet", "sdxl", 3),
    "union": (
        {
            **SDXL,
            "task_embedding": [8, 320],
            "control_add_embedding.linear_1.weight": [1280, 2048],
        },
        "union",
        "sdxl",
        3,
    ),
    "control-LoRA": (
        {
            **{k: v for k, v in LDM.items() if not k.startswith("input_blocks")},
            "lora_controlnet": [0],
            "input_blocks.0.0.up": [320, 128, 1, 1],
            "input_blocks.0.0.down": [128, 4, 3, 3],
            "label_emb.0.0.up": [1280, 128],
            "label_emb.0.0.down": [128, 2816],
        },
        "control-lora",
        "sdxl",
        3,
    ),
    "difference": (
        {
            **{f"control_model.{k}": v for k, v in LDM.items()},
            f"control_model.input_blocks.1.1.{READS}.weight": [320, 768],
            "difference": [0],
        },
        "difference",
        "sd1",
        3,
    ),
    "T2I-adapter": (
        {"conv_in.weight": [320, 192, 3, 3], "body.0.block1.weight": [320, 320, 3, 3]},
        "adapter",
        "sd1",
        3,
    ),
    "T2I-adapter for grey pictures": (
        {"conv_in.weight": [320, 64, 3, 3], "body.0.block1.weight": [320, 320, 3, 3]},
        "adapter",
        "sd1",
        1,
    ),
    "T2I-adapter of SDXL": (
        {
            "adapter.conv_in.weight": [320, 768, 3, 3],
            "adapter.body.0.resnets.0.block1.weight": [320, 320, 3, 3],
        },
        "adapter",
        "sdxl",
        3,
    ),
    "light T2I-adapter": (
        {
            "body.0.in_conv.weight": [80, 192, 1, 1],
            "body.0.body.0.block1.weight": [80, 80, 3, 3],
        },
        "adapter",
        "sd1",
        3,
    ),
    "SD3": (SD3, "controlnet", "sd3", 16),
    "SD3.5": (
        {
            "controlnet_blocks.0.weight": [2432, 2432],
            "pos_embed_input.proj.weight": [2432, 16, 2, 2],
            "transformer_blocks.0.attn.qkv.weight": [7296, 2432],
        },
        "controlnet",
        "sd3",
        16,
    ),
    "SD3 for inpainting": (
        {**SD3, "pos_embed_input.proj.weight": [1536, 17, 2, 2]},
        "controlnet",
        "sd3",
        17,
    ),
    "FLUX": (FLUX, "controlnet", "flux", 16),
    "union of FLUX": (
        {**FLUX, "controlnet_mode_embedder.weight": [10, 3072]},
        "union",
        "flux",
        16,
    ),
    "FLUX by XLabs": (
        {
            "controlnet_blocks.0.weight": [3072, 3072],
            "double_blocks.0.img_attn.qkv.weight": [9216, 3072],
            "input_hint_block.0.weight": [16, 3, 3, 3],
            "pos_embed_input.weight": [3072, 64],
        },
        "controlnet",
        "flux",
        3,
    ),
    "FLUX for inpainting": (
        {**FLUX, "controlnet_x_embedder.weight": [3072, 68]},
        "controlnet",
        "flux",
        17,
    ),
}


@pytest.mark.parametrize("name", FILES)
def test_it_is_told(name: str, tmp_path: Path) -> None:
    shapes, kind, family, channels = FILES[name]
    found = recognise(write_sparse(tmp_path / "c.safetensors", shapes))
    check_kind(found, "controlnet")
    assert (found.kind, found.family) == ("controlnet", family)
    assert found.control is not None
    assert (found.control.kind, found.control.channels) == (kind, channels)
    assert found.control.encoded == (channels > 3)
    unets = family in ("sd1", "sd2", "sdxl") and kind != "adapter"
    assert found.control.takes_mask == (unets or channels == 17)
    assert found.control.borrows == (name == "SD3.5")
    assert found.control.needs_model == (kind in ("control-lora", "difference"))


@pytest.mark.parametrize(
    ("file", "pooled"),
    [
        ("control_v11e_sd15_shuffle.safetensors", True),
        ("control_v11e_sd15_shuffle_fp16.safetensors", True),
        ("control_v11e_sd15_shuffled.safetensors", False),
    ],
)
def test_which_outputs_count_as_their_mean(file: str, pooled: bool, tmp_path: Path) -> None:
    found = recognise(write_sparse(tmp_path / file, FILES["SD1"][0]))
    assert found.control is not None
    assert found.control.pooled == pooled


def test_what_is_not_computed_is_refused(tmp_path: Path) -> None:
    shapes = {"controlnet_blocks.0.weight": [1280, 1280]}
    found = recognise(write_sparse(tmp_path / "c.safetensors", shapes))
    assert found.kind == "controlnet"
    with pytest.raises(UnsupportedModel, match="not known here"):
        check_kind(found, "controlnet")
