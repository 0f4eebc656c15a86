"""`inspect`: what it says of model files."""

from __future__ import annotations

import json
import re

import pytest

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
