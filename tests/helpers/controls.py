"""Tiny ControlNets and T2I-adapters of every kind: diffusers' own networks, and files of them under
the names that such files have, by the rules of each format, spelt out here.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from helpers import checkpoints, flows, relatives

# By name, the model that each is for: a file of `base`.
BASES = {
    "sd1": "sd1",
    "sd1 of diffusers": "sd1",
    "sd2": "sd2",
    "sdxl": "sdxl",
    "union": "sdxl",
    "control-LoRA": "sdxl",
    "difference": "sd1",
    "adapter": "sd1",
    "adapter of diffusers": "sd1",
    "light adapter": "sd1",
    "adapter for sdxl": "sdxl",
    "sd3": "sd3",
    "sd3 inpainting": "sd3",
    "sd3.5": "sd3",
    "flux": "flux-dev",
    "flux union": "flux-dev",
    "flux inpainting": "flux-dev",
    "flux by XLabs": "flux-dev",
}
UNETS = ("sd1", "sd2", "sdxl")
# The widths of the layers that read the picture.
READING = (8, 8, 16, 16)
RANK = 4
LEVELS = {"sd1": [32, 64, 128, 128], "sdxl": [32, 64, 64, 64]}
HINTS: dict[str, dict[str, Any]] = {
    "sdxl": {"addition_time_embed_dim": 8},
    "sd3": flows.HINTS,
    "flux-dev": {"axes_dims_rope": flows.AXES},
}


class Kin(NamedTuple):
    """A network as diffusers has it, and the tensors of its file."""

    module: nn.Module
    tensors: dict[str, Tensor]


def base(name: str, folder: Path) -> Path:
    """The file of the model that a kind is for."""
    family, path = BASES[name], folder / "base.safetensors"
    if family == "sd1":
        return checkpoints.micro(path)
    if family in UNETS:
        return relatives.write(family, path)
    return flows.write(family, path)


def write(name: str, path: Path) -> Path:
    tensors = {k: v.contiguous().clone() for k, v in kin(name).tensors.items()}
    hints = {"ponystudio.config": json.dumps({"controlnet": HINTS.get(BASES[name], {})})}
    save_file(tensors, path, metadata=hints)
    return path


@cache
def kin(name: str) -> Kin:
    """Do not change it."""
    family = BASES[name]
    if "adapter" in name:
        return _adapter(name, family)
    if family in UNETS:
        return _of_unet(name, family)
    return _of_transformer(name, family)


@cache
def unet(family: str) -> nn.Module:
    from diffusers import UNet2DConditionModel

    if family != "sd1":
        return relatives.relative(family).unet
    said = {k: v for k, v in checkpoints.UNET.items() if not k.startswith("_")}
    module = UNet2DConditionModel(**said)
    prefix = checkpoints.PREFIXES[0]
    stored = checkpoints.weights()
    ldm = dict(relatives.ldm_unet(module))
    with torch.no_grad():
        for theirs, value in ldm.items():
            value.copy_(stored[prefix + theirs].float().reshape(value.shape))
    return module.eval().requires_grad_(False)


def _of_unet(name: str, family: str) -> Kin:
    from diffusers import ControlNetModel, ControlNetUnionModel

    model = unet(family)
    arguments = {"conditioning_embedding_out_channels": READING}
    if name == "union":
        kinds = {"num_control_type": 8, "num_trans_channel": 32, "num_proj_channel": 32}
        module: nn.Module = ControlNetUnionModel(**_config(model), **arguments, **kinds)
    else:
        module = ControlNetModel.from_unet(model, load_weights_from_unet=False, **arguments)
    module = relatives.randomised(module, seed=len(name))
    if name == "control-LoRA":
        return Kin(module, dict(_low_rank(module, model)))
    if name == "difference":
        return Kin(module, dict(_difference(module, model)))
    if name in ("union", "sd1 of diffusers"):
        return Kin(module, dict(module.state_dict()))
    prefix = "control_model." if name == "sd1" else ""
    return Kin(module, {prefix + k: v for k, v in ldm_control(module)})


def _config(model: Any) -> dict[str, Any]:
    """Of a UNet, what its union has too."""
    names = ("in_channels", "down_block_types", "block_out_channels", "cross_attention_dim")
    names += ("transformer_layers_per_block", "attention_head_dim", "use_linear_projection")
    names += ("addition_embed_type", "addition_time_embed_dim", "norm_num_groups")
    names += ("projection_class_embeddings_input_dim",)
    return {name: model.config[name] for name in names}


def ldm_control(module: Any) -> Iterator[tuple[str, Tensor]]:
    """LDM's names: those of the UNet's way down, the layers that read the picture (an activation
    after each), and one after each block."""
    yield from _ldm_encoder(module)
    reading = module.controlnet_cond_embedding
    layers = [reading.conv_in, *reading.blocks, reading.conv_out]
    for n, layer in enumerate(layers):
        yield from _under(f"input_hint_block.{2 * n}", layer)
    for n, layer in enumerate(module.controlnet_down_blocks):
        yield from _under(f"zero_convs.{n}.0", layer)
    yield from _under("middle_block_out.0", module.controlnet_mid_block)


def _ldm_encoder(module: Any) -> Iterator[tuple[str, Tensor]]:
    encoder = nn.Module()
    for child in ("conv_in", "time_embedding", "add_embedding", "down_blocks", "mid_block"):
        if (found := getattr(module, child, None)) is not None:
            setattr(encoder, child, found)
    encoder.up_blocks = nn.ModuleList()
    yield from relatives.ldm_unet(encoder)


def _under(name: str, layer: nn.Module) -> Iterator[tuple[str, Tensor]]:
    yield from ((f"{name}.{leaf}", value) for leaf, value in layer.state_dict().items())


def _low_rank(module: Any, model: Any) -> Iterator[tuple[str, Tensor]]:
    """Pairs for the weights that are matrices, of which some are left as the model has them; biases
    and norms whole. The module's weights become the sums."""
    theirs = dict(relatives.ldm_unet(model))
    generator = torch.Generator().manual_seed(9)
    for name, value in ldm_control(module):
        if name not in theirs or value.ndim < 2:
            yield name, value
            continue
        layer = name.removesuffix(".weight")
        if layer.endswith("to_k"):
            value.copy_(theirs[name])
            continue
        up = torch.randn(len(value), RANK, generator=generator) * 0.1
        down = torch.randn(RANK, value[0].numel(), generator=generator) * 0.1
        value.copy_(theirs[name].half().float() + (up @ down).reshape(value.shape))
        convolution = value.ndim == 4
        yield f"{layer}.up", up[:, :, None, None] if convolution else up
        yield f"{layer}.down", down.reshape(RANK, *value.shape[1:])
    yield "lora_controlnet", torch.zeros(0)


def _difference(module: Any, model: Any) -> Iterator[tuple[str, Tensor]]:
    theirs = dict(relatives.ldm_unet(model))
    for name, value in ldm_control(module):
        yield f"control_model.{name}", value - theirs[name] if name in theirs else value
    yield "difference", torch.zeros(0)


def _adapter(name: str, family: str) -> Kin:
    from diffusers import T2IAdapter

    light, fold = name == "light adapter", 16 if family == "sdxl" else 8
    channels = LEVELS[family][:3] if light else LEVELS[family]
    kind = "light_adapter" if light else "full_adapter_xl" if fold == 16 else "full_adapter"
    blocks = 4 if light else 2
    module = T2IAdapter(3, channels, blocks, fold, kind)
    module = relatives.randomised(module, seed=len(name))
    state = module.state_dict()
    if name == "adapter of diffusers":
        return Kin(module, dict(state))
    tensors = {}
    for key, value in state.items():
        theirs = key.removeprefix("adapter.")
        parts = theirs.split(".")
        if light:
            theirs = theirs.replace("resnets.", "body.")
        elif parts[0] == "body":  # counted on over all levels
            level = int(parts[1])
            inner = parts[4:] if parts[2] == "resnets" else parts[2:]
            place = int(parts[3]) if parts[2] == "resnets" else 0
            theirs = ".".join(("body", str(level * blocks + place), *inner))
        tensors[theirs] = value
    return Kin(module, tensors)


def _of_transformer(name: str, family: str) -> Kin:
    from diffusers import FluxControlNetModel, SD3ControlNetModel

    model = flows.network(family)
    own = flows.SHARED | flows.ARGUMENTS[flows.family_of(family)] | flows.OWN.get(family, {})
    if family == "flux-dev":
        own |= {"num_layers": 1, "num_single_layers": 2}
        if name in ("flux union", "flux by XLabs"):
            own["num_single_layers"] = 0
        if name == "flux by XLabs":
            own |= {"patch_size": 2, "conditioning_embedding_channels": 16, "num_layers": 2}
        module: Any = FluxControlNetModel(**own, num_mode=10 if name == "flux union" else None)
        if name == "flux inpainting":
            module.controlnet_x_embedder = nn.Linear(68, module.inner_dim)
        module = flows.randomised(module, seed=len(name))
        state = dict(module.state_dict())
        return Kin(module, dict(_xlabs(state)) if name == "flux by XLabs" else state)
    own |= {"num_layers": 2}
    if name == "sd3.5":
        own |= {
            "joint_attention_dim": None,
            "pos_embed_max_size": None,
            "pos_embed_type": None,
            "use_pos_embed": False,
            "force_zeros_for_pooled_projection": False,
        }
    if name == "sd3 inpainting":
        own |= {"extra_conditioning_channels": 1, "force_zeros_for_pooled_projection": False}
    module = flows.randomised(SD3ControlNetModel(**own), seed=len(name))
    state = dict(module.state_dict())
    return Kin(module, dict(_stability(state, model)) if name == "sd3.5" else state)


def _xlabs(state: dict[str, Tensor]) -> Iterator[tuple[str, Tensor]]:
    """The original's names, and XLabs' of what reads the picture."""
    yield from flows.originals("flux", state).items()
    yield from ((k, v) for k, v in state.items() if k.startswith("controlnet_blocks."))
    for leaf in ("weight", "bias"):
        yield f"pos_embed_input.{leaf}", state[f"controlnet_x_embedder.{leaf}"]
        layers = ("conv_in", *(f"blocks.{n}" for n in range(6)), "conv_out")
        for n, layer in enumerate(layers):
            yield f"input_hint_block.{2 * n}.{leaf}", state[f"input_hint_block.{layer}.{leaf}"]


def _stability(state: dict[str, Tensor], model: nn.Module) -> Iterator[tuple[str, Tensor]]:
    """Stability AI's names, with what of the model's is beside them."""
    yield "control_type", torch.tensor([2], dtype=torch.int32)
    yield "x_embedder.proj.weight", model.state_dict()["pos_embed.proj.weight"]
    inner = {"attn.to_out.0": "attn.proj", "ff.net.0.proj": "mlp.fc1", "ff.net.2": "mlp.fc2"}
    inner |= {"norm1.linear": "adaLN_modulation.1"}
    for key, value in state.items():
        theirs = key
        for ours, other in inner.items():
            theirs = theirs.replace(f".{ours}.", f".{other}.")
        if ".attn.to_q." in key:
            fused = [state[key.replace("to_q", f"to_{x}")] for x in "qkv"]
            yield key.replace("to_q", "qkv"), torch.cat(fused)
        elif ".attn.to_k." not in key and ".attn.to_v." not in key:
            yield theirs, value
