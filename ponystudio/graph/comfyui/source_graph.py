"""A graph of ComfyUI as plain values: what both of its forms come to.

Reroutes, switches of mode and the like are resolved; the wires lead from node to node. The
functions take from a stranger's document what is of the kind that is looked for, and nothing else.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ponystudio.graph.model import Mode
from ponystudio.system.json_reader import read_json

# What a workflow carries under this name, in what is extra, is the graph that it was written from.
OWN_GRAPH = "ponystudio"
# Of a file, and with those in subgraphs: two levels that hold each other ten times are a hundred.
MOST_NODES = 100_000
# Of a wire; those nearest to its end are kept.
MOST_BENDS = 32
# Outputs of a node; a number beyond is a damaged one, and would be made room for.
_MOST_SLOTS = 4096
_WHOLE = re.compile(r"-?[0-9]{1,9}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Bend:
    """Where a wire bends: a place in an area of the graph."""

    area: str
    x: float
    y: float


@dataclass(frozen=True, slots=True)
class Wire:
    """Where an input's value comes from: an output of another node, by its number. `bends` from
    there on."""

    source: str
    slot: int
    bends: tuple[Bend, ...] = field(default=(), compare=False)


@dataclass(frozen=True)
class SourceNode:
    """One of its nodes: `type` is the name of the class, `inputs` has Wires and plain values by
    name, `outputs` the names of its outputs, where they are said. `place` is its part of a graph's
    view, in the area of this key; `properties` what else the file says of it. `passes`: what a
    bypassed node passes on as its outputs, a Wire or a plain value, by their numbers."""

    id: str
    type: str
    title: str = ""
    inputs: Mapping[str, Any] = field(default_factory=dict)
    outputs: tuple[str, ...] = ()
    place: Mapping[str, Any] = field(default_factory=dict)
    properties: Mapping[str, Any] = field(default_factory=dict)
    area: str = ""
    mode: Mode = "normal"
    passes: Mapping[int, Any] = field(default_factory=dict)

    def wires(self) -> dict[str, Wire]:
        return {name: value for name, value in self.inputs.items() if isinstance(value, Wire)}

    def values(self) -> dict[str, Any]:
        return {name: value for name, value in self.inputs.items() if not isinstance(value, Wire)}


@dataclass(frozen=True)
class SourceArea:
    """The whole graph, or the inside of one of its nodes: what stands there beside nodes. `title`
    is that of the node, which stands in the area `around` at this `place`."""

    title: str = ""
    around: str = ""
    place: Mapping[str, Any] = field(default_factory=dict)
    frames: tuple[Mapping[str, Any], ...] = ()
    notes: tuple[Mapping[str, Any], ...] = ()


@dataclass(frozen=True)
class SourceGraph:
    """Its nodes by id, the areas that they stand in, where the file says so, and what was noticed
    while it was read, each with the id of the node, or ""."""

    nodes: Mapping[str, SourceNode]
    areas: Mapping[str, SourceArea] = field(default_factory=dict)
    remarks: tuple[tuple[str, str], ...] = ()


def parsed(text: str) -> Any:
    """What a JSON text says, with NaN and its like as None; None for no JSON."""
    try:
        return read_json(text, parse_constant=lambda _: None) if text else None
    except ValueError:
        return None


def objects(data: Mapping[str, Any], name: str) -> list[Mapping[str, Any]]:
    """The objects of a list, each in its place: {} where there is another value."""
    return [item if isinstance(item, Mapping) else {} for item in listed(data, name)]


def listed(data: Mapping[str, Any], name: str) -> list[Any]:
    found = data.get(name)
    return found if isinstance(found, list) else []


def inside(data: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    """An object in an object; {} where there is none."""
    found = data.get(name)
    return found if isinstance(found, Mapping) else {}


def text(value: Any) -> str:
    """A text, or a whole number as one, which is how ids are said; "" for all else."""
    if isinstance(value, str):
        return value
    number = whole(value)
    return "" if number is None else str(number)


def whole(value: Any) -> int | None:
    """A whole number, also in a text, of at most nine digits."""
    if isinstance(value, str):
        return int(value) if _WHOLE.fullmatch(value) else None
    found = number(value)
    return int(found) if found is not None and found == int(found) else None


def slot(value: Any) -> int | None:
    """The number of an input or an output, where it can be one."""
    found = whole(value)
    return found if found is not None and 0 <= found < _MOST_SLOTS else None


def number(value: Any) -> float | None:
    """A number below 10⁹."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return float(value) if -1e9 < value < 1e9 else None


def size_of(value: Any) -> int:
    """How many values there are in one; long texts are several."""
    found, rest = 0, [value]
    while rest:
        value = rest.pop()
        found += 1
        if isinstance(value, Mapping):
            found += len(value)
            rest += value.values()
        elif isinstance(value, list):
            rest += value
        elif isinstance(value, str):
            found += len(value) // 100
    return found


def pair(value: Any) -> list[float] | None:
    """[x, y], also said by {"0": x, "1": y}."""
    if isinstance(value, Mapping):
        value = [value.get("0"), value.get("1")]
    if not isinstance(value, list) or len(value) < 2:
        return None
    x, y = number(value[0]), number(value[1])
    return None if x is None or y is None else [x, y]
