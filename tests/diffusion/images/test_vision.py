"""Image encoders: how a picture is prepared, every layout, and transformers' own states."""

from __future__ import annotations

from contextlib import closing

import pytest
import torch
from transformers import (
    CLIPVisionConfig,
    CLIPVisionModelWithProjection,
    SiglipVisionConfig,
    SiglipVisionModel,
)

from helpers import visions
from ponystudio.diffusion.families import find_family
from ponystudio.diffusion.images.vision import SIGLIP, prepared
from ponystudio.diffusion.loading import vision_part
from ponystudio.diffusion.loading.load import load
from ponystudio.errors import MismatchedValues, UnsupportedModel
from ponystudio.library.recognition.recognise import recognise


def counted(height, width):
    """A picture whose values count in the order of rows, columns and channels."""
    values = (torch.arange(height * width * 3) % 251).float() / 250
    return values.view(1, height, width, 3).movedim(-1, 1)


def opened(path):
    return closing(load(path, "vision", device="cpu", dtype=torch.float32))


@pytest.mark.parametrize(
    ("crop", "corner", "inside", "mean", "deviation"),
    [
        (True, (0.076336, 0.183905, 0.368389), (1.098226, 1.234449, 1.363793), 0.187794, 0.908771),
        (
            False,
            (-1.514892, -1.451942, -1.181598),
            (0.704068, 0.829239, 1.008292),
            0.187503,
            0.682020,
        ),
    ],
)
def test_a_picture_is_prepared_as_in_comfyui(crop, corner, inside, mean, deviation):
    ready = prepared(counted(300, 200), 224, crop=crop)
    assert ready.shape == (1, 3, 224, 224)
    torch.testing.assert_close(ready[0, :, 0, 0], torch.tensor(corner), atol=1e-5, rtol=0)
    torch.testing.assert_close(ready[0, :, 111, 57], torch.tensor(inside), atol=1e-5, rtol=0)
    assert ready.mean().item() == pytest.approx(mean, abs=1e-5)
    assert ready.std().item() == pytest.approx(deviation, abs=1e-5)


def test_the_middle_of_a_wide_picture_is_seen():
    pixels = torch.zeros(1, 3, 28, 84)
    pixels[..., 28:56] = 1
    assert torch.equal(prepared(pixels, 28, normalisation=SIGLIP), torch.ones(1, 3, 28, 28))


def test_nothing_cannot_be_looked_at():
    with pytest.raises(MismatchedValues, match="no pixels"):
        prepared(torch.zeros(1, 3, 0, 8), 28)


def whole_clip():
    """Text beside the picture's, as CLIP's own files have it."""
    text = {
        "text_model.embeddings.token_embedding.weight": torch.zeros(4, 8),
        "text_model.encoder.layers.0.mlp.fc1.weight": torch.zeros(8, 8),
        "logit_scale": torch.zeros(()),
    }
    fixed = {"vision_model.embeddings.position_ids": torch.arange(17)[None]}
    return visions.state("clip") | text | fixed


LAYOUTS = {
    "transformers": ("clip", lambda: visions.state("clip"), "vision"),
    "with its text encoder": ("clip", whole_clip, "text_encoder"),
    "open_clip": ("clip", lambda: visions.open_clip("clip"), "vision"),
    "open_clip bare": ("clip", lambda: visions.open_clip("clip", ""), "vision"),
    "unCLIP": ("clip", lambda: visions.open_clip("clip", "embedder.model.visual."), "vision"),
    "CSD": (
        "clip without projection",
        lambda: visions.open_clip("clip without projection", "module.backbone."),
        "vision",
    ),
    "SigLIP": ("siglip", lambda: visions.state("siglip"), "vision"),
    "SigLIP bare": ("siglip", lambda: dict(visions.encoder("siglip").state_dict()), "vision"),
}


@pytest.mark.parametrize("layout", LAYOUTS)
def test_it_sees_what_transformers_sees(layout, tmp_path):
    kind, tensors, found_as = LAYOUTS[layout]
    path = visions.write(tmp_path / "vision.safetensors", tensors())
    assert recognise(path).kind == found_as
    assert "vision" in recognise(path).parts
    pixels, theirs = torch.rand(9, 3, 28, 28), visions.encoder(kind)
    with opened(path) as encoder, torch.no_grad():
        assert encoder.side == visions.SIDE
        seen = encoder(pixels)
        how = {"normalisation": SIGLIP} if kind == "siglip" else {}
        said = theirs(prepared(pixels, 28, **how), output_hidden_states=True)
    embeds = said.image_embeds if kind == "clip" else said.pooler_output
    torch.testing.assert_close(seen.embeds, embeds)
    torch.testing.assert_close(seen.hidden, said.last_hidden_state)
    torch.testing.assert_close(seen.penultimate, said.hidden_states[-2])


RELEASED = {
    "CLIP ViT-L/14": (1024, 4096, 24, 16, 14, 224, "quick_gelu", 768),
    "CLIP ViT-H/14": (1280, 5120, 32, 16, 14, 224, "gelu", 1024),
    "CLIP ViT-bigG/14": (1664, 8192, 48, 16, 14, 224, "gelu", 1280),
    "CLIP ViT-B/32": (768, 3072, 12, 12, 32, 224, "quick_gelu", 512),
    "SigLIP so400m": (1152, 4304, 27, 16, 14, 384, "gelu_pytorch_tanh", 0),
}


@pytest.mark.parametrize("name", RELEASED)
def test_those_that_were_released_are_told_by_their_shapes(name):
    """Heads and activations too, which no shape tells."""
    width, inner, layers, heads, patch, side, activation, projected = RELEASED[name]
    said = {
        "hidden_size": width,
        "intermediate_size": inner,
        "num_hidden_layers": layers,
        "num_attention_heads": heads,
        "patch_size": patch,
        "image_size": side,
        "hidden_act": activation,
    }
    with torch.device("meta"):
        if projected:
            config = CLIPVisionConfig(**said, projection_dim=projected)
            theirs = CLIPVisionModelWithProjection(config)
        else:
            theirs = SiglipVisionModel(SiglipVisionConfig(**said))
        shapes = {key: tuple(value.shape) for key, value in theirs.state_dict().items()}
        family = find_family("sd1")
        arguments = vision_part.describe(shapes, family, {vision_part.COMPONENT: {}})
        built = vision_part.build(arguments, family)
    assert arguments == arguments | said
    assert {key: tuple(value.shape) for key, value in built.state_dict().items()} == shapes


def test_without_a_head_siglip_gives_no_vector(tmp_path):
    stored = {k: v for k, v in visions.state("siglip").items() if ".head." not in k}
    with opened(visions.write(tmp_path / "a.safetensors", stored)) as encoder:
        seen = encoder(torch.rand(1, 3, 28, 28))
    assert seen.embeds is None
    assert seen.hidden.shape == (1, 16, 32)


def test_places_of_no_square_are_refused(tmp_path):
    stored = visions.state("clip")
    stored["vision_model.embeddings.position_embedding.weight"] = torch.zeros(16, 32)
    path = visions.write(tmp_path / "a.safetensors", stored)
    with pytest.raises(UnsupportedModel, match="16 places"):
        load(path, "vision", device="cpu", dtype=torch.float32)
