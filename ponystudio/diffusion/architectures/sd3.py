"""The transformer of Stable Diffusion 3 and 3.5 (Esser et al. 2024). Names on the left of the table
are the original's.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

from ponystudio.diffusion.architectures import Architecture, DenoiserInputs, Hints, Shapes
from ponystudio.diffusion.families import Family
from ponystudio.diffusion.weights.name_table import SWAPPED, THIRDS, FusedSlice, Naming, renamed
from ponystudio.diffusion.weights.network_config import allowed, heads, is_whole, side
from ponystudio.diffusion.weights.tensor_names import TRANSFORMER_PREFIXES, count, part_of

if TYPE_CHECKING:
    from torch import Tensor, nn

ROOTS = ("joint_blocks.0.context_block.attn.qkv.weight", "pos_embed.proj.weight")
BRANCHES = (
    *("pos_embed", "x_embedder.", "t_embedder.", "y_embedder.", "context_embedder."),
    *("joint_blocks.", "final_layer.", "transformer_blocks.", "time_text_embed."),
    *("norm_out.", "proj_out."),
)
HEAD = 64


def _naming(keys: Iterable[str]) -> Naming:
    part = part_of(keys, TRANSFORMER_PREFIXES, ROOTS, BRANCHES)
    return renamed(part, _table(part)) if "x_embedder.proj.weight" in part else Naming(part)


def _table(names: Iterable[str]) -> Iterator[tuple[str, str, FusedSlice | None]]:
    """(original, ours, cut), for as many blocks as there are of either's names."""
    yield "pos_embed", "pos_embed.pos_embed", None
    yield "x_embedder.proj", "pos_embed.proj", None
    yield "context_embedder", "context_embedder", None
    for theirs, ours in (("t_embedder", "timestep_embedder"), ("y_embedder", "text_embedder")):
        yield f"{theirs}.mlp.0", f"time_text_embed.{ours}.linear_1", None
        yield f"{theirs}.mlp.2", f"time_text_embed.{ours}.linear_2", None
    yield "final_layer.linear", "proj_out", None
    yield "final_layer.adaLN_modulation.1", "norm_out.linear", SWAPPED
    blocks = count(names, r"(?:joint|transformer)_blocks\.(\d{1,4})\.")
    for i in range(blocks):
        there, here = f"joint_blocks.{i}", f"transformer_blocks.{i}"
        # The last one's text only feeds the attention: its norm is of the kind of `norm_out`.
        ending = SWAPPED if i == blocks - 1 else None
        yield from _stream(f"{there}.x_block", here, "", None)
        yield from _stream(f"{there}.context_block", here, "_context", ending)
        yield from _attention(f"{there}.x_block.attn2", f"{here}.attn2", "")


def _stream(
    there: str, here: str, context: str, ending: FusedSlice | None
) -> Iterator[tuple[str, str, FusedSlice | None]]:
    yield from _attention(f"{there}.attn", f"{here}.attn", context)
    yield f"{there}.mlp.fc1", f"{here}.ff{context}.net.0.proj", None
    yield f"{there}.mlp.fc2", f"{here}.ff{context}.net.2", None
    yield f"{there}.adaLN_modulation.1", f"{here}.norm1{context}.linear", ending


def _attention(there: str, here: str, context: str) -> Iterator[tuple[str, str, FusedSlice | None]]:
    layers = ("add_q_proj", "add_k_proj", "add_v_proj") if context else ("to_q", "to_k", "to_v")
    for layer, cut in zip(layers, THIRDS, strict=True):
        yield f"{there}.qkv", f"{here}.{layer}", cut
    yield f"{there}.proj", f"{here}.{'to_add_out' if context else 'to_out.0'}", None
    for axis in ("q", "k"):
        yield f"{there}.ln_{axis}", f"{here}.norm_{'added_' if context else ''}{axis}", None


def _config(shapes: Shapes, family: Family, hints: Hints) -> dict[str, Any]:
    said = allowed(hints, {"attention_head_dim": is_whole})
    head = said.get("attention_head_dim", HEAD)
    twice = {re.match(r"transformer_blocks\.(\d{1,4})\.attn2\.", name) for name in shapes}
    return {
        "sample_size": family.native // family.downscale,
        "patch_size": family.patch,
        "in_channels": side(shapes, "pos_embed.proj.weight", 1),
        "out_channels": side(shapes, "proj_out.weight", 0) // family.patch**2,
        "num_layers": count(shapes, r"transformer_blocks\.(\d{1,4})\."),
        "attention_head_dim": head,
        "num_attention_heads": heads(side(shapes, "pos_embed.proj.weight", 0), head),
        "joint_attention_dim": side(shapes, "context_embedder.weight", 1),
        "caption_projection_dim": side(shapes, "context_embedder.weight", 0),
        "pooled_projection_dim": side(shapes, "time_text_embed.text_embedder.linear_1.weight", 1),
        "pos_embed_max_size": math.isqrt(side(shapes, "pos_embed.pos_embed", 1)),
        "qk_norm": "rms_norm" if "transformer_blocks.0.attn.norm_q.weight" in shapes else None,
        "dual_attention_layers": tuple(sorted({int(found[1]) for found in twice if found})),
    }


def _build(arguments: dict[str, Any]) -> nn.Module:
    from diffusers.models.transformers.transformer_sd3 import SD3Transformer2DModel

    return SD3Transformer2DModel(**arguments)


def _call(module: Any, x: Tensor, t: Tensor, told: DenoiserInputs) -> Tensor:
    out: Tensor = module(
        hidden_states=x,
        encoder_hidden_states=told.context,
        pooled_projections=told.pooled,
        timestep=t,
        block_controlnet_hidden_states=(told.residuals and told.residuals.blocks) or None,
        return_dict=False,
    )[0]
    return out


def _largest(module: Any) -> int:
    return int(module.config.pos_embed_max_size * module.config.patch_size)


ARCHITECTURE = Architecture(
    "transformer", _naming, _config, _build, _call, _table, largest=_largest
)
