"""A param's value as its spec wants it, so that equal values have one spelling everywhere; and all
that a node is called with."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from ponystudio.api.node import NodeType
from ponystudio.api.spec import ParamSpec
from ponystudio.errors import GraphError, ParamChoice, ParamRange, ParamType
from ponystudio.graph.catalog import did_you_mean
from ponystudio.graph.model import Link, Node
from ponystudio.graph.output_names import checked_prefix
from ponystudio.graph.plain_json import finite, plain_text, shown, whole

_COLOUR = re.compile(r"#[0-9A-Fa-f]{6}")


def coerce(spec: ParamSpec, value: Any, *, node: str = "") -> Any:
    """The value in the one form in which it is checked, keyed and handed to the node.

    7 → 7.0 for a float, −0.0 → 0.0, halves of surrogate pairs → U+FFFD, missing columns of a row →
    their defaults. A bool is no number and 7.0 no whole one. Raises ParamType, ParamRange,
    ParamChoice or UnsafePath, placed at `node` and the param.
    """
    try:
        return _COERCE[spec.type](spec, value)
    except GraphError as error:
        # Columns of rows have said already which row and column they are.
        socket = error.socket or spec.name
        raise type(error)(error.what, remedy=error.remedy, node=node, socket=socket) from None


def _int(spec: ParamSpec, value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int):
        raise _wrong_type(value, "a whole number", example="20")
    _within(spec, value)
    return whole(value)


def _seed(spec: ParamSpec, value: Any) -> int:
    try:
        return _int(spec, value)
    except ParamRange as error:
        raise ParamRange(
            error.what,
            remedy="Choose a seed from 0 to 2^64-1; none is drawn at random yet.",
        ) from None


def _float(spec: ParamSpec, value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise _wrong_type(value, "a number", example="7.5")
    if isinstance(value, int):
        value = whole(value)
    value = finite(float(value))
    _within(spec, value)
    return float(value)


def _text(spec: ParamSpec, value: Any) -> str:
    if not isinstance(value, str):
        raise _wrong_type(value, "a text", example='"unicorn"')
    text = plain_text(value)
    if spec.file_name:
        checked_prefix(text)
    if spec.colour:
        if not _COLOUR.fullmatch(text):
            raise _wrong_type(value, "a colour", example='"#ff8800"')
        return text.lower()
    return text


def _bool(_spec: ParamSpec, value: Any) -> bool:
    if not isinstance(value, bool):
        raise _wrong_type(value, "a yes or no", example="true or false")
    return value


def _choice(spec: ParamSpec, value: Any) -> str:
    if not isinstance(value, str):
        raise _wrong_type(value, "one of a set of words", example=", ".join(spec.choices[:3]))
    if value not in spec.choices:
        raise ParamChoice(
            f"{shown(value)} is not one of the choices.",
            remedy=did_you_mean(value, spec.choices)
            or f"Choose one of: {', '.join(spec.choices)}.",
        )
    return value


def _rows(spec: ParamSpec, value: Any) -> list[dict[str, Any]]:
    if not isinstance(value, list | tuple):
        raise _wrong_type(value, "a list of rows", example="[]")
    return [_row(spec, row, f"{spec.name}[{index}]") for index, row in enumerate(value)]


def _row(spec: ParamSpec, row: Any, place: str) -> dict[str, Any]:
    if not isinstance(row, Mapping):
        raise _wrong_type(row, "a row of named columns", example='{"on": true}', socket=place)
    columns = {column.name: column for column in (*spec.fields, _ON)}
    for name in row:
        if name not in columns:
            raise ParamType(
                f"There is no column {shown(name)}.",
                socket=place,
                remedy=did_you_mean(str(name), columns) or f"It has: {', '.join(columns)}.",
            )
    result = {}
    for name, column in columns.items():
        try:
            result[name] = coerce(column, row.get(name, column.default))
        except GraphError as error:
            raise type(error)(
                error.what, remedy=error.remedy, socket=f"{place}.{error.socket}"
            ) from None
    return result


# Every row can be switched off without being lost.
_ON = ParamSpec("on", "bool", default=True)

_COERCE: Mapping[str, Callable[[ParamSpec, Any], Any]] = {
    "int": _int,
    "seed": _seed,
    "float": _float,
    "text": _text,
    "file": _text,
    "bool": _bool,
    "choice": _choice,
    "rows": _rows,
}


def _within(spec: ParamSpec, value: float) -> None:
    too_low = spec.low is not None and value < spec.low
    too_high = spec.high is not None and value > spec.high
    if too_low or too_high:
        raise ParamRange(f"{shown(value)} is out of range.", remedy=_range_remedy(spec))


def _range_remedy(spec: ParamSpec) -> str:
    if spec.low is None:
        return f"Use at most {spec.high}."
    if spec.high is None:
        return f"Use at least {spec.low}."
    return f"Use {spec.low} to {spec.high}."


def _wrong_type(value: Any, wanted: str, *, example: str, socket: str = "") -> ParamType:
    return ParamType(
        f"{shown(value)} is not {wanted}.", remedy=f"Write, for example, {example}.", socket=socket
    )


def node_arguments(
    node: Node,
    kind: NodeType,
    value_of: Callable[[Link], Any],
    path_of: Callable[[str, str], Path],
) -> dict[str, Any]:
    """What a node is called with, by name: what is wired, else the param, else its default; of rows
    those that are on, each as its node declares them.

    `value_of` gives what comes by a link, `path_of` the file of a kind and a name. Raises the
    errors of `coerce`, and what those two raise.
    """
    spec = kind.spec

    def resolved(param: Any, value: Any) -> Any:
        return path_of(param.kind, value) if param.type == "file" else value

    def row(fields: Iterable[Any], values: Mapping[str, Any]) -> dict[str, Any]:
        return {item.name: resolved(item, values[item.name]) for item in fields}

    arguments: dict[str, Any] = {}
    for socket in spec.inputs:
        if link := node.inputs.get(socket.name):
            value = value_of(link)
            arguments[socket.name] = float(value) if socket.type == "float" else value
    for param in spec.params:
        if link := node.inputs.get(param.name):
            value = value_of(link)
        else:
            value = node.params.get(param.name, param.default)
        value = coerce(param, value, node=node.id)
        if param.type == "rows":
            made = (row(param.fields, each) for each in value if each["on"])
            value = [kind.rows[param.name](**each) for each in made]
        arguments[param.name] = resolved(param, value)
    return arguments
