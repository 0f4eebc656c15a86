"""Tiny SD2 and SDXL checkpoints of the true layout, and diffusers' networks with the same weights.

The file is written from diffusers' networks by the rules of the format, spelt out here: LDM's
names for UNet and VAE, open_clip's for the larger text encoders. `test_families` has diffusers
convert it back, so that these rules are checked by somebody else's.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from helpers import diffusers_config as full
from helpers import visions
from helpers.checkpoints import VAE, weights
from helpers.make_checkpoint import Writer
from ponystudio.diffusion.weights.tensor_names import RESNET

CROSS, PLAIN = "CrossAttn{}Block2D", "{}Block2D"
FP16 = torch.float16


def _levels(levels: str) -> dict[str, Any]:
    down = tuple((CROSS if level == "X" else PLAIN).format("Down") for level in levels)
    up = tuple((CROSS if level == "X" else PLAIN).format("Up") for level in reversed(levels))
    return {"down_block_types": down, "up_block_types": up}


SD2_UNET = {
    **_levels("XXXO"),
    "sample_size": 96,
    "block_out_channels": (32, 64, 64, 64),
    "cross_attention_dim": 64,
    "attention_head_dim": (1, 1, 1, 1),
    "use_linear_projection": True,
}
SDXL_UNET = {
    **_levels("OXX"),
    "sample_size": 128,
    "block_out_channels": (32, 64, 64),
    "transformer_layers_per_block": (1, 2, 3),
    "cross_attention_dim": 96,
    "attention_head_dim": (1, 1, 1),
    "use_linear_projection": True,
    "addition_embed_type": "text_time",
    "addition_time_embed_dim": 8,
    "projection_class_embeddings_input_dim": 64 + 6 * 8,
}
REFINER_UNET = {
    **SDXL_UNET,
    **_levels("OXXO"),
    "block_out_channels": (32, 64, 64, 64),
    "transformer_layers_per_block": 2,
    "cross_attention_dim": 64,
    "attention_head_dim": (1, 1, 1, 1),
    # For the two sides of the aim it is told how beautiful the picture is.
    "projection_class_embeddings_input_dim": 64 + 5 * 8,
}
UNETS = {"sdxl": SDXL_UNET, "refiner": REFINER_UNET}
CLIP = {
    "intermediate_size": 96,
    "num_attention_heads": 1,
    "vocab_size": 49408,
    "bos_token_id": 0,
    "eos_token_id": 2,
}
CLIP_L = {**CLIP, "hidden_size": 32, "num_hidden_layers": 3, "hidden_act": "quick_gelu"}
CLIP_H = {**CLIP, "hidden_size": 64, "num_hidden_layers": 3, "hidden_act": "gelu"}
CLIP_G = {**CLIP_H, "num_hidden_layers": 4, "projection_dim": 64}
# SD2 unCLIP: told 16 features of a picture, and the level of their noise.
PICTURED = {"class_embed_type": "projection", "projection_class_embeddings_input_dim": 32}
HINTS = {
    "sdxl": {"unet": {"addition_time_embed_dim": 8}},
    "refiner": {"unet": {"addition_time_embed_dim": 8}},
    "sd2": {},
    "sd2 unclip": {"image_encoder": visions.HINTS},
}


@dataclass(frozen=True)
class Relative:
    """A family's networks as diffusers and transformers have them, and the file they make."""

    unet: nn.Module
    texts: tuple[nn.Module, ...]
    tensors: Mapping[str, Tensor]


@cache
def relative(name: str, in_channels: int = 4) -> Relative:
    """ "sd2", "sd2 unclip", "sdxl" or its "refiner"; all weights are random and fit fp16. Do not
    change them."""
    from diffusers import UNet2DConditionModel
    from transformers import CLIPTextConfig, CLIPTextModel, CLIPTextModelWithProjection

    arguments = UNETS.get(name, SD2_UNET)
    if name == "sd2 unclip":
        arguments = arguments | PICTURED
    unet = randomised(UNet2DConditionModel(**arguments, in_channels=in_channels), 1)
    vae = {k: v for k, v in weights().items() if k.startswith("first_stage_model.")}
    tensors = {f"model.diffusion_model.{k}": v for k, v in ldm_unet(unet)} | vae
    if name == "sd2 unclip":
        tensors |= visions.open_clip("clip", "embedder.model.visual.")
        mean, deviation = torch.linspace(-1, 1, 16), torch.linspace(0.5, 2, 16)
        scale = {"data_mean": mean[None], "data_std": deviation[None]}
        tensors |= {f"noise_augmentor.{key}": value for key, value in scale.items()}
    if name == "refiner":
        texts = (randomised(CLIPTextModelWithProjection(CLIPTextConfig(**CLIP_G)), 3),)
        tensors |= {f"conditioner.embedders.0.model.{k}": v for k, v in open_clip(texts[0])}
    elif name != "sdxl":
        texts = (randomised(CLIPTextModel(CLIPTextConfig(**CLIP_H)), 2),)
        tensors |= {f"cond_stage_model.model.{k}": v for k, v in open_clip(texts[0])}
    else:
        clip_l = randomised(CLIPTextModel(CLIPTextConfig(**CLIP_L)), 2)
        clip_g = randomised(CLIPTextModelWithProjection(CLIPTextConfig(**CLIP_G)), 3)
        texts = (clip_l, clip_g)
        first = "conditioner.embedders.0.transformer.text_model."
        tensors |= {f"{first}{k}": v for k, v in clip_l.named_parameters()}
        tensors |= {f"conditioner.embedders.1.model.{k}": v for k, v in open_clip(clip_g)}
    stored = {k: v.detach().to(FP16).contiguous().clone() for k, v in tensors.items()}
    return Relative(unet, texts, stored)


def write(name: str, path: Path, in_channels: int = 4, **metadata: str) -> Path:
    """The checkpoint as a file; `metadata` goes into its header."""
    hints = {"ponystudio.config": json.dumps(HINTS[name])} | metadata
    extra = {"v_pred": torch.zeros(0)} if metadata.pop("v_pred", "") else {}
    save_file({**relative(name, in_channels).tensors, **extra}, path, metadata=hints)
    return path


def write_folder(name: str, folder: Path) -> Path:
    """The same as diffusers' `save_pretrained` lays it out; the VAE is a component of its own."""
    from diffusers import AutoencoderKL

    found = relative(name)
    folder.mkdir(parents=True)
    found.unet.save_pretrained(folder / "unet")
    for index, text in enumerate(found.texts):
        text.save_pretrained(folder / ("text_encoder" + (f"_{index + 1}" if index else "")))
    AutoencoderKL(**{k: v for k, v in VAE.items() if not k.startswith("_")}).save_pretrained(
        folder / "vae"
    )
    (folder / "model_index.json").write_text(json.dumps({"_class_name": "StableDiffusionPipeline"}))
    return folder


def write_full_sdxl(path: Path) -> Path:
    """A checkpoint as large as SDXL's own, 2.57 B of them the denoiser: 7 GB of random fp16."""
    from diffusers import UNet2DConditionModel
    from transformers import CLIPTextConfig, CLIPTextModel, CLIPTextModelWithProjection

    with torch.device("meta"):
        unet = UNet2DConditionModel(**full.SDXL_UNET)
        clip_l = CLIPTextModel(CLIPTextConfig(**full.CLIP_L))
        clip_g = CLIPTextModelWithProjection(CLIPTextConfig(**full.CLIP_G))
        tensors = {f"model.diffusion_model.{k}": v for k, v in ldm_unet(unet)}
        first = "conditioner.embedders.0.transformer.text_model."
        tensors |= {f"{first}{k}": v for k, v in clip_l.named_parameters()}
        tensors |= {f"conditioner.embedders.1.model.{k}": v for k, v in open_clip(clip_g)}
    generator = torch.Generator().manual_seed(4)
    stored = {k: _drawn(k, v.shape, generator).to(FP16) for k, v in tensors.items()}
    writer = Writer()
    writer.vae(full.VAE["block_out_channels"])
    save_file(stored | writer.tensors, path)
    return path


def _drawn(name: str, shape: torch.Size, generator: torch.Generator) -> Tensor:
    """Weights that keep the size of what passes them; norms near 1, biases near 0."""
    drawn = torch.randn(shape, generator=generator)
    if len(shape) > 1:
        return drawn / shape[1:].numel() ** 0.5
    return drawn * 0.1 + name.endswith("weight")


def randomised(module: nn.Module, seed: int) -> nn.Module:
    """Weights of a size that makes every layer count, rounded to what fp16 holds."""
    generator = torch.Generator().manual_seed(seed)
    for name, value in module.named_parameters():
        value.data = _drawn(name, value.shape, generator).to(FP16).float()
    return module.eval().requires_grad_(False)


def ldm_unet(unet: nn.Module) -> Iterator[tuple[str, Tensor]]:
    """LDM's names, counted as FACTS 1.2 says: blocks in one row, downsamplers among them."""
    places: dict[str, str] = {
        "conv_in": "input_blocks.0.0",
        "time_embedding.linear_1": "time_embed.0",
        "time_embedding.linear_2": "time_embed.2",
        "class_embedding.linear_1": "label_emb.0.0",
        "class_embedding.linear_2": "label_emb.0.2",
        "add_embedding.linear_1": "label_emb.0.0",
        "add_embedding.linear_2": "label_emb.0.2",
        "conv_norm_out": "out.0",
        "conv_out": "out.2",
        "mid_block.resnets.0": "middle_block.0",
        "mid_block.attentions.0": "middle_block.1",
        "mid_block.resnets.1": "middle_block.2",
    }
    names = [name for name, _ in unet.named_modules()]
    for b in range(len(unet.down_blocks)):
        for i in range(2):
            places[f"down_blocks.{b}.resnets.{i}"] = f"input_blocks.{3 * b + i + 1}.0"
            places[f"down_blocks.{b}.attentions.{i}"] = f"input_blocks.{3 * b + i + 1}.1"
        places[f"down_blocks.{b}.downsamplers.0.conv"] = f"input_blocks.{3 * b + 3}.0.op"
    for b in range(len(unet.up_blocks)):
        for i in range(3):
            places[f"up_blocks.{b}.resnets.{i}"] = f"output_blocks.{3 * b + i}.0"
            places[f"up_blocks.{b}.attentions.{i}"] = f"output_blocks.{3 * b + i}.1"
        after = 2 if f"up_blocks.{b}.attentions.0" in names else 1
        places[f"up_blocks.{b}.upsamplers.0.conv"] = f"output_blocks.{3 * b + 2}.{after}.conv"
    inner = {ours: theirs for theirs, ours in RESNET.items()}
    for name, value in unet.named_parameters():
        place = next(p for p in places if name.startswith(f"{p}."))
        rest, _, leaf = name.removeprefix(f"{place}.").rpartition(".")
        parts = [places[place], inner.get(rest, rest), leaf]
        yield ".".join(part for part in parts if part), value


def open_clip(module: nn.Module) -> Iterator[tuple[str, Tensor]]:
    """open_clip's names; q, k and v are one tensor, and the projection stands the other way."""
    text = getattr(module, "text_model", module)
    yield "token_embedding.weight", text.embeddings.token_embedding.weight
    yield "positional_embedding", text.embeddings.position_embedding.weight
    for index, layer in enumerate(text.encoder.layers):
        there, attention = f"transformer.resblocks.{index}", layer.self_attn
        for leaf in ("weight", "bias"):
            qkv = [getattr(getattr(attention, f"{x}_proj"), leaf) for x in "qkv"]
            yield f"{there}.attn.in_proj_{leaf}", torch.cat(qkv)
            yield f"{there}.attn.out_proj.{leaf}", getattr(attention.out_proj, leaf)
            yield f"{there}.ln_1.{leaf}", getattr(layer.layer_norm1, leaf)
            yield f"{there}.ln_2.{leaf}", getattr(layer.layer_norm2, leaf)
            yield f"{there}.mlp.c_fc.{leaf}", getattr(layer.mlp.fc1, leaf)
            yield f"{there}.mlp.c_proj.{leaf}", getattr(layer.mlp.fc2, leaf)
    yield "ln_final.weight", text.final_layer_norm.weight
    yield "ln_final.bias", text.final_layer_norm.bias
    yield "logit_scale", torch.tensor(4.6)
    if hasattr(module, "text_projection"):
        yield "text_projection", module.text_projection.weight.t()
