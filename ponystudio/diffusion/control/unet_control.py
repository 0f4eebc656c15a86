"""ControlNets of UNets (Zhang et al. 2023): a copy of the way down that sees a picture too. One for
many kinds of pictures (union, by xinsir) is told which kind it sees.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from ponystudio.diffusion.architectures import DenoiserInputs, Residuals
from ponystudio.diffusion.control import ControlArchitecture, Hint
from ponystudio.diffusion.weights import network_config, tensor_names
from ponystudio.diffusion.weights.name_table import Naming

if TYPE_CHECKING:
    from torch import Tensor, nn


def _naming(names: Iterable[str], base: Iterable[str]) -> Naming:
    return Naming(tensor_names.controlnet(names, base))


def _build(arguments: dict[str, Any]) -> nn.Module:
    from diffusers.models.controlnets.controlnet import ControlNetModel
    from diffusers.models.controlnets.controlnet_union import ControlNetUnionModel

    union = "num_control_type" in arguments
    module: nn.Module = (ControlNetUnionModel if union else ControlNetModel)(**arguments)
    # The layers that read the picture do so once a run; the network asks for it at every step, and
    # is handed what came of that.
    reading: Any = module.controlnet_cond_embedding
    reading.read, reading.forward = reading.forward, lambda hint: hint
    return module


def _read(module: Any, pixels: Tensor) -> Hint:
    return (module.controlnet_cond_embedding.read(pixels),)


def _call(
    module: Any,
    x: Tensor,
    t: Tensor,
    told: DenoiserInputs,
    hint: Hint,
    kind: int | None,
    _base: Any,
) -> Residuals:
    import torch

    extra: dict[str, Any] = {"encoder_hidden_states": told.context, "return_dict": False}
    if told.pooled is not None and told.sizes is not None:
        extra["added_cond_kwargs"] = {"text_embeds": told.pooled, "time_ids": told.sizes}
    x = x[:, : module.config.in_channels]
    if not hasattr(module, "task_embedding"):
        down, mid = module(x, t, controlnet_cond=hint[0], **extra)
        return Residuals(down=tuple(down), mid=mid)
    kinds = torch.zeros(len(x), module.config.num_control_type, device=x.device)
    if kind is not None:
        kinds[:, kind] = 1
    with _added(module.conv_in, hint[0] if kind is None else None):
        down, mid = module(
            x,
            t,
            controlnet_cond=[] if kind is None else [hint[0]],
            control_type=kinds,
            control_type_idx=[] if kind is None else [kind],
            **extra,
        )
    return Residuals(down=tuple(down), mid=mid)


@contextmanager
def _added(layer: nn.Module, hint: Tensor | None) -> Iterator[None]:
    """Within it the layer's output has the picture added, as where its kind is not told."""
    if hint is None:
        yield
        return
    handle = layer.register_forward_hook(lambda _module, _inputs, output: output + hint)
    try:
        yield
    finally:
        handle.remove()


def _fits(module: Any, base: Any) -> bool:
    ours, theirs = module.config, base.config
    return bool(
        tuple(ours.block_out_channels) == tuple(theirs.block_out_channels)
        and ours.cross_attention_dim == theirs.cross_attention_dim
    )


CONTROL = ControlArchitecture(_naming, network_config.controlnet, _build, _read, _call, _fits)
