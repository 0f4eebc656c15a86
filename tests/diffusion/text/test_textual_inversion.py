"""Textual inversion: every layout of the files, and what is refused."""

from __future__ import annotations

import base64
import json
import os
from collections import OrderedDict
from pathlib import Path

import pytest
import torch
from PIL import Image, PngImagePlugin
from safetensors.torch import save_file

from helpers.paths import DATA, needs_data
from ponystudio.diffusion.text.textual_inversion import read_embedding
from ponystudio.errors import (
    DamagedFile,
    MismatchedValues,
    UnknownModel,
    UnsafeFile,
    WrongKind,
)

WIDTH = 768
VECTORS = torch.arange(3 * WIDTH, dtype=torch.float32).reshape(3, WIDTH) / 1000


def a1111(vectors: torch.Tensor, container: type = dict) -> dict:
    return {
        "string_to_token": {"*": 265},
        "string_to_param": container({"*": vectors}),
        "name": "birb",
        "step": 1000,
        "sd_checkpoint": "44c28c62",
        "sd_checkpoint_name": "pony-diffusion-v2",
    }


PICKLES = {
    "a1111": a1111(VECTORS),
    "a1111 ParameterDict": a1111(VECTORS, torch.nn.ParameterDict),
    "a1111 Parameter": a1111(torch.nn.Parameter(VECTORS)),
    "diffusers": {"<birb>": VECTORS},
    "diffusers, ordered": OrderedDict({"<birb>": VECTORS}),
    "diffusers, one token a vector": {f"<birb>_{i}": VECTORS[i] for i in range(3)},
    "list": [{"<birb>": VECTORS[:1]}, {"<birb_1>": VECTORS[1:]}],
    "sdxl": {"clip_l": VECTORS, "clip_g": torch.zeros(3, 1280)},
}


@pytest.mark.parametrize(
    ("layout", "legacy"),
    [
        (layout, legacy)
        for layout in PICKLES
        for legacy in (False, True)
        # Into a legacy file, torch writes the source code of a module.
        if not (legacy and layout == "a1111 ParameterDict")
    ],
)
def test_pickles(tmp_path, layout, legacy):
    file = tmp_path / "birb.pt"
    torch.save(PICKLES[layout], file, _use_new_zipfile_serialization=not legacy)
    assert torch.equal(read_embedding(file, WIDTH), VECTORS)


@pytest.mark.parametrize(
    "tensors",
    [
        {"emb_params": VECTORS},
        {"<birb>": VECTORS},
        {"clip_l": VECTORS, "clip_g": torch.zeros(3, 1280)},
        {"emb_params": VECTORS, "step": torch.tensor(7)},
    ],
    ids=lambda tensors: "+".join(tensors),
)
def test_safetensors(tmp_path, tensors):
    save_file(tensors, tmp_path / "birb.safetensors")
    assert torch.equal(read_embedding(tmp_path / "birb.safetensors", WIDTH), VECTORS)


def test_one_vector_may_be_flat(tmp_path):
    torch.save({"<birb>": VECTORS[0]}, tmp_path / "birb.bin")
    assert torch.equal(read_embedding(tmp_path / "birb.bin", WIDTH), VECTORS[:1])


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_every_dtype_becomes_float32(tmp_path, dtype):
    torch.save(a1111(VECTORS.to(dtype)), tmp_path / "birb.pt")
    vectors = read_embedding(tmp_path / "birb.pt", WIDTH)
    assert vectors.dtype == torch.float32
    assert torch.equal(vectors, VECTORS.to(dtype).float())


def test_the_other_encoders_part(tmp_path):
    save_file({"clip_l": VECTORS, "clip_g": torch.ones(2, 1280)}, tmp_path / "xl.safetensors")
    assert read_embedding(tmp_path / "xl.safetensors", 1280, "clip_g").shape == (2, 1280)


def test_the_vectors_outlive_the_file(tmp_path):
    file = tmp_path / "birb.safetensors"
    save_file({"emb_params": VECTORS}, file)
    vectors = read_embedding(file, WIDTH)
    file.unlink()
    assert torch.equal(vectors, VECTORS)


def picture(path: Path, field: str | None) -> Path:
    info = PngImagePlugin.PngInfo()
    if field is not None:
        info.add_text("sd-ti-embedding", field, zip=True)
    Image.new("RGB", (8, 8)).save(path, pnginfo=info)
    return path


def test_pictures_of_a1111(tmp_path):
    data = a1111(VECTORS) | {"string_to_param": {"*": {"TORCHTENSOR": VECTORS.tolist()}}}
    field = base64.b64encode(json.dumps(data).encode()).decode()
    assert torch.equal(read_embedding(picture(tmp_path / "birb.png", field), WIDTH), VECTORS)


def rows(text: str) -> str:
    """The field of an embedding with these rows."""
    params = f'{{"string_to_param": {{"*": {{"TORCHTENSOR": {text}}}}}}}'
    return base64.b64encode(params.encode()).decode()


@pytest.mark.parametrize(
    "field",
    [
        "%%%",
        "bm8=",
        base64.b64encode(b'{"string_to_param": 1}').decode(),
        rows("[[1], [1, 2]]"),
        rows("[" * 100_000),
        rows(f"[1{'0' * 400}]"),
        rows('"a"'),
        rows("[null]"),
    ],
    ids=["no base64", "no JSON", "number", "ragged", "deep", "huge", "text", "null"],
)
def test_damaged_pictures(tmp_path, field):
    file = picture(tmp_path / "birb.png", field)
    with pytest.raises(DamagedFile, match="damaged"):
        read_embedding(file, WIDTH)


def test_a_picture_without_an_embedding(tmp_path):
    with pytest.raises(WrongKind, match="no textual inversion"):
        read_embedding(picture(tmp_path / "birb.png", None), WIDTH)


def test_no_picture_at_all(tmp_path):
    (tmp_path / "birb.png").write_bytes(b"not a picture")
    with pytest.raises(DamagedFile):
        read_embedding(tmp_path / "birb.png", WIDTH)


@pytest.mark.parametrize(("width", "family"), [(1024, "SD2"), (1280, "SDXL"), (5, "another model")])
def test_another_familys_is_refused_by_name(tmp_path, width, family):
    torch.save({"<birb>": torch.zeros(2, width)}, tmp_path / "birb.bin")
    with pytest.raises(MismatchedValues, match=family):
        read_embedding(tmp_path / "birb.bin", WIDTH)


def test_no_numbers_are_refused(tmp_path):
    torch.save({"<birb>": torch.full((1, WIDTH), torch.nan)}, tmp_path / "birb.bin")
    with pytest.raises(DamagedFile, match=r"no sense.*not-a-number"):
        read_embedding(tmp_path / "birb.bin", WIDTH)


@pytest.mark.parametrize(
    "tensors",
    [
        {"conv_in.weight": torch.zeros(4, 3, 3, 3)},
        {"lora_te_q_proj.lora_down.weight": torch.zeros(4, WIDTH)},
    ],
    ids=["autoencoder", "LoRA"],
)
def test_another_kind_of_file_is_refused(tmp_path, tensors):
    save_file(tensors, tmp_path / "other.safetensors")
    with pytest.raises(WrongKind, match="no textual inversion"):
        read_embedding(tmp_path / "other.safetensors", WIDTH)


def test_text_is_refused(tmp_path):
    (tmp_path / "birb.pt").write_text("a pony", "utf-8")
    with pytest.raises((DamagedFile, UnknownModel)):
        read_embedding(tmp_path / "birb.pt", WIDTH)


class Malice:
    def __init__(self, canary: Path) -> None:
        self.canary = canary

    def __reduce__(self):
        return os.mkdir, (str(self.canary),)


def test_a_pickle_runs_nothing(tmp_path):
    canary = tmp_path / "canary"
    torch.save(a1111(VECTORS) | {"name": Malice(canary)}, tmp_path / "birb.pt")
    with pytest.raises(UnsafeFile):
        read_embedding(tmp_path / "birb.pt", WIDTH)
    assert not canary.exists()


@needs_data
def test_a_published_embedding():
    file = DATA / "embedding" / "sd1_birb-style_learned_embeds.bin"
    (expected,) = torch.load(file, weights_only=True).values()
    assert torch.equal(read_embedding(file, WIDTH), expected[None])
