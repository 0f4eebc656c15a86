"""A graph of ComfyUI as plain values: what both of its forms come to.

Reroutes, switches of mode and the like are resolved; the wires lead from node to node.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class Wire:
    """Where an input's value comes from: an output of another node, by its number."""

    source: str
    slot: int


@dataclass(frozen=True)
class SourceNode:
    """One of its nodes: `type` is the name of the class, `inputs` has Wires and plain values by
    name, `outputs` the names of its outputs, where they are said. `place` is its part of a graph's
    view, `properties` what else the file says of it."""

    id: str
    type: str
    title: str = ""
    inputs: Mapping[str, Any] = field(default_factory=dict)
    outputs: tuple[str, ...] = ()
    place: Mapping[str, Any] = field(default_factory=dict)
    properties: Mapping[str, Any] = field(default_factory=dict)

    def wires(self) -> dict[str, Wire]:
        return {name: value for name, value in self.inputs.items() if isinstance(value, Wire)}

    def values(self) -> dict[str, Any]:
        return {name: value for name, value in self.inputs.items() if not isinstance(value, Wire)}


@dataclass(frozen=True)
class SourceGraph:
    """Its nodes by id, what stands beside them, and what was noticed while it was read."""

    nodes: Mapping[str, SourceNode]
    frames: tuple[Mapping[str, Any], ...] = ()
    notes: tuple[Mapping[str, Any], ...] = ()
    remarks: tuple[str, ...] = ()
