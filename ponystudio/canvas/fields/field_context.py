"""What a field is shown and edited with: one param of one node, as it is now, and the family of
models that the node works with, which is that of the checkpoint upstream.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from ponystudio.api.spec import ParamSpec
from ponystudio.graph.model import Graph
from ponystudio.studio.documents.editable_graph import EditableGraph, Problem
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


_SOURCES = ("checkpoints", "diffusion_models")
_CARRIERS = ("model", "clip")
_NAMED_BY = "family"
_FARTHEST = 64


def dialect_of(ctx: FieldContext) -> str:
    """By whose rules a prompt is read: the node's own param says it."""
    from ponystudio.diffusion.text.prompt_syntax import DIALECTS

    named = ctx.param("dialect")
    return named if named in DIALECTS else DIALECTS[0]


def model_family(ctx: FieldContext) -> str:
    """The family, "" where it is not known (yet) or nothing is wired."""
    found = _source(ctx)
    if found is None or isinstance(found, str):
        return found or ""
    summary = ctx.services.facts.get(*found)
    return summary.family if summary is not None and not summary.problem else ""


def _source(ctx: FieldContext) -> tuple[str, str] | str | None:
    """The kind and name of the file that the model comes from, or the family that a node says."""
    graph, node = ctx.document.graph, ctx.node
    for _ in range(_FARTHEST):
        upstream = _upstream(graph, node, ctx)
        if upstream is None:
            return None
        there = graph.nodes[upstream]
        spec = ctx.document.catalog.get(there.type)
        for param in spec.params if spec else ():
            if param.type == "file" and param.kind in _SOURCES:
                return param.kind, str(there.params.get(param.name, param.default))
            if param.name == _NAMED_BY and param.choices:
                return str(there.params.get(param.name, param.default))
        node = upstream
    return None


def _upstream(graph: Graph, node: str, ctx: FieldContext) -> str | None:
    """The node that a model, or else a text encoder, comes from."""
    there = graph.nodes.get(node)
    spec = ctx.document.catalog.get(there.type) if there else None
    if there is None or spec is None:
        return None
    for carrier in _CARRIERS:
        for item in spec.inputs:
            link = there.inputs.get(item.name)
            if item.type == carrier and link is not None and link.source in graph.nodes:
                return link.source
    return None
