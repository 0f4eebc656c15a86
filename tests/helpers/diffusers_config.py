"""A local diffusers folder with SD1's configs, so that plain diffusers loads offline."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

from ponystudio_resources import path as resource

COMPONENTS = {
    "scheduler": ["diffusers", "EulerDiscreteScheduler"],
    "text_encoder": ["transformers", "CLIPTextModel"],
    "tokenizer": ["transformers", "CLIPTokenizer"],
    "unet": ["diffusers", "UNet2DConditionModel"],
    "vae": ["diffusers", "AutoencoderKL"],
}


def write_sd1_config(folder: Path) -> Path:
    """Write the folder that `from_single_file(config=...)` wants; weights are not in it."""
    configs = json.loads(resource("configs", "sd1.json").read_text())
    configs["scheduler"] = {
        "_class_name": "EulerDiscreteScheduler",
        "beta_start": 0.00085,
        "beta_end": 0.012,
        "beta_schedule": "scaled_linear",
        "num_train_timesteps": 1000,
        "timestep_spacing": "trailing",
    }
    index = {"_class_name": "StableDiffusionPipeline", **COMPONENTS}
    for name in ("safety_checker", "feature_extractor", "image_encoder"):
        index[name] = [None, None]
    (folder / "model_index.json").write_text(json.dumps(index))
    for name in ("unet", "vae", "text_encoder", "scheduler"):
        (folder / name).mkdir()
        file = "scheduler_config.json" if name == "scheduler" else "config.json"
        (folder / name / file).write_text(json.dumps(configs[name]))
    (folder / "tokenizer").mkdir()
    for name in ("vocab.json", "merges.txt"):
        shutil.copy(resource("tokenizers", "clip", name), folder / "tokenizer" / name)
    return folder
