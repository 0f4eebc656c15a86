"""The UNet of Stable Diffusion 1, 2 and XL (Rombach et al. 2022, Podell et al. 2023)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

from ponystudio.diffusion.architectures import Architecture, DenoiserInputs
from ponystudio.diffusion.weights import network_config, tensor_names
from ponystudio.diffusion.weights.name_table import FusedSlice, Naming

if TYPE_CHECKING:
    from torch import Tensor, nn


def _naming(keys: Iterable[str]) -> Naming:
    return Naming(tensor_names.unet(keys))


def _build(arguments: dict[str, Any]) -> nn.Module:
    from diffusers.models.unets.unet_2d_condition import UNet2DConditionModel

    return UNet2DConditionModel(**arguments)


def _call(module: Any, x: Tensor, t: Tensor, told: DenoiserInputs) -> Tensor:
    extra: dict[str, Any] = {}
    if told.pooled is not None and told.sizes is not None:
        extra["added_cond_kwargs"] = {"text_embeds": told.pooled, "time_ids": told.sizes}
    if width := _pictured(module):
        pictured = told.pictured
        extra["class_labels"] = x.new_zeros(len(x), width) if pictured is None else pictured
    if told.places is not None:
        extra["cross_attention_kwargs"] = {"gligen": {"objs": told.places}}
    if (added := told.residuals) is not None:
        if added.mid is not None:
            extra["down_block_additional_residuals"] = added.down
            extra["mid_block_additional_residual"] = added.mid
        if added.inside:  # a list that the network empties
            extra["down_intrablock_additional_residuals"] = list(added.inside)
    out: Tensor = module(x, t, encoder_hidden_states=told.context, return_dict=False, **extra)[0]
    return out


def _pictured(module: Any) -> int:
    """How many numbers it is told of a picture; 0 for a model that is told none."""
    told = module.config.class_embed_type == "projection"
    return int(module.config.projection_class_embeddings_input_dim) if told else 0


def _aliases(modules: Iterable[str]) -> Iterator[tuple[str, str, FusedSlice | None]]:
    """LDM's names of the modules."""
    return ((theirs, ours, None) for theirs, ours in tensor_names.ldm_modules(modules).items())


ARCHITECTURE = Architecture(
    "unet",
    _naming,
    network_config.unet,
    _build,
    _call,
    _aliases,
    pictured=lambda module: _pictured(module) // 2,
)
