from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from ponystudio.diffusion.images.picture_file import read_picture, to_picture
from ponystudio.errors import DamagedFile

RANDOM = np.random.default_rng(7)


def levels(*shape: int, top: int = 256) -> np.ndarray:
    return RANDOM.integers(0, top, shape)


def planes(array: np.ndarray) -> torch.Tensor:
    return torch.from_numpy(array.transpose(2, 0, 1)[None].astype(np.float32))


@pytest.mark.parametrize("format", ["PNG", "WEBP", "BMP", "TIFF"])
def test_every_level_of_8_bits(tmp_path: Path, format: str) -> None:
    wanted = levels(5, 7, 3)
    Image.fromarray(wanted.astype(np.uint8)).save(tmp_path / "p", format, lossless=True)
    pixels, alpha, _ = read_picture(tmp_path / "p")
    assert pixels.dtype == torch.float32
    assert torch.equal(pixels, planes(wanted) / 255)
    assert torch.equal(alpha, torch.ones(1, 1, 5, 7))


def test_alpha_stands_apart(tmp_path: Path) -> None:
    wanted = levels(5, 7, 4)
    Image.fromarray(wanted.astype(np.uint8)).save(tmp_path / "p.png")
    pixels, alpha, _ = read_picture(tmp_path / "p.png")
    assert torch.equal(torch.cat((pixels, alpha), 1), planes(wanted) / 255)


def test_palettes_and_grey(tmp_path: Path) -> None:
    palette = Image.new("P", (2, 1))
    palette.putpalette([255, 0, 0, 0, 255, 0])
    palette.putdata([0, 1])
    palette.save(tmp_path / "p.gif", transparency=1)
    pixels, alpha, _ = read_picture(tmp_path / "p.gif")
    assert pixels[0, :, 0, 0].tolist() == [1, 0, 0]
    assert alpha.flatten().tolist() == [1, 0]

    Image.fromarray(np.array([[0, 51]], np.uint8)).save(tmp_path / "g.png")
    pixels, *_ = read_picture(tmp_path / "g.png")
    assert pixels[0, :, 0, 1].tolist() == pytest.approx([0.2] * 3)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_turned_camera(tmp_path: Path, orientation: int) -> None:
    """Against Pillow's own turning, on a picture without symmetry."""
    from PIL import ImageOps

    picture = Image.fromarray(levels(4, 6, 3).astype(np.uint8))
    exif = picture.getexif()
    exif[0x0112] = orientation
    picture.save(tmp_path / "p.png", exif=exif)
    with Image.open(tmp_path / "p.png") as opened:
        wanted = np.asarray(ImageOps.exif_transpose(opened))
    assert torch.equal(read_picture(tmp_path / "p.png")[0], planes(wanted) / 255)


def test_what_is_no_picture_is_said(tmp_path: Path) -> None:
    path = tmp_path / "p.png"
    for data in (b"", b"hello", b"\x89PNG\r\n\x1a\n", b"%!PS-Adobe-3.0 EPSF-3.0\n"):
        path.write_bytes(data)
        with pytest.raises(DamagedFile, match="cannot be read") as caught:
            read_picture(path)
        assert caught.value.where == str(path)
    Image.new("RGB", (64, 64)).save(path)
    path.write_bytes(path.read_bytes()[:-40])
    with pytest.raises(DamagedFile):
        read_picture(path)
    Image.new("RGB", (64, 64)).save(path, "AVIF")
    path.write_bytes(path.read_bytes().replace(b"iloc", b"ilox"))  # where the pixels are to be
    with pytest.raises(DamagedFile):
        read_picture(path)


def test_levels_are_cut_off_not_rounded() -> None:
    values = torch.tensor([0, 0.999 / 255, 1 / 255, 254.99 / 255, 1, 1.5, -1, 0.5])
    picture = to_picture(values.view(1, 1, 8).expand(3, 1, 8))
    assert [value[0] for value in picture.get_flattened_data()] == [0, 0, 1, 254, 255, 255, 0, 127]
    assert picture.mode == "RGB"
    clear = to_picture(torch.zeros(3, 1, 2), torch.tensor([[[0.0, 1.0]]]))
    assert clear.mode == "RGBA"
    assert clear.getchannel("A").tobytes() == b"\x00\xff"


def test_there_and_back(tmp_path: Path) -> None:
    """Every level survives a save and a load, although it is cut off and not rounded."""
    ramp = torch.arange(256).float().view(1, 1, 256).expand(3, 1, 256) / 255
    to_picture(ramp).save(tmp_path / "p.png")
    assert torch.equal(read_picture(tmp_path / "p.png")[0][0], ramp)


def test_importing_loads_no_torch() -> None:
    code = "import sys, ponystudio.diffusion.images.picture_file; print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stdout.strip() == "False", done.stderr
