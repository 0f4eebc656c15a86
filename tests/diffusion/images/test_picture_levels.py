"""Pictures of files as numbers: of 16 bits, and larger than Pillow would read."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from helpers.png16 import write_png16
from ponystudio.diffusion.images import picture_levels
from ponystudio.diffusion.images.picture_file import read_picture
from ponystudio.errors import DamagedFile

RANDOM = np.random.default_rng(7)


def levels(*shape: int, top: int = 256) -> np.ndarray:
    return RANDOM.integers(0, top, shape)


def planes(array: np.ndarray) -> torch.Tensor:
    return torch.from_numpy(array.transpose(2, 0, 1)[None].astype(np.float32))


@pytest.mark.parametrize("channels", [1, 2, 3, 4])
def test_16_bits_with_every_filter(tmp_path: Path, channels: int) -> None:
    wanted = levels(11, 6, channels, top=65536)
    wanted[5:] //= 4000  # smooth rows, where filters predict well
    write_png16(tmp_path / "p.png", wanted)
    pixels, alpha, _ = read_picture(tmp_path / "p.png")
    found = torch.cat((pixels, alpha), 1)
    four = np.concatenate(
        (
            wanted[..., : 3 if channels > 2 else 1].repeat(3 if channels < 3 else 1, 2),
            wanted[..., -1:] if channels in (2, 4) else np.full((11, 6, 1), 65535),
        ),
        2,
    )
    assert torch.equal(found, planes(four) / 65535)


def test_16_bits_of_one_row_and_of_one_column(tmp_path: Path) -> None:
    for shape in ((1, 9, 3), (9, 1, 3), (1, 1, 4)):
        wanted = levels(*shape, top=65536)
        write_png16(tmp_path / "p.png", wanted)
        pixels, *_ = read_picture(tmp_path / "p.png")
        assert torch.equal(pixels, planes(wanted[..., :3]) / 65535)


def test_damaged_16_bits_are_said(tmp_path: Path) -> None:
    path = tmp_path / "p.png"
    write_png16(path, levels(9, 9, 3, top=65536))
    data = path.read_bytes()
    path.write_bytes(data[:150])
    with pytest.raises(DamagedFile, match="cannot be read"):
        read_picture(path)
    path.write_bytes(data[:70] + bytes(20) + data[90:])
    with pytest.raises(DamagedFile, match="cannot be read"):
        read_picture(path)


@pytest.mark.filterwarnings("ignore::PIL.Image.DecompressionBombWarning")  # pytest resets ours
def test_a_large_grid_is_read(tmp_path: Path) -> None:
    """Pillow by itself warns from 89 million pixels on and refuses 179 million."""
    assert Image.MAX_IMAGE_PIXELS is not None
    assert 2 * Image.MAX_IMAGE_PIXELS == picture_levels.MAX_PIXELS > 179_000_000
    Image.new("1", (16_384, 16_384)).save(tmp_path / "p.png")
    with Image.open(tmp_path / "p.png") as picture:
        assert picture.size == (16_384, 16_384)
