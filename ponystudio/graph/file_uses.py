"""Which files the nodes of a graph name, and the same nodes with other names."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from ponystudio.api.spec import NodeSpec, ParamSpec
from ponystudio.graph.model import Graph, Node

# The kind of a file and what a graph calls it.
FileName = tuple[str, str]


@dataclass(frozen=True, slots=True)
class FileUse:
    """A param that names a file; of a list of files it is the one in this `row`."""

    node: str
    param: str
    kind: str
    name: str
    row: int | None = None

    @property
    def file(self) -> FileName:
        return self.kind, self.name


def file_uses(graph: Graph, catalog: Mapping[str, NodeSpec]) -> Iterator[FileUse]:
    """All of them, muted nodes and rows that are off included; not those that a wire feeds."""
    for node in graph.nodes.values():
        for param in _own_params(node, catalog):
            value = node.params.get(param.name, param.default)
            if param.type == "file":
                if isinstance(value, str) and value:
                    yield FileUse(node.id, param.name, param.kind, value)
                continue
            for place, row in enumerate(_rows(value)):
                for field in param.fields:
                    name = row.get(field.name)
                    if field.type == "file" and isinstance(name, str) and name:
                        yield FileUse(node.id, param.name, field.kind, name, place)


def with_other_files(
    node: Node, catalog: Mapping[str, NodeSpec], names: Mapping[FileName, str]
) -> dict[str, Any]:
    """The params of a node that name one of these files, with the other names."""
    changed: dict[str, Any] = {}
    for param in _own_params(node, catalog):
        value = node.params.get(param.name, param.default)
        if param.type == "file":
            if isinstance(value, str) and (param.kind, value) in names:
                changed[param.name] = names[param.kind, value]
        elif isinstance(value, list):
            rows = [_with_other_files(row, param, names) for row in value]
            if rows != value:
                changed[param.name] = rows
    return changed


def _with_other_files(row: Any, param: ParamSpec, names: Mapping[FileName, str]) -> Any:
    if not isinstance(row, Mapping):
        return row
    own = {field.name: field.kind for field in param.fields if field.type == "file"}
    return {
        key: names.get((own[key], value), value) if key in own and isinstance(value, str) else value
        for key, value in row.items()
    }


def _own_params(node: Node, catalog: Mapping[str, NodeSpec]) -> Iterator[ParamSpec]:
    """The params that name files, by the node's own values."""
    spec = catalog.get(node.type)
    for param in spec.params if spec else ():
        if param.type in ("file", "rows") and param.name not in node.inputs:
            yield param


def _rows(value: Any) -> list[Mapping[str, Any]]:
    rows = value if isinstance(value, list) else []
    return [row if isinstance(row, Mapping) else {} for row in rows]
