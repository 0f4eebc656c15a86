from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from helpers import checkpoints
from ponystudio.errors import (
    DamagedFile,
    NotWritable,
    StorageFull,
    UnknownModel,
    UsageError,
)
from ponystudio.library.convert import convert
from ponystudio.library.recognition.recognise import recognise


def metadata(path: Path) -> dict[str, str]:
    with safe_open(path, "pt") as file:
        return dict(file.metadata())


@pytest.mark.parametrize("legacy", [False, True])
def test_a_training_checkpoint(legacy: bool, tmp_path: Path) -> None:
    source = checkpoints.lightning(tmp_path / "full.ckpt", legacy=legacy, ema=True, optimizer=True)
    target = tmp_path / "out.safetensors"
    convert(source, target)
    found, expected = load_file(target), checkpoints.weights()
    assert found.keys() == expected.keys()
    for name, value in expected.items():
        assert torch.equal(found[name].double(), value.double())
    assert metadata(target)["global_step"] == "26400"
    assert target.stat().st_size < source.stat().st_size / 2
    assert recognise(target).kind == "checkpoint"


def test_averages_and_halves(tmp_path: Path) -> None:
    source = checkpoints.lightning(tmp_path / "full.ckpt", ema=True)
    target = tmp_path / "out.safetensors"
    convert(source, target, ema=True, half=True)
    found = load_file(target)
    for name, value in checkpoints.weights().items():
        factor = 1.5 if name.startswith("model.") else 1
        if value.is_floating_point():
            expected = (value.float() * factor).half()
            assert found[name].dtype == torch.float16
            assert torch.equal(found[name], expected)
        else:
            assert torch.equal(found[name], value)


def test_no_averages_to_take(tmp_path: Path) -> None:
    source, target = checkpoints.micro(tmp_path / "m.safetensors"), tmp_path / "o.safetensors"
    with pytest.raises(UsageError, match="averaged"):
        convert(source, target, ema=True)
    assert not target.exists()


@pytest.mark.parametrize("suffix", [".bin", ".safetensors"])
def test_a_folder(suffix: str, tmp_path: Path) -> None:
    folder = checkpoints.diffusers_folder(tmp_path / "f", suffix=suffix, old_names=True, shards=2)
    (folder / "scheduler").mkdir()
    (folder / "scheduler" / "scheduler_config.json").write_text('{"prediction_type": "epsilon"}')
    target = tmp_path / "out.safetensors"
    convert(folder, target)
    found = recognise(target)
    assert (found.kind, found.family, found.prediction) == ("checkpoint", "sd1", "eps")
    assert {name: part.prefix for name, part in found.parts.items()} == {
        "model": "unet.",
        "vae": "vae.",
        "clip": "text_encoder.",
    }
    before = recognise(folder)
    assert {name: part.parameters for name, part in found.parts.items()} == {
        name: part.parameters for name, part in before.parts.items()
    }
    assert found.config["vae"]["scaling_factor"] == 0.18215
    assert found.metadata["modelspec.prediction_type"] == "epsilon"


def test_a_component_alone(tmp_path: Path) -> None:
    folder = checkpoints.diffusers_folder(tmp_path / "f")
    convert(folder / "vae", tmp_path / "vae.safetensors")
    found = recognise(tmp_path / "vae.safetensors")
    assert found.kind == "vae"
    assert found.config["vae"]["latent_channels"] == 4


def test_views_and_shared_numbers(tmp_path: Path) -> None:
    base = torch.arange(24.0).reshape(4, 6)
    state = {
        "a": base,
        "again": base,
        "transposed": base.t(),
        "column": base[:, 1],
        "scalar": base[2, 2],
        "none": base[:0],
    }
    torch.save(state, tmp_path / "views.pt")
    for half in (False, True):
        target = tmp_path / f"{half}.safetensors"
        convert(tmp_path / "views.pt", target, half=half)
        found = load_file(target)
        assert found.keys() == state.keys()
        for name, value in state.items():
            assert found[name].shape == value.shape
            assert torch.equal(found[name].float(), value)


def test_halves_where_they_fit(tmp_path: Path) -> None:
    state = {
        "fits": torch.tensor([65504.0, -1e-3]),
        "does not": torch.tensor([65520.0, 1.0]),
        "double": torch.tensor([0.1], dtype=torch.float64),
        "infinite": torch.tensor([torch.inf, -torch.inf, torch.nan, 2.0]),
        "bf16": torch.tensor([1.5], dtype=torch.bfloat16),
        "number": torch.tensor([7]),
    }
    save_file(state, tmp_path / "in.safetensors")
    convert(tmp_path / "in.safetensors", tmp_path / "out.safetensors", half=True)
    found = load_file(tmp_path / "out.safetensors")
    assert {name: value.dtype for name, value in found.items()} == {
        "fits": torch.float16,
        "does not": torch.float32,
        "double": torch.float16,
        "infinite": torch.float16,
        "bf16": torch.bfloat16,
        "number": torch.int64,
    }
    assert torch.equal(found["fits"], state["fits"].half())
    assert torch.equal(found["does not"], state["does not"])
    assert torch.equal(found["infinite"][[0, 1, 3]], state["infinite"][[0, 1, 3]].half())
    assert found["infinite"][2].isnan()


def test_metadata_is_carried(tmp_path: Path) -> None:
    source = checkpoints.micro(tmp_path / "m.safetensors", extra={"modelspec.title": "Pony 🦄"})
    convert(source, tmp_path / "o.safetensors")
    said = {"modelspec.prediction_type": "epsilon"}
    assert metadata(tmp_path / "o.safetensors") == metadata(source) | said


def test_never_onto_itself(tmp_path: Path) -> None:
    source = checkpoints.micro(tmp_path / "m.safetensors")
    before = source.read_bytes()
    (tmp_path / "link.safetensors").symlink_to(source)
    os.link(source, tmp_path / "hard.safetensors")
    for target in ("m.safetensors", "link.safetensors", "hard.safetensors"):
        with pytest.raises(UsageError, match="onto itself"):
            convert(source, tmp_path / target)
    assert source.read_bytes() == before


def test_nor_over_another_file(tmp_path: Path) -> None:
    source, other = checkpoints.micro(tmp_path / "m.safetensors"), tmp_path / "o.safetensors"
    other.write_text("precious")
    with pytest.raises(UsageError, match="already"):
        convert(source, other)
    assert other.read_text() == "precious"


def test_all_or_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source, out = checkpoints.micro(tmp_path / "m.safetensors"), tmp_path / "out"
    out.mkdir()

    def fail(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("ponystudio.library.convert._write_tensor", fail)
    with pytest.raises(StorageFull, match="no space"):
        convert(source, out / "o.safetensors")
    assert list(out.iterdir()) == []


def test_space_is_asked_for_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Usage(NamedTuple):
        free: int

    source = checkpoints.micro(tmp_path / "m.safetensors")
    monkeypatch.setattr(shutil, "disk_usage", lambda _: Usage(1000))
    with pytest.raises(StorageFull, match="bytes are needed"):
        convert(source, tmp_path / "o.safetensors")


def test_bad_sources_and_targets(tmp_path: Path) -> None:
    (tmp_path / "empty").touch()
    with pytest.raises(DamagedFile):
        convert(tmp_path / "empty", tmp_path / "o.safetensors")
    torch.save({"optimizers": [torch.ones(3)]}, tmp_path / "1.state")
    with pytest.raises(UnknownModel, match="no weights"):
        convert(tmp_path / "1.state", tmp_path / "o.safetensors")
    with pytest.raises(NotWritable):
        convert(checkpoints.micro(tmp_path / "m.safetensors"), tmp_path / "none" / "o.safetensors")


def test_a_name_that_would_be_the_metadata(tmp_path: Path) -> None:
    torch.save({"__metadata__": torch.ones(2), "a": torch.ones(2)}, tmp_path / "x.pt")
    convert(tmp_path / "x.pt", tmp_path / "o.safetensors")
    assert list(load_file(tmp_path / "o.safetensors")) == ["a"]


def test_streams_without_torch(tmp_path: Path) -> None:
    """Less memory than the file is long, mapped pages apart; and torch is not loaded."""
    source = tmp_path / "large.ckpt"
    torch.save({f"t{n}": torch.full((1 << 22,), float(n)) for n in range(12)}, source)
    script = """
import json, sys
from pathlib import Path
from ponystudio.library.convert import convert
convert(Path("large.ckpt"), Path("o.safetensors"), half=True)
import psutil
memory = psutil.Process().memory_info()
print(json.dumps([sorted({"torch"} & set(sys.modules)), memory.rss - memory.shared]))
"""
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=tmp_path, capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr
    loaded, memory = json.loads(done.stdout)
    assert loaded == []
    assert memory < source.stat().st_size


@pytest.mark.parametrize("zsnr", [False, True])
def test_what_the_sidecar_says_goes_into_the_file(zsnr: bool, tmp_path: Path) -> None:
    source = checkpoints.lightning(tmp_path / "fluffy.ckpt")
    (tmp_path / "fluffy.yaml").write_text(
        f"model:\n  params:\n    parameterization: v\n    zero_snr: {zsnr}\n"
    )
    target = tmp_path / "out.safetensors"
    convert(source, target)
    found = recognise(target)
    assert (found.prediction, found.zsnr) == ("v", zsnr)


def test_a_folder_has_no_averages(tmp_path: Path) -> None:
    source = checkpoints.diffusers_folder(tmp_path / "folder")
    with pytest.raises(UsageError, match="averaged"):
        convert(source, tmp_path / "out.safetensors", ema=True)
    assert not (tmp_path / "out.safetensors").exists()
