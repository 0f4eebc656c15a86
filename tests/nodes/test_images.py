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
from ponystudio_nodes.images import (
    crop_image,
    empty_image,
    flip_image,
    image_size,
    join_images,
    load_image,
    pad_image,
    pick_images,
    preview_image,
    repeat_images,
    rotate_image,
    save_image,
    scale_image,
    scale_image_by,
    scale_to_megapixels,
    scale_to_side,
    stitch_images,
)


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
            "metadata": "everything",
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


MOVING = ("scale_image", "scale_image_by", "scale_to_side", "crop_image", "flip_image")


@pytest.mark.parametrize(
    ("module", "name"), [*((images, name) for name in MOVING), (upscale, "upscale_image")]
)
def test_a_bypassed_node_hands_on_the_alpha_that_it_is_given(module: ModuleType, name: str) -> None:
    spec = next(kind.spec for kind in nodes_in(module) if kind.spec.id == f"core.{name}")
    assert bypass_input(spec, "image") == "image"
    assert bypass_input(spec, "mask") == "alpha"


def test_what_is_too_much_is_cut_off_around_the_centre() -> None:
    wide = Image(torch.arange(10.0).expand(1, 3, 4, 10) / 10)
    kept = scale_image(wide, width=4, height=4, method="nearest-exact", crop="center").image.pixels
    assert (kept[0, 0, 0] * 10).round().tolist() == [3, 4, 5, 6]
    tall = Image(wide.pixels.transpose(2, 3))
    alpha = Mask(tall.pixels[:, :1].round())
    scaled = scale_image(
        tall, alpha, width=2, height=2, method="nearest-exact", crop="center"
    )  # fmt: skip
    assert scaled.mask.values[0, 0].tolist() == [[0, 0], [1, 1]]
    same = scale_image(wide, width=20, height=8, crop="center").image.pixels
    assert torch.equal(same, scale_image(wide, width=20, height=8).image.pixels)


@pytest.mark.parametrize(
    ("megapixels", "size"), [(1.0, (1024, 1024)), (0.25, (512, 512)), (0.5, (724, 724))]
)
def test_an_area_in_megapixels(megapixels, size) -> None:
    square = scale_to_megapixels(image(1, 3, 30, 30), megapixels=megapixels, method="bilinear")
    assert tuple(square.image.pixels.shape[-2:]) == size
    wide = scale_to_megapixels(image(1, 3, 20, 80), megapixels=megapixels, method="bilinear")
    height, width = wide.image.pixels.shape[-2:]
    assert abs(height * width - megapixels * 1024**2) < height + width
    assert width / height == pytest.approx(4, rel=2 / size[0])


def test_factors_round_and_sizes_are_told() -> None:
    scaled = scale_image_by(image(2, 3, 5, 7), factor=1.5).image
    assert image_size(scaled) == (10, 8, 2)
    assert image_size(scale_image_by(scaled, factor=0.01).image) == (1, 1, 2)


def test_a_border_to_paint_on() -> None:
    picture = image(1, 3, 8, 8)
    wide = pad_image(picture, left=8, feather=3)
    assert wide.image.pixels.shape == (1, 3, 8, 16)
    assert torch.equal(wide.image.pixels[..., 8:], picture.pixels)
    assert bool((wide.image.pixels[..., :8] == 0.5).all())
    wanted = [1] * 9 + [4 / 9, 1 / 9] + [0] * 5
    for row in wide.mask.values[0, 0]:
        assert row.tolist() == pytest.approx(wanted)
    # Too small to fade, and sides without a border do not.
    assert pad_image(picture, left=8, feather=4).mask.values[..., 8:].any() == 0
    around = pad_image(picture, left=1, top=2, right=3, bottom=4, feather=2)
    mask = around.mask.values[0, 0]
    assert mask.shape == (14, 12)
    assert mask[6, 1:9].tolist() == pytest.approx([1, 0.25, 0, 0, 0, 0, 0, 0.25])
    assert bool((mask[:2] == 1).all())
    assert bool((mask[10:] == 1).all())
    assert mask[9, 5].item() == pytest.approx(0.25)
    unchanged = pad_image(picture)
    assert torch.equal(unchanged.image.pixels, picture.pixels)
    assert not unchanged.mask.values.any()


def test_what_is_on_a_border() -> None:
    ramp = Image(torch.tensor([0.1, 0.2, 0.3]).expand(1, 3, 1, 3))
    row = pad_image(ramp, left=3, right=2, top=1, fill="mirror").image.pixels[0, 0, 0]
    assert row.tolist() == pytest.approx([0.2, 0.3, 0.2, 0.1, 0.2, 0.3, 0.2, 0.1])
    row = pad_image(ramp, left=2, right=1, fill="edge").image.pixels[0, 0, 0]
    assert row.tolist() == pytest.approx([0.1, 0.1, 0.1, 0.2, 0.3, 0.3])


def test_cut_turned_and_mirrored_with_the_alpha() -> None:
    counted = torch.arange(6.0).view(1, 1, 2, 3)
    picture, alpha = Image((counted / 6).repeat(1, 3, 1, 1)), Mask(counted / 5)

    def seen(found):
        assert torch.allclose(found.mask.values * 5, found.image.pixels[:, :1] * 6)
        return (found.mask.values[0, 0] * 5).round().int().tolist()

    assert seen(crop_image(picture, alpha, x=1, y=0, width=2, height=9)) == [[1, 2], [4, 5]]
    assert seen(flip_image(picture, alpha)) == [[2, 1, 0], [5, 4, 3]]
    assert seen(flip_image(picture, alpha, direction="vertical")) == [[3, 4, 5], [0, 1, 2]]
    assert seen(rotate_image(picture, alpha)) == [[3, 0], [4, 1], [5, 2]]  # clockwise
    assert seen(rotate_image(picture, alpha, degrees="180")) == [[5, 4, 3], [2, 1, 0]]
    assert seen(rotate_image(picture, alpha, degrees="270")) == [[2, 5], [1, 4], [0, 3]]
    with pytest.raises(MismatchedValues, match=r"begins at 0, 2, outside of the 3×2"):
        crop_image(picture, y=2)


def test_batches_of_pictures() -> None:
    context = FakeContext()
    joined = join_images(image(2, 3, 4, 4), image(1, 3, 4, 8), ctx=context)
    assert joined.pixels.shape == (3, 3, 4, 4)
    assert torch.equal(joined.pixels[2], image(1, 3, 4, 8).pixels[0, :, :, 2:6])
    assert "scaled from 8×4 to 4×4" in context.notes.pop()
    twice = repeat_images(joined, times=2)
    assert torch.equal(twice.pixels[3:], joined.pixels)
    assert torch.equal(pick_images(twice, start=2, count=2, ctx=context).pixels, twice.pixels[2:4])
    assert context.notes == []
    assert torch.equal(pick_images(joined, start=2, count=5, ctx=context).pixels, joined.pixels[2:])
    assert "there are 1, from number 2" in context.notes.pop()
    assert len(pick_images(joined, start=9, ctx=context).pixels) == 1
    plain = empty_image(width=3, height=2, batch=2, colour="#ff8000").pixels
    assert plain.shape == (2, 3, 2, 3)
    assert (plain[1, :, 1, 2] * 255).tolist() == pytest.approx([255, 128, 0])


def test_a_side_of_a_length() -> None:
    wide = image(1, 3, 20, 50)
    assert image_size(scale_to_side(wide, pixels=100).image)[:2] == (100, 40)
    assert image_size(scale_to_side(wide, pixels=10, side="shorter").image)[:2] == (25, 10)


def test_pictures_side_by_side() -> None:
    small, large = empty_image(width=2, height=2, colour="#ff0000"), image(2, 3, 4, 6)

    def size(first: Image, second: Image, **how: object) -> tuple[int, ...]:
        return tuple(stitch_images(first, second, **how).pixels.shape)

    assert size(large, small) == (2, 3, 4, 6 + 4)
    assert size(large, small, direction="down", spacing=3) == (2, 3, 4 + 3 + 6, 6)
    row = stitch_images(large, small, match=False, spacing=1, colour="#0000ff").pixels[1]
    assert torch.equal(row[..., :6], large.pixels[1])
    assert row[2, :, 6].tolist() == [1, 1, 1, 1]  # blue between
    assert row[0, :, 7].tolist() == [0, 1, 1, 0]  # red in the middle
    back = stitch_images(large, small, match=False, direction="left").pixels
    assert torch.equal(back[..., 2:], large.pixels)
    with pytest.raises(MismatchedValues, match="3 pictures"):
        stitch_images(large, image(3, 3, 4, 4))
