"""ControlNets of SD3 (InstantX, alimama) and SD3.5 (Stability AI): blocks of such a transformer
that see the latent of a picture too. Each of theirs steers as many of the model's as there are more
of those. Names on the left of the table are Stability AI's.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

from ponystudio.diffusion.architectures import DenoiserInputs, Residuals, sd3
from ponystudio.diffusion.control import ControlArchitecture, Hint, Hints, Shapes, same_width
from ponystudio.diffusion.families import Family
from ponystudio.diffusion.weights.name_table import THIRDS, FusedSlice, Naming, renamed
from ponystudio.diffusion.weights.network_config import allowed, heads, is_whole, side
from ponystudio.diffusion.weights.tensor_names import count, part_of

if TYPE_CHECKING:
    from torch import Tensor, nn

PREFIXES = ("control_model.", "controlnet.", "")
ROOTS = ("pos_embed_input.proj.weight",)
BRANCHES = (
    *("pos_embed", "time_text_embed.", "context_embedder.", "transformer_blocks."),
    *("controlnet_blocks.", "t_embedder.", "y_embedder."),
)
INPUT, OWN_INPUT, PLACES = (
    "pos_embed_input.proj.weight",
    "pos_embed.proj.weight",
    "pos_embed.pos_embed",
)
POOLED = "time_text_embed.text_embedder.linear_1.weight"
ZEROS = "force_zeros_for_pooled_projection"


def _naming(names: Iterable[str], _: Iterable[str]) -> Naming:
    part = part_of(names, PREFIXES, ROOTS, BRANCHES)
    return renamed(part, _table(part))


def _table(names: Iterable[str]) -> Iterator[tuple[str, str, FusedSlice | None]]:
    for theirs, ours in (("t_embedder", "timestep_embedder"), ("y_embedder", "text_embedder")):
        yield f"{theirs}.mlp.0", f"time_text_embed.{ours}.linear_1", None
        yield f"{theirs}.mlp.2", f"time_text_embed.{ours}.linear_2", None
    for i in range(count(names, r"transformer_blocks\.(\d{1,4})\.")):
        block = f"transformer_blocks.{i}"
        for layer, cut in zip(("to_q", "to_k", "to_v"), THIRDS, strict=True):
            yield f"{block}.attn.qkv", f"{block}.attn.{layer}", cut
        yield f"{block}.attn.proj", f"{block}.attn.to_out.0", None
        yield f"{block}.mlp.fc1", f"{block}.ff.net.0.proj", None
        yield f"{block}.mlp.fc2", f"{block}.ff.net.2", None
        yield f"{block}.adaLN_modulation.1", f"{block}.norm1.linear", None


def _config(shapes: Shapes, family: Family, hints: Hints) -> dict[str, Any]:
    said = allowed(
        hints, {"attention_head_dim": is_whole, ZEROS: lambda value: isinstance(value, bool)}
    )
    head = said.get("attention_head_dim", sd3.HEAD)
    width, channels = (side(shapes, INPUT, axis) for axis in (0, 1))
    own, reads_text = OWN_INPUT in shapes, "context_embedder.weight" in shapes
    of_x = side(shapes, OWN_INPUT, 1) if own else family.latent_channels
    twice = {re.match(r"transformer_blocks\.(\d{1,4})\.attn2\.", name) for name in shapes}
    return {
        "sample_size": family.native // family.downscale,
        "patch_size": family.patch,
        "in_channels": of_x,
        "extra_conditioning_channels": channels - of_x,
        "num_layers": count(shapes, r"transformer_blocks\.(\d{1,4})\."),
        "attention_head_dim": head,
        "num_attention_heads": heads(width, head),
        "joint_attention_dim": side(shapes, "context_embedder.weight", 1) if reads_text else None,
        "caption_projection_dim": width,
        "pooled_projection_dim": side(shapes, POOLED, 1),
        "pos_embed_max_size": math.isqrt(side(shapes, PLACES, 1)) if PLACES in shapes else None,
        "pos_embed_type": "sincos" if PLACES in shapes else None,
        "use_pos_embed": own,
        "dual_attention_layers": tuple(sorted({int(found[1]) for found in twice if found})),
        "qk_norm": "rms_norm" if "transformer_blocks.0.attn.norm_q.weight" in shapes else None,
        # Those of InstantX were trained without the pooled prompt.
        ZEROS: said.get(ZEROS, reads_text and channels == of_x),
    }


def _build(arguments: dict[str, Any]) -> nn.Module:
    from diffusers.models.controlnets.controlnet_sd3 import SD3ControlNetModel

    return SD3ControlNetModel(**arguments)


def _read(_: Any, latent: Tensor) -> Hint:
    return (latent,)


def _call(
    module: Any,
    x: Tensor,
    t: Tensor,
    told: DenoiserInputs,
    hint: Hint,
    _kind: int | None,
    base: Any,
) -> Residuals:
    assert told.pooled is not None
    config, x = module.config, x[:, : module.config.in_channels]
    samples = module(
        x if config.use_pos_embed else base.pos_embed(x),
        controlnet_cond=hint[0],
        encoder_hidden_states=None if config.joint_attention_dim is None else told.context,
        pooled_projections=told.pooled * 0 if config[ZEROS] else told.pooled,
        timestep=t,
        return_dict=False,
    )[0]
    blocks = base.config.num_layers
    return Residuals(blocks=tuple(samples[int(i / (blocks / len(samples)))] for i in range(blocks)))


CONTROL = ControlArchitecture(_naming, _config, _build, _read, _call, same_width)
