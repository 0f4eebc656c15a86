"""How a document is laid out as text: for people to read and for diff to compare."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

WIDTH = 100
# The document, its sections and their entries are always spread over lines.
OPEN_LEVELS = 3
# What something is comes before what it has; all other keys are in alphabetical order.
_FIRST = {"format": 0, "type": 0, "version": 1}
_line = json.JSONEncoder(ensure_ascii=False, allow_nan=False, sort_keys=True, default=dict).encode
_SURROGATE = re.compile("[\ud800-\udfff]")


def lay_out(document: Mapping[str, Any]) -> str:
    """JSON with two spaces a level; below the third level what fits stays on one line."""
    text = _written(document, 0, 0)
    # JSON can say half of a surrogate pair, UTF-8 cannot.
    return _SURROGATE.sub(lambda half: f"\\u{ord(half[0]):04x}", text)


def _written(value: Any, level: int, column: int) -> str:
    if not isinstance(value, Mapping | list | tuple):
        return _line(value)
    if level >= OPEN_LEVELS or not isinstance(value, Mapping) or not value:
        line = _line(value)
        if column + len(line) < WIDTH or not value:  # a comma may follow
            return line
    indent = "  " * (level + 1)
    if isinstance(value, Mapping):
        entries = []
        for key in _sorted(value):
            name = f"{indent}{_line(key)}: "
            entries.append(name + _written(value[key], level + 1, len(name)))
        begin, end = "{}"
    else:
        entries = [indent + _written(item, level + 1, len(indent)) for item in value]
        begin, end = "[]"
    return begin + "\n" + ",\n".join(entries) + "\n" + "  " * level + end


def _sorted(keys: Mapping[str, Any]) -> list[str]:
    return sorted(keys, key=lambda key: (_FIRST.get(key, 2), key))
