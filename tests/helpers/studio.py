"""A canvas with commands over the shipped catalog, as tests of gestures and keys use it."""

from __future__ import annotations

import json
from pathlib import Path

from PySide6.QtCore import QPointF

from helpers.hands import Hands
from ponystudio.canvas.commands.canvas_commands import CanvasCommands
from ponystudio.canvas.scene.scene import GraphScene
from ponystudio.canvas.view.camera_view import Camera
from ponystudio.canvas.view.view import GraphView
from ponystudio.graph.catalog import Catalog
from ponystudio.graph.editing import auto_layout
from ponystudio.graph.editing.edits import Compound
from ponystudio.graph.formats.graph_file import read
from ponystudio.graph.model import Graph
from ponystudio.studio.documents.editable_graph import EditableGraph
from ponystudio_resources import path

CATALOG = Catalog.from_json(json.loads(Path(path("catalog.json")).read_text(encoding="utf-8")))


class Canvas:
    """Document, scene, view and commands, with hands on them."""

    def __init__(self, qtbot, graph: Graph | None = None, catalog: Catalog = CATALOG) -> None:
        self.document = EditableGraph(graph or Graph(), catalog)
        self.scene = GraphScene(self.document)
        self.view = GraphView(self.scene)
        self.commands = CanvasCommands(self.view)
        self.hands = Hands(self.view)
        qtbot.addWidget(self.view)
        self.view.resize(1600, 1000)
        self.view.show()
        self.view.set_camera(Camera(QPointF(780, 380), 0.9))
        self.view.setFocus()

    @property
    def graph(self) -> Graph:
        return self.document.graph

    @property
    def nodes(self):
        return self.document.graph.nodes

    @property
    def palette(self):
        return self.commands.edit.chooser.palette

    @property
    def focus(self) -> tuple[str, str, str] | None:
        """Kind, node and name of what the keyboard is on."""
        ref = self.scene.focus
        return (ref.kind, ref.node, ref.name) if ref else None

    def undo(self) -> None:
        self.document.undo()

    @property
    def steps(self) -> int:
        return self.document.undo_count


def text_to_picture() -> Graph:
    """The shipped graph, laid out with room between cards."""
    graph = read(Path(path("graphs")) / "text-to-picture.json")
    places = auto_layout.layered(
        graph, dict.fromkeys(graph.nodes, (0.0, 0.0, 240.0, 300.0)), (0, 0), CATALOG
    )
    return Compound(tuple(auto_layout.moves(graph, places))).apply(graph)[0]
