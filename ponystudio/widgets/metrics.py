"""Sizes of cards and their parts, in px at 100 %."""

from __future__ import annotations

import math
from dataclasses import dataclass

GRID = 8
DOTS = 24  # from one dot of the background to the next

WIDTH, MIN_WIDTH, MAX_WIDTH = 240, 160, 480
HEADER = 32
SOCKET_TEXT = 14  # from the card's edge
INSET = 10
PAD = 4  # above the first row
FOOT_PAD = 8  # between the last row and the status line
STATUS = 26
PROGRESS = 3
RADIUS, FIELD_RADIUS, FRAME_RADIUS, PICTURE_RADIUS = 8, 5, 12, 4
SHADOW = 3
COLLAPSED = 32
MESSAGE_GAP = 12
FRAME_TITLE = 32
DOT_RADIUS = 5


@dataclass(frozen=True)
class Density:
    """What differs between comfortable, compact and touch: heights, and what takes the pointer."""

    row: int = 24  # sockets and params
    param_gap: int = 4
    list_row: int = 26
    button: int = 28
    bottom_bar: int = 56
    header_button: int = 24
    socket: tuple[int, int] = (28, 24)
    dot: float = 8.0  # so far from a reroute dot
    edge: float = 6.0  # so far from a wire, or inside a frame's edge


COMFORTABLE = Density()
COMPACT = Density(row=22, param_gap=2, list_row=24, bottom_bar=40, socket=(28, 22))
TOUCH = Density(row=32, list_row=40, button=40, header_button=40, socket=(40, 40), dot=20, edge=12)
DENSITIES = {"comfortable": COMFORTABLE, "compact": COMPACT, "touch": TOUCH}


def snapped(value: float, step: int = GRID) -> int:
    """The multiple of `step` that is nearest."""
    return round(value / step) * step


def card_width(looks_width: object) -> int:
    """A card's width from its entry in the view, which may be anything."""
    if isinstance(looks_width, bool) or not isinstance(looks_width, int | float):
        return WIDTH
    if not math.isfinite(looks_width):
        return WIDTH
    return snapped(max(MIN_WIDTH, min(MAX_WIDTH, looks_width)))
