"""Tables of numbers and sheets of pictures as pictures, with what they are about written beside."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

import torch
from torch import Tensor
from torch.nn.functional import interpolate

from ponystudio.diffusion.images.chart_drawing import FAINT, HEAT, INK, PAPER, colour, font, shown

if TYPE_CHECKING:
    from PIL.Image import Image as Picture
    from PIL.ImageFont import FreeTypeFont

CELLS = (44, 30, 20)  # sides of a cell in pixels, the first that keeps a table below WIDEST
WIDEST = 1400
NUMBERED = 30  # from this side on a cell says its number
LABEL = 13  # of letters, in pixels
LABEL_LETTERS, LINE, LINE_HEIGHT = 24, 120, 19
GAP = 10
# Of a sheet of pictures.
TILE, HEADING, IN_A_ROW = 192, 26, 8


def heat_map(
    values: Tensor,
    rows: Sequence[str],
    columns: Sequence[str],
    title: str = "",
    lines: Sequence[str] = (),
) -> Tensor:
    """A table [n,m] of numbers in −1..1 as a picture, float32 [1,3,H,W]: n rows from the top, each
    cell the brighter the larger, from the least number of the table (or 0) to 1. Further `lines`
    of text stand below."""
    from PIL import Image, ImageDraw

    n, m = values.shape
    cell = next((side for side in CELLS if max(n, m) * side <= WIDEST), CELLS[-1])
    large, small = font(LABEL), font(11)
    rows, columns = ([shown(text, LABEL_LETTERS) for text in texts] for texts in (rows, columns))
    left = GAP + math.ceil(max((large.getlength(text) for text in rows), default=0)) + GAP
    above = GAP + math.ceil(max((large.getlength(text) for text in columns), default=0)) + GAP
    head = HEADING if title else 0
    title, lines = shown(title, LINE), [shown(line, LINE) for line in lines]
    below = head + above + n * cell + GAP
    written = max(large.getlength(text) for text in (title, *lines))
    width = max(left + m * cell + GAP, math.ceil(written) + 2 * GAP)
    picture = Image.new("RGB", (width, below + len(lines) * LINE_HEIGHT + GAP), PAPER)
    draw = ImageDraw.Draw(picture)
    draw.text((GAP, GAP // 2 + 2), title, fill=FAINT, font=large)
    low = min(0.0, float(values.min()) if values.numel() else 0.0)
    for j, text in enumerate(columns):
        _write_upwards(picture, text, (left + j * cell + cell // 2, head + above - 4), large)
    for i, text in enumerate(rows):
        y = head + above + i * cell
        draw.text((left - 6, y + cell // 2), text, fill=INK, font=large, anchor="rm")
        for j in range(m):
            value = float(values[i, j])
            fill = colour(HEAT, (value - low) / (1 - low))
            x = left + j * cell
            draw.rectangle((x, y, x + cell - 2, y + cell - 2), fill=fill)
            if cell >= NUMBERED:
                ink = PAPER if sum(fill) > 380 else INK
                middle = (x + cell // 2 - 1, y + cell // 2 - 1)
                draw.text(middle, _number(value), fill=ink, font=small, anchor="mm")
    for number, line in enumerate(lines):
        draw.text((GAP, below + number * LINE_HEIGHT), line, fill=INK, font=large)
    return _pixels(picture)


def sheet(pictures: Tensor, groups: Sequence[Sequence[int]], headings: Sequence[str]) -> Tensor:
    """Pictures [B,3,H,W] by groups of their numbers as one picture [1,3,H',W']: under a heading
    each, at most 8 in a row."""
    from PIL import Image, ImageDraw

    sides = pictures.shape[-2:]
    scale = TILE / max(sides)
    height, width = (max(1, round(side * scale)) for side in sides)
    small = interpolate(
        pictures.float(), size=(height, width), mode="bilinear", antialias=True
    ).clamp(0, 1)
    large = font(LABEL)
    headings = [shown(text, LINE) for text in headings]
    across = min(IN_A_ROW, max(map(len, groups), default=1))
    widest = max((math.ceil(large.getlength(text)) for text in headings), default=0)
    rows = [math.ceil(len(group) / IN_A_ROW) for group in groups]
    size = (
        max(GAP + across * (width + GAP), widest + 2 * GAP),
        GAP + sum(HEADING + count * (height + GAP) for count in rows),
    )
    paper = Image.new("RGB", size, PAPER)
    draw, tops, top = ImageDraw.Draw(paper), [], GAP
    for heading, count in zip(headings, rows, strict=True):
        draw.text((GAP, top + HEADING // 2), heading, fill=INK, font=large, anchor="lm")
        tops.append(top + HEADING)
        top += HEADING + count * (height + GAP)
    whole = _pixels(paper)
    for top, group in zip(tops, groups, strict=True):
        for place, number in enumerate(group):
            y = top + place // IN_A_ROW * (height + GAP)
            x = GAP + place % IN_A_ROW * (width + GAP)
            whole[0, :, y : y + height, x : x + width] = small[number]
    return whole


def _write_upwards(picture: Picture, text: str, foot: tuple[int, int], large: FreeTypeFont) -> None:
    """A text that is read from below, over the middle of its foot."""
    from PIL import Image, ImageDraw

    length = max(1, math.ceil(large.getlength(text)))
    lying = Image.new("RGB", (length, LABEL + 6), PAPER)
    ImageDraw.Draw(lying).text((0, (LABEL + 6) // 2), text, fill=INK, font=large, anchor="lm")
    standing = lying.transpose(Image.Transpose.ROTATE_90)
    picture.paste(standing, (foot[0] - standing.width // 2, foot[1] - standing.height))


def _number(value: float) -> str:
    """.87, -.12, 1"""
    return f"{value:.2f}".replace("0.", ".", 1) if abs(value) < 0.995 else f"{value:.0f}"


def _pixels(picture: Picture) -> Tensor:
    import numpy

    values = torch.from_numpy(numpy.array(picture, dtype=numpy.uint8))
    return values.permute(2, 0, 1)[None].float() / 255
