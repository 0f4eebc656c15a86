"""The trained parts as one file of Stable Diffusion 1's layout, and what it says about itself."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path

import torch
from diffusers import AutoencoderKL, UNet2DConditionModel
from safetensors.torch import save_file
from torch import Tensor, nn

from ponystudio.diffusion.weights import tensor_names
from starter.autoencoder import SCALE

UNET = "model.diffusion_model."
VAE = "first_stage_model."
TEXT = "cond_stage_model.transformer.text_model."
VOCABULARY = 49408
LICENCE = "MIT AND Apache-2.0"


def write(
    path: Path,
    unet: UNet2DConditionModel,
    vae: AutoencoderKL,
    text: nn.Module,
    tokens: Tensor,
    latents: Tensor,
    pictures: Tensor,
    about: Mapping[str, str],
) -> float:
    """Write the checkpoint, fp16; R² of the linear guess from latents to small pictures.

    `tokens` [n] are the ids whose embeddings the text encoder holds in its rows; all others get
    zeros, so that a word that was never trained does next to nothing. `latents` [m,4,h,w] are
    scaled, `pictures` [m,3,h,w] in −1..1: the live previews' guess is fitted to them.
    """
    rgb, bias, fit = _preview(latents, pictures)
    said = {
        "unet": {
            "attention_head_dim": unet.config.attention_head_dim,
            "norm_num_groups": unet.config.norm_num_groups,
            "latent_rgb": rgb,
            "latent_rgb_bias": bias,
        },
        "vae": {"norm_num_groups": vae.config.norm_num_groups, "scaling_factor": SCALE},
        "text_encoder": {"num_attention_heads": text.config.num_attention_heads},
    }
    metadata = {
        "format": "pt",
        "modelspec.sai_model_spec": "1.0.0",
        "modelspec.architecture": "stable-diffusion-v1",
        "modelspec.implementation": "https://github.com/Stability-AI/generative-models",
        "modelspec.title": "PonyStudio starter",
        "modelspec.license": LICENCE,
        "modelspec.prediction_type": "epsilon",
        **about,
        "ponystudio.config": json.dumps(said),
    }
    stored = tensors(unet, vae, text, tokens)
    part = path.with_suffix(".part")
    save_file(stored, part, metadata=metadata)
    part.replace(path)
    return fit


def tensors(unet: nn.Module, vae: nn.Module, text: nn.Module, tokens: Tensor) -> dict[str, Tensor]:
    """Every tensor under its LDM name, fp16."""
    ours = unet.state_dict()
    found = {UNET + there: ours[here] for there, here in _unet_names(ours).items()}
    ours = vae.state_dict()
    for there, here in _vae_names(ours).items():
        value = ours[here]
        # LDM's attention is made of 1×1 convolutions.
        convolution = ".attn_1." in there and value.ndim == 2
        found[VAE + there] = value[..., None, None] if convolution else value
    for name, value in text.state_dict().items():
        if name == "embeddings.token_embedding.weight":
            rows = torch.zeros(VOCABULARY, value.shape[1])
            rows[tokens] = value.float()
            value = rows
        if not name.endswith("position_ids"):
            found[TEXT + name] = value
    return {name: value.half().contiguous() for name, value in found.items()}


def _unet_names(ours: Iterable[str]) -> dict[str, str]:
    """LDM name → our name of a UNet's tensors."""
    listed = list(ours)
    pairs = {
        here: there for there, here in tensor_names._ldm_unet_pairs(tensor_names.topology(listed))
    }
    ldm = tensor_names._renamed({name: name for name in listed}, pairs.items())
    return _checked(ldm, tensor_names.unet, listed)


def _vae_names(ours: Iterable[str]) -> dict[str, str]:
    """LDM name → our name of an autoencoder's tensors."""
    listed = list(ours)
    return _checked(tensor_names.ldm_vae(listed), tensor_names.vae, listed)


def _checked(ldm: Mapping[str, str], read, listed: list[str]) -> dict[str, str]:
    """Make sure that the loader finds all that was renamed, each where it belongs."""
    again = read(ldm)
    if set(again) != set(listed) or any(ldm[again[name]] != name for name in listed):
        raise ValueError("names.py does not read back what it was to write")
    return dict(ldm)


def _preview(latents: Tensor, pictures: Tensor) -> tuple[list[list[float]], list[float], float]:
    """The least-squares map from a latent cell to its colour: 4 rows, a bias, and its R²."""
    x = latents.double().permute(0, 2, 3, 1).reshape(-1, 4)
    y = pictures.double().permute(0, 2, 3, 1).reshape(-1, 3)
    ones = torch.cat([x, torch.ones_like(x[:, :1])], 1)
    fitted = torch.linalg.lstsq(ones, y).solution
    left = ((y - ones @ fitted) ** 2).sum() / ((y - y.mean(0)) ** 2).sum()
    rounded = [[round(value, 4) for value in row] for row in fitted.tolist()]
    return rounded[:4], rounded[4], 1 - left.item()
