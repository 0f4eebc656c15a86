"""How pictures of one shape are brought into another: what is cut off, scaled and put around."""

from __future__ import annotations

import math
from dataclasses import dataclass

# What becomes of other proportions.
WAYS = ("inside", "cut off", "border", "stretch", "same area")
ANCHORS = ("center", "top", "bottom", "left", "right")


@dataclass(frozen=True)
class Fitting:
    """`cut`: the part of the picture that is kept, as (top, left, height, width); `size`: the
    height and width that it is scaled to; `border`: what is put around then, as (left, top, right,
    bottom)."""

    cut: tuple[int, int, int, int]
    size: tuple[int, int]
    border: tuple[int, int, int, int] = (0, 0, 0, 0)


def fitting(
    old: tuple[int, int], width: int, height: int, way: str, multiple: int, anchor: str
) -> Fitting:
    """How a picture of `old` (height, width) is fitted into `width` × `height` by one of WAYS.

    0 for a side leaves it free, or as it is; 0 for both changes nothing but that sides are
    multiples. Of what is cut off or put around, most is opposite of the `anchor`. Sides are cut
    down to multiples; with a border they are filled up to them.
    """
    rows, columns = old
    whole = (0, 0, rows, columns)
    if way in ("inside", "border", "same area"):
        inner = _proportional(old, width, height, way)
        size = _multiple(inner, multiple)
        if way != "border":
            return Fitting(whole, size)
        border = _border(inner, (height or inner[0], width or inner[1]), anchor)
        return Fitting(whole, size, _filled_up(size, border, multiple))
    size = _multiple((height or rows, width or columns), multiple)
    return Fitting(_cut(old, size, anchor) if way == "cut off" else whole, size)


def _proportional(old: tuple[int, int], width: int, height: int, way: str) -> tuple[int, int]:
    """Height and width of the same proportions: the largest that fit in, or of the same area."""
    rows, columns = old
    if not width and not height:
        return old
    if way == "same area" and width and height:
        area, aspect = width * height, columns / rows
        return max(1, int(math.sqrt(area / aspect))), max(1, int(math.sqrt(area * aspect)))
    factor = min(side / length for side, length in ((width, columns), (height, rows)) if side)
    return max(1, round(rows * factor)), max(1, round(columns * factor))


def _multiple(size: tuple[int, int], multiple: int) -> tuple[int, int]:
    """The size cut down to multiples, one of them at least."""
    height, width = (max(multiple, side - side % multiple) for side in size)
    return height, width


def _cut(old: tuple[int, int], size: tuple[int, int], anchor: str) -> tuple[int, int, int, int]:
    """The largest part of the proportions of `size`."""
    rows, columns = old
    aspect = size[1] / size[0]
    height, width = rows, columns
    if columns / rows > aspect:
        width = min(columns, max(1, round(rows * aspect)))
    else:
        height = min(rows, max(1, round(columns / aspect)))
    top, left = _offset(rows - height, columns - width, anchor)
    return top, left, height, width


def _border(
    inner: tuple[int, int], size: tuple[int, int], anchor: str
) -> tuple[int, int, int, int]:
    rest = max(0, size[0] - inner[0]), max(0, size[1] - inner[1])
    top, left = _offset(*rest, anchor)
    return left, top, rest[1] - left, rest[0] - top


def _filled_up(
    size: tuple[int, int], border: tuple[int, int, int, int], multiple: int
) -> tuple[int, int, int, int]:
    """A border with so much more to the right and at the bottom that the whole is a multiple."""
    left, top, right, bottom = border
    return (
        left,
        top,
        right + -(size[1] + left + right) % multiple,
        bottom + -(size[0] + top + bottom) % multiple,
    )


def _offset(rows: int, columns: int, anchor: str) -> tuple[int, int]:
    """From the top and from the left, of so much that is over in height and width."""
    top = {"top": 0, "bottom": rows}.get(anchor, rows // 2)
    left = {"left": 0, "right": columns}.get(anchor, columns // 2)
    return top, left
