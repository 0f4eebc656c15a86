"""Fit image: pictures of any shape in a size, with their transparency and a border."""

from __future__ import annotations

import torch

from ponystudio.api import Image, Mask
from ponystudio_nodes.fit_image import fit_image


def picture(height, width):
    """Red grows to the right, green downwards."""
    pixels = torch.zeros(1, 3, height, width)
    pixels[:, 0] = torch.linspace(0, 1, width)
    pixels[:, 1] = torch.linspace(0, 1, height)[:, None]
    return Image(pixels)


def test_a_border_of_one_colour():
    found = fit_image(
        picture(20, 40), width=40, height=40, way="border", colour="#0000ff", method="area"
    )
    assert (found.width, found.height) == (40, 40)
    assert torch.equal(found.image.pixels[..., 10:30, :], picture(20, 40).pixels)
    assert found.image.pixels[0, :, 0, 0].tolist() == [0, 0, 1]
    assert found.border.values[0, 0, :, 5].tolist() == [1] * 10 + [0] * 20 + [1] * 10
    assert found.mask.values.min() == 1


def test_a_border_of_the_outermost_pixels():
    found = fit_image(
        picture(20, 40), width=40, height=40, way="border", anchor="top", fill="edge", method="area"
    )
    assert torch.equal(found.image.pixels[..., 39, :], picture(20, 40).pixels[..., 19, :])


def test_what_is_cut_off_at_one_side():
    found = fit_image(
        picture(20, 40), width=20, height=20, way="cut off", anchor="right", method="area"
    )
    assert torch.equal(found.image.pixels, picture(20, 40).pixels[..., 20:])
    assert not found.border.values.any()


def test_transparency_is_fitted_with_the_picture():
    alpha = torch.zeros(1, 1, 20, 40)
    alpha[..., 20:] = 1
    found = fit_image(
        picture(20, 40), Mask(alpha), width=20, height=20, way="border", method="area"
    )
    assert found.mask.values.shape == (1, 1, 20, 20)
    assert found.mask.values[0, 0, 10].tolist() == [0] * 10 + [1] * 10
    assert found.mask.values[0, 0, 0].tolist() == [1] * 20  # the border is opaque


def test_sides_are_multiples():
    found = fit_image(picture(33, 50), width=50, height=0, multiple=16)
    assert (found.width, found.height) == (48, 32)
    assert found.image.pixels.shape == (1, 3, 32, 48)
