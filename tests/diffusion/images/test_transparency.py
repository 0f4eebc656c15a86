from __future__ import annotations

import torch

from ponystudio.diffusion.images.transparency import scale_cut_out, spread_colours


def rand(*shape: int) -> torch.Tensor:
    return torch.rand(shape, generator=torch.Generator().manual_seed(4))


def test_what_is_seen_stays_and_what_is_hidden_is_like_it() -> None:
    pixels, alpha = rand(2, 3, 37, 50), torch.zeros(1, 1, 37, 50)
    alpha[..., 10:20, 30:40] = rand(1, 1, 10, 10) + 0.01
    pixels[:, 0] *= 0.2  # what is seen has little red, what is hidden much
    pixels[:, 0] += (alpha[:, 0] == 0) * 0.8
    filled = spread_colours(pixels, alpha)
    seen = (alpha > 0).expand_as(pixels)
    assert torch.equal(filled[seen], pixels[seen])
    assert filled[:, 0].max() <= 0.2
    assert filled[:, 1].min() >= pixels[:, 1][seen[:, 1]].min() - 1e-6


def test_the_colour_nearby_is_taken() -> None:
    """Two patches, red and blue: around each its own."""
    pixels, alpha = torch.zeros(1, 3, 32, 64), torch.zeros(1, 1, 32, 64)
    for channel, column in ((0, 8), (2, 48)):
        pixels[:, channel, 12:20, column : column + 8] = 1
        alpha[..., 12:20, column : column + 8] = 1
    filled = spread_colours(pixels, alpha)
    assert filled[0, :, 16, 6].tolist() == [1, 0, 0]
    assert filled[0, :, 16, 58].tolist() == [0, 0, 1]


def test_pictures_of_which_nothing_or_all_is_seen_stay() -> None:
    pixels = rand(2, 3, 9, 7)
    for value in (0.0, 1.0):
        assert torch.equal(spread_colours(pixels, torch.full((1, 1, 9, 7), value)), pixels)
    alpha = torch.cat((torch.zeros(1, 1, 9, 7), torch.ones(1, 1, 9, 7)))
    assert torch.equal(spread_colours(pixels, alpha), pixels)


def test_a_sharp_kernel_makes_no_wild_colours() -> None:
    """Along the border of a steep gradient Lanczos' weights nearly cancel each other."""
    ramp = torch.linspace(0.2, 0.8, 64).view(1, 1, 1, 64).expand(1, 3, 64, 64)
    alpha = torch.zeros(1, 1, 64, 64)
    alpha[..., 16:48, 16:48] = 1
    for side in (29, 40, 150):
        colours, seen = scale_cut_out(ramp * alpha, alpha, (side, side), "lanczos")
        border = ramp.clamp(float(ramp[0, 0, 0, 16]), float(ramp[0, 0, 0, 47]))
        wanted = torch.nn.functional.interpolate(border, (side, side), mode="bilinear")
        off = (colours - wanted).abs()[(seen > 1 / 255).expand_as(colours)]
        assert off.max() < 0.05


def test_one_row_and_one_column() -> None:
    for shape in ((1, 9), (9, 1), (1, 1)):
        alpha = torch.zeros(1, 1, *shape)
        alpha[..., 0, 0] = 1
        pixels = torch.ones(1, 3, *shape)
        pixels[..., 0, 0] = 0.25
        assert torch.equal(spread_colours(pixels, alpha), torch.full((1, 3, *shape), 0.25))
