"""Style models, GLIGEN and unCLIP, loaded from files of the true layout: diffusers' own numbers."""

from __future__ import annotations

from contextlib import closing

import pytest
import torch
from diffusers import UNet2DConditionModel
from safetensors.torch import save_file

from helpers import flows, relatives, visions
from helpers.checkpoints import UNET as MICRO
from helpers.checkpoints import _diffusers_weights, micro
from helpers.make_checkpoint import SEED
from ponystudio.diffusion.loading.load import load
from ponystudio.diffusion.weights.tensor_names import ldm_modules
from ponystudio.errors import MismatchedValues, UnsupportedModel
from ponystudio.library.recognition.recognise import recognise

PREFIXED = "model.diffusion_model."
WIDTH = 64  # of the words that `micro` reads


def opened(path, part):
    return closing(load(path, part, device="cpu", dtype=torch.float32))


# unCLIP


@pytest.fixture(scope="module")
def unclip(tmp_path_factory):
    return relatives.write("sd2 unclip", tmp_path_factory.mktemp("unclip") / "m.safetensors")


def test_unclip_is_told_pictures(unclip):
    found = recognise(unclip)
    assert (found.family, found.pictured, found.kind) == ("sd2", 16, "checkpoint")
    assert {"model", "clip", "vae", "vision"} <= found.parts.keys()
    x, t, context = torch.randn(2, 4, 8, 8), torch.tensor([7.0, 981.0]), torch.randn(2, 77, 64)
    pictured, theirs = torch.randn(2, 32), relatives.relative("sd2 unclip").unet
    with opened(unclip, "model") as denoiser, torch.no_grad():
        assert denoiser.pictured == 16
        assert torch.equal(denoiser.features.mean, torch.linspace(-1, 1, 16).half().float())
        for told in (pictured, None):
            labels = torch.zeros(2, 32) if told is None else told
            expected = theirs(x, t, encoder_hidden_states=context, class_labels=labels).sample
            ours = denoiser(x, t, context, pictured=told)
            torch.testing.assert_close(ours, expected, atol=1e-3, rtol=0)


def test_its_image_encoder_is_in_the_same_file(unclip):
    with opened(unclip, "vision") as encoder, torch.no_grad():
        assert encoder(torch.rand(1, 3, 40, 28)).embeds.shape == (1, 16)


def test_in_a_folder_of_diffusers(tmp_path):
    folder = relatives.write_folder("sd2 unclip", tmp_path / "unclip")
    visions.encoder("clip").save_pretrained(folder / "image_encoder")
    (folder / "image_normalizer").mkdir()
    scale = {"mean": torch.full((1, 16), 0.5), "std": torch.full((1, 16), 2.0)}
    save_file(scale, folder / "image_normalizer" / "diffusion_pytorch_model.safetensors")
    assert recognise(folder).pictured == 16
    assert "vision" in recognise(folder).parts
    with opened(folder, "model") as denoiser, opened(folder, "vision") as encoder:
        assert denoiser.features.deviation.tolist() == [2.0] * 16
        assert encoder(torch.rand(1, 3, 28, 28)).embeds.shape == (1, 16)


# Redux


def test_redux_makes_tokens_of_what_is_seen(tmp_path):
    path, theirs = tmp_path / "redux.safetensors", visions.redux()
    save_file(theirs.state_dict(), path)
    assert (recognise(path).kind, recognise(path).family) == ("style_model", "flux")
    hidden = torch.randn(2, 16, 32)
    with opened(path, "style_model") as style:
        assert style.width == 32
        torch.testing.assert_close(style(hidden), theirs(hidden).image_embeds)
        with pytest.raises(MismatchedValues, match="style model reads 32"):
            style(torch.randn(1, 16, 24))


# GLIGEN


@pytest.fixture(scope="module")
def gated():
    """diffusers' own UNet with GLIGEN's layers, whose other weights are those of `micro`."""
    arguments = {name: value for name, value in MICRO.items() if not name.startswith("_")}
    unet = flows.randomised(UNet2DConditionModel(**arguments, attention_type="gated"), seed=5)
    stored, _, _ = _diffusers_weights(SEED)
    unet.load_state_dict(stored, strict=False)
    for name, value in unet.named_parameters():
        if "alpha" in name:  # a gate that is half open
            value.data.fill_(0.5)
    return unet


@pytest.mark.parametrize("layout", ["ldm", "diffusers", "whole"])
def test_gligen_places_texts_as_diffusers_does(gated, layout, tmp_path):
    ldm = ldm_modules(name for name, _ in gated.named_modules())
    of_file = {} if layout == "diffusers" else {ours: theirs for theirs, ours in ldm.items()}
    tensors = visions.gligen(gated, of_file)
    if layout == "whole":
        tensors = {PREFIXED + name: value for name, value in tensors.items()}
        tensors[f"{PREFIXED}input_blocks.0.0.weight"] = torch.zeros(32, 4, 3, 3)
    path = tmp_path / "gligen.safetensors"
    save_file(tensors, path)
    assert "gligen" in recognise(path).parts
    x, t, context = torch.randn(2, 4, 8, 8), torch.tensor([7.0, 981.0]), torch.randn(2, 77, 64)
    words, boxes = torch.randn(2, WIDTH), torch.tensor([[0, 0.25, 0.5, 1], [0.5, 0, 1, 0.5]])
    full = {
        "boxes": torch.zeros(2, 30, 4),
        "masks": torch.zeros(2, 30),
        "positive_embeddings": torch.zeros(2, 30, WIDTH),
    }
    full["boxes"][:, :2], full["masks"][:, :2] = boxes, 1
    full["positive_embeddings"][:, :2] = words
    plain = micro(tmp_path / "micro.safetensors")
    with opened(plain, "model") as denoiser, opened(path, "gligen") as net, torch.no_grad():
        tokens = net.tokens(words, boxes)
        before = denoiser(x, t, context)
        with net.placed(denoiser.module):
            ours = denoiser(x, t, context, places=tokens.expand(2, -1, -1))
            assert torch.equal(denoiser(x, t, context), before)
        names = [name for name, _ in denoiser.module.named_parameters()]
        assert not any("fuser" in name for name in names)
        assert torch.equal(denoiser(x, t, context), before)
        theirs = gated(
            x, t, encoder_hidden_states=context, cross_attention_kwargs={"gligen": full}
        ).sample
    assert (ours - before).abs().max() > 0.01
    torch.testing.assert_close(ours, theirs, atol=1e-3, rtol=0)


def test_more_boxes_than_there_is_room_for_and_other_models(gated, tmp_path):
    path = tmp_path / "gligen.safetensors"
    save_file(visions.gligen(gated, {}), path)
    with opened(path, "gligen") as net:
        with pytest.raises(MismatchedValues, match="31 boxes"):
            net.tokens(torch.zeros(31, WIDTH), torch.zeros(31, 4))
        other = relatives.relative("sdxl").unet
        with pytest.raises(MismatchedValues, match="another model"), net.placed(other):
            pass


def test_gligen_for_pictures_is_refused(gated, tmp_path):
    tensors = visions.gligen(gated, {})
    tensors["position_net.linears_text.0.weight"] = torch.zeros(4, 4)
    save_file(tensors, tmp_path / "a.safetensors")
    with pytest.raises(UnsupportedModel, match="told pictures"):
        load(tmp_path / "a.safetensors", "gligen", device="cpu", dtype=torch.float32)
