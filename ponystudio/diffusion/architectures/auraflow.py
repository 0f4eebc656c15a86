"""The transformer of AuraFlow (fal 2024), of which Pony Diffusion V7 is one: a few blocks with
streams of text and picture, then blocks over both. Names on the left of the table are the
original's.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

from ponystudio.diffusion.architectures import Architecture, DenoiserInputs, Hints, Shapes
from ponystudio.diffusion.families import Family
from ponystudio.diffusion.weights.name_table import SWAPPED, FusedSlice, Naming, renamed
from ponystudio.diffusion.weights.network_config import allowed, heads, is_whole, side
from ponystudio.diffusion.weights.tensor_names import TRANSFORMER_PREFIXES, count, part_of

if TYPE_CHECKING:
    from torch import Tensor, nn

ROOTS = ("double_layers.0.attn.w1q.weight", "joint_transformer_blocks.0.attn.to_q.weight")
BRANCHES = (
    *("positional_encoding", "register_tokens", "init_x_linear.", "cond_seq_linear."),
    *("t_embedder.", "double_layers.", "single_layers.", "modF.", "final_linear."),
    *("pos_embed.", "context_embedder.", "time_step_proj.", "joint_transformer_blocks."),
    *("single_transformer_blocks.", "norm_out.", "proj_out."),
)
FEED_FORWARD = {"c_fc1": "linear_1", "c_fc2": "linear_2", "c_proj": "out_projection"}
PICTURE = {"q": "to_q", "k": "to_k", "v": "to_v", "o": "to_out.0"}
TEXT = {"q": "add_q_proj", "k": "add_k_proj", "v": "add_v_proj", "o": "to_add_out"}
HEAD = 256


def _naming(keys: Iterable[str]) -> Naming:
    part = part_of(keys, TRANSFORMER_PREFIXES, ROOTS, BRANCHES)
    return renamed(part, _table(part)) if "init_x_linear.weight" in part else Naming(part)


def _table(names: Iterable[str]) -> Iterator[tuple[str, str, FusedSlice | None]]:
    """(original, ours, cut), for as many blocks as there are of either's names."""
    listed = list(names)
    yield "positional_encoding", "pos_embed.pos_embed", None
    yield "register_tokens", "register_tokens", None
    yield "init_x_linear", "pos_embed.proj", None
    yield "cond_seq_linear", "context_embedder", None
    yield "t_embedder.mlp.0", "time_step_proj.linear_1", None
    yield "t_embedder.mlp.2", "time_step_proj.linear_2", None
    yield "modF.1", "norm_out.linear", SWAPPED
    yield "final_linear", "proj_out", None
    for i in range(count(listed, r"(?:double_layers|joint_transformer_blocks)\.(\d{1,4})\.")):
        there, here = f"double_layers.{i}", f"joint_transformer_blocks.{i}"
        yield from _attention(f"{there}.attn.w2", here, PICTURE)
        yield from _attention(f"{there}.attn.w1", here, TEXT)
        yield from _feed_forward(f"{there}.mlpX", f"{here}.ff")
        yield from _feed_forward(f"{there}.mlpC", f"{here}.ff_context")
        yield f"{there}.modX.1", f"{here}.norm1.linear", None
        yield f"{there}.modC.1", f"{here}.norm1_context.linear", None
    for i in range(count(listed, r"single_(?:layers|transformer_blocks)\.(\d{1,4})\.")):
        there, here = f"single_layers.{i}", f"single_transformer_blocks.{i}"
        yield from _attention(f"{there}.attn.w1", here, PICTURE)
        yield from _feed_forward(f"{there}.mlp", f"{here}.ff")
        yield f"{there}.modCX.1", f"{here}.norm1.linear", None


def _attention(
    there: str, here: str, layers: dict[str, str]
) -> Iterator[tuple[str, str, FusedSlice | None]]:
    for theirs, ours in layers.items():
        yield there + theirs, f"{here}.attn.{ours}", None


def _feed_forward(there: str, here: str) -> Iterator[tuple[str, str, FusedSlice | None]]:
    for theirs, ours in FEED_FORWARD.items():
        yield f"{there}.{theirs}", f"{here}.{ours}", None


def _config(shapes: Shapes, family: Family, hints: Hints) -> dict[str, Any]:
    width = side(shapes, "pos_embed.proj.weight", 0)
    said = allowed(hints, {"attention_head_dim": is_whole})
    head = said.get("attention_head_dim", HEAD)
    return {
        "sample_size": family.native // family.downscale,
        "patch_size": family.patch,
        "in_channels": side(shapes, "pos_embed.proj.weight", 1) // family.patch**2,
        "out_channels": side(shapes, "proj_out.weight", 0) // family.patch**2,
        "num_mmdit_layers": count(shapes, r"joint_transformer_blocks\.(\d{1,4})\."),
        "num_single_dit_layers": count(shapes, r"single_transformer_blocks\.(\d{1,4})\."),
        "attention_head_dim": head,
        "num_attention_heads": heads(width, head),
        "joint_attention_dim": side(shapes, "context_embedder.weight", 1),
        "caption_projection_dim": width,
        "pos_embed_max_size": side(shapes, "pos_embed.pos_embed", 1),
    }


def _build(arguments: dict[str, Any]) -> nn.Module:
    from diffusers.models.transformers.auraflow_transformer_2d import AuraFlowTransformer2DModel

    return AuraFlowTransformer2DModel(**arguments)


def _call(module: Any, x: Tensor, t: Tensor, told: DenoiserInputs) -> Tensor:
    out: Tensor = module(
        hidden_states=x, encoder_hidden_states=told.context, timestep=t, return_dict=False
    )[0]
    return out


def _largest(module: Any) -> int:
    """Its table of positions is a square, which was learned and cannot grow."""
    rows = math.isqrt(module.config.pos_embed_max_size)
    return rows * int(module.config.patch_size)


ARCHITECTURE = Architecture(
    "transformer", _naming, _config, _build, _call, _table, largest=_largest
)
