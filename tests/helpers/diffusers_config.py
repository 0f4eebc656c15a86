"""Folders with the configs of SD1 and SDXL, so that plain diffusers loads offline."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ponystudio_resources import path as resource

# Where each component's class is; what differs from the defaults of the class.
Components = dict[str, tuple[str, str, dict[str, Any]]]

CLIP_L = {
    "hidden_size": 768,
    "intermediate_size": 3072,
    "num_attention_heads": 12,
    "num_hidden_layers": 12,
    "projection_dim": 768,
    "bos_token_id": 0,
    "eos_token_id": 2,
    "pad_token_id": 1,
}
CLIP_G = {
    **CLIP_L,
    "hidden_act": "gelu",
    "hidden_size": 1280,
    "intermediate_size": 5120,
    "num_attention_heads": 20,
    "num_hidden_layers": 32,
    "projection_dim": 1280,
}
VAE = {
    "sample_size": 512,
    "block_out_channels": [128, 256, 512, 512],
    "down_block_types": ["DownEncoderBlock2D"] * 4,
    "up_block_types": ["UpDecoderBlock2D"] * 4,
    "layers_per_block": 2,
    "scaling_factor": 0.18215,
}
SCHEDULER = {
    "beta_start": 0.00085,
    "beta_end": 0.012,
    "beta_schedule": "scaled_linear",
    "num_train_timesteps": 1000,
    "timestep_spacing": "trailing",
}
SD1_UNET = {"sample_size": 64, "cross_attention_dim": 768, "attention_head_dim": 8}
SDXL_UNET = {
    "sample_size": 128,
    "block_out_channels": [320, 640, 1280],
    "down_block_types": ["DownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D"],
    "up_block_types": ["CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D"],
    "transformer_layers_per_block": [1, 2, 10],
    "cross_attention_dim": 2048,
    "attention_head_dim": [5, 10, 20],
    "use_linear_projection": True,
    "addition_embed_type": "text_time",
    "addition_time_embed_dim": 256,
    "projection_class_embeddings_input_dim": 2816,
}
FAMILIES: dict[str, tuple[str, Components]] = {
    "sd1": (
        "StableDiffusionPipeline",
        {
            "scheduler": ("diffusers", "EulerDiscreteScheduler", SCHEDULER),
            "text_encoder": ("transformers", "CLIPTextModel", CLIP_L),
            "tokenizer": ("transformers", "CLIPTokenizer", {}),
            "unet": ("diffusers", "UNet2DConditionModel", SD1_UNET),
            "vae": ("diffusers", "AutoencoderKL", VAE),
        },
    ),
    "sdxl": (
        "StableDiffusionXLPipeline",
        {
            "scheduler": ("diffusers", "EulerDiscreteScheduler", SCHEDULER),
            "text_encoder": ("transformers", "CLIPTextModel", CLIP_L),
            "text_encoder_2": ("transformers", "CLIPTextModelWithProjection", CLIP_G),
            "tokenizer": ("transformers", "CLIPTokenizer", {}),
            "tokenizer_2": ("transformers", "CLIPTokenizer", {"pad_token": "!"}),
            "unet": ("diffusers", "UNet2DConditionModel", SDXL_UNET),
            "vae": (
                "diffusers",
                "AutoencoderKL",
                {**VAE, "sample_size": 1024, "scaling_factor": 0.13025},
            ),
        },
    ),
}
ABSENT = ("safety_checker", "feature_extractor", "image_encoder")


def write_config(family: str, folder: Path) -> Path:
    """Write the folder that `from_single_file(config=...)` wants; weights are not in it."""
    pipeline, components = FAMILIES[family]
    index: dict[str, Any] = {"_class_name": pipeline, **{name: [None, None] for name in ABSENT}}
    for name, (library, kind, config) in components.items():
        index[name] = [library, kind]
        (folder / name).mkdir()
        if kind == "CLIPTokenizer":
            _write_tokenizer(folder / name, config)
        elif name == "scheduler":
            (folder / name / "scheduler_config.json").write_text(_json(kind, config))
        else:
            whole = _complete(kind, config) if library == "diffusers" else config
            (folder / name / "config.json").write_text(_json(kind, whole))
    (folder / "model_index.json").write_text(json.dumps(index))
    return folder


def _json(kind: str, config: Mapping[str, Any]) -> str:
    """Both libraries' ways to say which class it is of."""
    return json.dumps({**config, "_class_name": kind, "architectures": [kind]})


def _write_tokenizer(folder: Path, config: Mapping[str, Any]) -> None:
    for name in ("vocab.json", "merges.txt"):
        shutil.copy(resource("tokenizers", "clip", name), folder / name)
    settings = {"tokenizer_class": "CLIPTokenizer", "model_max_length": 77, **config}
    (folder / "tokenizer_config.json").write_text(json.dumps(settings))


def _complete(kind: str, config: dict[str, Any]) -> dict[str, Any]:
    """With the defaults written out: diffusers' converters look them up in the file."""
    import diffusers
    import torch

    with torch.device("meta"):
        model = getattr(diffusers, kind)(**config)
    return {**config, **model.config}
