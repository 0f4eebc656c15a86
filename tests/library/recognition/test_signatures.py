"""What is told of a file by its tensors alone."""

from __future__ import annotations

from pathlib import Path

import pytest

from helpers.sparse import write_sparse
from ponystudio.library.recognition.recognise import recognise

LORAS = {
    "lora_unet_double_blocks_0_img_attn_qkv.lora_down.weight": "flux",
    "lora_unet_single_blocks_0_linear1.lora_down.weight": "flux",
    "transformer.single_transformer_blocks.0.proj_mlp.lora_A.weight": "flux",
    "transformer.single_transformer_blocks.0.norm.linear.lora_A.weight": "flux",
    "diffusion_model.double_blocks.0.img_mlp.0.lora_A.weight": "flux",
    "lora_transformer_single_transformer_blocks_0_proj_out.lora_down.weight": "flux",
    # Both FLUX and AuraFlow have these, of one width.
    "transformer.single_transformer_blocks.0.attn.to_q.lora_A.weight": "",
    "double_blocks.0.processor.qkv_lora1.down.weight": "flux",
    "single_blocks.0.processor.proj_lora.down.weight": "flux",
    "transformer.joint_transformer_blocks.0.attn.to_q.lora_A.weight": "auraflow",
    "transformer.single_transformer_blocks.0.ff.linear_1.lora_A.weight": "auraflow",
    "transformer.single_transformer_blocks.0.attn.to_out.0.lora_A.weight": "auraflow",
    "lora_unet_double_layers_0_attn_w1q.lora_down.weight": "auraflow",
    "diffusion_model.single_layers.0.attn.w1q.lora_A.weight": "auraflow",
    "lora_unet_joint_blocks_0_x_block_attn_qkv.lora_down.weight": "sd3",
    "transformer.transformer_blocks.0.attn.add_k_proj.lora_A.weight": "sd3",
    "transformer.transformer_blocks.0.img_mlp.net.2.lora_A.weight": "qwen_image",
    "lora_unet_down_blocks_0_attentions_0_transformer_blocks_0_attn1_to_k.lora_down.weight": "",
    "lora_te2_text_model_encoder_layers_0_mlp_fc1.lora_down.weight": "sdxl",
    "lora_te2_encoder_block_0_layer_0_SelfAttention_q.lora_down.weight": "",
    "lora_te3_encoder_block_0_layer_0_SelfAttention_q.lora_down.weight": "",
}


@pytest.mark.parametrize("name", LORAS)
def test_whose_layers_a_lora_changes(name: str, tmp_path: Path) -> None:
    up = name.replace("down", "up").replace("lora_A", "lora_B")
    shapes = {name: [8, 1536], up: [1536, 8], f"{name.split('.lora')[0]}.alpha": []}
    found = recognise(write_sparse(tmp_path / "l.safetensors", shapes))
    assert (found.kind, found.family) == ("lora", LORAS[name])


def test_a_lora_of_double_blocks_alone_tells_by_its_width(tmp_path: Path) -> None:
    name = "transformer.transformer_blocks.0.attn.to_k"
    shapes = {f"{name}.lora_A.weight": [8, 3072], f"{name}.lora_B.weight": [3072, 8]}
    # What this one reads is of another width in any family.
    shapes |= {
        name.replace("attn.to_k", "ff_context.net.2") + ".lora_A.weight": [8, 12288],
        name.replace("attn.to_k", "ff_context.net.2") + ".lora_B.weight": [3072, 8],
    }
    assert recognise(write_sparse(tmp_path / "l.safetensors", shapes)).family == "flux"


def test_a_lokr_of_double_blocks_alone_does_not_tell(tmp_path: Path) -> None:
    name = "lycoris_transformer_blocks_0_attn_to_k"
    shapes = {f"{name}.lokr_w1": [8, 8], f"{name}.lokr_w2": [384, 384]}
    assert recognise(write_sparse(tmp_path / "l.safetensors", shapes)).family == ""


def test_text_encoders_alone_tell_by_how_many_there_are(tmp_path: Path) -> None:
    shapes = {}
    for name in ("lora_te2_text_model_encoder_layers_0_mlp_fc1", "lora_te3_encoder_block_0_x"):
        shapes |= {f"{name}.lora_down.weight": [8, 64], f"{name}.lora_up.weight": [64, 8]}
    assert recognise(write_sparse(tmp_path / "l.safetensors", shapes)).family == "sd3"


def test_a_lora_of_the_refiner(tmp_path: Path) -> None:
    name = "lora_unet_input_blocks_4_1_transformer_blocks_0_attn2_to_k"
    shapes = {f"{name}.lora_down.weight": [8, 1280], f"{name}.lora_up.weight": [768, 8]}
    assert recognise(write_sparse(tmp_path / "l.safetensors", shapes)).family == "sdxl_refiner"
