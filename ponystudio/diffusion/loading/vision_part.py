"""The image encoder of a model as one of its parts: how it is found in a file, described, built and
wrapped. Importing this loads no torch.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from ponystudio.diffusion.families import Family
from ponystudio.diffusion.weights import network_config
from ponystudio.diffusion.weights.name_table import Naming
from ponystudio.diffusion.weights.tensor_names import count
from ponystudio.diffusion.weights.vision_tensor_names import PROJECTION, ROOT
from ponystudio.diffusion.weights.vision_tensor_names import naming as naming_of
from ponystudio.errors import UnsupportedModel

if TYPE_CHECKING:
    from torch import nn

    from ponystudio.diffusion.images.vision import VisionEncoder
    from ponystudio.diffusion.weights.weights import Weights
    from ponystudio.library.formats.tensor_info import TensorInfo
    from ponystudio.library.recognition.recognise import ModelFile

Shapes = Mapping[str, tuple[int, ...]]
Hints = Mapping[str, Any]

COMPONENT = "image_encoder"
NODE = "Load image encoder (core.load_vision)"
# How wide the heads of those are that were released, by how wide their states are.
HEADS = {768: 64, 1024: 64, 1152: 72, 1280: 80, 1408: 88, 1664: 104}
# Sides of pictures that are no whole number of patches, by the patches in a row and their side.
SIDES = {(27, 14): 384}
# OpenAI's have another activation than those of open_clip.
QUICK = (768, 1024)


def naming(tensors: Mapping[str, TensorInfo], _: Family) -> Naming:
    return naming_of(tensors)


def describe(shapes: Shapes, _: Family, hints: Mapping[str, Hints]) -> dict[str, Any]:
    """The arguments of transformers' CLIPVisionConfig or SiglipVisionConfig, whether it is of
    `siglip`, and whether it is `projected`."""
    bare = {name.removeprefix(ROOT): shape for name, shape in shapes.items()}
    siglip = "embeddings.class_embedding" not in bare
    width = network_config.side(bare, "embeddings.patch_embedding.weight", 0)
    patch = network_config.side(bare, "embeddings.patch_embedding.weight", 2)
    places = network_config.side(bare, "embeddings.position_embedding.weight", 0)
    rows = math.isqrt(places if siglip else places - 1)
    if rows**2 != (places if siglip else places - 1):
        raise UnsupportedModel(
            f"The image encoder has {places} places, and those of no square picture are as many."
        )
    inferred = {
        "hidden_size": width,
        "intermediate_size": network_config.side(bare, "encoder.layers.0.mlp.fc1.weight", 0),
        "num_hidden_layers": count(bare, r"encoder\.layers\.(\d{1,4})\."),
        "num_attention_heads": max(1, width // HEADS.get(width, network_config.CLIP_HEAD)),
        "image_size": SIDES.get((rows, patch), rows * patch),
        "patch_size": patch,
        "hidden_act": _activation(siglip, width),
        "layer_norm_eps": 1e-6 if siglip else 1e-5,
        "siglip": siglip,
        "projected": PROJECTION in bare,
    }
    if siglip:
        inferred["vision_use_head"] = "head.probe" in bare
    elif PROJECTION in bare:
        inferred["projection_dim"] = network_config.side(bare, PROJECTION, 0)
    return inferred | network_config.allowed(hints[COMPONENT], network_config.VISION_HINTS)


def build(arguments: dict[str, Any], _: Family) -> nn.Module:
    said = {name: value for name, value in arguments.items() if name not in ("siglip", "projected")}
    if arguments["siglip"]:
        from transformers.models.siglip.configuration_siglip import SiglipVisionConfig
        from transformers.models.siglip.modeling_siglip import SiglipVisionModel

        return SiglipVisionModel(SiglipVisionConfig(**said))
    from transformers.models.clip.configuration_clip import CLIPVisionConfig
    from transformers.models.clip.modeling_clip import (
        CLIPVisionModel,
        CLIPVisionModelWithProjection,
    )

    kind = CLIPVisionModelWithProjection if arguments["projected"] else CLIPVisionModel
    return kind(CLIPVisionConfig(**said))


def wrap(
    module: Any,
    _family: Family,
    weights: Weights,
    _info: ModelFile,
    _options: Mapping[str, Any],
) -> VisionEncoder:
    import torch

    from ponystudio.diffusion.images.vision import VisionEncoder

    for part in module.modules():
        # The only buffers, and not stored: the numbers of the positions.
        if hasattr(part, "position_ids"):
            place = part.position_embedding.weight
            part.position_ids = torch.arange(len(place), device=place.device)[None]
    return VisionEncoder(module, weights)


def _activation(siglip: bool, width: int) -> str:
    if siglip:
        return "gelu_pytorch_tanh"
    return "quick_gelu" if width in QUICK else "gelu"
