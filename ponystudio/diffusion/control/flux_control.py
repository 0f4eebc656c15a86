"""ControlNets of FLUX.1 (InstantX, Shakker Labs, alimama, Jasper): the first blocks of such a
transformer, which see the latent of a picture too. Each of theirs steers as many of the model's as
there are more of those. One for many kinds of pictures (union) is told which kind it sees. Those by
XLabs read the picture itself, their files have the names of the original model, and their blocks
steer the model's in turn.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

from ponystudio.diffusion.architectures import DenoiserInputs, Residuals, flux
from ponystudio.diffusion.control import ControlArchitecture, Hint, Hints, Shapes, same_width
from ponystudio.diffusion.families import Family, find_family
from ponystudio.diffusion.weights.name_table import FusedSlice, Naming, renamed
from ponystudio.diffusion.weights.network_config import heads, side
from ponystudio.diffusion.weights.tensor_names import count, part_of

if TYPE_CHECKING:
    from torch import Tensor, nn

PREFIXES = ("control_model.", "controlnet.", "")
INPUT, MODES = "controlnet_x_embedder.weight", "controlnet_mode_embedder.weight"
POOLED = "time_text_embed.text_embedder.linear_1.weight"
XLABS = "pos_embed_input.weight"
READS = "input_hint_block.conv_out.weight"
BRANCHES = (
    *("img_in.", "txt_in.", "time_in.", "vector_in.", "guidance_in.", "double_blocks."),
    *(
        "pos_embed_input.",
        "input_hint_block.",
        "x_embedder.",
        "context_embedder.",
        "time_text_embed.",
        "transformer_blocks.",
    ),
    *("single_transformer_blocks.", "controlnet_"),
)


def _naming(names: Iterable[str], _: Iterable[str]) -> Naming:
    part = part_of(names, PREFIXES, (INPUT, XLABS), BRANCHES)
    return renamed(part, _table(part)) if XLABS in part else Naming(part)


def _table(names: Iterable[str]) -> Iterator[tuple[str, str, FusedSlice | None]]:
    """(XLabs', ours, cut): after each of the layers that read the picture stands an activation."""
    yield from flux.ARCHITECTURE.aliases(names)
    yield "pos_embed_input", "controlnet_x_embedder", None
    layers = sorted({int(n.split(".")[1]) for n in names if n.startswith("input_hint_block.")})
    for place, n in enumerate(layers):
        here = {0: "conv_in", len(layers) - 1: "conv_out"}.get(place, f"blocks.{place - 1}")
        yield f"input_hint_block.{n}", f"input_hint_block.{here}", None


def _config(shapes: Shapes, _: Family, hints: Hints) -> dict[str, Any]:
    head = side(shapes, "transformer_blocks.0.attn.norm_q.weight", 0)
    reads = READS in shapes
    return {
        "in_channels": side(shapes, "x_embedder.weight", 1),
        "num_layers": count(shapes, r"transformer_blocks\.(\d{1,4})\."),
        "num_single_layers": count(shapes, r"single_transformer_blocks\.(\d{1,4})\."),
        "attention_head_dim": head,
        "num_attention_heads": heads(side(shapes, "x_embedder.weight", 0), head),
        "joint_attention_dim": side(shapes, "context_embedder.weight", 1),
        "pooled_projection_dim": side(shapes, POOLED, 1),
        "guidance_embeds": flux.GUIDANCE in shapes,
        "axes_dims_rope": flux.axes(head, hints),
        "num_mode": side(shapes, MODES, 0) if MODES in shapes else None,
        # What it reads of the latent of the picture for each token.
        "hint_channels": side(shapes, INPUT, 1),
        "conditioning_embedding_channels": side(shapes, READS, 0) if reads else None,
        "patch_size": 2 if reads else 1,
    }


def _build(arguments: dict[str, Any]) -> nn.Module:
    from diffusers.models.controlnets.controlnet_flux import FluxControlNetModel
    from torch import nn

    channels = arguments.pop("hint_channels")
    module = FluxControlNetModel(**arguments)
    if channels != arguments["in_channels"]:  # with those of a mask
        module.controlnet_x_embedder = nn.Linear(channels, module.inner_dim)
    reading: Any = module.input_hint_block
    if reading is not None:  # as in unet_control, once a run
        reading.read, reading.forward = reading.forward, lambda hint: hint
    return module


def _read(module: Any, picture: Tensor) -> Hint:
    reading = module.input_hint_block
    return (picture if reading is None else reading.read(picture * 2 - 1),)


def _call(
    module: Any,
    x: Tensor,
    t: Tensor,
    told: DenoiserInputs,
    hint: Hint,
    kind: int | None,
    base: Any,
) -> Residuals:
    import torch

    guidance = told.guidance if module.config.guidance_embeds else None
    if module.config.guidance_embeds and guidance is None:  # beside a model that is told none
        guidance = torch.full_like(t, find_family("flux").guidance)
    # Where its kind is not told, there is no token of it before the prompt.
    module.union = kind is not None
    modes = None if kind is None else torch.full((len(x), 1), kind, device=x.device)
    with flux.in_full(module, t, guidance):
        doubles, singles = module(
            hidden_states=flux.packed(x[:, : module.config.in_channels // 4]),
            controlnet_cond=hint[0] if module.input_hint_block else flux.packed(hint[0]),
            controlnet_mode=modes,
            encoder_hidden_states=told.context,
            pooled_projections=told.pooled,
            timestep=t,
            guidance=guidance,
            img_ids=flux.places(x),
            txt_ids=torch.zeros(told.context.shape[1], 3, device=x.device),
            return_dict=False,
        )
    config = base.config
    if module.input_hint_block is not None:
        return Residuals(blocks=tuple(doubles[i % len(doubles)] for i in range(config.num_layers)))
    return Residuals(
        blocks=_spread(doubles, config.num_layers),
        singles=_spread(singles, config.num_single_layers),
    )


def _spread(samples: Sequence[Tensor] | None, blocks: int) -> tuple[Tensor, ...]:
    """For each of the model's blocks what is added after it."""
    if not samples:
        return ()
    each = math.ceil(blocks / len(samples))
    return tuple(samples[i // each] for i in range(blocks))


CONTROL = ControlArchitecture(_naming, _config, _build, _read, _call, same_width)
