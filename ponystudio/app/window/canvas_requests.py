"""What inspector, node panel and results ask of the canvas in front."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject

from ponystudio.api.spec import NodeSpec
from ponystudio.app.inspector.graph_page import next_problem
from ponystudio.graph.editing.edits import SetMode
from ponystudio.graph.model import Graph, Node
from ponystudio.qt.notification import Notification
from ponystudio.studio.documents.document import Document
from ponystudio.studio.documents.editable_graph import EditableGraph

if TYPE_CHECKING:
    from ponystudio.app.window.main_window import MainWindow


class CanvasRequests(QObject):
    """Does it to the document in front. What is asked of a node that is gone does nothing."""

    def __init__(self, window: MainWindow) -> None:
        super().__init__(window)
        self._window = window
        inspector, pictures = window.inspector, window.results.actions
        inspector.run_to.connect(self.run_to)
        inspector.bypass.connect(self.bypass)
        inspector.go_to.connect(lambda node: self.go_to(None, node))
        inspector.help_wanted.connect(self.help_on)
        inspector.words_chosen.connect(self.write)
        inspector.loras_wanted.connect(self.make_loras)
        window.nodes.chosen.connect(self.add_node)
        window.drop_handler.added.connect(self._show_added)
        pictures.open_graph_requested.connect(window.documents.open)
        pictures.use_seed_requested.connect(self.use_seed)
        pictures.apply_values_requested.connect(self.apply_values)

    def go_to(self, document: EditableGraph | None, node: str) -> None:
        """Show a node of a document, of the one in front if it is None."""
        window = self._window
        if isinstance(document, Document) and document in window.canvases:
            window.documents.set_current(document)
        if (page := window.page) and node in page.scene.node_items:
            window.show_document(page.document)
            page.scene.select([node])
            page.view.show_node(node)

    def show_tokens(self, node: str) -> None:
        window = self._window
        if page := window.page:
            window.shell.set_alone(False)
            page.scene.select([node])
            window.inspector.show_tokens()

    def write(self, node: str, start: int, end: int) -> None:
        """Select words in a prompt, to be written anew."""
        if (page := self._window.page) and (prompt := page.view.params.prompt_of(node)):
            page.view.show_node(node)
            page.view.params.write(prompt, start, end)

    def make_loras(self, node: str) -> None:
        """Put the node that applies them in the place of the `<lora:…>` of a prompt."""
        window, document = self._window, self._window.documents.current

        def make(files: list[str]) -> None:
            page = window.canvases.get(document) if document else None
            if page is None or node not in page.document.graph.nodes:
                return  # closed or deleted since
            if not page.commands.ops.make_loras(node, files):
                text = self.tr("Nothing gives this prompt a text encoder: wire its clip first.")
                window.tell(Notification(self.tr("No LoRA node was made"), text, kind="warn"))

        window.field_services.facts.list_now("loras", make)

    def walk_problems(self) -> None:
        if page := self._window.page:
            selected = page.scene.selected_nodes()
            self.go_to(None, next_problem(page.document, selected[0] if selected else ""))

    def show_picture_of(self, document: Document, node: str) -> None:
        made = self._window.results.picture_of(document, node)
        self._window.page_switcher.show_pictures([made] if made is not None else [])

    def open_files(self, paths: Sequence[Path]) -> None:
        """Files by name, from the command line, say: graphs open in tabs of their own, models and
        pictures get their loaders in the middle of the canvas in front, or where there is room."""
        from ponystudio.app.window.drop_contents import is_material

        window = self._window
        for path in paths:
            if not is_material(path):
                window.documents.open(path)
        material = [path for path in paths if is_material(path)]
        if material and (page := window.page):
            window.show_document(page.document)
            room = page.commands.ops.room_for
            at = page.view.visible_rect().center()
            window.drop_handler.take(material, page.document, at, room)

    def _show_added(self, document: Document, nodes: list[str]) -> None:
        page = self._window.page
        if page is not None and page.document is document and nodes:
            page.scene.select(nodes)
            if not page.view.visible_rect().contains(page.scene.bounds(nodes).center()):
                page.view.show_node(nodes[-1])

    def add_node(self, spec: NodeSpec) -> None:
        """Where there is room, in sight."""
        if page := self._window.page:
            self._window.show_document(page.document)
            at = page.view.visible_rect().center()
            if id := page.commands.ops.add_node(spec, at, free=True):
                self._show_added(page.document, [id])

    def run_to(self, node: str) -> None:
        document = self._window.documents.current
        if document is not None and node in document.graph.nodes:
            self._window.runner.run_to(document, node)

    def bypass(self, id: str) -> None:
        document = self._window.documents.current
        if document is not None and (node := self._node(id)) is not None:
            off = node.mode == "bypassed"
            text = self.tr("Use again") if off else self.tr("Bypass")
            document.do(SetMode(id, "normal" if off else "bypassed"), text)

    def help_on(self, id: str) -> None:
        if (node := self._node(id)) is not None:
            self._window.show_help(node.type)

    def use_seed(self, seed: int, path: Path, graph: Graph | None) -> None:
        from ponystudio.studio.results.apply_to_graph import use_seed

        document = self._window.documents.current
        if document is not None and not use_seed(document, seed, path, graph):
            text = self.tr("No seed of this graph belongs to that picture, or all are so already.")
            self._window.tell(Notification(self.tr("No seed was changed"), text))

    def apply_values(self, path: Path, graph: Graph | None) -> None:
        from ponystudio.studio.results.apply_to_graph import apply_values

        document = self._window.documents.current
        if document is not None and not apply_values(document, path, graph):
            text = self.tr("No node of this graph has other values in that picture's graph.")
            self._window.tell(Notification(self.tr("Nothing to take over"), text))

    def _node(self, id: str) -> Node | None:
        document = self._window.documents.current
        return document.graph.nodes.get(id) if document is not None else None
