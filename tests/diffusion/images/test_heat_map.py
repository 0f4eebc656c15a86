"""Tables and sheets as pictures: what stands where, and how bright."""

from __future__ import annotations

import pytest
import torch

from ponystudio.diffusion.images.heat_map import CELLS, heat_map, sheet


def brightness(picture):
    return picture[0].mean(dim=0)


def test_larger_numbers_are_brighter():
    values = torch.tensor([[1.0, 0.5, 0.0]])
    picture = heat_map(values, ["row"], ["a", "b", "c"])
    assert picture.shape[:2] == (1, 3)
    assert 0 <= picture.min() < picture.max() <= 1
    # The last row of pixels of the cells, below their numbers.
    lit = brightness(picture)
    line = lit[lit.mean(dim=1).argmax()]
    cells = [line[-(n * CELLS[0]) - CELLS[0] // 2] for n in (3, 2, 1)]
    assert cells == sorted(cells, reverse=True)


def test_a_large_table_has_smaller_cells():
    small = heat_map(torch.zeros(3, 3), ["x"] * 3, ["x"] * 3)
    large = heat_map(torch.zeros(60, 60), ["x"] * 60, ["x"] * 60)
    assert small.shape[-1] > 3 * CELLS[0]
    assert large.shape[-1] < 60 * CELLS[0]


@pytest.mark.parametrize("text", ["猫", "a\nb", "x" * 500, "\x00", ""])
def test_any_text_can_be_a_label(text):
    picture = heat_map(torch.eye(1), [text], [text], text, [text])
    assert max(picture.shape[-2:]) < 1500


def test_every_picture_stands_in_the_row_of_its_group():
    colours = torch.eye(3)[:, :, None, None].expand(-1, -1, 32, 48)
    picture = sheet(colours, [[0, 2], [1]], ["first", "second"])[0]
    middle = picture.shape[-2] // 2
    above, below = picture[:, :middle], picture[:, middle:]

    def holds(part, colour):
        return bool((part == torch.eye(3)[colour][:, None, None]).all(dim=0).any())

    assert sheet(colours, [[0] * 9], ["x"]).shape[-1] == sheet(colours, [[0] * 8], ["x"]).shape[-1]
    assert [holds(above, c) for c in range(3)] == [True, False, True]
    assert [holds(below, c) for c in range(3)] == [False, True, False]
