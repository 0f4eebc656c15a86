"""The comparison of two checkpoints as a picture: a bar a block, as long as it has moved."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator
from typing import TYPE_CHECKING

from PIL import Image, ImageDraw

from ponystudio.diffusion.checkpoints.model_comparison import NOUNS, ModelComparison, WeightSums
from ponystudio.diffusion.images.chart_drawing import (
    BARS,
    FAINT,
    INK,
    PAPER,
    TRACK,
    colour,
    font,
    shown,
)

if TYPE_CHECKING:
    from PIL.Image import Image as Picture
    from PIL.ImageFont import FreeTypeFont

WIDTH, MARGIN, ROW = 900, 24, 24
NAMES, LONGEST = 210, 400  # pixels of the names of blocks and of the longest bar
LETTERS, IN_A_NAME = 118, 28  # of a line, of the name of a block
LARGEST = 1.0  # distances beyond it are bars of full length


def chart(found: ModelComparison) -> Picture:
    """RGB, as high as there are blocks; bars are to the scale of the largest distance."""
    rows = list(_rows(found))
    sentences = [line for text in found.meaning for line in textwrap.wrap(text, LETTERS)]
    height = 2 * MARGIN + ROW * (len(rows) + len(sentences) + 3)
    picture = Image.new("RGB", (WIDTH, height), PAPER)
    draw = ImageDraw.Draw(picture)
    large, small = font(15), font(13)
    moved = [sums.distance for _, sums in rows if sums]
    scale = min(LARGEST, max(moved, default=0.0)) or 1.0
    title = f"{found.names[0]} and {found.names[1]}"
    y = MARGIN
    draw.text((MARGIN, y), shown(title, 100), INK, font=large)
    y += ROW
    draw.text(
        (MARGIN, y), f"{found.family}: distance of the weights, and their cosine", FAINT, small
    )
    y += ROW
    for name, sums in rows:
        if sums is None:
            draw.text((MARGIN, y + 4), name, INK, font=large)
        else:
            _bar(draw, small, y, name, sums, scale)
        y += ROW
    y += ROW // 2
    for line in sentences:
        draw.text((MARGIN, y), line, INK, font=small)
        y += ROW
    return picture


def _rows(found: ModelComparison) -> Iterator[tuple[str, WeightSums | None]]:
    """Headings have no sums."""
    for part, blocks in found.blocks.items():
        yield NOUNS[part], None
        yield "all", found.total(part)
        yield from blocks.items()
    if found.layers:
        yield "layers of the denoiser", None
        yield from found.layers.items()


def _bar(
    draw: ImageDraw.ImageDraw,
    small: FreeTypeFont,
    y: int,
    name: str,
    sums: WeightSums,
    scale: float,
) -> None:
    left, share = MARGIN + NAMES, min(1.0, sums.distance / scale)
    draw.text((MARGIN + 12, y + 3), shown(name, IN_A_NAME), FAINT, font=small)
    draw.rectangle((left, y + 5, left + LONGEST, y + ROW - 6), TRACK)
    if share:
        right = left + max(1, round(LONGEST * share))
        draw.rectangle((left, y + 5, right, y + ROW - 6), colour(BARS, share))
    figures = f"{sums.distance:.2%}   cos {sums.cosine:.5f}"
    draw.text((left + LONGEST + 14, y + 3), figures, INK, font=small)
