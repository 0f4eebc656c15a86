from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from helpers import checkpoints
from ponystudio.diffusion.weights.weights import tensors
from ponystudio.errors import DamagedFile, MissingFile, UnknownModel, UnsafeFile
from ponystudio.library.formats.diffusers_folder import open_folder


@pytest.mark.parametrize(
    "how",
    [
        {},
        {"variant": "fp16"},
        {"suffix": ".bin"},
        {"suffix": ".bin", "variant": "fp16"},
        {"shards": 3},
        {"shards": 3, "variant": "fp16"},
        {"shards": 2, "suffix": ".bin"},
    ],
    ids=str,
)
def test_every_form(how: dict[str, object], tmp_path: Path) -> None:
    plain = checkpoints.diffusers_folder(tmp_path / "plain")
    expected = load_file(plain / "unet" / "diffusion_pytorch_model.safetensors")
    folder = checkpoints.diffusers_folder(tmp_path / "folder", **how)  # type: ignore[arg-type]
    with open_folder(folder) as opened:
        assert set(opened.components) == {"unet", "vae", "text_encoder"}
        assert opened.configs["vae"]["scaling_factor"] == 0.18215
        found = dict(tensors(opened.components["unet"]))
        assert found.keys() == expected.keys()
        assert all(torch.equal(found[name], value) for name, value in expected.items())


def test_the_other_order_in_the_name_of_an_index(tmp_path: Path) -> None:
    folder = checkpoints.diffusers_folder(tmp_path / "f", shards=2, variant="fp16")
    stem = folder / "unet" / "diffusion_pytorch_model"
    index = Path(f"{stem}.safetensors.index.fp16.json")
    index.rename(f"{stem}.safetensors.fp16.index.json")
    with open_folder(folder) as opened:
        assert len(opened.components["unet"].tensors) == 686


def test_whole_precision_is_preferred(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text("{}")
    for name, value in (("", 1.0), (".fp16", 2.0)):
        state = {"a": torch.tensor([value])}
        save_file(state, tmp_path / f"diffusion_pytorch_model{name}.safetensors")
    torch.save({"a": torch.tensor([3.0])}, tmp_path / "diffusion_pytorch_model.bin")
    with open_folder(tmp_path) as opened:
        assert dict(tensors(opened.components[""]))["a"] == 1.0


def test_only_what_is_wanted(tmp_path: Path) -> None:
    folder = checkpoints.diffusers_folder(tmp_path / "f")
    (folder / "unet" / "diffusion_pytorch_model.safetensors").write_bytes(b"damaged")
    with open_folder(folder, only=["vae"]) as opened:
        assert set(opened.components) == {"vae"}
    with pytest.raises(UnknownModel):
        open_folder(folder)


def test_no_weights(tmp_path: Path) -> None:
    folder = checkpoints.diffusers_folder(tmp_path / "f")
    (folder / "vae" / "diffusion_pytorch_model.safetensors").unlink()
    with pytest.raises(MissingFile, match="vae"):
        open_folder(folder)
    with pytest.raises(UnknownModel, match="holds no model"):
        open_folder(tmp_path)


@pytest.mark.parametrize("name", ["../outside.safetensors", "/etc/passwd", "a\\b", "C:x", ".."])
def test_shards_outside_are_refused(name: str, tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text("{}")
    index = {"weight_map": {"a": name}}
    (tmp_path / "model.safetensors.index.json").write_text(json.dumps(index))
    with pytest.raises(UnsafeFile, match="outside"):
        open_folder(tmp_path)


@pytest.mark.parametrize("text", ["{", "[]", '{"weight_map": 1}', "{}", "[" * 100_000])
def test_damaged_lists(text: str, tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text("{}")
    (tmp_path / "model.safetensors.index.json").write_text(text)
    with pytest.raises(DamagedFile):
        open_folder(tmp_path)


def test_shards_that_lack_a_tensor(tmp_path: Path) -> None:
    folder = checkpoints.diffusers_folder(tmp_path / "f", shards=2)
    index = folder / "unet" / "diffusion_pytorch_model.safetensors.index.json"
    content = json.loads(index.read_text())
    content["weight_map"]["conv_in.more"] = next(iter(content["weight_map"].values()))
    index.write_text(json.dumps(content))
    with pytest.raises(DamagedFile, match=r"conv_in\.more"):
        open_folder(folder)
