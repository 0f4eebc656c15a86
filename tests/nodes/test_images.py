from __future__ import annotations

from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
import torch
from PIL import Image as Pillow

from helpers.colour_files import P3_XYZ, rgb_profile
from helpers.cut_outs import disc
from helpers.node_context import FakeContext
from ponystudio.api import Image, Mask, nodes_in
from ponystudio.diffusion.images.resample import PICTURE_METHODS, scale_picture
from ponystudio.errors import MismatchedValues
from ponystudio.graph.topology import bypass_input
from ponystudio_nodes import images, upscale
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
    assert context.saved == [{"image": shown, "alpha": None}]
    clear = Mask(torch.zeros(1, 1, 4, 4))
    preview_image(shown, clear, ctx=context)
    assert context.saved[1]["alpha"] is clear


@pytest.mark.parametrize("method", PICTURE_METHODS)
def test_every_method_gives_the_size_and_stays_in_range(method: str) -> None:
    for size in ((9, 20), (2, 3)):
        scaled = scale_image(image(2, 3, 5, 7), height=size[0], width=size[1], method=method).image
        assert scaled.pixels.shape == (2, 3, *size)
        assert scaled.pixels.dtype == torch.float32
        assert scaled.pixels.min() >= 0
        assert scaled.pixels.max() <= 1
        plain = Image(torch.full((1, 3, 5, 7), 0.25))
        grey = scale_image(plain, height=9, width=4, method=method).image
        assert torch.allclose(grey.pixels, torch.tensor(0.25), atol=1e-6)


def test_lanczos_is_pillows() -> None:
    # Of middling contrast: of overshoots Pillow cuts off some between its two passes.
    levels = np.random.default_rng(5).integers(90, 166, (24, 30, 3), dtype=np.uint8)
    pixels = torch.from_numpy(levels).permute(2, 0, 1)[None] / 255
    for height, width in ((48, 77), (7, 11)):
        scaled = scale_image(Image(pixels), height=height, width=width).image.pixels
        wanted = Pillow.fromarray(levels).resize((width, height), Pillow.Resampling.LANCZOS)
        difference = scaled[0].permute(1, 2, 0) * 255 - torch.from_numpy(np.asarray(wanted).copy())
        assert difference.abs().max() < 1.5  # it rounds to levels after either pass


def test_zero_keeps_the_proportions() -> None:
    tall = image(1, 3, 40, 20)
    assert scale_image(tall, width=10, height=0).image.pixels.shape == (1, 3, 20, 10)
    assert scale_image(tall, width=0, height=10).image.pixels.shape == (1, 3, 10, 5)
    assert scale_image(tall, width=0, height=0).image is tall


@pytest.mark.parametrize("method", PICTURE_METHODS)
def test_a_cut_out_is_scaled_without_the_colours_that_it_hides(method: str) -> None:
    """A light disc on transparent black: its border stays light, whatever its size."""
    picture, alpha = disc(48, light=(1.0, 0.9, 0.6))
    for side in (24, 31, 48, 96, 131):
        scaled = scale_image(picture, alpha, width=side, height=side, method=method)
        assert scaled.mask.values.shape == (1, 1, side, side)
        seen = scaled.mask.values[0, 0] > 0
        for plane, wanted in zip(scaled.image.pixels[0], (1.0, 0.9, 0.6), strict=True):
            assert (plane[seen] - wanted).abs().max() <= 1 / 255
        plain = scale_picture(alpha.values, (side, side), method)
        assert torch.allclose(scaled.mask.values, plain, atol=1e-6)
        save_image(scaled.image, scaled.mask, ctx=FakeContext())  # both fit each other


def test_every_colour_counts_as_much_as_it_is_seen() -> None:
    """Of two pixels that become one, red and half seen green: two thirds red."""
    pixels = torch.tensor([[1.0, 0.0], [0.0, 1.0], [0.0, 0.0]]).view(1, 3, 1, 2)
    alpha = Mask(torch.tensor([1.0, 0.5]).view(1, 1, 1, 2))
    scaled = scale_image(Image(pixels), alpha, width=1, height=1, method="area")
    assert scaled.image.pixels.flatten().tolist() == pytest.approx([2 / 3, 1 / 3, 0])
    assert scaled.mask.values.item() == pytest.approx(0.75)


def test_without_transparency_scaling_is_as_it_was() -> None:
    picture = image(2, 3, 20, 30)
    plain = scale_image(picture, width=50, height=40)
    covered = scale_image(picture, Mask(torch.ones(1, 1, 20, 30)), width=50, height=40)
    wanted = scale_picture(picture.pixels, (40, 50), "lanczos")
    assert torch.equal(plain.image.pixels, wanted)
    assert torch.equal(covered.image.pixels, wanted)
    for scaled in (plain, covered):
        assert torch.equal(scaled.mask.values, torch.ones(2, 1, 40, 50))


def test_an_alpha_of_another_size_is_not_scaled() -> None:
    with pytest.raises(MismatchedValues, match=r"alpha is 5×4 pixels, the image is 7×4"):
        scale_image(image(1, 3, 4, 7), Mask(torch.zeros(1, 1, 4, 5)), width=9)


@pytest.mark.parametrize(("module", "name"), [(images, "scale_image"), (upscale, "upscale_image")])
def test_a_bypassed_node_hands_on_the_alpha_that_it_is_given(module: ModuleType, name: str) -> None:
    spec = next(kind.spec for kind in nodes_in(module) if kind.spec.id == f"core.{name}")
    assert bypass_input(spec, "image") == "image"
    assert bypass_input(spec, "mask") == "alpha"
