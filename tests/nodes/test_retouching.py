"""Nodes that change what is to be seen in pictures."""

from __future__ import annotations

import numpy
import pytest
import torch
from PIL import Image as Pillow
from scipy import ndimage

from helpers.core_graphs import core
from helpers.node_context import FakeContext
from ponystudio.api import Image, Mask
from ponystudio.diffusion.images.compositing import BLENDS, blended
from ponystudio.engine.node_packs import load_packs
from ponystudio.engine.preflight import check_models
from ponystudio.errors import MismatchedValues, ParamRange
from ponystudio.graph.model import Graph
from ponystudio.library.model_folders import ModelFolders
from ponystudio_nodes import retouching
from ponystudio_nodes.retouching import (
    blend_images,
    blur_image,
    composite_image,
    describe_colours,
    fill_alpha,
    find_edges,
    invert_image,
    join_alpha,
    quantize_image,
    sharpen_image,
    split_alpha,
)


def image(*shape: int) -> Image:
    return Image(torch.rand(shape, generator=torch.Generator().manual_seed(3)))


def filled(colour: str, side: int = 16) -> Image:
    level = torch.tensor([*bytes.fromhex(colour)]) / 255
    return Image(level.view(1, 3, 1, 1).repeat(1, 1, side, side))


def test_the_negative() -> None:
    picture = image(2, 3, 4, 5)
    assert torch.equal(invert_image(picture).pixels, 1 - picture.pixels)


@pytest.mark.parametrize(
    ("mode", "wanted"),
    [
        ("normal", [0.8, 0.3]),
        ("multiply", [0.16, 0.18]),
        ("screen", [0.84, 0.72]),
        ("overlay", [0.32, 0.44]),
        # D(0.2) is of the darker half: ((16·0.2 − 12)·0.2 + 4)·0.2.
        ("soft_light", [0.2 + 0.6 * (0.448 - 0.2), 0.504]),
        ("hard_light", [0.68, 0.36]),
        ("darken", [0.2, 0.3]),
        ("lighten", [0.8, 0.6]),
        ("color_dodge", [1, 0.6 / 0.7]),
        ("color_burn", [0, 0]),
        ("linear_burn", [0, 0]),
        ("add", [1, 0.9]),
        ("subtract", [0, 0.3]),
        ("difference", [0.6, 0.3]),
        ("exclusion", [0.68, 0.54]),
    ],
)
def test_every_mode_on_two_pixels(mode, wanted) -> None:
    """Below 0.2 and 0.6, above 0.8 and 0.3, as W3C's formulas have them."""
    below, above = (torch.tensor(values).view(1, 1, 1, 2) for values in ([0.2, 0.6], [0.8, 0.3]))
    assert blended(below, above, mode, 1.0).flatten().tolist() == pytest.approx(wanted, abs=1e-6)


def test_modes_leave_the_range_nowhere_and_a_factor_is_a_share() -> None:
    below, above = image(1, 3, 4, 4), Image(1 - image(1, 3, 8, 9).pixels)
    context = FakeContext()
    for mode in BLENDS:
        found = blend_images(below, above, mode=mode, factor=1.0, ctx=context).pixels
        assert found.min() >= 0
        assert found.max() <= 1
        none = blend_images(below, above, mode=mode, factor=0.0, ctx=context).pixels
        assert torch.equal(none, below.pixels)
    assert "scaled from 9×8 to 4×4" in context.notes[0]
    half = blend_images(filled("000000"), filled("ffffff"), factor=0.25, ctx=context).pixels
    assert torch.allclose(half, torch.tensor(0.25))
    extremes = blended(torch.tensor([0.0, 0, 1, 1]), torch.tensor([0.0, 1, 0, 1]), "color_burn", 1)
    assert extremes.tolist() == [0, 0, 1, 1]
    with pytest.raises(MismatchedValues, match="3 pictures cannot be put together with 2"):
        blend_images(image(2, 3, 4, 4), image(3, 3, 4, 4), ctx=context)


def test_blur_is_scipys_correlation() -> None:
    picture = image(1, 3, 9, 12)
    wanted = picture.pixels.numpy()
    bell = numpy.exp(-(numpy.arange(-3, 4) ** 2) / (2 * (0.5 * 3) ** 2))
    for axis in (2, 3):
        wanted = ndimage.correlate1d(wanted, bell / bell.sum(), axis, mode="mirror")
    assert numpy.allclose(blur_image(picture, radius=3, sigma=0.5).pixels, wanted, atol=1e-6)
    far = blur_image(image(1, 3, 3, 4), radius=20).pixels  # mirrored many times over
    assert (far.amax((2, 3)) - far.amin((2, 3))).max() < 0.02
    assert blur_image(picture, radius=0) is picture


def test_sharpening_adds_what_a_blur_takes() -> None:
    picture = Image(image(1, 3, 8, 8).pixels / 4 + 0.4)
    soft = blur_image(picture, radius=1, sigma=1.0).pixels
    sharp = sharpen_image(picture, radius=1, sigma=1.0, strength=0.5).pixels
    assert torch.allclose(sharp - picture.pixels, 0.5 * (picture.pixels - soft), atol=1e-6)
    flat = filled("406080")
    assert torch.allclose(sharpen_image(flat, radius=4, strength=10).pixels, flat.pixels, atol=1e-5)


def test_few_colours() -> None:
    levels = numpy.random.default_rng(2).integers(0, 256, (20, 30, 3), dtype=numpy.uint8)
    picture = Image(torch.from_numpy(levels).permute(2, 0, 1)[None] / 255)
    palette = Pillow.fromarray(levels).quantize(7)
    for dither in retouching.DITHERS:
        found = quantize_image(picture, colours=7, dither=dither).pixels
        seen = {tuple(p) for p in (found[0].flatten(1).T * 255).round().int().tolist()}
        assert len(seen) <= 7
        if dither == "none":
            wanted = numpy.asarray(palette.convert("RGB"))
            assert numpy.array_equal((found[0].permute(1, 2, 0) * 255).round().numpy(), wanted)
    # Of a ramp of grey and two colours a pattern makes more than two areas.
    ramp = Image(torch.linspace(0, 1, 64).expand(1, 3, 64, 64).clone())
    plain = quantize_image(ramp, colours=2).pixels[0, 0]
    pattern = quantize_image(ramp, colours=2, dither="bayer-4").pixels[0, 0]
    assert len(plain.unique_consecutive(dim=1).T) == 2
    assert len(pattern.unique_consecutive(dim=1).T) > 4
    assert torch.equal(pattern[:4], pattern[4:8])


def canny_by_hand(grey: numpy.ndarray, low: float, high: float) -> numpy.ndarray:
    """Canny's edges pixel by pixel, from the definition."""
    bell = numpy.exp(-(numpy.arange(-2, 3) ** 2) / 2)
    bell /= bell.sum()
    for axis in (0, 1):
        grey = ndimage.correlate1d(grey, bell, axis, mode="mirror")
    gx, gy = (ndimage.sobel(grey, axis, mode="nearest") for axis in (1, 0))
    size = numpy.sqrt(gx**2 + gy**2 + 1e-6)
    ridge = numpy.zeros_like(size)
    height, width = size.shape
    for y in range(height):
        for x in range(width):
            turn = numpy.pi / 4 * round(numpy.arctan2(gy[y, x], gx[y, x]) / (numpy.pi / 4))
            step = round(numpy.cos(turn)), round(numpy.sin(turn))
            ends = [(x + step[0], y + step[1]), (x - step[0], y - step[1])]
            ahead, behind = (
                size[v, u] if 0 <= u < width and 0 <= v < height else 0.0 for u, v in ends
            )
            if size[y, x] > ahead and size[y, x] >= behind:
                ridge[y, x] = size[y, x]
    areas, _ = ndimage.label(ridge > low, structure=numpy.ones((3, 3)))
    return numpy.isin(areas, numpy.unique(areas[ridge > high])) & (areas > 0)


def test_edges_are_cannys() -> None:
    smooth = ndimage.gaussian_filter(numpy.random.default_rng(4).random((40, 50, 3)), (1, 1, 0))
    smooth = (smooth - smooth.min()) / (smooth.max() - smooth.min())
    picture = Image(torch.from_numpy(smooth).permute(2, 0, 1)[None])
    wanted = canny_by_hand(smooth @ numpy.array([0.299, 0.587, 0.114]), 0.3, 0.5)
    found = find_edges(picture, low=0.3, high=0.5).pixels
    assert found.shape == (1, 3, 40, 50)
    assert 0.05 < wanted.mean() < 0.4
    assert (found[0, 0].bool().numpy() != wanted).mean() < 0.005  # ties of the last bits
    assert torch.equal(found[:, 0], found[:, 2])


def test_edges_of_a_drawing_are_one_pixel_wide() -> None:
    pixels = torch.zeros(2, 3, 24, 24)
    pixels[0, :, 6:18, 6:18] = 1
    found = find_edges(Image(pixels)).pixels[:, 0]
    assert not found[1].any()
    assert found[0, 12].sum() == found[0, :, 12].sum() == 2
    assert ndimage.label(found[0].numpy(), numpy.ones((3, 3)))[1] == 1  # a closed line
    weaker = find_edges(Image(pixels * 0.25)).pixels[0, 0]
    assert not weaker.any()
    assert find_edges(Image(pixels * 0.25), low=0.1, high=0.4).pixels[0, 0].any()


def test_a_picture_is_pasted_where_its_mask_is_white() -> None:
    below, above = filled("000000", 4), Image(torch.ones(1, 3, 2, 2))
    rows = composite_image(below, above, x=3, y=-1).pixels[0, 1]
    assert rows.tolist() == [[0, 0, 0, 1], [0] * 4, [0] * 4, [0] * 4]
    mask = Mask(torch.tensor([[1.0, 0.25], [0, 0]]).view(1, 1, 2, 2))
    rows = composite_image(below, above, mask, x=1, y=1).pixels[0, 2]
    assert rows[1].tolist() == [0, 1, 0.25, 0]
    assert rows.sum() == 1.25
    whole = composite_image(below, above, resize=True).pixels
    assert bool((whole == 1).all())
    outside = composite_image(below, above, x=50, y=-50).pixels
    assert torch.equal(outside, below.pixels)
    large = composite_image(below, above, Mask(torch.ones(1, 1, 64, 64)), x=2).pixels
    assert large.sum() == 3 * 4


def test_transparency_in_and_out() -> None:
    picture, mask = image(2, 3, 4, 4), Mask(torch.rand(1, 1, 8, 8))
    cut = join_alpha(picture, mask)
    assert cut.alpha.values.shape == (1, 1, 4, 4)
    back = split_alpha(cut.image, cut.alpha)
    assert torch.allclose(back.mask.values, 1 - cut.alpha.values)
    assert not split_alpha(picture).mask.values.any()
    half = fill_alpha(filled("ff0000"), Mask(torch.full((1, 1, 16, 16), 0.5)), colour="#0000ff")
    assert half.pixels[0, :, 0, 0].tolist() == [0.5, 0, 0.5]
    with pytest.raises(MismatchedValues, match="alpha"):
        fill_alpha(picture, mask)


def striped(**shares: int) -> Image:
    return Image(
        torch.cat([filled(name, 10).pixels.repeat(1, 1, 1, n) for name, n in shares.items()], 3)
    )


def words(picture: Image, **how: object) -> list[str]:
    return describe_colours(picture, ctx=FakeContext(), **how).text.split(", ")


def test_a_palette_in_words() -> None:
    assert words(filled("1e40d0"), wording="names") == ["blue"]
    assert words(filled("1e40d0"), wording="hex") == ["#1e40d0"]
    assert set(words(filled("1e40d0"))) >= {"blue theme", "monochrome", "limited palette", "blue"}
    grey = Image(torch.linspace(0, 1, 100).expand(1, 3, 30, 100))
    assert set(words(grey)) >= {"monochrome", "greyscale"}
    assert "sepia" not in words(grey)
    both = striped(ff2020=1, f4f4f4=8, **{"101010": 1})
    assert words(both, wording="names") == ["white", "red", "black"]
    assert "spot color" in words(both)
    assert "white theme" in words(both)
    rainbow = striped(ff0000=1, ff8800=1, ffee00=1, **{"22cc22": 1, "2244ff": 1, "9922dd": 1})
    assert {"red", "orange", "yellow", "green", "blue", "purple", "colorful"} <= set(words(rainbow))
    assert {"dark", "brown theme", "sepia"} <= set(words(striped(**{"2a1a0c": 3, "4a3018": 2})))
    assert "pastel colors" in words(striped(ffd8e0=1, d8f0ff=1, f0ffd8=1))


@pytest.mark.parametrize(
    ("colour", "name"),
    [
        ("c68642", "orange"), ("8b4513", "brown"), ("d2b48c", "beige"), ("ffc0cb", "pink"),
        ("800080", "purple"), ("000080", "blue"), ("87ceeb", "blue"), ("008080", "aqua"),
        ("787c78", "grey"), ("8b0000", "red"), ("fafafa", "white"), ("0c0c10", "black"),
        ("556b2f", "green"), ("ffd700", "yellow"),
    ],
)  # fmt: skip
def test_colours_have_the_names_that_people_use(colour, name) -> None:
    assert words(filled(colour), wording="names") == [name]


def test_the_strip_has_each_colour_as_wide_as_its_share() -> None:
    context = FakeContext()
    found = describe_colours(striped(ff0000=3, **{"0000ff": 1}), colours=4, ctx=context)
    assert found.image.pixels.shape == (1, 3, 64, 512)
    red, _, blue = found.image.pixels[0, :, 0].mean(dim=1).tolist()
    assert (red, blue) == pytest.approx((0.75, 0.25), abs=0.01)
    assert context.notes == [f"The palette: {found.text}."]


def test_thresholds_the_wrong_way_round_are_told_before_the_run(tmp_path) -> None:
    packs = load_packs(tmp_path / "none")
    picture = core("picture", "empty_image")
    edges = core("edges", "find_edges", image=("picture", "image"), low=0.9, high=0.3)
    graph = Graph.of(picture, edges)
    (error,) = check_models(graph, packs, ModelFolders([tmp_path]), graph.nodes)
    assert (error.node, error.socket) == ("edges", "low")
    assert "0.9 is above the high one, 0.3" in error.what
    with pytest.raises(ParamRange):
        find_edges(image(1, 3, 8, 8), low=0.9, high=0.3)
