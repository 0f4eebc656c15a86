from __future__ import annotations

from collections.abc import Mapping, Sequence

import pytest

from ponystudio.library.formats.tensor_info import TensorInfo
from ponystudio.library.recognition.denoiser_signatures import PREFIXES, DenoiserSignature, denoiser

Shapes = Mapping[str, Sequence[int]]

AURAFLOW: Shapes = {
    "double_layers.0.attn.w1q.weight": [3072, 3072],
    "init_x_linear.weight": [3072, 16],
    "positional_encoding": [1, 9216, 3072],
}
AURAFLOW_OF_DIFFUSERS: Shapes = {
    "joint_transformer_blocks.0.attn.to_q.weight": [3072, 3072],
    "single_transformer_blocks.0.attn.to_q.weight": [3072, 3072],
    "pos_embed.proj.weight": [3072, 16],
    "pos_embed.pos_embed": [1, 4096, 3072],
}
FLUX: Shapes = {
    "double_blocks.0.img_attn.norm.key_norm.scale": [128],
    "img_in.weight": [3072, 64],
    "txt_in.weight": [3072, 4096],
    "vector_in.in_layer.weight": [3072, 768],
}
GUIDED: Shapes = {"guidance_in.in_layer.weight": [3072, 256]}
FLUX_OF_DIFFUSERS: Shapes = {
    "transformer_blocks.0.attn.add_q_proj.weight": [3072, 3072],
    "single_transformer_blocks.0.attn.norm_k.weight": [128],
    "x_embedder.weight": [3072, 64],
    "context_embedder.weight": [3072, 4096],
}
GUIDED_OF_DIFFUSERS: Shapes = {
    "time_text_embed.guidance_embedder.linear_1.weight": [3072, 256],
}
SD3: Shapes = {
    "joint_blocks.0.context_block.attn.qkv.weight": [4608, 1536],
    "x_embedder.proj.weight": [1536, 16, 2, 2],
    "pos_embed": [1, 36864, 1536],
}
SD3_OF_DIFFUSERS: Shapes = {
    "transformer_blocks.0.attn.add_q_proj.weight": [1536, 1536],
    "pos_embed.proj.weight": [1536, 16, 2, 2],
    "pos_embed.pos_embed": [1, 36864, 1536],
}
# Shapes, family, channels, guided, largest.
OURS: dict[str, tuple[Shapes, str, int, bool, int]] = {
    "AuraFlow 0.3": (AURAFLOW, "auraflow", 4, False, 1536),
    "AuraFlow 0.2": (
        {**AURAFLOW, "positional_encoding": [1, 4096, 3072]},
        "auraflow",
        4,
        False,
        1024,
    ),
    "AuraFlow of diffusers": (AURAFLOW_OF_DIFFUSERS, "auraflow", 4, False, 1024),
    "schnell": (FLUX, "flux", 16, False, 0),
    "dev": ({**FLUX, **GUIDED}, "flux", 16, True, 0),
    "fill": ({**FLUX, **GUIDED, "img_in.weight": [3072, 384]}, "flux", 96, True, 0),
    "depth": ({**FLUX, **GUIDED, "img_in.weight": [3072, 128]}, "flux", 32, True, 0),
    "norms under another name": (
        {
            "double_blocks.0.img_attn.norm.key_norm.weight": [128],
            "img_in.weight": [3072, 64],
        },
        "flux",
        16,
        False,
        0,
    ),
    "schnell of diffusers": (FLUX_OF_DIFFUSERS, "flux", 16, False, 0),
    "dev of diffusers": ({**FLUX_OF_DIFFUSERS, **GUIDED_OF_DIFFUSERS}, "flux", 16, True, 0),
    "SD3": (SD3, "sd3", 16, False, 3072),
    "SD 3.5 medium": ({**SD3, "pos_embed": [1, 147456, 1536]}, "sd3", 16, False, 6144),
    "SD3 of diffusers": (SD3_OF_DIFFUSERS, "sd3", 16, False, 3072),
    "the marker alone": (
        {"double_layers.0.attn.w1q.weight": [3072, 3072], "init_x_linear.weight": []},
        "auraflow",
        0,
        False,
        0,
    ),
}


def found_in(shapes: Shapes, prefix: str = "") -> DenoiserSignature:
    found = denoiser(
        {
            prefix + name: TensorInfo(prefix + name, "F16", tuple(shape), None, 0, 0)
            for name, shape in shapes.items()
        }
    )
    assert found is not None
    return found


@pytest.mark.parametrize("prefix", PREFIXES)
@pytest.mark.parametrize("name", OURS)
def test_transformers(name: str, prefix: str) -> None:
    shapes, *expected = OURS[name]
    found = found_in(shapes, prefix)
    assert [found.family, found.channels, found.guided, found.largest] == expected
    assert (found.prefix, found.flow) == (prefix, True)


@pytest.mark.parametrize(
    ("shapes", "note"),
    [
        (FLUX, "FLUX.1 schnell"),
        ({**FLUX, **GUIDED}, "FLUX.1 dev"),
        ({**FLUX_OF_DIFFUSERS, **GUIDED_OF_DIFFUSERS}, "FLUX.1 dev"),
        ({**FLUX, "img_in.weight": [3072, 384]}, "made for inpainting"),
        ({**FLUX, "img_in.weight": [3072, 128]}, "control picture"),
        (AURAFLOW, "reaches 1536 pixels"),
    ],
)
def test_notes(shapes: Shapes, note: str) -> None:
    assert any(note in line for line in found_in(shapes).notes)


@pytest.mark.parametrize(
    ("more", "family"),
    [
        ({**FLUX, "distilled_guidance_layer.norms.0.scale": [5120]}, "chroma"),
        ({**FLUX_OF_DIFFUSERS, "distilled_guidance_layer.in_proj.weight": [5120, 64]}, "chroma"),
        ({**FLUX, "double_stream_modulation_img.lin.weight": [36864, 6144]}, "flux2"),
        (
            {**FLUX_OF_DIFFUSERS, "double_stream_modulation_img.linear.weight": [36864, 6144]},
            "flux2",
        ),
        (
            {**FLUX, "txt_in.individual_token_refiner.blocks.0.norm1.weight": [3072]},
            "hunyuan_video",
        ),
        ({**SD3_OF_DIFFUSERS, "txt_norm.weight": [3584]}, "qwen_image"),
        ({"x_pad_token": [1, 3840], "noise_refiner.0.attention.k_norm.weight": [128]}, "z_image"),
        ({"noise_refiner.0.attention.k_norm.weight": [96]}, "lumina2"),
    ],
)
@pytest.mark.parametrize("prefix", ["", "model.diffusion_model.", "transformer."])
def test_other_families_are_not_taken_for_ours(more: Shapes, family: str, prefix: str) -> None:
    found = found_in(more, prefix)
    assert (found.family, found.prefix, found.flow) == (family, prefix, True)


def test_unets_predict_no_flow() -> None:
    shapes = {
        "input_blocks.0.0.weight": [320, 4, 3, 3],
        "input_blocks.1.1.transformer_blocks.0.attn2.to_k.weight": [320, 768],
    }
    found = found_in(shapes, "model.diffusion_model.")
    assert (found.family, found.channels, found.flow, found.largest) == ("sd1", 4, False, 0)


@pytest.mark.parametrize(
    "name",
    ["decoder.conv_in.weight", "encoder.block.0.layer.0.SelfAttention.q.weight", "pos_embed"],
)
def test_none(name: str) -> None:
    assert denoiser({name: TensorInfo(name, "F16", (4, 4, 3, 3), None, 0, 0)}) is None
