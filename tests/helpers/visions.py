"""Tiny image encoders, style models and GLIGEN layers: transformers' and diffusers' own, and the
files that hold them. The names of each layout are spelt out here.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from torch import Tensor, nn
from tqdm import tqdm

from helpers.flows import CONTEXT, randomised

tqdm.monitor_interval = 0  # or its thread outlasts what is saved
SIDE = 28
COMMON = {
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_hidden_layers": 3,
    "num_attention_heads": 2,
    "image_size": SIDE,
    "patch_size": 7,
}
# What shapes do not tell of those.
HINTS = {"num_attention_heads": 2}
EMBEDS = 16


@cache
def encoder(kind: str) -> nn.Module:
    """ "clip", "clip without projection" or "siglip", of random weights. Do not change it."""
    from transformers import (
        CLIPVisionConfig,
        CLIPVisionModel,
        CLIPVisionModelWithProjection,
        SiglipVisionConfig,
        SiglipVisionModel,
    )

    if kind == "siglip":
        return randomised(SiglipVisionModel(SiglipVisionConfig(**COMMON)), seed=31)
    config = CLIPVisionConfig(**COMMON, hidden_act="gelu", projection_dim=EMBEDS)
    built = CLIPVisionModelWithProjection if kind == "clip" else CLIPVisionModel
    return randomised(built(config), seed=32)


def state(kind: str) -> dict[str, Tensor]:
    """Its tensors as files of transformers' have them, under `vision_model`."""
    found = {name: value.clone() for name, value in encoder(kind).state_dict().items()}
    if kind == "clip":
        return found
    return {f"vision_model.{name}": value for name, value in found.items()}


def open_clip(kind: str, prefix: str = "visual.") -> dict[str, Tensor]:
    """The same in the layout of open_clip, with q, k and v in one tensor."""
    module = encoder(kind)
    return {prefix + name: value.clone() for name, value in _open_clip(module)}


def _open_clip(module: Any) -> Iterator[tuple[str, Tensor]]:
    tower = getattr(module, "vision_model", module)
    yield "class_embedding", tower.embeddings.class_embedding
    yield "positional_embedding", tower.embeddings.position_embedding.weight
    yield "conv1.weight", tower.embeddings.patch_embedding.weight
    for leaf in ("weight", "bias"):
        yield f"ln_pre.{leaf}", getattr(tower.pre_layrnorm, leaf)
        yield f"ln_post.{leaf}", getattr(tower.post_layernorm, leaf)
    for index, layer in enumerate(tower.encoder.layers):
        there, attention = f"transformer.resblocks.{index}", layer.self_attn
        for leaf in ("weight", "bias"):
            qkv = [getattr(getattr(attention, f"{x}_proj"), leaf) for x in "qkv"]
            yield f"{there}.attn.in_proj_{leaf}", torch.cat(qkv)
            yield f"{there}.attn.out_proj.{leaf}", getattr(attention.out_proj, leaf)
            yield f"{there}.ln_1.{leaf}", getattr(layer.layer_norm1, leaf)
            yield f"{there}.ln_2.{leaf}", getattr(layer.layer_norm2, leaf)
            yield f"{there}.mlp.c_fc.{leaf}", getattr(layer.mlp.fc1, leaf)
            yield f"{there}.mlp.c_proj.{leaf}", getattr(layer.mlp.fc2, leaf)
    if hasattr(module, "visual_projection"):
        yield "proj", module.visual_projection.weight.t().contiguous()


def write(path: Path, tensors: Mapping[str, Tensor]) -> Path:
    """A file that says of its encoder what shapes do not tell."""
    config = {"image_encoder": HINTS}
    save_file(dict(tensors), path, metadata={"ponystudio.config": json.dumps(config)})
    return path


@cache
def redux() -> nn.Module:
    """Redux, as wide as the tiny SigLIP and as the tiny FLUX.1 reads. Do not change it."""
    from diffusers.pipelines.flux.modeling_flux import ReduxImageEncoder

    return randomised(ReduxImageEncoder(COMMON["hidden_size"], CONTEXT["flux"]), seed=33)


def gligen(unet: nn.Module, names: Mapping[str, str]) -> dict[str, Tensor]:
    """What GLIGEN adds to diffusers' gated `unet`; `names`: from its modules to those of the file,
    for those that are called otherwise there."""
    added = {}
    for name, value in unet.state_dict().items():
        block, fuser, layer = name.partition(".fuser.")
        if fuser:
            added[f"{names.get(block, block)}.fuser.{layer}"] = value.clone()
        elif name.startswith("position_net."):
            added[name] = value.clone()
    return added
