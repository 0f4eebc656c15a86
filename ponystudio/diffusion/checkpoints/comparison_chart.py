"""The comparison of two checkpoints as a picture: a bar a block, as long as it has moved."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from PIL import Image, ImageDraw, ImageFont

from ponystudio.diffusion.checkpoints.model_comparison import NOUNS, ModelComparison, WeightSums

if TYPE_CHECKING:
    from PIL.Image import Image as Picture

WIDTH, MARGIN, ROW = 900, 24, 24
NAMES, BARS, FIGURES = 210, 400, 220  # columns
PAPER, INK, FAINT, TRACK = "#14161b", "#e8eaf0", "#9aa2b2", "#252932"
# From blocks that stayed to those that moved most, readable by everybody.
NEAR, FAR = (76, 141, 255), (255, 138, 61)
LARGEST = 1.0  # distances beyond it are bars of full length


def chart(found: ModelComparison) -> Picture:
    """RGB, as high as there are blocks; bars are to the scale of the largest distance."""
    rows = list(_rows(found))
    sentences = [line for text in found.meaning for line in _wrapped(text)]
    height = 2 * MARGIN + ROW * (len(rows) + len(sentences) + 3)
    picture = Image.new("RGB", (WIDTH, height), PAPER)
    draw = ImageDraw.Draw(picture)
    font, small = ImageFont.load_default(15), ImageFont.load_default(13)
    moved = [sums.distance for _, sums in rows if sums]
    scale = min(LARGEST, max(moved, default=0.0)) or 1.0
    y = MARGIN
    draw.text((MARGIN, y), _cut(f"{found.names[0]} and {found.names[1]}"), INK, font=font)
    y += ROW
    draw.text(
        (MARGIN, y), f"{found.family}: distance of the weights, and their cosine", FAINT, small
    )
    y += ROW
    for name, sums in rows:
        if sums is None:
            draw.text((MARGIN, y + 4), name, INK, font=font)
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
    font: ImageFont.FreeTypeFont | ImageFont.ImageFont,
    y: int,
    name: str,
    sums: WeightSums,
    scale: float,
) -> None:
    left, share = MARGIN + NAMES, min(1.0, sums.distance / scale)
    colour = tuple(round(n + (f - n) * share) for n, f in zip(NEAR, FAR, strict=True))
    draw.text((MARGIN + 12, y + 3), _cut(name, 28), FAINT, font=font)
    draw.rectangle((left, y + 5, left + BARS, y + ROW - 6), TRACK)
    if share:
        draw.rectangle((left, y + 5, left + max(1, round(BARS * share)), y + ROW - 6), colour)
    figures = f"{sums.distance:.2%}   cos {sums.cosine:.5f}"
    draw.text((left + BARS + 14, y + 3), figures, INK, font=font)


def _cut(text: str, most: int = 100) -> str:
    return text if len(text) <= most else f"{text[: most - 1]}…"


def _wrapped(text: str, most: int = 118) -> Iterator[str]:
    line = ""
    for word in text.split():
        if len(line) + len(word) >= most:
            yield line
            line = ""
        line = f"{line} {word}".lstrip()
    yield line
