"""Taking over what another picture was made with: its seed, or all its values."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtCore import QCoreApplication

from ponystudio.app.notice import Notice
from ponystudio.app.studio_document import StudioDocument
from ponystudio.errors import PonyStudioError
from ponystudio.graph import format as graph_file
from ponystudio.graph.carrier import graph_text
from ponystudio.graph.edits import Edit, SetParam
from ponystudio.graph.model import Graph


def use_seed(document: StudioDocument, seed: object) -> int:
    """Give every seed of the graph this value; how many there are."""
    edits: list[Edit] = [
        SetParam(id, param.name, seed)
        for id in document.graph.nodes
        if (spec := document.spec(id)) is not None
        for param in spec.params
        if param.type == "seed" and param.name not in document.graph.nodes[id].inputs
    ]
    document.do_all(edits, _tr("Use the seed of a picture"))
    return len(edits)


def apply_values(document: StudioDocument, path: Path) -> Notice | None:
    """Take the params of a picture's graph for the nodes of the same name and kind.

    What is to be told, where none could be taken.
    """
    try:
        theirs = graph_file.loads(graph_text(path), where=str(path))
    except PonyStudioError as error:
        return Notice.of(_tr("Its values cannot be read"), error)
    edits = list(_edits(document.graph, theirs))
    if not edits:
        return Notice(_tr("Nothing to take over"), _tr("All values are the same already."))
    document.do_all(edits, _tr("Apply values of a picture"))
    return None


def _edits(ours: Graph, theirs: Graph) -> list[Edit]:
    return [
        SetParam(id, name, value)
        for id, other in theirs.nodes.items()
        if (node := ours.nodes.get(id)) is not None and node.type == other.type
        for name, value in other.params.items()
        if name not in node.inputs and node.params.get(name) != value
    ]


def _tr(text: str) -> str:
    return QCoreApplication.translate("Apply", text)
