"""What a network looks like, read off the names and shapes of its tensors.

So smaller, pruned and widened relatives of a family load as the original does. What shapes cannot
tell (heads, activations, epsilons) comes from the family, unless the file says it itself: in the
metadata field `ponystudio.config`, or in the `config.json` of a diffusers folder. Torch-free.

The arguments: `shapes` maps our names of tensors to their shapes, `hints` is what the file says.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from ponystudio.diffusion.families import Family, Rgb
from ponystudio.diffusion.families.text_encoder_specs import ClipEncoderSpec
from ponystudio.diffusion.weights.tensor_names import Level, count, topology
from ponystudio.errors import DamagedFile, UnsupportedModel

Shapes = Mapping[str, tuple[int, ...]]

MIDDLE = "mid_block.attentions.0"
ADDED = "add_embedding.linear_1.weight"
PICTURED = "class_embedding.linear_1.weight"
SIZES = 6  # height and width of the original, top and left of the cut, height and width of the aim
SCORED_SIZES = 5  # for the last two, how beautiful it is
CLIP_HEAD = 64  # the width of a head in every CLIP text encoder
UNET_HEAD = 64  # and in the UNets since SD2


def is_whole(value: Any) -> bool:
    return type(value) is int and value > 0


def _is_whole_by_level(value: Any) -> bool:
    return is_whole(value) or (isinstance(value, list | tuple) and all(map(is_whole, value)))


def _is_number(value: Any) -> bool:
    return type(value) in (int, float) and math.isfinite(value)


def _is_positive(value: Any) -> bool:
    return _is_number(value) and value > 0


def _is_flag(value: Any) -> bool:
    return isinstance(value, bool)


def _is_text(value: Any) -> bool:
    return isinstance(value, str)


def _is_colour(value: Any) -> bool:
    return isinstance(value, list) and len(value) == 3 and all(map(_is_number, value))


Checks = Mapping[str, Callable[[Any], bool]]

# The only things a file may say, and whether it says them rightly: everything else follows from
# shapes, and would break the load.
UNET_HINTS: Checks = {
    "act_fn": _is_text,
    "addition_time_embed_dim": is_whole,
    "attention_head_dim": _is_whole_by_level,
    "center_input_sample": _is_flag,
    "downsample_padding": (0, 1).__contains__,
    "flip_sin_to_cos": _is_flag,
    "freq_shift": _is_number,
    "mid_block_scale_factor": _is_positive,
    "norm_eps": _is_positive,
    "norm_num_groups": is_whole,
    "resnet_out_scale_factor": _is_positive,
    "upcast_attention": _is_flag,
}
VAE_HINTS: Checks = {
    "act_fn": _is_text,
    "norm_num_groups": is_whole,
    "scaling_factor": _is_positive,
    "shift_factor": _is_number,
}
RGB_HINTS: Checks = {
    "latent_rgb": lambda rows: isinstance(rows, list) and all(map(_is_colour, rows)),
    "latent_rgb_bias": _is_colour,
}
CLIP_HINTS: Checks = {
    "hidden_act": _is_text,
    "layer_norm_eps": _is_positive,
    "num_attention_heads": is_whole,
}
VISION_HINTS: Checks = {**CLIP_HINTS, "image_size": is_whole}
T5_HINTS: Checks = {
    "layer_norm_epsilon": _is_positive,
    "relative_attention_max_distance": is_whole,
}


def unet(shapes: Shapes, family: Family, hints: Mapping[str, Any]) -> dict[str, Any]:
    """The arguments of diffusers' UNet2DConditionModel."""
    levels = topology(shapes)
    down = [f"down_blocks.{b}.attentions.0" for b in range(len(levels.down))]
    up = [f"up_blocks.{b}.attentions.0" for b in range(len(levels.up))]
    attention = [name for name in (*down, *up, MIDDLE) if f"{name}.proj_in.weight" in shapes]
    if levels.middle is False or not attention:
        raise UnsupportedModel("This denoiser has no attention, or none in its middle.")
    inferred = {
        **_encoder(shapes, family, attention[0]),
        "sample_size": family.native // family.downscale,
        "out_channels": side(shapes, "conv_out.weight", 0),
        "layers_per_block": tuple(level.blocks for level in levels.down),
        "up_block_types": _types(levels.up, "CrossAttnUpBlock2D", "UpBlock2D"),
        "mid_block_type": "UNetMidBlock2DCrossAttn" if levels.middle else None,
        "reverse_transformer_layers_per_block": tuple(_depth(shapes, name) or 1 for name in up),
    }
    arguments = {**inferred, **allowed(hints, UNET_HINTS)}
    return {**arguments, **_vector(shapes, family, arguments)}


def controlnet(shapes: Shapes, family: Family, hints: Mapping[str, Any]) -> dict[str, Any]:
    """The arguments of diffusers' ControlNetModel; of its ControlNetUnionModel where there is
    `num_control_type` among them."""
    levels = topology(shapes)
    if not levels.middle:
        raise UnsupportedModel("This ControlNet has no attention in its middle.")
    hint = "controlnet_cond_embedding"
    pairs = count(shapes, rf"{hint}\.blocks\.(\d{{1,4}})\.") // 2
    widths = [f"{hint}.conv_in", *(f"{hint}.blocks.{2 * n + 1}" for n in range(pairs))]
    inferred = {
        **_encoder(shapes, family, MIDDLE),
        "layers_per_block": max((level.blocks for level in levels.down), default=0),
        "conditioning_channels": side(shapes, f"{hint}.conv_in.weight", 1),
        "conditioning_embedding_out_channels": tuple(
            side(shapes, f"{name}.weight", 0) for name in widths
        ),
    }
    if "task_embedding" in shapes:
        kinds = side(shapes, "task_embedding", 0)
        inferred |= {
            "num_control_type": kinds,
            "num_trans_channel": side(shapes, "task_embedding", 1),
            "num_trans_layer": count(shapes, r"transformer_layes\.(\d{1,4})\."),
            "num_proj_channel": side(shapes, "spatial_ch_projs.weight", 0),
            "addition_time_embed_dim": side(shapes, "control_add_embedding.linear_1.weight", 1)
            // kinds,
        }
    arguments = {**inferred, **allowed(hints, UNET_HINTS)}
    return {**arguments, **_vector(shapes, family, arguments)}


def _encoder(shapes: Shapes, family: Family, attention: str) -> dict[str, Any]:
    """What the way down of a UNet and its middle tell; `attention` is one of its layers."""
    levels = topology(shapes)
    channels = [
        side(shapes, f"down_blocks.{b}.resnets.0.conv1.weight", 0) for b in range(len(levels.down))
    ]
    # The middle block is as deep as diffusers is told that the lowest level is.
    depths = [_depth(shapes, f"down_blocks.{b}.attentions.0") or 1 for b in range(len(levels.down))]
    if levels.down and not levels.down[-1].attention and levels.middle:
        depths[-1] = _depth(shapes, MIDDLE)
    return {
        "in_channels": side(shapes, "conv_in.weight", 1),
        "block_out_channels": tuple(channels),
        "down_block_types": _types(levels.down, "CrossAttnDownBlock2D", "DownBlock2D"),
        "transformer_layers_per_block": tuple(depths),
        "cross_attention_dim": _context_width(shapes, attention),
        "use_linear_projection": len(shapes[f"{attention}.proj_in.weight"]) == 2,
        # diffusers' name for the number of heads.
        "attention_head_dim": family.unet_heads or tuple(max(1, c // UNET_HEAD) for c in channels),
        "norm_num_groups": _groups(channels),
    }


def _vector(shapes: Shapes, family: Family, arguments: Mapping[str, Any]) -> dict[str, Any]:
    """How the pooled prompt and the sizes go in, where they do (SDXL), or what is told of a picture
    (unCLIP)."""
    if PICTURED in shapes:
        width = side(shapes, PICTURED, 1)
        return {
            "class_embed_type": "projection",
            "projection_class_embeddings_input_dim": width,
        }
    if ADDED not in shapes:
        return {}
    width = side(shapes, ADDED, 1)
    clips = (tower for tower in family.towers if isinstance(tower, ClipEncoderSpec))
    pooled = sum(tower.width for tower in clips if tower.projected)
    sizes = SIZES if family.scores is None else SCORED_SIZES
    each = arguments.get("addition_time_embed_dim") or (width - pooled) // sizes
    if each < 1:
        raise UnsupportedModel(
            f"The denoiser reads {width} numbers beside the prompt, and {family.title}'s pooled"
            f" prompt alone has {pooled}."
        )
    return {
        "addition_embed_type": "text_time",
        "addition_time_embed_dim": each,
        "projection_class_embeddings_input_dim": width,
    }


def rgb(family: Family, hints: Mapping[str, Any]) -> Rgb | None:
    """How the file says that its latents are guessed as pictures; None where it says nothing."""
    said = allowed(hints, RGB_HINTS)
    rows = said.get("latent_rgb")
    if rows is None or len(rows) != family.latent_channels:
        return None
    return Rgb(tuple(map(tuple, rows)), tuple(said.get("latent_rgb_bias", (0.0, 0.0, 0.0))))


def vae(shapes: Shapes, family: Family, hints: Mapping[str, Any]) -> dict[str, Any]:
    """The arguments of diffusers' AutoencoderKL."""
    levels = count(shapes, r"encoder\.down_blocks\.(\d{1,4})\.")
    channels = [
        side(shapes, f"encoder.down_blocks.{b}.resnets.0.conv1.weight", 0) for b in range(levels)
    ]
    inferred = {
        "sample_size": family.native,
        "in_channels": side(shapes, "encoder.conv_in.weight", 1),
        "out_channels": side(shapes, "decoder.conv_out.weight", 0),
        "latent_channels": side(shapes, "decoder.conv_in.weight", 1),
        "block_out_channels": tuple(channels),
        "layers_per_block": count(shapes, r"encoder\.down_blocks\.0\.resnets\.(\d{1,4})\."),
        "down_block_types": ("DownEncoderBlock2D",) * levels,
        "up_block_types": ("UpDecoderBlock2D",) * levels,
        "mid_block_add_attention": "decoder.mid_block.attentions.0.to_q.weight" in shapes,
        "use_quant_conv": "quant_conv.weight" in shapes,
        "use_post_quant_conv": "post_quant_conv.weight" in shapes,
        "norm_num_groups": _groups(channels),
        # Configs of before 2023 have no scaling factor: it is the family's.
        "scaling_factor": family.scaling_factor,
        "shift_factor": family.shift or None,
    }
    return {**inferred, **allowed(hints, VAE_HINTS)}


def clip(shapes: Shapes, tower: ClipEncoderSpec, hints: Mapping[str, Any]) -> dict[str, Any]:
    """The arguments of transformers' CLIPTextConfig, and whether it is `projected`.

    `shapes` has the names of a bare text encoder, and its projection.
    """
    width = side(shapes, "embeddings.token_embedding.weight", 1)
    there = "text_projection.weight" in shapes
    projected = tower.projected and (there or not tower.may_lack)
    inferred = {
        "vocab_size": side(shapes, "embeddings.token_embedding.weight", 0),
        "hidden_size": width,
        "max_position_embeddings": side(shapes, "embeddings.position_embedding.weight", 0),
        "num_hidden_layers": count(shapes, r"encoder\.layers\.(\d{1,4})\."),
        "intermediate_size": side(shapes, "encoder.layers.0.mlp.fc1.weight", 0),
        "num_attention_heads": max(1, width // CLIP_HEAD),
        "hidden_act": tower.activation,
        "layer_norm_eps": 1e-5,
        "projection_dim": side(shapes, "text_projection.weight", 0) if there else width,
        "projected": projected,
    }
    return {**inferred, **allowed(hints, CLIP_HINTS)}


def t5(shapes: Shapes, hints: Mapping[str, Any]) -> dict[str, Any]:
    """The arguments of transformers' T5Config and UMT5Config."""
    attention = "block.0.layer.0.SelfAttention"
    heads = side(shapes, f"{attention}.relative_attention_bias.weight", 1)
    inferred = {
        "vocab_size": side(shapes, "embed_tokens.weight", 0),
        "d_model": side(shapes, "embed_tokens.weight", 1),
        "d_kv": side(shapes, f"{attention}.q.weight", 0) // max(1, heads),
        "d_ff": side(shapes, "block.0.layer.1.DenseReluDense.wi_0.weight", 0),
        "num_layers": count(shapes, r"block\.(\d{1,4})\."),
        "num_heads": heads,
        "relative_attention_num_buckets": side(
            shapes, f"{attention}.relative_attention_bias.weight", 0
        ),
        "relative_attention_max_distance": 128,
        "layer_norm_epsilon": 1e-6,
        "feed_forward_proj": "gated-gelu",
    }
    return {**inferred, **allowed(hints, T5_HINTS)}


def side(shapes: Shapes, name: str, axis: int) -> int:
    """How long a side of a tensor is, never 0. Raises DamagedFile for one that is not there."""
    shape = shapes.get(name)
    if shape is None:
        raise DamagedFile(
            f"The tensor {name!r} is missing.",
            remedy="Get the file again: it is incomplete.",
        )
    if axis >= len(shape):
        raise DamagedFile(
            f"The tensor {name!r} has only {len(shape)} dimensions.",
            remedy="Get the file again: it is damaged.",
        )
    if not shape[axis]:
        raise DamagedFile(
            f"The tensor {name!r} is empty.",
            remedy="Get the file again: it is damaged.",
        )
    return shape[axis]


def heads(width: int, head: int) -> int:
    """How many heads a transformer of a width has. Raises UnsupportedModel for a part of one."""
    if width % head:
        raise UnsupportedModel(
            f"This denoiser is {width} wide, and that is no multiple of {head}, the width of its"
            " heads.",
            remedy="Where its heads are others, its metadata `ponystudio.config` is to say so.",
        )
    return width // head


def _depth(shapes: Shapes, attention: str) -> int:
    return count(shapes, re.escape(attention) + r"\.transformer_blocks\.(\d{1,4})\.")


def _context_width(shapes: Shapes, attention: str) -> int:
    return side(shapes, f"{attention}.transformer_blocks.0.attn2.to_k.weight", 1)


def _types(levels: Iterable[Level], with_attention: str, without: str) -> tuple[str, ...]:
    return tuple(with_attention if level.attention else without for level in levels)


def _groups(channels: Iterable[int]) -> int:
    """32 normalisation groups; in narrow networks as many as divide every width."""
    return math.gcd(32, *channels)


def allowed(said: Mapping[str, Any], checks: Checks) -> dict[str, Any]:
    """What a file says of itself, as far as it may. Raises UnsupportedModel for nonsense."""
    allowed = {name: said[name] for name in checks if said.get(name) is not None}
    for name, value in allowed.items():
        if not checks[name](value):
            raise UnsupportedModel(
                f"The file says that its {name} is {str(value)[:50]!r}, which makes no sense.",
                remedy="Correct its config, or its metadata `ponystudio.config`.",
            )
    return allowed
