"""Arithmetic that a graph of somebody else's holds as a text, computed within bounds.

No name is looked up but those that are given, and nothing is called but what stands here.
"""

from __future__ import annotations

import ast
import math
import operator
from collections.abc import Callable, Mapping, Sequence
from typing import Any

LONGEST = 1000
_DEEPEST = 50
# Numbers beyond are no size, seed or strength of a graph.
_LARGEST = 2.0**64
Number = int | float


class ExpressionError(ValueError):
    """Why an expression is not computed."""


def evaluate(text: str, names: Mapping[str, Number]) -> Number:
    """What an expression comes to, with these numbers for its names.

    Raises ExpressionError for what is no arithmetic, too long, or no number.
    """
    if len(text) > LONGEST:
        raise ExpressionError(f"it has more than {LONGEST:,} letters")
    try:
        tree = ast.parse(text.strip(), mode="eval")
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        raise ExpressionError("it is not written as arithmetic is") from None
    try:
        return _number(tree.body, names, 0)
    except ExpressionError:
        raise
    except (ArithmeticError, TypeError, ValueError) as error:
        raise ExpressionError(str(error) or "it comes to no number") from None


def _number(node: ast.AST, names: Mapping[str, Number], depth: int) -> Number:
    if depth > _DEEPEST:
        raise ExpressionError("it goes too deep")

    def inner(part: ast.AST) -> Number:
        return _number(part, names, depth + 1)

    match node:
        case ast.Constant(value=bool() | int() | float()):
            found = node.value
        case ast.Name() if node.id in names:
            found = names[node.id]
        case ast.Name() if node.id in _NAMED:
            found = _NAMED[node.id]
        case ast.UnaryOp() if type(node.op) in _UNARY:
            found = _UNARY[type(node.op)](inner(node.operand))
        case ast.BinOp() if type(node.op) in _BINARY:
            found = _BINARY[type(node.op)](inner(node.left), inner(node.right))
        case ast.BoolOp():
            parts = [inner(part) for part in node.values]
            found = all(parts) if isinstance(node.op, ast.And) else any(parts)
        case ast.Compare() if all(type(op) in _COMPARED for op in node.ops):
            parts = [inner(part) for part in (node.left, *node.comparators)]
            found = all(
                _COMPARED[type(op)](parts[i], parts[i + 1]) for i, op in enumerate(node.ops)
            )
        case ast.IfExp():
            found = inner(node.body if inner(node.test) else node.orelse)
        case ast.Call(func=ast.Name(id=called), keywords=[]) if called in _CALLED:
            found = _CALLED[called](*(inner(part) for part in node.args))
        case ast.Name():
            raise ExpressionError(f"{node.id} is not known")
        case _:
            raise ExpressionError(f"there is more in it than arithmetic: {type(node).__name__}")
    return _bounded(found)


def _bounded(value: Any) -> Number:
    if isinstance(value, bool):
        return int(value)
    if not isinstance(value, int | float) or not abs(value) <= _LARGEST:
        raise ExpressionError("it comes to no number that a graph could need")
    return value


def _power(base: Number, exponent: Number) -> Any:
    """Computed with fractions first, which are as short as any."""
    if abs(float(base) ** float(exponent)) > _LARGEST:
        raise ExpressionError("a power in it is too large")
    return base**exponent


def _mean(values: Sequence[Number]) -> Number:
    return sum(values) / len(values)


_NAMED: Mapping[str, Number] = {"pi": math.pi, "e": math.e, "True": 1, "False": 0}
_UNARY: Mapping[type, Callable[[Any], Any]] = {
    ast.UAdd: operator.pos,
    ast.USub: operator.neg,
    ast.Not: operator.not_,
}
_BINARY: Mapping[type, Callable[[Any, Any], Any]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.FloorDiv: operator.floordiv,
    ast.Mod: operator.mod,
    ast.Pow: _power,
}
_COMPARED: Mapping[type, Callable[[Any, Any], bool]] = {
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
}
_CALLED: Mapping[str, Callable[..., Any]] = {
    "abs": abs,
    "ceil": math.ceil,
    "cos": math.cos,
    "float": float,
    "floor": math.floor,
    "iif": lambda test, one, other: one if test else other,
    "int": int,
    "log": math.log,
    "log10": math.log10,
    "log2": math.log2,
    "max": max,
    "mean": lambda *values: _mean(values),
    "min": min,
    "pow": _power,
    "round": round,
    "sin": math.sin,
    "sqrt": math.sqrt,
    "sum": lambda *values: sum(values),
    "tan": math.tan,
}
