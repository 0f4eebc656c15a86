"""Pictures of files as numbers: of 16 bits, and larger than Pillow would read."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from helpers.png16 import write_png16
from ponystudio.diffusion.images.picture_file import read_picture
from ponystudio.errors import DamagedFile
from ponystudio.pictures.picture_reader import read_head
from ponystudio.pictures.reader_protocol import MAX_PIXELS

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


def test_bits_that_are_lost_are_said(tmp_path: Path) -> None:
    """Of TIFF in colour Pillow gives the upper 8 of 16."""
    wanted = levels(8, 8, 3, top=65536).astype("<u2")
    tags = {256: 8, 257: 8, 258: 122, 259: 1, 262: 2, 273: 128, 277: 3, 278: 8, 279: wanted.nbytes}
    table = b"".join(
        struct.pack("<HHII", tag, 3, 3 if tag == 258 else 1, value) for tag, value in tags.items()
    )
    header = struct.pack("<4sIH", b"II*\0", 8, len(tags)) + table + bytes(4)
    bits = struct.pack("<3H", 16, 16, 16)
    (tmp_path / "p.tif").write_bytes(header + bits + wanted.tobytes())
    pixels, _, notes = read_picture(tmp_path / "p.tif")
    assert torch.equal(pixels, planes(wanted >> 8) / 255)
    assert notes == ("Of the picture's 16 bits a channel the upper 8 were read.",)
    write_png16(tmp_path / "p.png", wanted)
    assert read_picture(tmp_path / "p.png").notes == ()


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


def test_a_large_grid_is_read(tmp_path: Path) -> None:
    """Pillow by itself warns from 89 million pixels on and refuses 179 million."""
    Image.new("1", (16_384, 16_384)).save(tmp_path / "p.png")
    assert read_head(tmp_path / "p.png").width ** 2 == MAX_PIXELS


def test_what_says_that_it_is_larger_is_refused(tmp_path: Path) -> None:
    Image.new("1", (16_384, 2)).save(tmp_path / "p.bmp")
    data = bytearray((tmp_path / "p.bmp").read_bytes())
    data[22:26] = struct.pack("<i", 16_385)
    (tmp_path / "p.bmp").write_bytes(data)
    with pytest.raises(DamagedFile, match="16,384 × 16,385 pixels"):
        read_picture(tmp_path / "p.bmp")
