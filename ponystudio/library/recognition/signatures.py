"""Whose tensors are these? Parts of models and small files, by names and shapes alone."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from ponystudio.library.recognition.denoiser_signatures import CONTEXTS, LORA_LAYERS, Tensors

# The tensor that a file of latents holds.
LATENT = "latent_tensor"
VAE_PREFIXES = ("first_stage_model.", "vae.", "")
# Under what text encoders stand beside other parts.
TEXT_ROOTS = {
    "cond_stage_model.transformer.": "CLIP's text encoder",
    "cond_stage_model.model.": "open_clip's text encoder",
    "conditioner.embedders.": "SDXL's text encoders",
    "text_encoders.": "text encoders",
    "text_encoder.": "a text encoder",
    "text_encoder_2.": "a text encoder",
    "text_encoder_3.": "a text encoder",
}
CLIPS = {768: "CLIP-L", 1024: "OpenCLIP-H", 1280: "OpenCLIP-bigG"}
T5S = {2048: "Pile-T5-XL", 4096: "T5-XXL"}
# A layer that every text encoder of a kind has, and which of that kind is as wide as what it reads.
TEXT_ALONE = {
    "text_model.encoder.layers.0.mlp.fc1.weight": CLIPS,
    "encoder.layers.0.mlp.fc1.weight": CLIPS,
    "transformer.resblocks.0.mlp.c_fc.weight": CLIPS,
    "encoder.block.0.layer.0.SelfAttention.q.weight": T5S,
    "encoder.block.0.layer.1.DenseReluDense.wi_1.weight": T5S,
    "enc.blk.0.attn_q.weight": T5S,
}
# Beside which these stand, as they do not in encoders of pictures.
TEXT_TABLES = ("token_embedding.weight", "embeddings.token_embedding.weight")
# What encoders of pictures are called by how wide they are.
VISIONS = {
    768: "CLIP ViT-B",
    1024: "CLIP ViT-L",
    1152: "SigLIP",
    1280: "CLIP ViT-H",
    1408: "CLIP ViT-g",
    1664: "CLIP ViT-bigG",
}
# Their first layer, as transformers calls it and as open_clip does.
FIRST_OF_VISION = ("embeddings.patch_embedding.weight", "conv1.weight")
STYLE_MODEL = "redux_up.weight"
# What stands in the transformer blocks of a UNet that is told where things are to be.
# A layer of a small network that scores pictures: LAION's, Pony's own, or one that is all there is.
HEAD_LAYER = re.compile(r"(?:module\.)?(?:(?:layers|model)\.(\d{1,3})\.|linear\.)?(weight|bias)")
GLIGEN = "position_net.null_position_feature"
DOWNWARD = re.compile(r"lora[._](down|A)\b|_lora\d?\.down|hada_w1_b$")
# Layers that diffusers names alike in SD3 and in FLUX; what they read is so wide in FLUX.
JOINT_LAYER = re.compile(
    r"(?<!single_)transformer_blocks[._]\d+[._](attn[._]|norm1_context|ff_context[._]net[._]0)"
)
FLUX_WIDTH = 3072
# T5 is the second encoder of FLUX, and counted third beside one other too.
SECOND_CLIP = re.compile(r"(lora_te2_|text_encoder_2\.)(?!encoder[._]block)")
THIRD_ENCODER = re.compile(r"(lora_te3_|text_encoder_3\.)")
PROMPT_LAYER = re.compile(r"attn2[._](processor\.)?to_[kv]")
UPSCALERS = (
    "conv_first.weight",
    "model.0.weight",
    "RRDB_trunk.0.RDB1.conv1.weight",
    "body.0.weight",
)
DISCRIMINATORS = ("conv9.weight", "conv8.weight_orig", "features.0.weight", "main.0.weight")
# Of the networks for keys and for values, by the width of what they read; and how the first files
# number their layers.
HYPERNETWORK_LAYER = re.compile(r"(\d{2,5})\.([01])\.linear\.?(\d{1,3})\.(weight|bias)")
EMBEDDING_WIDTHS = (768, 1024, 1280, 2048, 4096)


@dataclass(frozen=True)
class VisionSignature:
    """An encoder of pictures: what stands before its names, in whose layout, how wide it is."""

    prefix: str
    open_clip: bool
    width: int

    @property
    def noun(self) -> str:
        known = VISIONS.get(self.width)
        return f"an encoder of pictures, {known}" if known else "an encoder of pictures"


def image_encoder(tensors: Tensors) -> VisionSignature | None:
    """The encoder of pictures among these tensors, under whatever prefix."""
    for name, info in tensors.items():
        for first in FIRST_OF_VISION:
            prefix, whole = name.removesuffix(first), len(info.shape) == 4 and info.shape[1] == 3
            if not (whole and name.endswith(first) and (not prefix or prefix.endswith("."))):
                continue
            open_clip = first == FIRST_OF_VISION[1]
            if not open_clip or f"{prefix}class_embedding" in tensors:
                return VisionSignature(prefix, open_clip, info.shape[0])
    return None


def head_layer(name: str) -> tuple[int, str] | None:
    """The number of the layer of an aesthetic head that a tensor is of, and which it is there."""
    match = HEAD_LAYER.fullmatch(name)
    return (int(match[1] or 0), match[2]) if match else None


def is_aesthetic_head(tensors: Tensors) -> bool:
    """Whether these are layers one after the other that end in a single number."""
    layers = {head_layer(name) for name in tensors}
    if not layers or None in layers or (0, "weight") not in layers or (0, "bias") not in layers:
        return False
    shapes = [info.shape for name, info in tensors.items() if name.endswith("weight")]
    return all(len(shape) == 2 for shape in shapes) and 1 in {shape[0] for shape in shapes}


def gligen(tensors: Iterable[str]) -> str | None:
    """What stands before the names of GLIGEN's layers; None where there are none."""
    return next((name.removesuffix(GLIGEN) for name in tensors if name.endswith(GLIGEN)), None)


def autoencoder(tensors: Tensors) -> tuple[str, int] | None:
    """The prefix of an autoencoder and the channels of its latents."""
    for prefix in VAE_PREFIXES:
        first = tensors.get(f"{prefix}decoder.conv_in.weight")
        if first is not None and len(first.shape) == 4:
            return prefix, first.shape[1]
    return None


def text_encoders(tensors: Tensors) -> tuple[list[str], str]:
    """The prefixes of the text encoders, none where there are none, and what they are."""
    prefixes = [root for root in TEXT_ROOTS if any(name.startswith(root) for name in tensors)]
    if prefixes:
        named = {name.split(".")[1] for name in tensors if name.startswith("text_encoders.")}
        listed = f": {', '.join(sorted(named))}" if named else ""
        return prefixes, TEXT_ROOTS[prefixes[0]] + listed
    for name, kin in TEXT_ALONE.items():
        if name in tensors and not (kin is CLIPS and _is_vision_alone(tensors)):
            width = tensors[name].shape[-1] if tensors[name].shape else 0
            known = f": {width} wide, so {kin[width]}" if width in kin else ""
            return [""], f"a text encoder{known}"
    return [], ""


def _is_vision_alone(tensors: Tensors) -> bool:
    """Whether the layers that text encoders have are an encoder's of pictures."""
    return image_encoder(tensors) is not None and not any(
        name.endswith(TEXT_TABLES) for name in tensors
    )


def lora_family(tensors: Tensors) -> str:
    """The family that a LoRA was made for, by the layers that it changes; "" if they do not tell.

    Those of UNets tell it by the width of the prompt that they read.
    """
    for layer, family in LORA_LAYERS:
        if any(layer.search(name) for name in tensors):
            return family
    if any(JOINT_LAYER.search(name) for name in tensors):
        width = _width_read(tensors, JOINT_LAYER)
        return {FLUX_WIDTH: "flux", 0: ""}.get(width, "sd3")
    if any(map(SECOND_CLIP.match, tensors)):
        return "sd3" if any(map(THIRD_ENCODER.match, tensors)) else "sdxl"
    return CONTEXTS.get(_width_read(tensors, PROMPT_LAYER), "") or _counted_family(tensors)


def _counted_family(tensors: Tensors) -> str:
    """Of pairs that are numbered, by the one width that only what reads the prompt can have."""
    widths = {
        info.shape[1]
        for name, info in tensors.items()
        if name.startswith("unet:") and name.endswith(":down") and len(info.shape) > 1
    }
    return next((CONTEXTS[width] for width in (768, 1024, 2048) if width in widths), "")


def _width_read(tensors: Tensors, layer: re.Pattern[str]) -> int:
    """How much the first of these layers reads, as a LoRA's pair tells it; 0 without one."""
    shapes = (
        info.shape for name, info in tensors.items() if DOWNWARD.search(name) and layer.search(name)
    )
    return next((shape[1] for shape in shapes if len(shape) > 1), 0)


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


def is_hypernetwork(tensors: Tensors) -> bool:
    """Whether these are A1111's networks that change what attention reads."""
    return any(map(HYPERNETWORK_LAYER.fullmatch, tensors))


def hypernetwork_family(tensors: Tensors) -> str:
    """The family whose prompts a hypernetwork reads; "" if it reads none, or other ones."""
    widths = {int(match[1]) for name in tensors if (match := HYPERNETWORK_LAYER.fullmatch(name))}
    return next((CONTEXTS[width] for width in (768, 1024, 2048) if width in widths), "")


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
