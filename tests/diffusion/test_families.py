"""SD2 and SDXL: files of the true layout give diffusers' own numbers."""

from __future__ import annotations

import pytest
import torch
from diffusers.loaders.single_file_utils import (
    convert_ldm_unet_checkpoint,
    convert_open_clip_checkpoint,
)
from safetensors.torch import save_file
from transformers import CLIPTextConfig, CLIPTextModel

from helpers import relatives
from ponystudio.diffusion.families import families, find_family
from ponystudio.diffusion.loading.load import load
from ponystudio.diffusion.text.clip_tokens import ClipTokenizer
from ponystudio.errors import ParamRange, WrongKind
from ponystudio.library.recognition.recognise import recognise

FP32 = torch.float32
CLOSE = {"rtol": 1e-4, "atol": 1e-4}
WORDS = "score_9, a pony on the moon"


@pytest.fixture(scope="module", params=["sd2", "sdxl"])
def name(request):
    return request.param


@pytest.fixture(scope="module")
def path(name, tmp_path_factory):
    return relatives.write(name, tmp_path_factory.mktemp(name) / "model.safetensors")


@pytest.fixture(scope="module")
def folder(name, tmp_path_factory):
    return relatives.write_folder(name, tmp_path_factory.mktemp(name) / "folder")


def opened(path, part):
    return load(path, part, device="cpu", dtype=FP32)


def ids(text, pad):
    (chunk,) = ClipTokenizer(pad).chunks(_parsed(text), "comfyui")
    return torch.tensor([chunk.ids])


def _parsed(text):
    from ponystudio.diffusion.text.prompt_syntax import parse

    return parse(text, "comfyui")


def test_our_files_are_what_diffusers_reads(name):
    found = relatives.relative(name)
    config = {**dict(found.unet.config), "layers_per_block": 2}
    tensors = {key: value.float() for key, value in found.tensors.items()}
    theirs = convert_ldm_unet_checkpoint(dict(tensors), config)
    ours = found.unet.state_dict()
    assert theirs.keys() == ours.keys()
    assert all(torch.equal(theirs[key], ours[key]) for key in ours)


def test_our_open_clip_is_what_diffusers_reads():
    found = relatives.relative("sdxl")
    prefix = "conditioner.embedders.1.model."
    tensors = {key: value.float() for key, value in found.tensors.items()}
    theirs = convert_open_clip_checkpoint(found.texts[1], tensors, prefix=prefix)
    ours = dict(found.texts[1].named_parameters())
    theirs = {key: value for key, value in theirs.items() if not key.endswith("position_ids")}
    assert theirs.keys() == ours.keys()
    assert all(torch.equal(theirs[key], ours[key]) for key in ours)


def test_the_file_is_recognised(name, path, folder):
    for place in (path, folder):
        found = recognise(place)
        assert (found.kind, found.family) == ("checkpoint", name)
        assert {"model", "clip", "vae"} <= found.parts.keys()


@pytest.mark.parametrize("source", ["path", "folder"])
def test_the_denoiser_is_diffusers_own(name, source, request):
    denoiser = opened(request.getfixturevalue(source), "model")
    theirs = relatives.relative(name).unet
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(2, 4, 16, 16, generator=generator)
    t = torch.tensor([900.0, 12.0])
    context = torch.randn(2, 77, theirs.config.cross_attention_dim, generator=generator)
    vector = {}
    if name == "sdxl":
        vector = {
            "pooled": torch.randn(2, 64, generator=generator),
            "sizes": torch.tensor([[128.0, 96, 0, 8, 128, 96]]).expand(2, 6),
        }
    added = {"text_embeds": vector.get("pooled"), "time_ids": vector.get("sizes")}
    expected = theirs(x, t, context, added_cond_kwargs=added if vector else None).sample
    torch.testing.assert_close(denoiser(x, t, context, **vector), expected, **CLOSE)


class TestText:
    @pytest.mark.parametrize("source", ["path", "folder"])
    def test_sd2_reads_the_layer_before_the_last(self, tmp_path, source):
        path = (
            relatives.write("sd2", tmp_path / "sd2.safetensors")
            if source == "path"
            else relatives.write_folder("sd2", tmp_path / "sd2")
        )
        clip = opened(path, "clip")
        (theirs,) = relatives.relative("sd2").texts
        hidden = theirs(ids(WORDS, 0), output_hidden_states=True).hidden_states
        ours = clip.encode(WORDS, dialect="comfyui")
        expected = theirs.final_layer_norm(hidden[-2])
        torch.testing.assert_close(ours.context, expected, **CLOSE)
        assert ours.pooled is None

    @pytest.mark.parametrize("source", ["path", "folder"])
    @pytest.mark.parametrize(("skip", "layer"), [(0, -2), (1, -2), (2, -2), (3, -3)])
    def test_sdxl_reads_two_encoders_side_by_side(self, tmp_path, source, skip, layer):
        path = (
            relatives.write("sdxl", tmp_path / "sdxl.safetensors")
            if source == "path"
            else relatives.write_folder("sdxl", tmp_path / "sdxl")
        )
        ours = opened(path, "clip").encode(WORDS, dialect="comfyui", clip_skip=skip)
        clip_l, clip_g = relatives.relative("sdxl").texts
        first = clip_l(ids(WORDS, 49407), output_hidden_states=True).hidden_states[layer]
        whole = clip_g(ids(WORDS, 0), output_hidden_states=True)
        expected = torch.cat([first, whole.hidden_states[layer]], dim=-1)
        torch.testing.assert_close(ours.context, expected, **CLOSE)
        torch.testing.assert_close(ours.pooled, whole.text_embeds, **CLOSE)

    def test_sd2_without_its_last_layer_reads_the_same(self, tmp_path):
        """diffusers' folders have 23 of 24 layers; single files have all, and the last unread."""
        states = []
        for layers in (24, 23):
            whole = CLIPTextConfig(**relatives.CLIP_H | {"num_hidden_layers": 24})
            torch.manual_seed(0)
            module = CLIPTextModel(whole)
            module.encoder.layers = module.encoder.layers[:layers]
            path = tmp_path / f"{layers}.safetensors"
            save_file({f"text_model.{k}": v for k, v in module.state_dict().items()}, path)
            clip = load(path, "clip", device="cpu", dtype=FP32, options=(("family", "sd2"),))
            states.append(clip.encode(WORDS).context)
            clip.close()
        assert torch.equal(*states)

    def test_an_empty_prompt_is_zeros_only_where_the_family_says_so(self, tmp_path):
        clip = opened(relatives.write("sdxl", tmp_path / "sdxl.safetensors"), "clip")
        for empty, zero in (("auto", True), ("zeros", True), ("encode", False)):
            found = clip.encode("", empty=empty)
            assert (not found.context.any()) is zero
            assert (not found.pooled.any()) is zero
        assert clip.encode(" ").context.any()
        sd2 = opened(relatives.write("sd2", tmp_path / "sd2.safetensors"), "clip")
        assert sd2.encode("").context.any()

    def test_skipping_more_than_there_is_is_refused(self, tmp_path):
        clip = opened(relatives.write("sdxl", tmp_path / "sdxl.safetensors"), "clip")
        with pytest.raises(ParamRange):
            clip.encode("a", clip_skip=4)

    def test_a_missing_encoder_is_named(self, tmp_path):
        tensors = {
            key: value
            for key, value in relatives.relative("sdxl").tensors.items()
            if not key.startswith("conditioner.embedders.1.")
        }
        save_file(tensors, tmp_path / "half.safetensors")
        with pytest.raises(WrongKind, match="no OpenCLIP-bigG"):
            opened(tmp_path / "half.safetensors", "clip")


def test_families_that_share_latents():
    assert find_family("sd2").shares_latents("sd1")
    assert not find_family("sdxl").shares_latents("sd1")
    assert {"sd1", "sd2", "sdxl"} <= set(families())


def test_what_a_file_says_of_its_colours_is_used(tmp_path):
    import json

    rows = [[0.1, 0.2, 0.3]] * 4
    hints = {"unet": {"latent_rgb": rows, "latent_rgb_bias": [0.0, 0.5, 0.0]}}
    path = relatives.write(
        "sd2", tmp_path / "sd2.safetensors", **{"ponystudio.config": json.dumps(hints)}
    )
    denoiser = opened(path, "model")
    picture = denoiser.to_rgb(torch.zeros(1, 4, 1, 1))
    assert picture.flatten().tolist() == [0.5, 0.75, 0.5]
