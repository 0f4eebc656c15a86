"""What charts are drawn with: their colours, letters, and words cut to fit. Loads no torch."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from PIL.ImageFont import FreeTypeFont

Colour = tuple[int, int, int]

PAPER, INK, FAINT, TRACK = (20, 22, 27), (232, 234, 240), (154, 162, 178), (37, 41, 50)
# From the least to the most: dark blue, blue, green, yellow; each brighter than the one before, so
# that it also reads without colours.
HEAT: Sequence[Colour] = ((33, 24, 66), (52, 94, 141), (41, 175, 127), (253, 231, 37))
# Of bars, whose lengths say it already: blue and orange, which everybody tells apart.
BARS: Sequence[Colour] = ((76, 141, 255), (255, 138, 61))
NEW_LETTERS = 0x180  # from which on the font has few


def colour(scale: Sequence[Colour], share: float) -> Colour:
    """That at a share 0..1 of the way along a scale; beyond it that of the end."""
    place = min(max(share, 0.0), 1.0) * (len(scale) - 1)
    first = min(int(place), len(scale) - 2)
    t = place - first
    red, green, blue = (
        round(a + (b - a) * t) for a, b in zip(scale[first], scale[first + 1], strict=True)
    )
    return red, green, blue


def font(size: int) -> FreeTypeFont:
    """Letters of so many pixels."""
    from PIL import ImageFont

    return ImageFont.load_default(size)  # type: ignore[return-value]


def shown(text: str, most: int) -> str:
    """At most so many letters, as far as the font has them; others by their numbers."""
    known = (c if c.isprintable() and ord(c) < NEW_LETTERS else f"\\u{ord(c):04x}" for c in text)
    written = "".join(known)
    return written if len(written) <= most else f"{written[: most - 1]}…"
