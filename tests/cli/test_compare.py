"""`compare`: what it says of two files, and which it refuses."""

from __future__ import annotations

import json

import pytest
from PIL import Image
from safetensors.torch import save_file

import ponystudio_resources
from helpers import checkpoints
from helpers.mixtures import other, pair
from ponystudio.cli.arguments import main

UPSCALER = ponystudio_resources.path(
    "models", "upscale_models", "realesr-animevideov3-x4.safetensors"
)


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    return pair("sdxl", tmp_path_factory.mktemp("compare"))


def test_it_tells_blocks_layers_and_what_it_means(files, said, tmp_path):
    text = said("compare", *files, "--picture", tmp_path / "chart.png")
    for line in ("denoiser", "  IN04", "text encoder", "autoencoder", "  cross-attention"):
        assert any(row.startswith(f"{line} ") for row in text.splitlines())
    assert "what it means\n  - sdxl B.safetensors" in text
    assert Image.open(tmp_path / "chart.png").width == 900


def test_it_compares_a_part_alone_and_speaks_json(files, said, tmp_path):
    prefix = "first_stage_model."
    tensors = {
        name.removeprefix(prefix): value
        for name, value in other(checkpoints.weights()).items()
        if name.startswith(prefix)
    }
    save_file(tensors, tmp_path / "vae.safetensors")
    checkpoints.micro(tmp_path / "sd1.safetensors")
    found = json.loads(
        said("compare", tmp_path / "sd1.safetensors", tmp_path / "vae.safetensors", "--json")
    )
    assert found["parts"].keys() == {"vae"}
    assert 0.3 < found["parts"]["vae"]["distance"] < 2
    assert found["parts"]["vae"]["blocks"]["decoder mid"]["numbers"] > 0


def test_it_refuses_files_without_a_common_part(files, capsys):
    assert main(["compare", str(files[0]), str(UPSCALER)]) == 2
    assert "they have no part in common" in capsys.readouterr().err
