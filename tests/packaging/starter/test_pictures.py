"""Sprites stand where their view says, on a background of exactly its colour."""

from __future__ import annotations

import pytest
import torch


@pytest.fixture
def sprite():
    """An opaque red square in the left upper quarter of 64 × 64."""
    rgba = torch.zeros(4, 64, 64, dtype=torch.uint8)
    rgba[0, :32, :32] = rgba[3, :32, :32] = 255
    return rgba


def box(picture):
    """Left, top, right and bottom of all that is no background."""
    rows, columns = torch.nonzero(
        (picture - picture[:, -1:, -1:]).abs().sum(0) > 0.5, as_tuple=True
    )
    return columns.min().item(), rows.min().item(), columns.max().item(), rows.max().item()


def test_the_background_is_its_colour(sprite):
    from starter.pictures import BACKGROUNDS, View, compose

    for name, colour in BACKGROUNDS.items():
        picture = compose(sprite, "3d", [View(name)])[0]
        assert (picture[:, -1, -1] * 255).round().int().tolist() == list(colour)


def test_a_view_scales_mirrors_and_shifts(sprite):
    from starter.pictures import View, compose

    at = {
        "whole": View("white", 1.0),
        "half": View("white", 0.5),
        "mirrored": View("white", 1.0, mirrored=True),
        "shifted": View("white", 0.5, dx=0.125, dy=-0.125),
        "both": View("white", 0.5, dx=0.125, dy=-0.125, mirrored=True),
    }
    pictures = compose(sprite, "3d", list(at.values()))
    assert dict(zip(at, map(box, pictures), strict=True)) == {
        "whole": (0, 0, 31, 31),
        "half": (16, 16, 31, 31),
        "mirrored": (32, 0, 63, 31),
        "shifted": (24, 8, 39, 23),
        "both": (40, 8, 55, 23),
    }


def test_line_art_is_black_and_on_black_white(sprite):
    from starter.pictures import View, compose

    pictures = compose(sprite, "line art", [View("black", 1.0), View("pink", 1.0)])
    assert pictures[0, :, 5, 5].tolist() == [1, 1, 1]
    assert pictures[1, :, 5, 5].tolist() == [0, 0, 0]


def test_a_drawing_finds_itself_though_shifted_and_mirrored(sprite):
    from starter.pictures import View, compose
    from starter.retrieval import Judge, small

    turned = sprite.roll(32, 1)
    sprites = {("square", "3d"): sprite, ("low", "3d"): turned, ("square", "line art"): sprite}
    sprites["low", "line art"] = turned
    judge = Judge(sprites, ["square", "low"], ["3d", "line art"])
    made = compose(sprite, "3d", [View("blue", 0.9, dx=0.04, dy=0.03, mirrored=True)])
    picture = small(made)[0]
    assert judge.concept(picture, "3d", "blue") == "square"
    assert judge.style(picture, "square", "blue") == "3d"
    assert judge.background(picture, "square", "3d") == "blue"
