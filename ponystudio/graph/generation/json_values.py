"""Values of JSON that other programs wrote, taken for what they are meant to be.

The same number stands in one file as 7, in another as "7" or 7.0. What is of another kind, or
beyond all sense, is None or "", as if it were not there.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from typing import Any

# Letters of a prompt; and of a name.
LONGEST, LONGEST_NAME = 2**20, 1000
# Px of a side, and steps: what a graph can say.
MOST_PX, MOST_STEPS = 16_384, 1000
_SIDES = re.compile(r"\D{0,9}(\d{1,6})\D{1,9}(\d{1,6})\D{0,9}")


def words(value: Any) -> str:
    """A text, or "" for what is none."""
    return value[:LONGEST] if isinstance(value, str) else ""


def name(value: Any) -> str:
    """A short text, or ""; that nothing was chosen is written as None by some."""
    found = value.strip()[:LONGEST_NAME] if isinstance(value, str) else ""
    return "" if found.lower() in ("none", "null", "undefined") else found


def number(value: Any, least: float = -1e6, most: float = 1e6) -> float | None:
    """A number within these, also one that is written as a text."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    if isinstance(value, str) and len(value) > 40:
        return None
    try:
        found = float(value)
    except (ValueError, OverflowError):
        return None
    return found if math.isfinite(found) and least <= found <= most else None


def whole(value: Any, least: int = 0, most: int = 2**64 - 1) -> int | None:
    """A whole number within these; not by way of a float, for seeds have 64 bits."""
    if isinstance(value, bool):
        return None
    if isinstance(value, str):
        text = value.strip()
        digits = text.removeprefix("-")
        value = int(text) if digits.isascii() and digits.isdigit() and len(digits) <= 20 else None
    elif isinstance(value, float):
        value = int(value) if value.is_integer() else None
    return value if isinstance(value, int) and least <= value <= most else None


def steps(value: Any) -> int | None:
    return whole(value, 1, MOST_STEPS)


def pixels(value: Any) -> int | None:
    """A side of a picture."""
    return whole(value, 1, MOST_PX)


def sides(value: Any) -> tuple[int, int] | None:
    """Width and height in px, of "(1152, 896)", "1152×896" or a list."""
    if isinstance(value, str):
        found = _SIDES.fullmatch(value.strip()[:40])
        value = list(found.groups()) if found else None
    if not isinstance(value, list) or len(value) != 2:
        return None
    width, height = map(pixels, value)
    return (width, height) if width and height else None


def mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def rows(value: Any, most: int = 1000) -> list[Mapping[str, Any]]:
    """The objects of a list."""
    found = value[:most] if isinstance(value, list) else []
    return [row for row in found if isinstance(row, Mapping)]


def texts(value: Any, most: int = 1000) -> list[str]:
    """The texts of a list, or one by itself."""
    found = value[:most] if isinstance(value, list) else [value]
    return [text[:LONGEST] for text in found if isinstance(text, str)]


def plainly(value: Any) -> str:
    """Any value, for people."""
    if isinstance(value, bool):
        return "on" if value else "off"
    return str(value)[:LONGEST_NAME]
