"""What is folded into weights changes nothing, and the app computes what was trained."""

from __future__ import annotations

import json

import pytest
import torch
from diffusers import AutoencoderKL, UNet2DConditionModel

from ponystudio.diffusion.loading.load import load

TEXTS = ["unicorn, 3d, blue background", ""]


@pytest.fixture
def vae(profile):
    from starter import autoencoder

    torch.manual_seed(0)
    return AutoencoderKL(**autoencoder.config(profile)).eval().requires_grad_(False)


@pytest.fixture
def unet(profile):
    from starter import denoiser

    torch.manual_seed(0)
    return UNet2DConditionModel(**denoiser.config(profile)).eval().requires_grad_(False)


def test_normalised_latents_are_of_the_same_pictures(vae):
    from starter.autoencoder import SCALE, decode, encode, normalise, statistics

    pictures = torch.rand(6, 3, 64, 64)
    before = decode(vae, encode(vae, pictures))
    normalise(vae, *statistics(encode(vae, pictures)))
    mean, std = statistics(encode(vae, pictures) * SCALE)
    assert mean.abs().max() < 1e-4
    assert (std - 1).abs().max() < 1e-4
    assert (decode(vae, encode(vae, pictures)) - before).abs().max() < 1e-4


def test_contexts_get_a_mean_that_the_denoiser_does_not_see(encoder, unet):
    from starter.text import steady

    x, t = torch.randn(2, 4, 8, 8), torch.tensor([300, 700])
    before = unet(x, t, encoder(TEXTS)).sample
    low = encoder(TEXTS).mean()
    steady(encoder, unet, 0.25)
    assert encoder(TEXTS).mean() - low == pytest.approx(0.25, abs=1e-5)
    assert (unet(x, t, encoder(TEXTS)).sample - before).abs().max() < 1e-5


def test_the_app_computes_what_was_trained(vae, unet, encoder, tmp_path):
    from starter import autoencoder, export

    latents = torch.randn(3, 4, 8, 8)
    colours = torch.rand(3, 4).double()
    pictures = torch.einsum("rc,bchw->brhw", colours, latents.double()) + 0.5
    path = tmp_path / "starter.safetensors"
    fit = export.write(path, unet, vae, encoder.clip, encoder.tokens, latents, pictures.float(), {})
    assert fit == pytest.approx(1)
    parts = {
        part: load(path, part, device="cpu", dtype=torch.float32)
        for part in ("model", "clip", "vae")
    }
    try:
        for text in TEXTS:
            context = parts["clip"].encode(text).context
            assert (context - encoder([text])).abs().max() < 0.02
        x, t = torch.randn(2, 4, 8, 8), torch.tensor([300, 700])
        ours = parts["model"].module(x, t, encoder(TEXTS)).sample
        assert (ours - unet(x, t, encoder(TEXTS)).sample).abs().max() < 0.01
        picture = torch.rand(1, 3, 64, 64)
        latent = parts["vae"].encode(picture)
        assert (latent - autoencoder.encode(vae, picture)).abs().max() < 0.02
        again = autoencoder.decode(vae, latent)
        assert (parts["vae"].decode(latent) - again).abs().max() < 0.02
        expected = (pictures[:1].float() / 2 + 0.5).clamp(0, 1)
        preview = parts["model"].to_rgb(latents[:1] / autoencoder.SCALE)
        assert (preview - expected).abs().max() < 0.01
    finally:
        for part in parts.values():
            part.close()


def test_words_that_were_not_trained_are_nothing(vae, unet, encoder):
    from starter import export

    found = export.tensors(unet, vae, encoder.clip, encoder.tokens)
    table = found[export.TEXT + "embeddings.token_embedding.weight"]
    assert table.shape == (49408, 64)
    assert table[encoder.tokens].abs().sum(1).min() > 0
    table[encoder.tokens] = 0
    assert table.abs().max() == 0
    assert {tensor.dtype for tensor in found.values()} == {torch.float16}


def test_an_interrupted_training_ends_as_an_uninterrupted_one(
    profile, concepts, encoder, tmp_path, monkeypatch
):
    from starter import denoiser

    monkeypatch.setattr(denoiser, "SAVED_EVERY", 2)
    torch.manual_seed(0)
    latents = torch.randn(8, 4, 8, 8).half()
    labels = torch.tensor([(i % 2, i // 2 % 2, i) for i in range(8)])

    def trained(folder, stop=None):
        folder.mkdir(exist_ok=True)
        saved = denoiser.save

        def interrupting(value, path):
            saved(value, path)
            if value["step"] == stop:
                raise KeyboardInterrupt

        with monkeypatch.context() as patch:
            patch.setattr(denoiser, "save", interrupting)
            return denoiser.train(latents, labels, concepts, encoder, profile, folder)

    whole = trained(tmp_path / "whole").state_dict()
    with pytest.raises(KeyboardInterrupt):
        trained(tmp_path / "halves", stop=2)
    halves = trained(tmp_path / "halves").state_dict()
    assert all(torch.equal(halves[name], value) for name, value in whole.items())
    log = (tmp_path / "halves" / "denoiser.jsonl").exists()
    assert not log  # only every hundredth step is logged


def test_every_stage_on_two_drawings(profile, concepts, tmp_path):
    """Text and autoencoder are trained, latents made, and all of it is there the second time."""
    from starter import autoencoder, captions, latents, text

    sprites = {
        (concept.name, style): torch.randint(0, 255, (4, 64, 64), dtype=torch.uint8)
        for concept in concepts
        for style in profile.styles
    }
    first = autoencoder.train(sprites, profile, tmp_path)
    coded, labels = latents.make(first, sprites, concepts, profile, tmp_path)
    assert coded.shape == (2 * 2 * 11, 4, 8, 8)
    assert labels[:12].tolist() == [[0, 0, b] for b in range(11)] + [[0, 1, 0]]
    tokens = captions.tokens(concepts, profile.styles)
    known = text.train(concepts, tokens, profile, tmp_path)(TEXTS)
    second = autoencoder.train(sprites, profile, tmp_path)
    again, _ = latents.make(second, sprites, concepts, profile, tmp_path)
    assert torch.equal(coded, again)
    picture = torch.rand(1, 3, 64, 64)
    assert torch.equal(autoencoder.encode(first, picture), autoencoder.encode(second, picture))
    assert torch.equal(text.train(concepts, tokens, profile, tmp_path)(TEXTS), known)


def test_the_header_says_what_shapes_do_not(vae, unet, encoder, tmp_path):
    from safetensors import safe_open
    from starter import export

    path = tmp_path / "starter.safetensors"
    some = torch.randn(3, 4, 8, 8)
    export.write(path, unet, vae, encoder.clip, encoder.tokens, some, some[:, :3], {"a": "b"})
    with safe_open(path, "pt") as file:
        metadata = file.metadata()
    assert metadata["modelspec.architecture"] == "stable-diffusion-v1"
    assert metadata["a"] == "b"
    said = json.loads(metadata["ponystudio.config"])
    assert said["unet"]["attention_head_dim"] == 2
    assert len(said["unet"]["latent_rgb"]) == 4
    assert said["vae"] == {"norm_num_groups": 8, "scaling_factor": 0.18215}
