"""A local diffusers folder with SD1's configs, so that plain diffusers loads offline."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

from ponystudio_resources import path as resource

COMPONENTS = {
    "scheduler": ["diffusers", "EulerDiscreteScheduler"],
    "text_encoder": ["transformers", "CLIPTextModel"],
    "tokenizer": ["transformers", "CLIPTokenizer"],
    "unet": ["diffusers", "UNet2DConditionModel"],
    "vae": ["diffusers", "AutoencoderKL"],
}

# What differs from the defaults of diffusers' and transformers' classes.
CONFIGS: dict[str, dict[str, Any]] = {
    "unet": {
        "_class_name": "UNet2DConditionModel",
        "sample_size": 64,
        "cross_attention_dim": 768,
        "attention_head_dim": 8,
    },
    "vae": {
        "_class_name": "AutoencoderKL",
        "sample_size": 512,
        "block_out_channels": [128, 256, 512, 512],
        "down_block_types": ["DownEncoderBlock2D"] * 4,
        "up_block_types": ["UpDecoderBlock2D"] * 4,
        "layers_per_block": 2,
        "scaling_factor": 0.18215,
    },
    "text_encoder": {
        "architectures": ["CLIPTextModel"],
        "model_type": "clip_text_model",
        "hidden_size": 768,
        "intermediate_size": 3072,
        "num_attention_heads": 12,
        "num_hidden_layers": 12,
        "projection_dim": 768,
        "bos_token_id": 0,
        "eos_token_id": 2,
        "pad_token_id": 1,
    },
    "scheduler": {
        "_class_name": "EulerDiscreteScheduler",
        "beta_start": 0.00085,
        "beta_end": 0.012,
        "beta_schedule": "scaled_linear",
        "num_train_timesteps": 1000,
        "timestep_spacing": "trailing",
    },
}


def write_sd1_config(folder: Path) -> Path:
    """Write the folder that `from_single_file(config=...)` wants; weights are not in it."""
    index = {"_class_name": "StableDiffusionPipeline", **COMPONENTS}
    for name in ("safety_checker", "feature_extractor", "image_encoder"):
        index[name] = [None, None]
    (folder / "model_index.json").write_text(json.dumps(index))
    for name, config in CONFIGS.items():
        (folder / name).mkdir()
        if name in ("unet", "vae"):
            config = _complete(config)
        file = "scheduler_config.json" if name == "scheduler" else "config.json"
        (folder / name / file).write_text(json.dumps(config))
    (folder / "tokenizer").mkdir()
    for name in ("vocab.json", "merges.txt"):
        shutil.copy(resource("tokenizers", "clip", name), folder / "tokenizer" / name)
    settings = {"tokenizer_class": "CLIPTokenizer", "model_max_length": 77}
    (folder / "tokenizer" / "tokenizer_config.json").write_text(json.dumps(settings))
    return folder


def _complete(config: dict[str, Any]) -> dict[str, Any]:
    """With the defaults written out: diffusers' converters look them up in the file."""
    import diffusers
    import torch

    with torch.device("meta"):
        model = getattr(diffusers, config["_class_name"])(
            **{name: value for name, value in config.items() if not name.startswith("_")}
        )
    return {**config, **model.config}
