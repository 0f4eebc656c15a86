"""`inspect`: what it says of model files."""

from __future__ import annotations

import json
import re

import numpy
import pytest
from safetensors.numpy import save_file

import ponystudio_resources
from helpers.checkpoints import micro

UPSCALER = ponystudio_resources.path(
    "models", "upscale_models", "realesr-animevideov3-x4.safetensors"
)


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory):
    return micro(
        tmp_path_factory.mktemp("inspect") / "micro.safetensors", extra={"note": "n" * 500}
    )


def test_inspect(checkpoint, said):
    text = said("inspect", checkpoint)
    for line in ("format      safetensors", "kind        checkpoint", "family      sd1"):
        assert line in text
    assert re.search(r"^prediction +eps$", text, re.MULTILINE)
    assert re.search(r"^  model +\d+ tensors, [\d.]+ M parameters, F16, under model\.", text, re.M)
    assert re.search(r"^  sha256 +[0-9a-f]{64}$", text, re.MULTILINE)
    assert re.search(r"^  note +n+ … \(500 characters\)$", text, re.MULTILINE)
    assert re.search(r"^why\n  - \w", text, re.MULTILINE)


def test_what_a_file_says_of_itself_is_cut(said, tmp_path):
    path = tmp_path / "lora.safetensors"
    name = "lora_unet_down_blocks_0_attentions_0_proj_in"
    tensors = {
        f"{name}.lora_down.weight": numpy.zeros((1, 320), numpy.float32),
        f"{name}.lora_up.weight": numpy.zeros((320, 1), numpy.float32),
    }
    save_file(tensors, path, {"n" * 5000: "v" * 5000, **{f"key{i:04}": "v" for i in range(3000)}})
    text = said("inspect", path)
    assert len(text) < 60_000
    assert "and 2,801 more, which --json has" in text


def test_hashes_alone_and_of_any_file(said, tmp_path):
    path = tmp_path / "notes.txt"
    path.write_bytes(b"abc")
    rows = dict(line.split() for line in said("inspect", path, "--hashes").splitlines())
    assert rows["sha1"] == "a9993e364706816aba3e25717850c26c9cd0d89d"
    assert rows.keys() == {"sha256", "autov1", "autov2", "crc32", "sha1", "blake3"}
    assert json.loads(said("inspect", path, "--hashes", "--json")) == rows


def test_inspect_as_json(checkpoint, said):
    found = json.loads(said("inspect", checkpoint, "--json"))
    assert (found["kind"], found["family"], found["prediction"]) == ("checkpoint", "sd1", "eps")
    assert found["path"] == str(checkpoint)
    assert found["parts"]["vae"]["prefix"] == "first_stage_model."
    assert found["metadata"]["note"] == "n" * 500
    assert found["hashes"]["sha256"].startswith(found["hashes"]["autov2"])
    assert found["why"]


def test_inspect_an_upscaler(said):
    text = said("inspect", UPSCALER)
    assert "kind        upscaler" in text
    assert "family" not in text
