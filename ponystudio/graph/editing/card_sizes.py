"""About how large a card will be on the canvas, for those who lay out a graph before there is one.

The canvas knows it exactly (`canvas/scene/card_layout.py`); here letters have one width.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from ponystudio.api.spec import NodeSpec, ParamSpec
from ponystudio.graph.model import Node

WIDTH, NARROWEST, WIDEST, GRID = 240, 160, 480, 8
COLLAPSED = 32
_HEADER, _STATUS, _ROW, _GAP, _INSET = 32, 26, 24, 4, 10
_PAD, _FOOT = 4, 8
_FILE = 44
# Of a text of several lines: the height of one, what stands around them, and how many letters are
# laid out at all.
_LINE, _AROUND_PROMPT, _AROUND_TEXT, _FEWEST, _MOST, _LONGEST = 18, 34, 14, 3, 12, 4000
_LETTER, _TEXT_INSET = 6.2, 9


def card_width(said: object) -> int:
    """A card's width by its entry in the view."""
    if isinstance(said, bool) or not isinstance(said, int | float) or not math.isfinite(said):
        return WIDTH
    return round(max(NARROWEST, min(WIDEST, said)) / GRID) * GRID


def card_size(
    node: Node, spec: NodeSpec | None, looks: Mapping[str, Any], outputs: int = 0
) -> tuple[float, float]:
    """Width and height of a card, in px; `outputs`: how many of a node without a spec are wired."""
    width = card_width(looks.get("width"))
    if looks.get("collapsed"):
        return width, COLLAPSED
    inputs = [item.name for item in spec.inputs] if spec else []
    params = spec.param_by_name if spec else {}
    unknown = node.inputs.keys() - params.keys() - set(inputs)
    rows = max(len(inputs) + len(unknown), len(spec.outputs) if spec else outputs)
    height: float = _HEADER + _PAD + _ROW * rows + (_PAD if rows else 4)
    inside = width - 2 * _INSET
    shown = _shows_picture(spec)
    fields = [_field(param, node.params.get(name), inside) for name, param in params.items()]
    height += sum(fields) + _GAP * len(fields)
    height += inside + _GAP if shown else 0
    height += _FOOT - (_GAP if fields or shown else _PAD)
    return width, height + _STATUS


def _field(param: ParamSpec, value: Any, width: float) -> float:
    value = param.default if value is None else value
    if param.type == "file":
        return _FILE
    if param.type == "rows":
        rows = value if isinstance(value, list) else []
        return len(rows) * (_ROW + _GAP) + _ROW
    if param.type == "text" and param.lines > 1:
        letters = (width - 2 * _TEXT_INSET) / _LETTER
        texts = str(value)[:_LONGEST].split("\n")
        lines = sum(max(1, math.ceil(len(text) / letters)) for text in texts)
        shown = max(min(_FEWEST, param.lines), min(max(_MOST, param.lines), lines))
        return _LINE * shown + (_AROUND_PROMPT if param.prompt else _AROUND_TEXT)
    return _ROW


def _shows_picture(spec: NodeSpec | None) -> bool:
    """Whether a card keeps room for what its node makes, or for a preview."""
    if spec is None:
        return False
    samples = any(param.type == "seed" for param in spec.params) and any(
        item.type == "latent" for item in spec.outputs
    )
    return samples or (spec.effects and any(item.type == "image" for item in spec.inputs))
