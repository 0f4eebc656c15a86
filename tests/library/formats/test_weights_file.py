"""Weights in every wrapping come out as they went in, mapped and not copied."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor

from helpers import checkpoints
from ponystudio.diffusion.weights.weights import tensors
from ponystudio.errors import DamagedFile, MissingFile, UnknownModel
from ponystudio.library.formats.weights_file import merged, open_weights

WRITERS: dict[str, Callable[[Path], Path]] = {
    "safetensors": checkpoints.micro,
    "zip": checkpoints.flat_pickle,
    "legacy": lambda path: checkpoints.flat_pickle(path, legacy=True),
    "lightning": lambda path: checkpoints.lightning(path, half=True, optimizer=True),
    "lightning legacy": lambda path: checkpoints.lightning(
        path, half=True, optimizer=True, legacy=True
    ),
}


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("written")
    return {kind: write(folder / kind) for kind, write in WRITERS.items()}


def same(found: dict[str, Tensor], expected: dict[str, Tensor]) -> bool:
    return found.keys() == expected.keys() and all(
        found[name].dtype == value.dtype and torch.equal(found[name], value)
        for name, value in expected.items()
    )


@pytest.mark.parametrize("kind", WRITERS)
def test_every_wrapping(kind: str, written: dict[str, Path]) -> None:
    with open_weights(written[kind]) as file:
        assert same(dict(tensors(file)), checkpoints.weights())


def test_optimizer_bytes_are_never_read(written: dict[str, Path]) -> None:
    """Reading Adam's moments would map their pages."""
    path = written["lightning"]
    process = psutil.Process()
    with open_weights(path) as file:
        before = process.memory_info().rss
        total = sum(float(value.double().sum()) for _, value in tensors(file))
        touched = process.memory_info().rss - before
        stored = sum(info.nbytes for info in file.tensors.values())
    assert total != 0
    assert path.stat().st_size > 3 * stored
    # Read-ahead may touch a little more than what was asked for.
    assert touched < 2 * stored


def test_writing_changes_neither_file_nor_others(tmp_path: Path) -> None:
    path = checkpoints.micro(tmp_path / "m.safetensors")
    before = path.read_bytes()
    name = "first_stage_model.quant_conv.bias"
    with open_weights(path) as mine, open_weights(path) as theirs:
        buffer = mine.buffer(name)
        old = bytes(buffer)
        buffer[:2] = b"\xaa\xaa"
        assert bytes(theirs.buffer(name)) == old
        buffer.release()
    assert path.read_bytes() == before


def test_closing_gives_the_map_back(tmp_path: Path) -> None:
    path = checkpoints.micro(tmp_path / "m.safetensors")
    file = open_weights(path)
    assert _is_mapped(path)
    file.close()
    file.close()
    assert not _is_mapped(path)


def _is_mapped(path: Path) -> bool:
    return any(region.path == str(path) for region in psutil.Process().memory_maps(grouped=False))


def test_shards(tmp_path: Path) -> None:
    state = {f"layer{n}": torch.full((3,), float(n)) for n in range(4)}
    for part in (0, 1):
        save_file(
            {name: state[name] for name in list(state)[part::2]},
            tmp_path / f"{part}.safetensors",
        )
    shards = [open_weights(tmp_path / f"{part}.safetensors") for part in (0, 1)]
    with merged(tmp_path, shards) as file:
        assert same(dict(tensors(file)), {name: state[name] for name in file.tensors})
        assert len(file.tensors) == 4


def test_missing_and_special_files(tmp_path: Path) -> None:
    with pytest.raises(MissingFile):
        open_weights(tmp_path / "nothing")
    with pytest.raises(UnknownModel, match="folder"):
        open_weights(tmp_path)
    (tmp_path / "empty").touch()
    with pytest.raises(DamagedFile, match="empty"):
        open_weights(tmp_path / "empty")


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes with names here")
def test_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(UnknownModel, match="a pipe"):
        open_weights(tmp_path / "pipe")


@pytest.mark.parametrize("kind", WRITERS)
@pytest.mark.parametrize("keep", [0.001, 0.3, 0.999])
def test_truncated(kind: str, keep: float, written: dict[str, Path], tmp_path: Path) -> None:
    path = tmp_path / "m"
    shutil.copy(written[kind], path)
    os.truncate(path, int(path.stat().st_size * keep))
    with pytest.raises(DamagedFile, match="again") as caught:
        open_weights(path)
    assert caught.value.where == str(path)
