"""The text encoders of a model as one of its parts: how they are found in a file, described, built
and wrapped. Importing this loads no torch.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from ponystudio.diffusion.families import Family, tower_prefix
from ponystudio.diffusion.families.text_encoder_specs import (
    ClipEncoderSpec,
    T5EncoderSpec,
    TextEncoderSpec,
)
from ponystudio.diffusion.weights import network_config
from ponystudio.diffusion.weights.name_table import FusedSlice, Naming
from ponystudio.diffusion.weights.text_tensor_names import naming as naming_of
from ponystudio.diffusion.weights.text_tensor_names import of_towers, text_encoders
from ponystudio.errors import WrongKind

if TYPE_CHECKING:
    from torch import nn

    from ponystudio.diffusion.text.text_encoder import TextEncoder
    from ponystudio.diffusion.weights.weights import Weights
    from ponystudio.library.formats.tensor_info import TensorInfo
    from ponystudio.library.recognition.recognise import ModelFile

Shapes = Mapping[str, tuple[int, ...]]
Hints = Mapping[str, Any]

NODE = "Load text encoder (core.load_clip)"
# What diffusers calls the towers of a family, in their order.
COMPONENTS = ("text_encoder", "text_encoder_2", "text_encoder_3")
TABLES = ("embeddings.token_embedding", "embed_tokens")


def naming(tensors: Mapping[str, TensorInfo], family: Family) -> Naming:
    """Those of every tower that is there, under the tower's name where there are several."""
    found = of_towers(text_encoders(tensors), family.towers)
    names: dict[str, str] = {}
    fused: dict[str, FusedSlice] = {}
    for tower in family.towers:
        if tower.name in found:
            prefix, part = tower_prefix(family, tower), naming_of(tensors, found[tower.name], tower)
            names |= {prefix + name: key for name, key in part.names.items()}
            fused |= {prefix + name: cut for name, cut in part.fused.items()}
    return Naming(names, fused)


def fits(shapes: Shapes, family: Family) -> bool:
    """Whether they are all of a family's, as wide as those are."""
    return all(
        _width(inside(shapes, tower_prefix(family, tower))) == tower.width
        for tower in family.towers
    )


def describe(shapes: Shapes, family: Family, hints: Mapping[str, Hints]) -> dict[str, Any]:
    """The arguments of each tower that is there, by its name. Raises WrongKind where one is
    missing without which the family does not work."""
    arguments: dict[str, Any] = {}
    for tower, component in zip(family.towers, COMPONENTS, strict=False):
        shapes_of_tower = inside(shapes, tower_prefix(family, tower))
        if shapes_of_tower:
            said = hints[component]
            arguments[tower.name] = (
                network_config.clip(shapes_of_tower, tower, said)
                if isinstance(tower, ClipEncoderSpec)
                else network_config.t5(shapes_of_tower, said)
            )
        elif not tower.optional:
            raise WrongKind(
                f"There is no {tower.noun} in this file, and {family.title} reads it.",
                remedy=f"Take the text encoder from another file, with the node {NODE}.",
            )
    return arguments


def build(arguments: dict[str, Any], family: Family) -> nn.Module:
    from torch import nn

    towers = {
        tower.name: _build(tower, arguments[tower.name])
        for tower in family.towers
        if tower.name in arguments
    }
    return nn.ModuleDict(towers) if len(family.towers) > 1 else next(iter(towers.values()))


def wrap(
    module: Any, family: Family, weights: Weights, info: ModelFile, options: Mapping[str, Any]
) -> TextEncoder:
    import torch

    from ponystudio.diffusion.text.sentencepiece_tokens import of_model
    from ponystudio.diffusion.text.text_encoder import TextEncoder

    for part in module.modules():
        # The only buffers, and not stored: the numbers of the positions.
        if hasattr(part, "position_ids"):
            place = part.position_embedding.weight
            part.position_ids = torch.arange(len(place), device=place.device)[None]
    paths, chosen = [info.path, *options["with"]], options.get("tokenizer", "")
    pieces = {
        tower.name: of_model(tower, paths, weights.file, chosen)
        for tower in family.towers
        if isinstance(tower, T5EncoderSpec) and (len(family.towers) == 1 or tower.name in module)
    }
    return TextEncoder(module, family, weights, pieces)


def inside(shapes: Shapes, prefix: str) -> Shapes:
    """What stands under a tower's prefix, under the names of a bare text encoder."""
    return {
        name.removeprefix(prefix).removeprefix("text_model."): shape
        for name, shape in shapes.items()
        if name.startswith(prefix)
    }


def _width(shapes: Shapes) -> int:
    """How wide a text encoder is; 0 for none."""
    tables = (shapes.get(f"{name}.weight", ()) for name in TABLES)
    return next((shape[1] for shape in tables if len(shape) == 2), 0)


def _build(tower: TextEncoderSpec, arguments: Mapping[str, Any]) -> nn.Module:
    if isinstance(tower, T5EncoderSpec):
        return _t5(arguments, biased=tower.biased)
    from transformers.models.clip.configuration_clip import CLIPTextConfig
    from transformers.models.clip.modeling_clip import CLIPTextModel, CLIPTextModelWithProjection

    said = {name: value for name, value in arguments.items() if name != "projected"}
    kind = CLIPTextModelWithProjection if arguments["projected"] else CLIPTextModel
    return kind(CLIPTextConfig(**said))


def _t5(arguments: Mapping[str, Any], *, biased: bool) -> nn.Module:
    """The stack alone, so that no weights stand in it twice."""
    if biased:
        from transformers.models.umt5.configuration_umt5 import UMT5Config
        from transformers.models.umt5.modeling_umt5 import UMT5EncoderModel

        return UMT5EncoderModel(UMT5Config(**arguments)).encoder
    from transformers.models.t5.configuration_t5 import T5Config
    from transformers.models.t5.modeling_t5 import T5EncoderModel

    return T5EncoderModel(T5Config(**arguments)).encoder
