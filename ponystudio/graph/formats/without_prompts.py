"""A graph to show around whose prompts stay with their author.

Left out is what may be a prompt or a part of one: the texts of prompts, of nodes that give texts,
of notes; of nodes that are not known here, and of node packs, all texts but names of files, for
nothing says which of them are prompts. What was imported goes with them: the foreign file has them
too. Names of models, numbers, choices and titles stay.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from ponystudio.api.spec import NodeSpec, ParamSpec
from ponystudio.graph.model import Graph, Node

_OWN = "core."


def without_prompts(graph: Graph, catalog: Mapping[str, NodeSpec]) -> Graph:
    """The graph with its prompts empty, which runs and makes another picture."""
    nodes = {id: _silent(node, catalog.get(node.type)) for id, node in graph.nodes.items()}
    view = {name: part for name, part in graph.view.items() if name != "notes"}
    return replace(graph, nodes=nodes, view=view, extra={})


def _silent(node: Node, spec: NodeSpec | None) -> Node:
    if spec is None:
        return replace(node, params=_without_texts(node.params), extra={})
    gives_text = any(output.type == "text" for output in spec.outputs)
    params = {
        name: _emptied(spec.param_by_name.get(name), value, gives_text or not _is_own(spec))
        for name, value in node.params.items()
    }
    # What only a default says is written all the same when the graph is.
    for param in spec.params:
        if param.name not in params and _is_text(param) and param.prompt and param.default:
            params[param.name] = ""
    return replace(node, params=params, extra={})


def _emptied(param: ParamSpec | None, value: Any, all_texts: bool) -> Any:
    """A param's value with no prompt in it."""
    if param is None:
        return _without_texts(value)
    if param.type == "rows" and isinstance(value, list | tuple):
        columns = {column.name: column for column in param.fields}
        return [
            {
                name: _emptied(columns.get(name), item, all_texts) if name != "on" else item
                for name, item in row.items()
            }
            if isinstance(row, Mapping)
            else _without_texts(row)
            for row in value
        ]
    return "" if _is_text(param) and (param.prompt or all_texts) else value


def _is_text(param: ParamSpec) -> bool:
    return param.type == "text" and not param.file_name and not param.colour


def _is_own(spec: NodeSpec) -> bool:
    return spec.id.startswith(_OWN)


def _without_texts(value: Any) -> Any:
    """Plain JSON with every text in it empty."""
    if isinstance(value, str):
        return ""
    if isinstance(value, Mapping):
        return {name: _without_texts(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [_without_texts(item) for item in value]
    return value
