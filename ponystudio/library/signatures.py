"""Whose tensors are these? The family and the parts of a model by names and shapes alone."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from ponystudio.library.tensors import TensorInfo

Tensors = Mapping[str, TensorInfo]

# Under what a denoiser's names may stand, the most specific first.
DENOISER_PREFIXES = (
    "model.diffusion_model.",
    "diffusion_model.",
    "unet.",
    "transformer.",
    "model.",
    "",
)
VAE_PREFIXES = ("first_stage_model.", "vae.", "")
# A tensor that only this family's denoiser has.
TRANSFORMERS = {
    "double_layers.0.attn.w1q.weight": "auraflow",
    "double_blocks.0.img_attn.norm.key_norm.scale": "flux",
    "joint_blocks.0.context_block.attn.qkv.weight": "sd3",
    "joint_transformer_blocks.0.attn.to_q.weight": "auraflow",
    "single_transformer_blocks.0.attn.norm_k.weight": "flux",
    "transformer_blocks.0.attn.add_q_proj.weight": "sd3",
}
LDM_ROOT = "input_blocks.0.0.weight"
DIFFUSERS_ROOT = "conv_in.weight"
TEXT_ROOTS = (
    ("cond_stage_model.transformer.", "CLIP's text encoder"),
    ("cond_stage_model.model.", "open_clip's text encoder"),
    ("conditioner.embedders.", "SDXL's text encoders"),
    ("text_encoders.", "text encoders"),
    ("text_encoder.", "a text encoder"),
    ("text_encoder_2.", "a text encoder"),
)
TEXT_ALONE = (
    "text_model.encoder.layers.0.mlp.fc1.weight",
    "encoder.layers.0.mlp.fc1.weight",
    "encoder.block.0.layer.1.DenseReluDense.wi_1.weight",
    "transformer.resblocks.0.mlp.c_fc.weight",
)
# The width of the prompt that the cross attention reads.
CONTEXTS = {768: "sd1", 1024: "sd2", 2048: "sdxl"}
LORA = re.compile(
    r"(^|[._])lora[._](up|down|a|b|linear_layer)\b|_lora\.(up|down)|hada_w|lokr_w|oft_(blocks|diag)"
    r"|dora_scale|lora_(up|down|A|B|mid)\.",
    re.IGNORECASE,
)
CONTROLNET = (
    "control_model.input_hint_block.0.weight",
    "input_hint_block.0.weight",
    "controlnet_cond_embedding.conv_in.weight",
    "adapter.body.0.block1.weight",
    "body.0.block1.weight",
)
UPSCALERS = (
    "conv_first.weight",
    "model.0.weight",
    "RRDB_trunk.0.RDB1.conv1.weight",
    "body.0.weight",
)
DISCRIMINATORS = ("conv9.weight", "conv8.weight_orig", "features.0.weight", "main.0.weight")
EMBEDDING_WIDTHS = (768, 1024, 1280, 2048, 4096)


@dataclass(frozen=True)
class Denoiser:
    """Where the denoiser stands and what it is; `channels` is what it takes in."""

    prefix: str
    family: str
    channels: int
    why: str


def denoiser(tensors: Tensors) -> Denoiser | None:
    """The denoiser among these tensors."""
    for prefix in DENOISER_PREFIXES:
        for marker, family in TRANSFORMERS.items():
            if prefix + marker in tensors:
                why = f"the tensor {prefix}{marker} is {family}'s alone"
                return Denoiser(prefix, family, 0, why)
        for root in (LDM_ROOT, DIFFUSERS_ROOT):
            first = tensors.get(prefix + root)
            # An autoencoder has a conv_in of its own, one level deeper.
            is_unet = root == LDM_ROOT or f"{prefix}time_embedding.linear_1.weight" in tensors
            if first is not None and len(first.shape) == 4 and is_unet:
                family, why = _unet_family(tensors, prefix, first.shape[0])
                return Denoiser(prefix, family, first.shape[1], why)
    return None


def _unet_family(tensors: Tensors, prefix: str, width: int) -> tuple[str, str]:
    for name in ("label_emb.0.0.weight", "add_embedding.linear_1.weight"):
        vector = tensors.get(prefix + name)
        if vector is not None and len(vector.shape) == 2:
            refiner = width == 384 or vector.shape[1] == 2560
            size = f"{name} is {vector.shape[1]} wide"
            return ("sdxl_refiner", size) if refiner else ("sdxl", size)
    context = context_width(tensors, prefix)
    if context in CONTEXTS:
        return CONTEXTS[context], f"its cross attention reads {context} numbers a token"
    projection = next(
        (tensors[name] for name in tensors if name.startswith(prefix) and ".proj_in.w" in name),
        None,
    )
    if projection is None:
        return "", "it has no cross attention"
    family = "sd1" if len(projection.shape) == 4 else "sd2"
    return family, (
        f"its cross attention reads {context} numbers a token, as no known family's does; "
        f"its projections are laid out as {family}'s"
    )


def context_width(tensors: Tensors, prefix: str) -> int:
    """How wide the prompt is that the first cross attention reads; 0 without one."""
    ending = ".attn2.to_k.weight"
    names = (name for name in tensors if name.startswith(prefix) and name.endswith(ending))
    return next((tensors[name].shape[1] for name in names if len(tensors[name].shape) == 2), 0)


def autoencoder(tensors: Tensors) -> tuple[str, int] | None:
    """The prefix of an autoencoder and the channels of its latents."""
    for prefix in VAE_PREFIXES:
        first = tensors.get(f"{prefix}decoder.conv_in.weight")
        if first is not None and len(first.shape) == 4:
            return prefix, first.shape[1]
    return None


def text_encoder(tensors: Tensors) -> tuple[str, str] | None:
    """The prefix of the text encoders, and what they are."""
    for prefix, noun in TEXT_ROOTS:
        if any(name.startswith(prefix) for name in tensors):
            return prefix, noun
    if any(name in tensors for name in TEXT_ALONE):
        return "", "a text encoder"
    return None


def is_lora(names: Iterable[str]) -> bool:
    """Whether most of these are the tensors of a LoRA or one of its kin."""
    listed = [name for name in names if not name.endswith((".alpha", ".scale"))]
    return bool(listed) and 2 * sum(bool(LORA.search(name)) for name in listed) > len(listed)


def lora_family(tensors: Tensors) -> str:
    """The family that a LoRA was made for, by the width of the prompt that it changes."""
    if any(name.startswith(("lora_te2_", "text_encoder_2.")) for name in tensors):
        return "sdxl"
    if any("single_blocks" in name or "single_transformer_blocks" in name for name in tensors):
        return "flux"
    for name, info in tensors.items():
        downward = re.search(r"lora[._](down|A)\b|_lora\.down|hada_w1_b$", name)
        if downward and re.search(r"attn2[._](processor\.)?to_[kv]", name) and len(info.shape) > 1:
            return CONTEXTS.get(info.shape[1], "")
    return ""


def is_embedding(tensors: Tensors) -> bool:
    """Whether this is a textual inversion: a few vectors as wide as a text encoder's."""
    if any(
        info.shape and (name.startswith("string_to_param") or name == "emb_params")
        for name, info in tensors.items()
    ):
        return True
    return 0 < len(tensors) <= 4 and all(
        len(info.shape) in (1, 2) and info.shape[-1] in EMBEDDING_WIDTHS and info.shape[0] > 0
        for info in tensors.values()
    )


def is_upscaler(tensors: Tensors) -> bool:
    """Whether this is a network of the ESRGAN kind, which makes pictures larger."""
    return any(
        name in tensors and len(tensors[name].shape) == 4 and tensors[name].shape[1] in (3, 12, 48)
        for name in UPSCALERS
    ) or any(".RDB1." in name or ".rdb1." in name for name in tensors)


def is_discriminator(tensors: Tensors) -> bool:
    """Whether this is the critic that an upscaler was trained against."""
    return any(name in tensors for name in DISCRIMINATORS) or any(
        name.endswith((".weight_u", "weight_orig")) for name in tensors
    )
