"""Other names for the files that a graph names, wherever it does."""

from __future__ import annotations

from collections.abc import Mapping

from ponystudio.api.spec import NodeSpec
from ponystudio.graph.editing.edits import Edit, SetModels, SetParam
from ponystudio.graph.file_uses import FileName, with_other_files
from ponystudio.graph.model import Graph
from ponystudio.graph.model_facts import renamed


def rebinding(
    graph: Graph, catalog: Mapping[str, NodeSpec], names: Mapping[FileName, str]
) -> list[Edit]:
    """The edits that give every param and every row that names one of these files the other name,
    muted nodes included; what is known of the files goes with them. [] where none names one."""
    edits: list[Edit] = [
        SetParam(node.id, param, value)
        for node in graph.nodes.values()
        for param, value in with_other_files(node, catalog, names).items()
    ]
    if edits and (models := renamed(graph.models, names)) != graph.models:
        edits.append(SetModels(models))
    return edits
