from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image as Pillow

from helpers.colour_files import P3_XYZ, rgb_profile
from helpers.node_context import FakeContext
from ponystudio.api import Image, Mask
from ponystudio.diffusion.images.resample import PICTURE_METHODS
from ponystudio_nodes.images import load_image, preview_image, save_image, scale_image


def image(*shape: int) -> Image:
    return Image(torch.rand(shape, generator=torch.Generator().manual_seed(3)))


def test_the_shipped_photograph() -> None:
    import ponystudio_resources

    context = FakeContext()
    picture = load_image(file=ponystudio_resources.path("pictures", "cat.png"), ctx=context)
    assert picture.image.pixels.shape == (1, 3, 160, 240)
    assert picture.image.pixels.std() > 0.1
    assert bool((picture.mask.values == 1).all())
    assert context.notes == []


def test_other_colours_are_converted_or_kept_and_that_is_said(tmp_path: Path) -> None:
    levels = np.full((4, 4, 3), (200, 100, 50), np.uint8)
    profile = rgb_profile(P3_XYZ, name="Display P3")
    Pillow.fromarray(levels).save(tmp_path / "p.png", icc_profile=profile)
    context = FakeContext()
    shown = load_image(file=tmp_path / "p.png", ctx=context).image.pixels[0, :, 0, 0] * 255
    assert shown.tolist() == pytest.approx([215, 93, 31], abs=1.1)  # by littleCMS
    assert "converted from Display P3 to sRGB" in context.notes.pop()
    kept = load_image(file=tmp_path / "p.png", colours="keep", ctx=context).image.pixels
    assert (kept[0, :, 0, 0] * 255).tolist() == pytest.approx([200, 100, 50])
    assert "numbers were kept" in context.notes.pop()


def test_transparency_goes_round(tmp_path: Path) -> None:
    levels = np.random.default_rng(1).integers(0, 256, (6, 5, 4), dtype=np.uint8)
    Pillow.fromarray(levels).save(tmp_path / "p.png")
    picture = load_image(file=tmp_path / "p.png", ctx=FakeContext())
    context = FakeContext()
    save_image(picture.image, picture.mask, prefix="a", format="webp", quality=80, ctx=context)
    assert context.saved == [
        {
            "image": picture.image,
            "prefix": "a",
            "format": "webp",
            "quality": 80,
            "alpha": picture.mask,
        }
    ]
    assert torch.equal(picture.mask.values[0, 0], torch.from_numpy(levels[..., 3]) / 255)


def test_an_opaque_alpha_is_not_saved() -> None:
    context = FakeContext()
    save_image(image(2, 3, 4, 4), Mask(torch.ones(1, 1, 4, 4)), ctx=context)
    assert context.saved[0]["alpha"] is None


def test_preview() -> None:
    context = FakeContext()
    shown = image(1, 3, 4, 4)
    preview_image(shown, ctx=context)
    assert context.saved == [{"image": shown}]


@pytest.mark.parametrize("method", PICTURE_METHODS)
def test_every_method_gives_the_size_and_stays_in_range(method: str) -> None:
    for size in ((9, 20), (2, 3)):
        scaled = scale_image(image(2, 3, 5, 7), height=size[0], width=size[1], method=method)
        assert scaled.pixels.shape == (2, 3, *size)
        assert scaled.pixels.dtype == torch.float32
        assert scaled.pixels.min() >= 0
        assert scaled.pixels.max() <= 1
        grey = scale_image(Image(torch.full((1, 3, 5, 7), 0.25)), height=9, width=4, method=method)
        assert torch.allclose(grey.pixels, torch.tensor(0.25), atol=1e-6)


def test_lanczos_is_pillows() -> None:
    # Of middling contrast: of overshoots Pillow cuts off some between its two passes.
    levels = np.random.default_rng(5).integers(90, 166, (24, 30, 3), dtype=np.uint8)
    pixels = torch.from_numpy(levels).permute(2, 0, 1)[None] / 255
    for height, width in ((48, 77), (7, 11)):
        scaled = scale_image(Image(pixels), height=height, width=width, method="lanczos").pixels
        wanted = Pillow.fromarray(levels).resize((width, height), Pillow.Resampling.LANCZOS)
        difference = scaled[0].permute(1, 2, 0) * 255 - torch.from_numpy(np.asarray(wanted).copy())
        assert difference.abs().max() < 1.5  # it rounds to levels after either pass


def test_zero_keeps_the_proportions() -> None:
    tall = image(1, 3, 40, 20)
    assert scale_image(tall, width=10, height=0).pixels.shape == (1, 3, 20, 10)
    assert scale_image(tall, width=0, height=10).pixels.shape == (1, 3, 10, 5)
    assert scale_image(tall, width=0, height=0) is tall
