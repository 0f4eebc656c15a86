"""Nodes on masks."""

from __future__ import annotations

import pytest
import torch

from helpers.node_context import FakeContext
from ponystudio.api import Image, Mask
from ponystudio.errors import MismatchedValues
from ponystudio_nodes.images import save_image, scale_image
from ponystudio_nodes.masks import invert_mask, mask_from_image, scale_mask


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
