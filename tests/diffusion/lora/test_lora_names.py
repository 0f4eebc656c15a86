"""What LoRA files call the layers of text encoders, by family."""

from __future__ import annotations

from contextlib import closing

import pytest
import torch
from safetensors.torch import save_file
from transformers import (
    CLIPTextConfig,
    CLIPTextModel,
    CLIPTextModelWithProjection,
    T5Config,
    T5EncoderModel,
    UMT5Config,
    UMT5EncoderModel,
)

from ponystudio.diffusion.families import find_family
from ponystudio.diffusion.lora import lora_file
from ponystudio.diffusion.lora.lora_file import TEXT_LAYER, table
from ponystudio.errors import MismatchedValues

CLIP = {"hidden_size": 16, "num_attention_heads": 1, "num_hidden_layers": 2}
T5 = {"d_model": 24, "d_kv": 12, "d_ff": 40, "num_layers": 2, "num_heads": 2}
GATED = {**T5, "feed_forward_proj": "gated-gelu", "vocab_size": 32}


def clip_l():
    return CLIPTextModel(CLIPTextConfig(**CLIP, intermediate_size=40))


def clip_g():
    return CLIPTextModelWithProjection(CLIPTextConfig(**CLIP, intermediate_size=40))


def t5():
    return T5EncoderModel(T5Config(**GATED)).encoder


def pile_t5():
    return UMT5EncoderModel(UMT5Config(**GATED)).encoder


# The towers of each family's network, and the prefixes of each in a file.
TOWERS = {
    "flux": {"clip_l": clip_l, "t5xxl": t5},
    "sd3": {"clip_l": clip_l, "clip_g": clip_g, "t5xxl": t5},
    "auraflow": {"pile_t5xl": pile_t5},
}
FIRST = ("lora_te1_", "lora_te_", "text_encoder.", "text_encoders.{}.transformer.")
PREFIXES = {
    ("flux", "clip_l"): FIRST,
    ("flux", "t5xxl"): (
        *("lora_te2_", "lora_te3_", "text_encoder_2."),
        "text_encoders.{}.transformer.",
    ),
    ("sd3", "clip_l"): FIRST,
    ("sd3", "clip_g"): ("lora_te2_", "text_encoder_2.", "text_encoders.{}.transformer."),
    ("sd3", "t5xxl"): ("lora_te3_", "text_encoder_3.", "text_encoders.{}.transformer."),
    ("auraflow", "pile_t5xl"): FIRST,
}
# Two layers as transformers' models have them, with their sides, and what both are below the tower.
LAYERS = {
    "clip_l": {
        "text_model.encoder.layers.1.mlp.fc1": (40, 16, "encoder.layers.1.mlp.fc1"),
        "text_model.encoder.layers.0.self_attn.q_proj": (
            *(16, 16),
            "encoder.layers.0.self_attn.q_proj",
        ),
    },
    "clip_g": {
        "text_model.encoder.layers.1.mlp.fc2": (16, 40, "text_model.encoder.layers.1.mlp.fc2"),
        "text_projection": (512, 16, "text_projection"),
    },
    "t5xxl": {
        "encoder.block.0.layer.0.SelfAttention.q": (24, 24, "block.0.layer.0.SelfAttention.q"),
        "encoder.block.1.layer.1.DenseReluDense.wi_0": (
            *(40, 24),
            "block.1.layer.1.DenseReluDense.wi_0",
        ),
    },
}
LAYERS["pile_t5xl"] = LAYERS["t5xxl"]


def network(name):
    with torch.device("meta"):
        towers = {tower: build() for tower, build in TOWERS[name].items()}
    return next(iter(towers.values())) if len(towers) == 1 else torch.nn.ModuleDict(towers)


def read(tensors, path):
    save_file(tensors, path)
    return closing(lora_file.read(path))


def pair(layer, out, inner):
    return {
        f"{layer}.lora_up.weight": torch.ones(out, 2),
        f"{layer}.lora_down.weight": torch.ones(2, inner),
    }


@pytest.mark.parametrize(
    ("name", "tower", "prefix"),
    [(*place, prefix) for place, prefixes in PREFIXES.items() for prefix in prefixes],
)
def test_layers_of_text_encoders(name, tower, prefix, tmp_path):
    tensors, wanted = {}, set()
    for layer, (out, inner, ours) in LAYERS[tower].items():
        called = layer.replace(".", "_") if prefix.endswith("_") else layer
        tensors |= pair(prefix.format(tower) + called, out, inner)
        wanted.add(f"{ours}.weight" if len(TOWERS[name]) == 1 else f"{tower}.{ours}.weight")
    with read(tensors, tmp_path / "lora.safetensors") as file:
        found = file.for_module("clip", network(name), find_family(name))
        assert set(found.deltas) == wanted
        assert not found.unmatched
        assert all(TEXT_LAYER.match(layer) for layer in file.layers)


def test_the_encoders_of_sd3_are_not_mixed_up(tmp_path):
    tensors = {}
    for number in (1, 2):
        layer = f"lora_te{number}_text_model_encoder_layers_0_self_attn_q_proj"
        tensors |= pair(layer, 16, 16)
    with read(tensors, tmp_path / "lora.safetensors") as file:
        found = file.for_module("clip", network("sd3"), find_family("sd3"))
    assert sorted(found.deltas) == [
        "clip_g.text_model.encoder.layers.0.self_attn.q_proj.weight",
        "clip_l.encoder.layers.0.self_attn.q_proj.weight",
    ]


class TestAnEncoderThatIsNotThere:
    def test_of_sd3_is_told_not_fatal(self, tmp_path):
        """Its T5 may be left out, and so what a LoRA does to it."""
        module = network("sd3")
        del module["t5xxl"]
        layer = "lora_te3_encoder_block_0_layer_0_SelfAttention_q"
        with read(pair(layer, 24, 24), tmp_path / "lora.safetensors") as file:
            found = file.for_module("clip", module, find_family("sd3"))
        assert not found.deltas
        assert found.unmatched == (layer,)

    def test_of_other_families_is_another_base(self, tmp_path):
        layer = "lora_te3_encoder_block_0_layer_0_SelfAttention_q"
        with torch.device("meta"):
            module = clip_l()
        with (
            read(pair(layer, 24, 24), tmp_path / "lora.safetensors") as file,
            pytest.raises(MismatchedValues, match=r"does not fit this model \(Stable Diffusion 1"),
        ):
            file.for_module("clip", module, find_family("sd1"))


def test_no_layer_of_a_denoiser_is_taken_for_a_text_encoders():
    parameters = [
        "time_embedding.linear_1.weight",
        "encoder_hid_proj.weight",
        "t_embedder.0.weight",
    ]
    for name in table("model", find_family("sdxl"), parameters):
        assert not TEXT_LAYER.match(name)


def test_settings_of_peft_for_the_third_encoder(tmp_path):
    """Its own α, and α/√rank."""
    layer = "text_encoder_3.encoder.block.0.layer.0.SelfAttention.q"
    tensors = {
        f"{layer}.lora_A.weight": torch.ones(4, 24),
        f"{layer}.lora_B.weight": torch.ones(24, 4),
    }
    path = tmp_path / "lora.safetensors"
    said = '{"text_encoder_3.lora_alpha": 6, "text_encoder_3.use_rslora": true}'
    save_file(tensors, path, metadata={"lora_adapter_metadata": said})
    with closing(lora_file.read(path)) as file:
        (change,) = file.for_module("clip", network("sd3"), find_family("sd3")).deltas.values()
    assert change.scale == 3
