"""The transformer of FLUX.1 (Black Forest Labs 2024): streams of text and picture that meet in
every attention, then blocks over both. Names on the left of the table are the original's.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import TYPE_CHECKING, Any

from ponystudio.diffusion.architectures import Architecture, DenoiserInputs, Hints, Shapes
from ponystudio.diffusion.families import Family
from ponystudio.diffusion.weights.name_table import (
    SWAPPED,
    THIRDS,
    FusedSlice,
    Naming,
    Table,
    renamed,
)
from ponystudio.diffusion.weights.network_config import allowed, heads, is_whole, side
from ponystudio.diffusion.weights.tensor_names import TRANSFORMER_PREFIXES, count, part_of
from ponystudio.errors import UnsupportedModel

if TYPE_CHECKING:
    from torch import Tensor, nn

ROOTS = ("double_blocks.0.img_attn.qkv.weight", "single_transformer_blocks.0.attn.to_q.weight")
BRANCHES = (
    *("img_in.", "txt_in.", "time_in.", "vector_in.", "guidance_in.", "final_layer."),
    *("double_blocks.", "single_blocks.", "transformer_blocks.", "single_transformer_blocks."),
    *("x_embedder.", "context_embedder.", "time_text_embed.", "norm_out.", "proj_out."),
)
GUIDANCE = "time_text_embed.guidance_embedder.linear_1.weight"
# Of the rows of a single block's first layer, q, k and v have one share each, the MLP four.
QKV_MLP = (FusedSlice(0, 1, 7), FusedSlice(1, 2, 7), FusedSlice(2, 3, 7), FusedSlice(3, 7, 7))
# How the width of a head is shared among the axes of the rotary embedding.
AXES = (16, 56, 56)


def _naming(keys: Iterable[str]) -> Naming:
    part = part_of(keys, TRANSFORMER_PREFIXES, ROOTS, BRANCHES)
    return renamed(part, _table(part)) if "img_in.weight" in part else Naming(part)


def _table(names: Iterable[str]) -> Iterator[tuple[str, str, FusedSlice | None]]:
    """(original, ours, cut), for as many blocks as there are of either's names."""
    listed = list(names)
    yield "img_in", "x_embedder", None
    yield "txt_in", "context_embedder", None
    for theirs, ours in (("time", "timestep"), ("vector", "text"), ("guidance", "guidance")):
        embedder = f"time_text_embed.{ours}_embedder"
        yield f"{theirs}_in.in_layer", f"{embedder}.linear_1", None
        yield f"{theirs}_in.out_layer", f"{embedder}.linear_2", None
    yield "final_layer.linear", "proj_out", None
    yield "final_layer.adaLN_modulation.1", "norm_out.linear", SWAPPED
    for i in range(count(listed, r"(?:double|transformer)_blocks\.(\d{1,4})\.")):
        yield from _double(f"double_blocks.{i}", f"transformer_blocks.{i}")
    for i in range(count(listed, r"single_(?:transformer_)?blocks\.(\d{1,4})\.")):
        yield from _single(f"single_blocks.{i}", f"single_transformer_blocks.{i}")


def _trainers(ours: Iterable[str]) -> Table:
    """XLabs' names of the single blocks: theirs share the layer of q, k and v with nothing else."""
    projections = ("attn.to_q", "attn.to_k", "attn.to_v")
    for name in ours:
        if match := re.fullmatch(r"single_transformer_blocks\.(\d+)\.(.+)", name):
            block, layer = match.groups()
            if layer == "proj_out":
                yield f"single_blocks.{block}.proj", name, None
            elif layer in projections:
                yield f"single_blocks.{block}.qkv", name, THIRDS[projections.index(layer)]


def _double(there: str, here: str) -> Iterator[tuple[str, str, FusedSlice | None]]:
    for stream, context in (("img", ""), ("txt", "_context")):
        attention, added = f"{there}.{stream}_attn", "added_" if context else ""
        layers = ("add_q_proj", "add_k_proj", "add_v_proj") if context else ("to_q", "to_k", "to_v")
        for layer, cut in zip(layers, THIRDS, strict=True):
            yield f"{attention}.qkv", f"{here}.attn.{layer}", cut
        out = "to_add_out" if context else "to_out.0"
        yield f"{attention}.proj", f"{here}.attn.{out}", None
        for theirs, ours in (("query", "q"), ("key", "k")):
            yield from _norm(f"{attention}.norm.{theirs}_norm", f"{here}.attn.norm_{added}{ours}")
        yield f"{there}.{stream}_mod.lin", f"{here}.norm1{context}.linear", None
        yield f"{there}.{stream}_mlp.0", f"{here}.ff{context}.net.0.proj", None
        yield f"{there}.{stream}_mlp.2", f"{here}.ff{context}.net.2", None


def _single(there: str, here: str) -> Iterator[tuple[str, str, FusedSlice | None]]:
    layers = ("attn.to_q", "attn.to_k", "attn.to_v", "proj_mlp")
    for layer, cut in zip(layers, QKV_MLP, strict=True):
        yield f"{there}.linear1", f"{here}.{layer}", cut
    yield f"{there}.linear2", f"{here}.proj_out", None
    yield f"{there}.modulation.lin", f"{here}.norm.linear", None
    for theirs, ours in (("query", "q"), ("key", "k")):
        yield from _norm(f"{there}.norm.{theirs}_norm", f"{here}.attn.norm_{ours}")


def _norm(there: str, here: str) -> Iterator[tuple[str, str, FusedSlice | None]]:
    """The original calls its weight a scale, and some tools do not."""
    yield f"{there}.scale", f"{here}.weight", None
    yield there, here, None


def _config(shapes: Shapes, _: Family, hints: Hints) -> dict[str, Any]:
    head = side(shapes, "single_transformer_blocks.0.attn.norm_q.weight", 0)
    return {
        "in_channels": side(shapes, "x_embedder.weight", 1),
        "out_channels": side(shapes, "proj_out.weight", 0),
        "num_layers": count(shapes, r"transformer_blocks\.(\d{1,4})\."),
        "num_single_layers": count(shapes, r"single_transformer_blocks\.(\d{1,4})\."),
        "attention_head_dim": head,
        "num_attention_heads": heads(side(shapes, "x_embedder.weight", 0), head),
        "joint_attention_dim": side(shapes, "context_embedder.weight", 1),
        "pooled_projection_dim": side(shapes, "time_text_embed.text_embedder.linear_1.weight", 1),
        "guidance_embeds": GUIDANCE in shapes,
        "axes_dims_rope": axes(head, hints),
    }


def axes(head: int, hints: Hints) -> tuple[int, ...]:
    """How a head of that width is shared among the axes of the rotary embedding."""
    found = allowed(hints, {"axes_dims_rope": _are_axes(head)}).get("axes_dims_rope", AXES)
    if sum(found) != head:
        raise UnsupportedModel(
            f"The heads of this denoiser are {head} wide, and those of FLUX.1 are {sum(AXES)}.",
            remedy="Where it is a smaller relative, its metadata `ponystudio.config` is to say how"
            " they are shared among the axes: `axes_dims_rope`.",
        )
    return tuple(found)


def _are_axes(head: int) -> Any:
    def check(value: Any) -> bool:
        if not isinstance(value, list | tuple) or len(value) != 3:
            return False
        # A rotation turns two numbers at once.
        return all(is_whole(x) and x % 2 == 0 for x in value) and sum(value) == head

    return check


def _build(arguments: dict[str, Any]) -> nn.Module:
    from diffusers.models.transformers.transformer_flux import FluxTransformer2DModel

    return FluxTransformer2DModel(**arguments)


def _call(module: Any, x: Tensor, t: Tensor, told: DenoiserInputs) -> Tensor:
    """Tokens of pictures to refer to stand behind those of x, which alone are what it says."""
    import torch

    pictures = [(packed(x), places(x)), *_beyond(told.references)]
    beyond = sum(len(there) for _, there in pictures[1:])
    added, extra = told.residuals, dict[str, Any]()
    if added and beyond:
        added = added.changed(lambda tokens: torch.nn.functional.pad(tokens, (0, 0, 0, beyond)))
    if told.bias is not None:
        # Of text and picture, in this order, as they meet in every attention.
        seen = sum(len(there) for _, there in pictures)
        towards = torch.nn.functional.pad(told.bias, (0, seen))
        extra["joint_attention_kwargs"] = {"attention_mask": towards[:, None, None]}
    guidance = told.guidance
    unguided: AbstractContextManager[None] = nullcontext()
    if guidance is None and module.config.guidance_embeds:
        guidance, unguided = torch.zeros_like(t), _without_guidance(module)
    with in_full(module, t, guidance), unguided:
        out = module(
            hidden_states=torch.cat([tokens for tokens, _ in pictures], dim=1),
            encoder_hidden_states=told.context,
            pooled_projections=told.pooled,
            timestep=t,
            guidance=guidance,
            img_ids=torch.cat([there for _, there in pictures]),
            txt_ids=torch.zeros(told.context.shape[1], 3, device=x.device),
            controlnet_block_samples=(added and added.blocks) or None,
            controlnet_single_block_samples=(added and added.singles) or None,
            return_dict=False,
            **extra,
        )[0]
    b, _, h, w = x.shape
    out = out[:, : h * w // 4]
    cells = out.view(b, h // 2, w // 2, -1, 2, 2).permute(0, 3, 1, 4, 2, 5)
    return cells.reshape(b, -1, h, w)


def packed(x: Tensor) -> Tensor:
    """Four neighbouring cells of x [B,C,h,w] are one token: [B,hw/4,4C]."""
    b, c, h, w = x.shape
    tokens = x.reshape(b, c, h // 2, 2, w // 2, 2).permute(0, 2, 4, 1, 3, 5)
    return tokens.reshape(b, h * w // 4, 4 * c)


def places(x: Tensor) -> Tensor:
    """Where the tokens of x [B,C,h,w] stand: [hw/4,3], the last two their row and column."""
    import torch

    rows, columns = (side // 2 for side in x.shape[-2:])
    there = torch.zeros(rows, columns, 3, device=x.device)
    there[..., 1] += torch.arange(rows, device=x.device)[:, None]
    there[..., 2] += torch.arange(columns, device=x.device)
    return there.reshape(rows * columns, 3)


@contextmanager
def in_full(module: Any, t: Tensor, guidance: Tensor | None) -> Iterator[None]:
    """Within it the network is told its time and guidance as they are: it rounds both to its dtype,
    and bf16 has no more than 256 levels of time."""
    numbers = [t] if guidance is None else [t, guidance]

    def before(_: nn.Module, arguments: tuple[Any, ...]) -> tuple[Any, ...]:
        return (*(number * 1000 for number in numbers), *arguments[len(numbers) :])

    handle = module.time_text_embed.register_forward_pre_hook(before)
    try:
        yield
    finally:
        handle.remove()


@contextmanager
def _without_guidance(module: Any) -> Iterator[None]:
    """Within it the embedding of its guidance, which is added to those of time and prompt, is 0."""
    handle = module.time_text_embed.guidance_embedder.register_forward_hook(
        lambda _, __, embedding: embedding * 0
    )
    try:
        yield
    finally:
        handle.remove()


def _beyond(references: Iterable[Tensor]) -> Iterator[tuple[Tensor, Tensor]]:
    """The tokens of pictures to refer to, on a plane of their own (index 1), each beside or below
    those before it, whichever keeps all of them more nearly square; as ComfyUI lays them out."""
    height = width = 0
    for reference in references:
        rows, columns = reference.shape[-2] // 2, reference.shape[-1] // 2
        beside = rows + height > columns + width
        top, left = (0, width) if beside else (height, 0)
        height, width = max(height, top + rows), max(width, left + columns)
        there = places(reference)
        yield packed(reference), there + there.new_tensor([1, top, left])


ARCHITECTURE = Architecture(
    "transformer",
    _naming,
    _config,
    _build,
    _call,
    _table,
    lora_aliases=_trainers,
    channels=lambda module: module.config.in_channels // 4,
    guided=lambda module: module.config.guidance_embeds,
)
