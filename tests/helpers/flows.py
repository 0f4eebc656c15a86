"""Tiny denoisers of AuraFlow, FLUX.1 and SD3, as diffusers has them and as their files name them.

The original names are written by the rules of each format, spelt out here; `test_architectures` has
diffusers convert them back, so that these rules are checked by somebody else's.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from torch import Tensor, nn

FAMILIES = ("auraflow", "flux", "flux-dev", "sd3", "sd3.5")
AXES = [4, 6, 6]
HEAD = 16
# The width of the prompt's states, and of the pooled prompt, as the tiny text encoders have them.
CONTEXT, POOLED = {"auraflow": 48, "flux": 48, "sd3": 128}, {"flux": 32, "sd3": 96}
HINTS = {"attention_head_dim": HEAD}
SHARED = {"attention_head_dim": HEAD, "num_attention_heads": 2}
ARGUMENTS: dict[str, dict[str, Any]] = {
    "auraflow": {
        "in_channels": 4,
        "num_mmdit_layers": 2,
        "num_single_dit_layers": 2,
        "joint_attention_dim": CONTEXT["auraflow"],
        "caption_projection_dim": 2 * HEAD,
        "pos_embed_max_size": 64,
    },
    "flux": {
        "num_layers": 2,
        "num_single_layers": 3,
        "joint_attention_dim": CONTEXT["flux"],
        "pooled_projection_dim": POOLED["flux"],
        "axes_dims_rope": AXES,
    },
    "sd3": {
        "num_layers": 3,
        "joint_attention_dim": CONTEXT["sd3"],
        "caption_projection_dim": 2 * HEAD,
        "pooled_projection_dim": POOLED["sd3"],
        "pos_embed_max_size": 12,
    },
}
# What sets those of a family apart that have a name of their own. Without T5 the prompt of SD3 is
# filled up to the released model's width.
OWN: dict[str, dict[str, Any]] = {
    "flux-dev": {"guidance_embeds": True},
    # Its picture with a hole has 16 channels, and the hole itself 64.
    "flux-fill": {"guidance_embeds": True, "in_channels": 384, "out_channels": 64},
    "sd3.5": {"qk_norm": "rms_norm", "dual_attention_layers": (0, 1)},
    "sd3-clip": {"joint_attention_dim": 4096},
}
# Rows of as many numbers as the widest blocks of packed ones have.
WIDE_HEADS = 16
WIDE: dict[str, dict[str, Any]] = {
    "auraflow-wide": {
        "caption_projection_dim": WIDE_HEADS * HEAD,
        "num_mmdit_layers": 1,
        "num_single_dit_layers": 1,
    },
    "flux-wide": {"num_layers": 1, "num_single_layers": 1},
    "sd3-wide": {"caption_projection_dim": WIDE_HEADS * HEAD, "num_layers": 2},
}
OWN |= {name: own | {"num_attention_heads": WIDE_HEADS} for name, own in WIDE.items()}


def family_of(name: str) -> str:
    return name.partition("-")[0].partition(".")[0]


@cache
def network(name: str) -> nn.Module:
    """diffusers' own, of random weights; "flux-dev" is told its guidance, "sd3-clip" reads prompts
    without T5. Do not change it."""
    from diffusers import (
        AuraFlowTransformer2DModel,
        FluxTransformer2DModel,
        SD3Transformer2DModel,
    )

    kinds = {
        "auraflow": AuraFlowTransformer2DModel,
        "flux": FluxTransformer2DModel,
        "sd3": SD3Transformer2DModel,
    }
    family = family_of(name)
    arguments = SHARED | ARGUMENTS[family] | OWN.get(name, {})
    return randomised(kinds[family](**arguments), seed=len(name))


def randomised(module: nn.Module, seed: int) -> nn.Module:
    """Weights of a size that makes every layer count, rounded to what bf16 and fp16 hold."""
    generator = torch.Generator().manual_seed(seed)
    for name, value in module.named_parameters():
        drawn = torch.randn(value.shape, generator=generator)
        scaled = drawn / value.shape[-1] ** 0.5 if value.ndim > 1 else drawn * 0.1
        if "norm" in name and value.ndim == 1 and name.endswith("weight"):
            scaled = scaled + 1
        value.data = scaled.bfloat16().half().float()
    return module.eval().requires_grad_(False)


@cache
def original(name: str) -> dict[str, Tensor]:
    """The tensors of that network under the names of the files that it is released in."""
    return originals(name, network(name).state_dict())


def originals(name: str, state: dict[str, Tensor]) -> dict[str, Tensor]:
    """Those of a network of that kind under these names."""
    rules = {"auraflow": _auraflow, "flux": _flux, "sd3": _sd3}
    return {k: v.contiguous().clone() for k, v in rules[family_of(name)](state)}


def hints(name: str) -> dict[str, str]:
    """What a file of so small a network must say of itself."""
    said = {"axes_dims_rope": AXES} if family_of(name) == "flux" else HINTS
    return {"ponystudio.config": json.dumps({"transformer": said})}


def write(name: str, path: Path, prefix: str = "", dtype: torch.dtype = torch.float32) -> Path:
    """The bare denoiser as a file; `prefix` stands before its names."""
    tensors = {prefix + k: v.to(dtype) for k, v in original(name).items()}
    save_file(tensors, path, metadata=hints(name))
    return path


def told(
    name: str, batch: int = 1, seed: int = 0, size: tuple[int, int] = (8, 12)
) -> dict[str, Any]:
    """Random inputs for `Denoiser`, by name; x is a latent of that size."""
    family = family_of(name)
    generator = torch.Generator().manual_seed(seed)

    def drawn(*shape: int) -> Tensor:
        return torch.randn(batch, *shape, generator=generator)

    inputs = {
        "x": drawn(4 if family == "auraflow" else 16, *size),
        "t": torch.full((batch,), 640.0 if family == "sd3" else 0.64),
        "context": drawn(7, CONTEXT[family]),
    }
    if family in POOLED:
        inputs["pooled"] = drawn(POOLED[family])
    if name == "flux-dev":
        inputs["guidance"] = torch.full((batch,), 3.5)
    return inputs


def _swapped(value: Tensor) -> Tensor:
    first, second = value.chunk(2)
    return torch.cat([second, first])


def _leaves(state: dict[str, Tensor], module: str) -> Iterator[tuple[str, Tensor]]:
    for leaf in ("weight", "bias"):
        if f"{module}.{leaf}" in state:
            yield leaf, state[f"{module}.{leaf}"]


def _renamed(
    state: dict[str, Tensor], pairs: dict[str, str], swapped: tuple[str, ...] = ()
) -> Iterator[tuple[str, Tensor]]:
    for ours, theirs in pairs.items():
        for leaf, value in _leaves(state, ours):
            yield f"{theirs}.{leaf}", _swapped(value) if ours in swapped else value


def _joined(
    state: dict[str, Tensor], modules: list[str], theirs: str
) -> Iterator[tuple[str, Tensor]]:
    for leaf, _ in _leaves(state, modules[0]):
        yield f"{theirs}.{leaf}", torch.cat([state[f"{module}.{leaf}"] for module in modules])


def _count(state: dict[str, Tensor], blocks: str) -> int:
    return len({name.split(".")[1] for name in state if name.startswith(f"{blocks}.")})


def _auraflow(state: dict[str, Tensor]) -> Iterator[tuple[str, Tensor]]:
    yield "positional_encoding", state["pos_embed.pos_embed"]
    yield "register_tokens", state["register_tokens"]
    pairs = {
        "pos_embed.proj": "init_x_linear",
        "context_embedder": "cond_seq_linear",
        "time_step_proj.linear_1": "t_embedder.mlp.0",
        "time_step_proj.linear_2": "t_embedder.mlp.2",
        "norm_out.linear": "modF.1",
        "proj_out": "final_linear",
    }
    feed = {"linear_1": "c_fc1", "linear_2": "c_fc2", "out_projection": "c_proj"}
    for i in range(_count(state, "joint_transformer_blocks")):
        here, there = f"joint_transformer_blocks.{i}", f"double_layers.{i}"
        for x in "qkv":
            pairs[f"{here}.attn.to_{x}"] = f"{there}.attn.w2{x}"
            pairs[f"{here}.attn.add_{x}_proj"] = f"{there}.attn.w1{x}"
        pairs[f"{here}.attn.to_out.0"] = f"{there}.attn.w2o"
        pairs[f"{here}.attn.to_add_out"] = f"{there}.attn.w1o"
        pairs |= {f"{here}.ff.{k}": f"{there}.mlpX.{v}" for k, v in feed.items()}
        pairs |= {f"{here}.ff_context.{k}": f"{there}.mlpC.{v}" for k, v in feed.items()}
        pairs[f"{here}.norm1.linear"] = f"{there}.modX.1"
        pairs[f"{here}.norm1_context.linear"] = f"{there}.modC.1"
    for i in range(_count(state, "single_transformer_blocks")):
        here, there = f"single_transformer_blocks.{i}", f"single_layers.{i}"
        pairs |= {f"{here}.attn.to_{x}": f"{there}.attn.w1{x}" for x in "qkv"}
        pairs[f"{here}.attn.to_out.0"] = f"{there}.attn.w1o"
        pairs |= {f"{here}.ff.{k}": f"{there}.mlp.{v}" for k, v in feed.items()}
        pairs[f"{here}.norm1.linear"] = f"{there}.modCX.1"
    yield from _renamed(state, pairs, ("norm_out.linear",))


def _flux(state: dict[str, Tensor]) -> Iterator[tuple[str, Tensor]]:
    pairs = {"x_embedder": "img_in", "context_embedder": "txt_in", "proj_out": "final_layer.linear"}
    for ours, theirs in (("timestep", "time"), ("text", "vector"), ("guidance", "guidance")):
        for n, layer in ((1, "in_layer"), (2, "out_layer")):
            pairs[f"time_text_embed.{ours}_embedder.linear_{n}"] = f"{theirs}_in.{layer}"
    pairs["norm_out.linear"] = "final_layer.adaLN_modulation.1"
    for i in range(_count(state, "transformer_blocks")):
        here, there = f"transformer_blocks.{i}", f"double_blocks.{i}"
        for stream, context, qkv, out, norm in (
            ("img", "", ("to_q", "to_k", "to_v"), "to_out.0", "norm_{}"),
            ("txt", "_context", ("add_q_proj", "add_k_proj", "add_v_proj"), "to_add_out",
             "norm_added_{}"),
        ):  # fmt: skip
            attention = f"{there}.{stream}_attn"
            yield from _joined(state, [f"{here}.attn.{x}" for x in qkv], f"{attention}.qkv")
            pairs[f"{here}.attn.{out}"] = f"{attention}.proj"
            for axis, name in (("q", "query"), ("k", "key")):
                value = state[f"{here}.attn.{norm.format(axis)}.weight"]
                yield f"{attention}.norm.{name}_norm.scale", value
            pairs[f"{here}.norm1{context}.linear"] = f"{there}.{stream}_mod.lin"
            pairs[f"{here}.ff{context}.net.0.proj"] = f"{there}.{stream}_mlp.0"
            pairs[f"{here}.ff{context}.net.2"] = f"{there}.{stream}_mlp.2"
    for i in range(_count(state, "single_transformer_blocks")):
        here, there = f"single_transformer_blocks.{i}", f"single_blocks.{i}"
        fused = [f"{here}.attn.to_{x}" for x in "qkv"] + [f"{here}.proj_mlp"]
        yield from _joined(state, fused, f"{there}.linear1")
        pairs[f"{here}.proj_out"] = f"{there}.linear2"
        pairs[f"{here}.norm.linear"] = f"{there}.modulation.lin"
        for axis, name in (("q", "query"), ("k", "key")):
            yield f"{there}.norm.{name}_norm.scale", state[f"{here}.attn.norm_{axis}.weight"]
    yield from _renamed(state, pairs, ("norm_out.linear",))


def _sd3(state: dict[str, Tensor]) -> Iterator[tuple[str, Tensor]]:
    yield "pos_embed", state["pos_embed.pos_embed"]
    pairs = {
        "pos_embed.proj": "x_embedder.proj",
        "context_embedder": "context_embedder",
        "proj_out": "final_layer.linear",
        "norm_out.linear": "final_layer.adaLN_modulation.1",
    }
    for ours, theirs in (("timestep", "t"), ("text", "y")):
        for n, layer in ((1, 0), (2, 2)):
            pairs[f"time_text_embed.{ours}_embedder.linear_{n}"] = f"{theirs}_embedder.mlp.{layer}"
    blocks = _count(state, "transformer_blocks")
    for i in range(blocks):
        here, there = f"transformer_blocks.{i}", f"joint_blocks.{i}"
        for attention, block in (("attn", "x_block.attn"), ("attn2", "x_block.attn2")):
            if f"{here}.{attention}.to_q.weight" in state:
                fused = [f"{here}.{attention}.to_{x}" for x in "qkv"]
                yield from _joined(state, fused, f"{there}.{block}.qkv")
                pairs[f"{here}.{attention}.to_out.0"] = f"{there}.{block}.proj"
                pairs |= {f"{here}.{attention}.norm_{x}": f"{there}.{block}.ln_{x}" for x in "qk"}
        context = f"{there}.context_block"
        fused = [f"{here}.attn.add_{x}_proj" for x in "qkv"]
        yield from _joined(state, fused, f"{context}.attn.qkv")
        pairs[f"{here}.attn.to_add_out"] = f"{context}.attn.proj"
        pairs |= {f"{here}.attn.norm_added_{x}": f"{context}.attn.ln_{x}" for x in "qk"}
        for ours, theirs in (("", f"{there}.x_block"), ("_context", context)):
            pairs[f"{here}.norm1{ours}.linear"] = f"{theirs}.adaLN_modulation.1"
            pairs[f"{here}.ff{ours}.net.0.proj"] = f"{theirs}.mlp.fc1"
            pairs[f"{here}.ff{ours}.net.2"] = f"{theirs}.mlp.fc2"
    last = f"transformer_blocks.{blocks - 1}.norm1_context.linear"
    yield from _renamed(state, pairs, ("norm_out.linear", last))
