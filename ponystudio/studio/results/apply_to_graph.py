"""Taking over into the present graph what made a picture: its seed, or all its values."""

from __future__ import annotations

from pathlib import Path

from ponystudio.graph.editing.edits import Compound, Edit, SetParam
from ponystudio.graph.model import Graph
from ponystudio.qt.i18n import tr
from ponystudio.studio.documents.editable_graph import EditableGraph
from ponystudio.studio.results.graph_diff import paired, values_edit


def use_seed(document: EditableGraph, seed: int, path: Path, source: Graph | None) -> int:
    """Give a picture's seeds to the nodes that they belong to, in one step to undo.

    Nodes that correspond to one of the picture's graph, `source`, take its seed. Where there is
    none, the only seed of the document takes `seed`. How many seeds were set; 0 also where all were
    so.
    """
    edits = _seeds_of(document, source) if source is not None else None
    if edits is None:
        places = seed_places(document)
        edits = [SetParam(*places[0], seed)] if len(places) == 1 else []
    edits = [edit for edit in edits if edit.apply(document.graph)[0] != document.graph]
    document.do_all(edits, tr("Use the seed of %s") % path.name)
    return len(edits)


def apply_values(document: EditableGraph, path: Path, source: Graph | None) -> int:
    """Give the params of a picture's graph to the same nodes of the document, in one step to undo.
    How many params were set."""
    edit = values_edit(document.graph, source) if source is not None else None
    if edit is None:
        return 0
    document.do(edit, tr("Use the values of %s") % path.name)
    return len(edit.edits) if isinstance(edit, Compound) else 1


def seed_places(document: EditableGraph) -> list[tuple[str, str]]:
    """(node, param) of the seeds that may be set: those that no wire feeds."""
    return [
        (id, param.name)
        for id, node in document.graph.nodes.items()
        if (spec := document.catalog.get(node.type)) is not None
        for param in spec.params
        if param.type == "seed" and param.name not in node.inputs
    ]


def _seeds_of(document: EditableGraph, source: Graph) -> list[Edit] | None:
    """None where no node of the picture's graph with a seed is in the document."""
    partners = {node.id: other for node, other in paired(document.graph, source) if node and other}
    found: list[Edit] = []
    for id, name in seed_places(document):
        other = partners.get(id)
        if other is not None and isinstance(other.params.get(name), int):
            found.append(SetParam(id, name, other.params[name]))
    return found or None
