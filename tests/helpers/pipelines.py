"""diffusers' own pipelines of the tiny models: what they compute, and the folders they save."""

from __future__ import annotations

from copy import deepcopy
from functools import cache
from pathlib import Path
from typing import Any

import torch
from diffusers import (
    AutoencoderKL,
    DDIMScheduler,
    StableDiffusionPipeline,
    StableDiffusionXLPipeline,
    UNet2DConditionModel,
)
from diffusers.loaders.single_file_utils import (
    convert_ldm_unet_checkpoint,
    convert_ldm_vae_checkpoint,
)
from torch import Tensor, nn
from tqdm import tqdm
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTokenizer

from helpers import checkpoints, relatives
from ponystudio_resources import path as resource

tqdm.monitor_interval = 0  # or its thread outlasts the pipelines

BETAS = {"beta_start": 0.00085, "beta_end": 0.012, "beta_schedule": "scaled_linear"}
SCALING = {"sd1": 0.18215, "sd2": 0.18215, "sdxl": 0.13025}
TEXT_PREFIX = f"{checkpoints.PREFIXES[2]}text_model."


@cache
def sd1() -> dict[str, nn.Module]:
    """Networks that diffusers and transformers built and filled from SD1's tiny checkpoint."""
    weights = {name: value.float() for name, value in checkpoints.weights().items()}
    config = _arguments(checkpoints.UNET)
    unet = UNet2DConditionModel(**config)
    unet.load_state_dict(convert_ldm_unet_checkpoint(weights, {**config, "layers_per_block": 2}))
    clip = CLIPTextModel(CLIPTextConfig(**checkpoints.TEXT))
    clip.load_state_dict(
        {
            name.removeprefix(TEXT_PREFIX): value
            for name, value in weights.items()
            if name.startswith(TEXT_PREFIX) and not name.endswith("position_ids")
        }
    )
    return {"model": unet.eval(), "clip": clip.eval(), "vae": autoencoder("sd1")}


@cache
def autoencoder(family: str) -> AutoencoderKL:
    """The one that is in all of the tiny checkpoints."""
    config = {**_arguments(checkpoints.VAE), "scaling_factor": SCALING[family]}
    vae = AutoencoderKL(**config)
    weights = {name: value.float() for name, value in checkpoints.weights().items()}
    vae.load_state_dict(convert_ldm_vae_checkpoint(weights, config))
    return vae.eval()


def pipeline(family: str, scheduler: Any = None, in_channels: int = 4) -> Any:
    """The pipeline of a tiny model of "sd1", "sd2" or "sdxl", with the weights of its files.

    Its networks are shared: do not change them. `scheduler` may be of any settings: it is set
    afterwards, since pipelines rewrite what they are made with.
    """
    parts = {
        "vae": autoencoder(family),
        "scheduler": DDIMScheduler(**BETAS, clip_sample=False, steps_offset=1),
        "feature_extractor": None,
    }
    if family == "sdxl":
        found = relatives.relative("sdxl", in_channels)
        made = StableDiffusionXLPipeline(
            unet=found.unet,
            text_encoder=found.texts[0],
            text_encoder_2=found.texts[1],
            tokenizer=_tokenizer(),
            tokenizer_2=_tokenizer(pad_token="!"),
            add_watermarker=False,
            **parts,
        )
    else:
        found = relatives.relative("sd2", in_channels) if family == "sd2" else None
        made = StableDiffusionPipeline(
            unet=found.unet if found else sd1()["model"],
            text_encoder=found.texts[0] if found else sd1()["clip"],
            tokenizer=_tokenizer(pad_token="!") if found else _tokenizer(),
            safety_checker=None,
            requires_safety_checker=False,
            **parts,
        )
    made.scheduler = scheduler or made.scheduler
    made.set_progress_bar_config(disable=True)
    return made


def save(
    family: str, folder: Path, scheduler: Any = None, in_channels: int = 4, **how: Any
) -> Path:
    """The pipeline's folder as diffusers writes it, in fp16; `how` is save_pretrained's."""
    whole = pipeline(family, scheduler, in_channels)
    networks = {k: v for k, v in whole.components.items() if isinstance(v, nn.Module)}
    whole.register_modules(**{name: deepcopy(part).half() for name, part in networks.items()})
    whole.save_pretrained(folder, **how)
    return folder


def without_last_layer(encoder: nn.Module) -> nn.Module:
    """As SD2's folders leave it out, for its last layer is never read."""
    shorter = deepcopy(encoder)
    shorter.encoder.layers = shorter.encoder.layers[:-1]
    return shorter


def noise(seed: int, side: int) -> Tensor:
    """What a run with this seed starts from, of variance 1."""
    return torch.randn(1, 4, side, side, generator=torch.Generator().manual_seed(seed))


def _tokenizer(**special: str) -> CLIPTokenizer:
    files = [str(resource("tokenizers", "clip", name)) for name in ("vocab.json", "merges.txt")]
    return CLIPTokenizer(*files, model_max_length=77, **special)


def _arguments(config: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in config.items() if not name.startswith("_")}
