"""What a field is shown and edited with: one param of one node, as it is now."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from ponystudio.api.spec import ParamSpec
from ponystudio.studio.documents.editable_graph import EditableGraph
from ponystudio.studio.documents.node_state import Problem
from ponystudio.studio.models.field_services import FieldServices
from ponystudio.widgets import theme


@dataclass(frozen=True, slots=True)
class FieldContext:
    """One param of one node as it is now, and how it is shown.

    `connected`: a wire feeds it, so its own value does not count. `hovered` and `pressed` name a
    part of the field ("" none); `focused`: it has the keyboard. `cell` is set for a column of a
    rows param: the param's own context and the row's number.
    """

    document: EditableGraph
    node: str
    spec: ParamSpec
    value: Any
    connected: bool = False
    hovered: str = ""
    pressed: str = ""
    focused: bool = False
    problem: Problem | None = None
    theme: theme.Theme = None  # type: ignore[assignment]
    services: FieldServices = None  # type: ignore[assignment]
    cell: tuple[FieldContext, int] | None = None

    @classmethod
    def of(
        cls,
        document: EditableGraph,
        node: str,
        spec: ParamSpec,
        services: FieldServices | None = None,
        hovered: str = "",
        focused: bool = False,
        pressed: str = "",
    ) -> FieldContext:
        """The context of a node's param as the document has it."""
        there = document.graph.nodes[node]
        return cls(
            document,
            node,
            spec,
            there.params.get(spec.name, spec.default),
            spec.name in there.inputs,
            hovered,
            pressed,
            focused,
            _problem(document, node, spec.name),
            theme.current(),
            services or FieldServices.default(),
        )

    def fresh(self) -> FieldContext:
        """The same place with the value that it has now."""
        if self.cell:
            parent = self.cell[0].fresh()
            return replace(parent_cell(parent, self.cell[1], self.spec), hovered=self.hovered)
        return replace(self, value=self.param(self.spec.name, self.spec.default))

    def param(self, name: str, default: Any = None) -> Any:
        """The value of another param of the same node."""
        return self.document.graph.nodes[self.node].params.get(name, default)

    @property
    def locked(self) -> bool:
        """Whether runs leave this seed as it is."""
        return self.spec.name in self.document.looks(self.node).get("locked", ())


def parent_cell(parent: FieldContext, index: int, column: ParamSpec) -> FieldContext:
    """The context of one column in one row of a rows param."""
    rows = parent.value if isinstance(parent.value, list | tuple) else ()
    row = rows[index] if index < len(rows) and isinstance(rows[index], dict) else {}
    return replace(
        parent,
        spec=column,
        value=row.get(column.name, column.default),
        problem=None,
        cell=(parent, index),
    )


def _problem(document: EditableGraph, node: str, name: str) -> Problem | None:
    state = document.states[node]
    problems = (state.problem, *state.faults) if state.problem else state.faults
    return next(
        (item for item in problems if item.socket.split("[")[0].split(".")[0] == name), None
    )
