"""Configs read off shapes equal the configs that the networks were made with."""

from __future__ import annotations

import pytest
import torch
from diffusers import AutoencoderKL, UNet2DConditionModel
from transformers import (
    CLIPTextConfig,
    CLIPTextModel,
    T5Config,
    T5EncoderModel,
    UMT5Config,
    UMT5EncoderModel,
)

from ponystudio.diffusion.families import find_family
from ponystudio.diffusion.families.text_encoder_specs import CLIP_L
from ponystudio.diffusion.weights import network_config
from ponystudio.errors import DamagedFile, UnsupportedModel

SD1 = find_family("sd1")
CROSS, PLAIN = "CrossAttn{}Block2D", "{}Block2D"

UNETS = {
    "sd1": {"cross_attention_dim": 768, "attention_head_dim": 8},
    "inpainting": {"in_channels": 9, "cross_attention_dim": 768},
    "narrow": {"block_out_channels": (32, 64, 128, 128), "cross_attention_dim": 64},
    "odd widths": {"block_out_channels": (24, 48), "norm_num_groups": 8, "levels": "XO"},
    "one level": {"block_out_channels": (320,), "layers_per_block": 1, "levels": "X"},
    "distilled, without a middle": {"layers_per_block": 1, "mid_block_type": None},
    "attention below": {"block_out_channels": (32, 64, 64), "levels": "OXX"},
    "uneven": {"block_out_channels": (32, 64), "layers_per_block": (1, 3), "levels": "XX"},
    "deep": {
        "block_out_channels": (32, 64),
        "levels": "XX",
        "transformer_layers_per_block": (1, 3),
        "use_linear_projection": True,
    },
}


def unet_arguments(levels="XXXO", **arguments):
    """diffusers' arguments, for levels with (X) and without (O) attention."""
    down = [(CROSS if level == "X" else PLAIN).format("Down") for level in levels]
    up = [(CROSS if level == "X" else PLAIN).format("Up") for level in reversed(levels)]
    return {"down_block_types": tuple(down), "up_block_types": tuple(up), **arguments}


def shapes_of(module):
    return {name: tuple(value.shape) for name, value in module.state_dict().items()}


@pytest.mark.parametrize("name", UNETS)
def test_unet(name):
    arguments = unet_arguments(**UNETS[name])
    with torch.device("meta"):
        original = UNet2DConditionModel(**arguments)
        inferred = network_config.unet(shapes_of(original), SD1, {})
        again = UNet2DConditionModel(**inferred)
    assert shapes_of(again) == shapes_of(original)
    for key, value in arguments.items():
        if key not in ("layers_per_block", "transformer_layers_per_block"):
            assert inferred[key] == value, key


def test_what_the_file_says_goes_first_where_shapes_cannot_tell():
    with torch.device("meta"):
        shapes = shapes_of(UNet2DConditionModel(**unet_arguments(cross_attention_dim=768)))
    hints = {"attention_head_dim": 4, "norm_eps": 1e-6, "block_out_channels": (1, 2, 3, 4)}
    inferred = network_config.unet(shapes, SD1, hints)
    assert inferred["attention_head_dim"] == 4
    assert inferred["norm_eps"] == 1e-6
    assert inferred["block_out_channels"] == (320, 640, 1280, 1280)


@pytest.mark.parametrize(
    "arguments",
    [
        {"block_out_channels": (128, 256, 512, 512), "layers_per_block": 2},
        {"block_out_channels": (32, 64), "layers_per_block": 1, "latent_channels": 16},
        {"block_out_channels": (8, 24), "norm_num_groups": 8, "mid_block_add_attention": False},
        {"block_out_channels": (32,), "use_quant_conv": False, "use_post_quant_conv": False},
    ],
)
def test_vae(arguments):
    levels = len(arguments["block_out_channels"])
    arguments = {
        "down_block_types": ("DownEncoderBlock2D",) * levels,
        "up_block_types": ("UpDecoderBlock2D",) * levels,
        **arguments,
    }
    with torch.device("meta"):
        original = AutoencoderKL(**arguments)
        inferred = network_config.vae(shapes_of(original), SD1, {})
        again = AutoencoderKL(**inferred)
    assert shapes_of(again) == shapes_of(original)
    assert {key: inferred[key] for key in arguments} == arguments
    assert inferred["scaling_factor"] == 0.18215
    assert (
        network_config.vae(shapes_of(original), SD1, {"scaling_factor": 0.2})["scaling_factor"]
        == 0.2
    )


@pytest.mark.parametrize(("width", "heads"), [(768, 12), (64, 1), (1024, 16), (32, 1)])
def test_clip(width, heads):
    original = {
        "hidden_size": width,
        "num_attention_heads": heads,
        "num_hidden_layers": 3,
        "intermediate_size": 2 * width,
        "vocab_size": 500,
        "max_position_embeddings": 40,
        "hidden_act": "quick_gelu",
    }
    with torch.device("meta"):
        made = CLIPTextConfig(**original, bos_token_id=0, eos_token_id=2)
        shapes = shapes_of(CLIPTextModel(made))
    inferred = network_config.clip(shapes, CLIP_L, {})
    assert {key: inferred[key] for key in original} == original
    assert network_config.clip(shapes, CLIP_L, {"hidden_act": "gelu"})["hidden_act"] == "gelu"


@pytest.mark.parametrize(("biased", "heads"), [(False, 64), (True, 3)])
def test_t5(biased, heads):
    original = {
        "vocab_size": 320,
        "d_model": 48,
        "d_kv": 8,
        "d_ff": 80,
        "num_layers": 3,
        "num_heads": heads,
        "relative_attention_num_buckets": 16,
        "feed_forward_proj": "gated-gelu",
    }
    with torch.device("meta"):
        made = (
            UMT5EncoderModel(UMT5Config(**original))
            if biased
            else T5EncoderModel(T5Config(**original))
        )
    inferred = network_config.t5(shapes_of(made.encoder), {})
    assert {key: inferred[key] for key in original} == original
    assert inferred["layer_norm_epsilon"] == made.config.layer_norm_epsilon
    assert inferred["relative_attention_max_distance"] == 128
    told = network_config.t5(shapes_of(made.encoder), {"layer_norm_epsilon": 1e-5, "d_ff": 7})
    assert (told["layer_norm_epsilon"], told["d_ff"]) == (1e-5, 80)
    with pytest.raises(DamagedFile, match="relative_attention_bias"):
        network_config.t5({k: v for k, v in shapes_of(made.encoder).items() if "bias" not in k}, {})


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("attention_head_dim", -8),
        ("attention_head_dim", [8, [8], 8, 8]),
        ("downsample_padding", 9),
        ("freq_shift", "a"),
        ("norm_eps", "x"),
        ("norm_eps", float("nan")),
        ("norm_num_groups", -32),
        ("upcast_attention", "no"),
    ],
)
def test_nonsense_in_a_config_is_refused_by_name(name, value):
    with torch.device("meta"):
        shapes = shapes_of(UNet2DConditionModel(**unet_arguments()))
    with pytest.raises(UnsupportedModel, match=name):
        network_config.unet(shapes, SD1, {name: value})


def test_incomplete_and_foreign_networks_are_refused_by_name():
    with torch.device("meta"):
        shapes = shapes_of(UNet2DConditionModel(**unet_arguments()))
    with pytest.raises(DamagedFile, match=r"'conv_out\.weight' is missing.*Get the file again"):
        network_config.unet(
            {k: v for k, v in shapes.items() if not k.startswith("conv_out")}, SD1, {}
        )
    without = {k: v for k, v in shapes.items() if ".attentions." not in k}
    with pytest.raises(UnsupportedModel, match="no attention"):
        network_config.unet(without, SD1, {})
    with pytest.raises(DamagedFile, match="only 1 dimensions"):
        network_config.unet({**shapes, "conv_in.weight": (320,)}, SD1, {})


def test_a_vector_narrower_than_the_pooled_prompt_is_no_sdxl():
    with torch.device("meta"):
        unet = UNet2DConditionModel(
            **unet_arguments(
                "OX",
                block_out_channels=(32, 64),
                addition_embed_type="text_time",
                addition_time_embed_dim=8,
                projection_class_embeddings_input_dim=112,
            )
        )
    shapes = {name: tuple(value.shape) for name, value in unet.named_parameters()}
    with pytest.raises(UnsupportedModel, match=r"112 numbers .* has 1280"):
        network_config.unet(shapes, find_family("sdxl"), {})
    told = network_config.unet(shapes, find_family("sdxl"), {"addition_time_embed_dim": 8})
    assert told["projection_class_embeddings_input_dim"] == 112
