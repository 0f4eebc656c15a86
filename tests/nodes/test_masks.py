"""Nodes on masks."""

from __future__ import annotations

import numpy
import pytest
import torch
from PIL import Image as Pillow
from scipy import ndimage

from helpers.node_context import FakeContext
from ponystudio.api import Image, Mask, nodes_in
from ponystudio.diffusion.images.morphology import grown_hole
from ponystudio.errors import MismatchedValues, ParamType
from ponystudio.graph.coercion import coerce
from ponystudio_nodes import masks
from ponystudio_nodes.images import save_image, scale_image
from ponystudio_nodes.masks import (
    blur_mask,
    combine_masks,
    crop_mask,
    feather_mask,
    grow_mask,
    image_from_mask,
    invert_mask,
    load_mask,
    mask_by_colour,
    mask_from_image,
    scale_mask,
    solid_mask,
    threshold_mask,
)


def image(*shape: int) -> Image:
    return Image(torch.rand(shape, generator=torch.Generator().manual_seed(3)))


@pytest.mark.parametrize("shape", [(1, 1, 4, 5), (3, 1, 4, 4)])
def test_an_alpha_of_another_picture_is_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(MismatchedValues, match=r"alpha.*image"):
        save_image(image(2, 3, 4, 4), Mask(torch.zeros(shape)), ctx=FakeContext())


def test_masks() -> None:
    pixels = torch.zeros(1, 3, 1, 4)
    pixels[0, 0, 0, 1] = pixels[0, 1, 0, 2] = pixels[0, 2, 0, 3] = 1
    picture = Image(pixels)
    weights = mask_from_image(picture, channel="brightness").values.flatten()
    assert weights.tolist() == pytest.approx([0, 0.2126, 0.7152, 0.0722])
    assert mask_from_image(Image(torch.ones(2, 3, 2, 2))).values.allclose(torch.ones(2, 1, 2, 2))
    for place, channel in enumerate(("red", "green", "blue"), 1):
        mask = mask_from_image(picture, channel=channel)
        assert mask.values.shape == (1, 1, 1, 4)
        assert mask.values.flatten().nonzero().item() == place
        assert invert_mask(mask).values.flatten().tolist().index(0) == place


def test_masks_are_scaled_as_pictures_are() -> None:
    mask = Mask(torch.rand(2, 1, 8, 12, generator=torch.Generator().manual_seed(3)))
    picture = Image(mask.values.expand(-1, 3, -1, -1))
    for width, height in ((24, 0), (0, 4), (5, 7)):
        wanted = scale_image(picture, width=width, height=height).image.pixels[:, :1]
        assert torch.equal(scale_mask(mask, width=width, height=height).values, wanted)
    assert scale_mask(mask, width=0, height=0) is mask


def mask(*rows: list[float]) -> Mask:
    return Mask(torch.tensor([[rows]]).float())


def row(found: Mask) -> list[float]:
    return found.values.flatten().tolist()


def spot(side: int, y: int, x: int) -> Mask:
    values = torch.zeros(1, 1, side, side)
    values[..., y, x] = 1
    return Mask(values)


def test_growing_is_scipys_grey_dilation() -> None:
    values = torch.rand(1, 1, 9, 14, generator=torch.Generator().manual_seed(1))
    plus = numpy.array([[0, 1, 0], [1, 1, 1], [0, 1, 0]])
    for tapered, footprint in ((False, numpy.ones((3, 3))), (True, plus)):
        for grow, step in (
            (1, ndimage.grey_dilation),
            (7, ndimage.grey_dilation),
            (30, ndimage.grey_dilation),
            (-2, ndimage.grey_erosion),
        ):
            wanted = values[0, 0].numpy()
            for _ in range(abs(grow)):
                wanted = step(wanted, footprint=footprint)
            found = grow_mask(Mask(values), grow=grow, tapered=tapered).values
            assert numpy.array_equal(found[0, 0].numpy(), wanted)
    assert grow_mask(Mask(values), grow=0).values is values


@pytest.mark.parametrize(
    ("window", "rows", "columns"), [(2, (5, 6), (6, 7)), (3, (4, 6), (5, 7)), (6, (3, 8), (4, 9))]
)
def test_a_hole_grows_as_in_comfyui(window, rows, columns) -> None:
    grown = grown_hole(spot(16, 5, 6).values, window)[0, 0]
    assert grown.shape == (16, 16)
    wanted = torch.zeros(16, 16)
    wanted[rows[0] : rows[1] + 1, columns[0] : columns[1] + 1] = 1
    assert torch.equal(grown, wanted)
    assert torch.equal(grown_hole(spot(16, 5, 6).values, 0), spot(16, 5, 6).values)


def test_feathering_by_either_rule() -> None:
    ones = mask([1, 1, 1, 1])
    assert row(feather_mask(ones, right=2, rule="comfyui")) == [0.5, 1, 1, 1]
    assert row(feather_mask(ones, right=2)) == [1, 1, 1, 0.5]
    assert row(feather_mask(ones, left=2, right=2)) == [0.5, 1, 1, 0.5]
    assert row(feather_mask(ones, left=8)) == [1 / 8, 2 / 8, 3 / 8, 4 / 8]
    tall = Mask(torch.ones(2, 1, 4, 1))
    assert feather_mask(tall, top=4, bottom=1).values[1].flatten().tolist() == [0.25, 0.5, 0.75, 1]


@pytest.mark.parametrize(
    ("operation", "wanted"),
    [
        ("multiply", [0.12, 0.48, 0, 1]),
        ("add", [0.7, 1, 0.9, 1]),
        ("subtract", [0, 0, 0.9, 0]),
        ("and", [0, 1, 0, 1]),
        ("or", [1, 1, 1, 1]),
        ("xor", [1, 0, 1, 0]),
        ("lighter", [0.4, 0.8, 0.9, 1]),
        ("darker", [0.3, 0.6, 0, 1]),
    ],
)
def test_two_masks_become_one(operation, wanted) -> None:
    a, b = mask([0.3, 0.6, 0.9, 1]), mask([0.4, 0.8, 0, 1])
    if operation in ("or", "xor"):
        b = mask([0.6, 0.8, 0, 1])
    assert row(combine_masks(a, b, operation=operation)) == pytest.approx(wanted)


def test_masks_are_combined_where_the_other_lies() -> None:
    ones = Mask(torch.ones(1, 1, 2, 2))
    black = Mask(torch.zeros(2, 1, 3, 4))
    found = combine_masks(black, ones, x=3, y=-1).values
    assert found.shape == (2, 1, 3, 4)
    assert found[1, 0].tolist() == [[0, 0, 0, 1], [0, 0, 0, 0], [0, 0, 0, 0]]
    assert torch.equal(combine_masks(black, ones, x=-2).values, black.values)
    with pytest.raises(MismatchedValues, match="3 masks cannot be put together with 2"):
        combine_masks(black, Mask(torch.zeros(3, 1, 2, 2)))


def test_small_nodes_on_masks() -> None:
    assert row(threshold_mask(mask([0.5, 0.51, 1]), value=0.5)) == [0, 1, 1]
    assert solid_mask(value=0.25, width=3, height=2).values.tolist() == [[[[0.25] * 3] * 2]]
    counted = Mask(torch.arange(12.0).view(1, 1, 3, 4) / 12)
    cut = crop_mask(counted, x=2, y=1, width=9, height=1).values * 12
    assert cut.flatten().tolist() == [6, 7]
    with pytest.raises(MismatchedValues, match=r"begins at 4, 0, outside of the 4×3 pixels"):
        crop_mask(counted, x=4)
    shown = image_from_mask(counted).pixels
    assert shown.shape == (1, 3, 3, 4)
    assert torch.equal(mask_from_image(Image(shown), channel="green").values, counted.values)


def test_a_mask_of_one_colour() -> None:
    levels = torch.tensor([[255, 128, 0], [255, 129, 0], [250, 120, 8], [0, 128, 255]])
    picture = Image((levels.T / 255).view(1, 3, 1, 4))
    assert row(mask_by_colour(picture, colour="#ff8000")) == [1, 0, 0, 0]
    assert row(mask_by_colour(picture, colour="#ff8000", tolerance=8)) == [1, 1, 1, 0]
    spec = next(k.spec for k in nodes_in(masks) if k.spec.id == "core.mask_by_colour")
    param = spec.param_by_name["colour"]
    assert coerce(param, "#FF8000") == "#ff8000"
    for wrong in ("ff8000", "#ff80", "orange", "#ff80000"):
        with pytest.raises(ParamType, match="colour"):
            coerce(param, wrong)


def test_a_blurred_mask_keeps_its_sum_and_shape() -> None:
    soft = blur_mask(spot(21, 10, 10), radius=4, sigma=0.5).values
    assert soft.sum().item() == pytest.approx(1, abs=1e-6)
    assert soft[0, 0, 10, 12] / soft[0, 0, 10, 10] == pytest.approx(numpy.exp(-0.5))  # at σ
    assert torch.equal(soft, soft.flip(-1))
    assert bool((blur_mask(Mask(torch.ones(1, 1, 3, 2)), radius=9).values > 0.999999).all())


def test_a_mask_from_a_file(tmp_path) -> None:
    levels = numpy.array([[[255, 0, 51, 102], [0, 255, 204, 255]]], numpy.uint8)
    Pillow.fromarray(levels).save(tmp_path / "m.png")
    for channel, wanted in (
        ("alpha", [0.4, 1]),
        ("red", [1, 0]),
        ("blue", [0.2, 0.8]),
        ("brightness", [0.2126 + 0.2 * 0.0722, 0.7152 + 0.8 * 0.0722]),
    ):
        found = load_mask(file=tmp_path / "m.png", channel=channel, ctx=FakeContext())
        assert row(found) == pytest.approx(wanted)
