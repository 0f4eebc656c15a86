"""What is known of a model file, and whether it can serve where it was chosen."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ponystudio.errors import UnsupportedModel, WrongKind
from ponystudio.library.recognition.control_signatures import ControlSignature


@dataclass(frozen=True)
class Part:
    """The networks of one part of a model: the prefix of the first, and of all how many tensors and
    numbers there are, mostly of what.
    """

    prefix: str
    count: int
    parameters: int
    dtype: str


@dataclass(frozen=True)
class ModelFile:
    """What a model file is.

    `kind`: checkpoint, diffusion_model, vae, text_encoder, lora, embedding, upscaler, controlnet,
    hypernetwork, vision, style_model, gligen, aesthetic_head, discriminator or "optimizer state".
    `family`: sd1, sd2, sdxl, sdxl_refiner, auraflow, flux, sd3, the name of another one that is
    known but not run (chroma, flux2, ...), or "" where it cannot be told (a VAE alone).
    `prediction`: eps, v, flow, or "" without a denoiser; `zsnr`: its noise schedule ends without
    signal. `input_channels`: what the denoiser takes in for each cell of a latent: as many as that
    has channels, 4 or 16; 9 or 96 for inpainting, 8 for pix2pix, 32 for control pictures, 0 without
    one. `guided`: it takes in guidance too. `largest`: pixels a side that its grid of positions
    reaches; 0: there is none. `pictured`: how wide the features of a picture are that the denoiser
    is told (unCLIP); 0 for none. `distilled`: the method by which it was distilled to few steps,
    where layers or settings of its own say so (few_steps.py knows others by name). `parts`: model,
    clip, vae, vision, gligen, ema (averaged weights).
    `control`: what it steers models by. `config`: what the file says of itself that shapes cannot
    tell. `why`: one line a decision. `refused`: why it is of no use though it is known what it is,
    and `remedy`.
    """

    path: Path
    format: str
    kind: str
    family: str = ""
    prediction: str = ""
    zsnr: bool = False
    input_channels: int = 0
    guided: bool = False
    distilled: str = ""
    largest: int = 0
    pictured: int = 0
    parts: Mapping[str, Part] = field(default_factory=dict)
    why: tuple[str, ...] = ()
    metadata: Mapping[str, str] = field(default_factory=dict)
    control: ControlSignature | None = None
    config: Mapping[str, Any] = field(default_factory=dict)
    refused: str = ""
    remedy: str = ""


# Kinds of files by the kind of folder that they are chosen from.
ACCEPTED = {
    "checkpoints": ("checkpoint",),
    "diffusion_models": ("diffusion_model",),
    "vae": ("vae",),
    "text_encoders": ("text_encoder",),
    "loras": ("lora",),
    "embeddings": ("embedding",),
    "controlnet": ("controlnet",),
    "upscale_models": ("upscaler",),
    "hypernetworks": ("hypernetwork",),
    "clip_vision": ("vision",),
    "style_models": ("style_model",),
    "gligen": ("gligen",),
    "aesthetic_models": ("aesthetic_head",),
}
# Kinds that a checkpoint has inside.
PART_OF = {
    "diffusion_models": "model",
    "vae": "vae",
    "text_encoders": "clip",
    "clip_vision": "vision",
    "gligen": "gligen",
}
NOUNS = {
    "checkpoint": "a checkpoint",
    "diffusion_model": "a denoiser alone",
    "vae": "a VAE",
    "text_encoder": "a text encoder",
    "lora": "a LoRA",
    "embedding": "an embedding",
    "upscaler": "an upscaler",
    "controlnet": "a ControlNet",
    "hypernetwork": "a hypernetwork",
    "vision": "an encoder of pictures",
    "style_model": "a style model",
    "gligen": "a GLIGEN model",
    "aesthetic_head": "an aesthetic head",
    "discriminator": "a discriminator, the critic that an upscaler is trained against",
    "optimizer state": "the state of an optimizer",
}
INSTEAD = {
    "checkpoint": "Use it in the node Load checkpoint (core.load_checkpoint).",
    "diffusion_model": "Use it in the node Load model (core.load_model), beside a text encoder and"
    " a VAE of their own.",
    "vae": "Use it in the node Load VAE (core.load_vae).",
    "text_encoder": "Use it in the node Load text encoder (core.load_clip).",
    "lora": "Use it in the node Apply LoRA (core.apply_lora).",
    "embedding": "Put it into the folder embeddings, and its name into a prompt.",
    "upscaler": "Use it in the node Load upscaler (core.load_upscaler).",
    "controlnet": "Use it in the node Load ControlNet (core.load_controlnet).",
    "hypernetwork": "Use it in the node Apply hypernetwork (core.apply_hypernetwork).",
    "vision": "Use it in the node Load image encoder (core.load_vision).",
    "style_model": "Use it in the node Load style model (core.load_style_model).",
    "gligen": "Use it in the node Load GLIGEN (core.load_gligen).",
    "aesthetic_head": "Use it in the node Load aesthetic head (core.load_aesthetic_head).",
    "discriminator": "Choose the generator that was saved beside it (net_g_*.pth).",
    "optimizer state": "Choose the model that was saved beside it.",
}


def check_kind(model: ModelFile, wanted: str) -> None:
    """Raise WrongKind unless the file can be used as a file of the folder kind `wanted`, and
    UnsupportedModel for one of that kind that is refused.

    A checkpoint serves for each of its parts. Kinds that are no models are not checked.
    """
    accepted = ACCEPTED.get(wanted)
    if accepted is None or model.kind in accepted or PART_OF.get(wanted) in model.parts:
        check_usable(model)
        return
    raise WrongKind(
        f"This is {NOUNS[model.kind]}, not {NOUNS[accepted[0]]}.",
        where=str(model.path),
        remedy=INSTEAD[model.kind],
    )


def check_usable(model: ModelFile) -> None:
    """Raise UnsupportedModel for a file that is known and refused."""
    if model.refused:
        raise UnsupportedModel(model.refused, where=str(model.path), remedy=model.remedy)
