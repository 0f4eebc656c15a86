"""What a person may type into a number: 512, 0,75, 512*1.5, (3+1)/2, 2**10."""

from __future__ import annotations

import ast
import math
import operator
import re
from collections.abc import Callable
from typing import Any

_BINARY: dict[type[ast.operator], Callable[[Any, Any], Any]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.FloorDiv: operator.floordiv,
    ast.Mod: operator.mod,
    ast.Pow: operator.pow,
}
_LONGEST = 200
_LARGEST_POWER = 128
_RELATIVE = re.compile(r"^\s*([*/]|\+=|-=)\s*(?=\S)")


def evaluate(text: str, now: float = 0) -> int | float:
    """The number that a text means; whole numbers stay exact at any size.

    "*2" and "/2" begin with the present value `now`, and so do "+=8" and "-=8". A comma between
    digits is a decimal point. Raises ValueError for what is no number.
    """
    if len(text) > _LONGEST:
        raise ValueError(text)
    text = re.sub(r"(?<=\d),(?=\d)", ".", text.strip().rstrip("×x%")).replace("×", "*")
    if match := _RELATIVE.match(text):
        text = f"({now!r}) {match[1][0]} ({text[match.end() :]})"
    text = text.replace("^", "**").removeprefix("=")
    try:
        result = _value(ast.parse(text.strip(), mode="eval").body)
    except (SyntaxError, ArithmeticError, RecursionError, MemoryError, TypeError) as error:
        raise ValueError(text) from error
    if isinstance(result, float) and not math.isfinite(result):
        raise ValueError(text)
    return result


def _value(node: ast.expr) -> int | float:
    match node:
        case ast.Constant(value=int() | float() as value) if not isinstance(value, bool):
            return value
        case ast.UnaryOp(op=ast.USub(), operand=operand):
            return -_value(operand)
        case ast.UnaryOp(op=ast.UAdd(), operand=operand):
            return _value(operand)
        case ast.BinOp(left=left, op=op, right=right) if type(op) in _BINARY:
            a, b = _value(left), _value(right)
            if isinstance(op, ast.Pow) and (abs(a) > 1e9 or abs(b) > _LARGEST_POWER):
                raise ValueError("too large")
            result = _BINARY[type(op)](a, b)
            if isinstance(result, complex):
                raise ValueError("no real number")
            found: int | float = result
            return found
    raise ValueError("no arithmetic")
