"""Which family of models a node works with: that of the checkpoint upstream of it."""

from __future__ import annotations

from ponystudio.canvas.fields.field_context import FieldContext
from ponystudio.graph.model import Graph

_SOURCES = ("checkpoints", "diffusion_models")
_CARRIERS = ("model", "clip")
_NAMED_BY = "family"
_FARTHEST = 64


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
