"""Loading: every wrapping of the same weights gives the same network, diffusers' own numbers."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from diffusers import AutoencoderKL
from safetensors.torch import save_file

from helpers import checkpoints, pipelines
from ponystudio.diffusion.loading.load import load, recognise
from ponystudio.errors import (
    Cancelled,
    ModelFileError,
    UnsupportedModel,
    WrongKind,
)

PARTS = ("model", "clip", "vae")
VAE = {key: value for key, value in checkpoints.VAE.items() if not key.startswith("_")}
FP32, FP16, BF16 = torch.float32, torch.float16, torch.bfloat16


@pytest.fixture(scope="module")
def reference():
    """Networks that diffusers and transformers built and filled, from the same tensors."""
    return pipelines.sd1()


FILES = {
    "safetensors": lambda path: checkpoints.micro(path),
    "zip pickle": lambda path: checkpoints.flat_pickle(path),
    "legacy pickle": lambda path: checkpoints.flat_pickle(path, legacy=True),
    "lightning": lambda path: checkpoints.lightning(path, optimizer=True),
    "lightning, legacy": lambda path: checkpoints.lightning(path, legacy=True, optimizer=True),
    "lightning, EMA": lambda path: checkpoints.lightning(path, ema=True, half=True),
    "folder": lambda path: checkpoints.diffusers_folder(path),
    "folder of pickles": lambda path: checkpoints.diffusers_folder(path, suffix=".bin"),
    "folder, fp16": lambda path: checkpoints.diffusers_folder(path, variant="fp16"),
    "folder, sharded": lambda path: checkpoints.diffusers_folder(path, shards=3, variant="fp16"),
    "folder of 2022": lambda path: checkpoints.diffusers_folder(
        path, suffix=".bin", old_names=True, scaling_factor=False
    ),
}


@pytest.fixture(scope="module", params=FILES)
def file(request, tmp_path_factory):
    return FILES[request.param](tmp_path_factory.mktemp("model") / "model")


@pytest.fixture(scope="module")
def micro(tmp_path_factory):
    return checkpoints.micro(tmp_path_factory.mktemp("micro") / "micro.safetensors")


@pytest.fixture
def opened():
    """Loads, and closes at the end."""
    networks = []

    def opened(path, part, *, device="cpu", dtype=FP32, **more):
        networks.append(load(path, part, device=device, dtype=dtype, **more))
        return networks[-1]

    yield opened
    for network in networks:
        network.close()


class TestEveryWrapping:
    @pytest.mark.parametrize("part", PARTS)
    def test_same_weights(self, file, part, reference, opened):
        ours = opened(file, part).module.state_dict()
        theirs = reference[part].state_dict()
        assert ours.keys() == theirs.keys()
        for name, value in theirs.items():
            assert torch.equal(ours[name], value), name

    def test_is_a_checkpoint(self, file):
        found = recognise(file, "checkpoints")
        assert (found.family, found.prediction) == ("sd1", "eps")


class TestPartsAlone:
    @pytest.mark.parametrize("prefix", ["", "vae."])
    def test_autoencoder(self, prefix, tmp_path, reference, opened):
        path = tmp_path / "vae.safetensors"
        first = "first_stage_model."
        weights = checkpoints.weights()
        save_file(
            {name.replace(first, prefix): weights[name] for name in weights if first in name}, path
        )
        assert recognise(path, "vae").family == ""
        network = opened(path, "vae")
        # It serves whatever family has latents of its width.
        assert network.family.latent_channels == 4
        for name, value in reference["vae"].state_dict().items():
            assert torch.equal(network.module.state_dict()[name], value)

    def test_denoiser(self, tmp_path, reference, opened):
        path = tmp_path / "unet.safetensors"
        save_file(
            {k: v.half().contiguous() for k, v in reference["model"].state_dict().items()}, path
        )
        assert recognise(path, "diffusion_models").family == "sd1"
        ours = opened(path, "model").module.state_dict()
        for name, value in reference["model"].state_dict().items():
            assert torch.equal(ours[name], value)

    def test_the_vae_of_a_checkpoint_serves_as_one(self, micro):
        assert recognise(micro, "vae").kind == "checkpoint"

    def test_another_width_is_refused(self, tmp_path):
        path = tmp_path / "vae.safetensors"
        with torch.device("meta"):
            shapes = AutoencoderKL(**{**VAE, "latent_channels": 8}).state_dict()
        save_file({name: torch.zeros(value.shape) for name, value in shapes.items()}, path)
        with pytest.raises(UnsupportedModel, match="have 8 channels"):
            load(path, "vae", device="cpu", dtype=FP32)


class TestNumbers:
    @pytest.mark.parametrize("t", [1, 250, 500, 750, 999])
    def test_denoiser(self, t, micro, reference, opened):
        torch.manual_seed(t)
        x, context = torch.randn(2, 4, 8, 16), torch.randn(2, 77, 64)
        with torch.no_grad():
            theirs = reference["model"](x, t, encoder_hidden_states=context).sample
        ours = opened(micro, "model")(x, torch.tensor([t, t]), context)
        assert (ours - theirs).abs().max() <= 1e-4

    def test_autoencoder_both_ways(self, micro, reference, opened):
        torch.manual_seed(0)
        pixels, values = torch.rand(1, 3, 32, 48), torch.randn(1, 4, 4, 6)
        vae = reference["vae"]
        with torch.no_grad():
            mean = vae.encode(pixels * 2 - 1).latent_dist.mean
            picture = (vae.decode(values).sample / 2 + 0.5).clamp(0, 1)
        ours = opened(micro, "vae")
        assert (ours.encode(pixels) - mean).abs().max() <= 1e-4
        assert (ours.decode(values) - picture).abs().max() <= 1e-4
        assert ours.scaling_factor == 0.18215

    def test_text_encoder(self, micro, reference, opened):
        encoder = opened(micro, "clip")
        ids = torch.tensor([[49406, 320, 1125, 539, 320, 2368, *[49407] * 71]])
        with torch.no_grad():
            theirs = reference["clip"](ids).last_hidden_state
        ours = encoder.encode("a photo of a cat", dialect="comfyui").context
        assert (ours - theirs).abs().max() <= 1e-4


class TestAverages:
    @pytest.mark.parametrize("legacy", [False, True])
    def test_are_an_option(self, legacy, tmp_path, reference, opened):
        path = checkpoints.lightning(tmp_path / "full.ckpt", ema=True, legacy=legacy)
        plain = opened(path, "model").module.state_dict()
        averaged = opened(path, "model", options=(("ema", True),)).module.state_dict()
        for name, value in reference["model"].state_dict().items():
            assert torch.equal(plain[name], value)
            assert torch.equal(averaged[name], value * 1.5)

    @pytest.mark.parametrize("part", PARTS)
    def test_where_there_are_none_the_others_serve(self, part, micro, reference, opened):
        ours = opened(micro, part, options=(("ema", True),)).module.state_dict()
        for name, value in reference[part].state_dict().items():
            assert torch.equal(ours[name], value)


def _maps():
    return Path("/proc/self/maps").read_text().splitlines()


class TestHints:
    def test_metadata_fills_what_shapes_cannot_tell(self, tmp_path, opened):
        said = {
            "unet": {"attention_head_dim": 4, "norm_eps": 1e-6},
            "text_encoder": {"num_attention_heads": 2, "hidden_act": "gelu"},
            "vae": {"scaling_factor": 0.5},
        }
        path = checkpoints.micro(
            tmp_path / "said.safetensors", extra={"ponystudio.config": json.dumps(said)}
        )
        assert opened(path, "model").module.config.attention_head_dim == 4
        assert opened(path, "clip").module.config.num_attention_heads == 2
        assert opened(path, "clip").module.config.hidden_act == "gelu"
        assert opened(path, "vae").scaling_factor == 0.5

    def test_so_does_the_config_of_a_folder(self, tmp_path, opened):
        folder = checkpoints.diffusers_folder(tmp_path / "folder")
        config = folder / "text_encoder" / "config.json"
        config.write_text(json.dumps({**checkpoints.TEXT, "num_attention_heads": 4}))
        assert opened(folder, "clip").module.config.num_attention_heads == 4

    @pytest.mark.parametrize(
        ("part", "said", "message"),
        [
            ("model", {"unet": {"attention_head_dim": "many"}}, "its attention_head_dim is 'many'"),
            ("model", {"unet": {"norm_num_groups": 7}}, "describes"),
            ("clip", {"text_encoder": {"num_attention_heads": 7}}, "describes"),
        ],
    )
    def test_nonsense_is_refused(self, part, said, message, tmp_path):
        extra = {"ponystudio.config": json.dumps(said)}
        path = checkpoints.micro(tmp_path / "said.safetensors", extra=extra)
        with pytest.raises(UnsupportedModel, match=message):
            load(path, part, device="cpu", dtype=FP32)


class TestRefusals:
    def test_a_part_that_is_not_there(self, tmp_path):
        path = checkpoints.incomplete(tmp_path / "x.safetensors", "cond_stage_model")
        with pytest.raises(WrongKind, match="no text encoder") as caught:
            load(path, "clip", device="cpu", dtype=FP32)
        assert caught.value.where == str(path)

    def test_a_lora_given_as_a_checkpoint(self, tmp_path):
        path = checkpoints.micro_lora(tmp_path / "lora.safetensors")
        with pytest.raises(ModelFileError):
            recognise(path, "checkpoints")
        with pytest.raises(ModelFileError):
            load(path, "model", device="cpu", dtype=FP32)

    def test_cancel_lets_go_of_the_file(self, micro):
        calls = iter(range(1000))

        def check():
            if next(calls) == 100:
                raise Cancelled

        with pytest.raises(Cancelled):
            load(micro, "model", device="cpu", dtype=FP16, check=check)
        assert not [line for line in _maps() if str(micro) in line]


def test_importing_it_loads_no_torch():
    code = (
        "import sys, ponystudio.diffusion.loading.load, ponystudio.diffusion.lora.lora_file, "
        "ponystudio.diffusion.weights.tensor_names, ponystudio.diffusion.weights.network_config;"
        "assert not {'torch', 'diffusers', 'transformers'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True, env=dict(os.environ))
