"""diffusers' own pipelines of the tiny AuraFlow, FLUX.1 and SD3, and their autoencoders."""

from __future__ import annotations

from copy import deepcopy
from functools import cache
from typing import Any

import diffusers
import torch
from diffusers import AutoencoderKL, FlowMatchEulerDiscreteScheduler
from diffusers.loaders.single_file_utils import convert_ldm_vae_checkpoint
from torch import Tensor, nn

from helpers import checkpoints, encoders, flows
from helpers.make_checkpoint import Writer
from helpers.pipelines import _tokenizer as clip_tokenizer
from ponystudio_resources import path as resource

# "sd3-clip" comes without T5.
NAMES = ("auraflow", "flux", "flux-dev", "sd3", "sd3-clip", "sd3.5")
# As the released models say; by name, else by family.
SCHEDULES: dict[str, dict[str, Any]] = {
    "auraflow": {"shift": 1.73},
    "flux": {"shift": 1.0},
    "flux-dev": {"shift": 3.0, "use_dynamic_shifting": True},
    "flux-fill": {"shift": 3.0, "use_dynamic_shifting": True},
    "sd3": {"shift": 3.0},
}
# The denoiser works on (latent − shift) · factor.
LATENTS = {"auraflow": (0.13025, 0.0), "flux": (0.3611, 0.1159), "sd3": (1.5305, 0.0609)}
LDM_VAE = "first_stage_model."


def towers(name: str) -> tuple[str, ...]:
    """The text encoders that a model comes with."""
    found = encoders.TOWERS[flows.family_of(name)]
    return tuple(tower for tower in found if (name, tower) != ("sd3-clip", "t5xxl"))


@cache
def vae_tensors(family: str) -> dict[str, Tensor]:
    """An autoencoder's, under their original names: AuraFlow's is SDXL's, the others have 16
    channels and no quantisers. Do not change them.
    """
    if family == "auraflow":
        found = checkpoints.weights()
    else:
        writer = Writer()
        writer.vae(checkpoints.VAE["block_out_channels"], z=16)
        found = {k: v for k, v in writer.tensors.items() if "quant_conv" not in k}
    return {k.removeprefix(LDM_VAE): v for k, v in found.items() if k.startswith(LDM_VAE)}


@cache
def autoencoder(family: str) -> AutoencoderKL:
    """diffusers' own, of these weights. Do not change it."""
    factor, shift = LATENTS[family]
    config = {k: v for k, v in checkpoints.VAE.items() if not k.startswith("_")}
    config |= {"scaling_factor": factor, "shift_factor": shift or None}
    if family != "auraflow":
        config |= {"latent_channels": 16, "use_quant_conv": False, "use_post_quant_conv": False}
    vae = AutoencoderKL(**config)
    ldm = {LDM_VAE + k: v.float() for k, v in vae_tensors(family).items()}
    vae.load_state_dict(convert_ldm_vae_checkpoint(ldm, config))
    return vae.eval().requires_grad_(False)


def pipeline(name: str, transformer: nn.Module | None = None, *, in_folder: bool = False) -> Any:
    """The pipeline of one of NAMES; `transformer` takes the place of its denoiser.

    What SD3's CLIP-L pools goes through a projection in folders alone. The networks are shared: do
    not change them.
    """
    family = flows.family_of(name)
    schedule = SCHEDULES.get(name, SCHEDULES[family])
    parts: dict[str, Any] = {
        "transformer": transformer or flows.network(name),
        "vae": autoencoder(family),
        "scheduler": FlowMatchEulerDiscreteScheduler(**schedule),
    }
    for index, tower in enumerate(encoders.TOWERS[family]):
        number, there = f"_{index + 1}" if index else "", tower in towers(name)
        parts[f"text_encoder{number}"] = encoders.network(family, tower) if there else None
        parts[f"tokenizer{number}"] = _tokenizer(tower) if there else None
    if family == "sd3" and not in_folder:
        parts["text_encoder"] = _unprojected(parts["text_encoder"])
    kinds = {
        "auraflow": diffusers.AuraFlowPipeline,
        "flux": diffusers.FluxPipeline,
        "sd3": diffusers.StableDiffusion3Pipeline,
    }
    made = kinds[family](**parts)
    made.set_progress_bar_config(disable=True)
    return made


def _unprojected(clip: nn.Module) -> nn.Module:
    clip = deepcopy(clip)
    nn.init.eye_(clip.text_projection.weight)
    return clip


def _tokenizer(tower: str) -> Any:
    if tower == "pile_t5xl":
        return encoders.HuggingFaceLike(encoders.tokenizer_model(), pad=2)
    if tower == "t5xxl":
        model = resource("tokenizers", "t5", "spiece.model").read_bytes()
        return encoders.HuggingFaceLike(model, pad=0)
    return clip_tokenizer(**({"pad_token": "!"} if tower == "clip_g" else {}))


def with_layer(name: str, layer: str, delta: Tensor) -> nn.Module:
    """The denoiser with something added to the weights of a layer, which has diffusers' name."""
    module = deepcopy(flows.network(name))
    module.get_submodule(layer).weight.data += delta
    return module


def to_sampler(name: str, values: Tensor) -> Tensor:
    """A latent in VAE units as the denoiser works on it."""
    factor, shift = LATENTS[flows.family_of(name)]
    return (values - shift) * factor


def noise(name: str, seed: int, shape: tuple[int, int, int]) -> Tensor:
    """What a run with this seed starts from; `shape` is batch, height and width in cells."""
    batch, *sides = shape
    channels = autoencoder(flows.family_of(name)).config.latent_channels
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(batch, channels, *sides, generator=generator)
