"""Plain JSON values, the only ones that may stand in a graph and in a key."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from typing import Any

from ponystudio.errors import ParamRange, ParamType
from ponystudio.system.json_reader import DEPTH

# Beyond it lie numbers that other programs, and Python's own text form, cannot carry.
INT_BITS = 64
_SURROGATE = re.compile("[\ud800-\udfff]")


def plain(value: Any, depth: int = DEPTH) -> Any:
    """A copy of `value` made of dict, list, str, int, float, bool and None alone.

    −0.0 becomes 0.0 and half of a surrogate pair U+FFFD, so that equal values have one spelling.
    Raises ParamType for what JSON cannot say and what is nested deeper than `depth`, ParamRange
    for NaN, infinity and whole numbers of more than 64 bits.
    """
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, str):
        return plain_text(value)
    if isinstance(value, int):
        return whole(value)
    if isinstance(value, float):
        return finite(value)
    if depth <= 0:
        raise ParamType(f"The value is nested deeper than {DEPTH} levels.")
    if isinstance(value, list | tuple):
        return [plain(item, depth - 1) for item in value]
    if isinstance(value, Mapping):
        if not all(isinstance(key, str) for key in value):
            raise ParamType("The names in a mapping must be texts.")
        return {plain_text(key): plain(item, depth - 1) for key, item in value.items()}
    raise ParamType(f"A value of type {type(value).__name__} cannot stand in a graph.")


def plain_text(text: str) -> str:
    """The text without halves of surrogate pairs, which no encoding can carry."""
    return text if text.isascii() else _SURROGATE.sub("�", text)


def whole(value: int) -> int:
    if value.bit_length() > INT_BITS:
        raise ParamRange(f"Whole numbers have at most {INT_BITS} bits; this one is larger.")
    return int(value)


def finite(value: float) -> float:
    if not math.isfinite(value):
        raise ParamRange(f"{value} is not a finite number.")
    return float(value) + 0.0  # −0.0 + 0.0 is 0.0


def shown(value: Any, width: int = 60) -> str:
    """The value in an error message, cut to a readable length."""
    try:
        # These three have other names in JSON than in Python.
        text = json.dumps(value) if value is None or isinstance(value, bool) else repr(value)
    except (ValueError, RecursionError):  # numbers of thousands of digits, bottomless nesting
        text = f"a very large {type(value).__name__}"
    return text if len(text) <= width else f"{text[: width - 1]}…"
