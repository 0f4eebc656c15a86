"""What inspector, node panel and results ask of the canvas in front."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path

from PySide6.QtCore import QObject, QUrl, Signal
from PySide6.QtGui import QDesktopServices

from ponystudio.api.spec import NodeSpec
from ponystudio.app.inspector.inspector import next_problem
from ponystudio.app.window.document_pages import DocumentPage, DocumentPages
from ponystudio.graph.editing.edits import SetMode
from ponystudio.graph.model import Graph, Node
from ponystudio.qt.notification import Notification
from ponystudio.studio.documents.document import Document
from ponystudio.studio.documents.documents import Documents
from ponystudio.studio.runs.runner import Runner


class CanvasRequests(QObject):
    """Does it to the document in front. What is asked of a node that is gone does nothing.

    `notice` carries a Notification, `help_requested` the type of a node, `tokens_requested` that
    those of the selected node are to be seen.
    """

    notice = Signal(object)
    help_requested = Signal(str)
    tokens_requested = Signal()

    def __init__(
        self, documents: Documents, pages: DocumentPages, runner: Runner, parent: QObject
    ) -> None:
        super().__init__(parent)
        self._documents, self._pages, self._runner = documents, pages, runner

    def go_to(self, document: Document | None, node: str) -> None:
        """Show a node of a document, of the one in front if it is None."""
        if (page := self._pages.of(document)) is not None:
            self._documents.set_current(page.document)
        self.go_to_node(node)

    def go_to_node(self, node: str) -> None:
        if (page := self._pages.current) and node in page.scene.store.node_items:
            self._pages.show(page.document)
            page.scene.store.select([node])
            page.view.show_node(node)

    def show_tokens(self, node: str) -> None:
        if page := self._pages.current:
            page.scene.store.select([node])
            self.tokens_requested.emit()

    def select_words(self, node: str, start: int, end: int) -> None:
        """Select words in a prompt, to be written again."""
        if (page := self._pages.current) and (prompt := page.view.field_host.prompt_of(node)):
            page.view.show_node(node)
            page.view.field_host.write(prompt, start, end)

    def take_offer(self, node: str) -> None:
        """Set what the card of a node offers."""
        if page := self._pages.current:
            page.answer(node, True)

    def take_all_models(self) -> None:
        """Take all model files that were found under other names."""
        if page := self._pages.current:
            page.models.accept_all()

    def open_folder(self, kind: str) -> None:
        """Of model files of a kind, in the system's own window of files."""
        folder = self._pages.current.services.facts.folder(kind) if self._pages.current else None
        if folder is not None:
            QDesktopServices.openUrl(QUrl.fromLocalFile(str(folder)))

    def make_loras(self, node: str) -> None:
        """Put the nodes that apply them in the place of the `<lora:…>` and `<hypernet:…>` of a
        prompt."""
        document = self._documents.current

        def make(loras: list[str], hypernetworks: list[str]) -> None:
            page = self._pages.of(document)
            if page is None or node not in page.document.graph.nodes:
                return  # closed or deleted since
            files = {"loras": loras, "hypernetworks": hypernetworks}
            if not page.commands.ops.make_loras(node, files):
                text = self.tr("Nothing gives this prompt a text encoder: wire its clip first.")
                title = self.tr("No LoRA node was made")
                self.notice.emit(Notification(title, text, kind="warn"))

        if (page := self._pages.current) is not None:
            list_now = page.services.facts.list_now
            list_now("loras", lambda loras: list_now("hypernetworks", partial(make, loras)))

    def walk_problems(self) -> None:
        if page := self._pages.current:
            selected = page.scene.store.selected_nodes()
            self.go_to_node(next_problem(page.document, selected[0] if selected else ""))

    def open_files(self, paths: Sequence[Path]) -> None:
        """Files by name, from the command line, say: graphs open in tabs of their own, models and
        pictures get their loaders in the middle of the canvas in front, or where there is room."""
        from ponystudio.app.window.drop_contents import is_material

        material = [path for path in paths if is_material(path)]
        for path in paths:
            if path not in material:
                self._documents.open(path)
        if material and (page := self._pages.current):
            self._pages.show(page.document)
            page.add_files(material)

    def show_added(self, document: Document, nodes: list[str]) -> None:
        """Nodes came into a document: select them, in sight, and give them the keyboard. A whole
        graph in an empty document is shown whole."""
        page = self._pages.current
        if page is not None and page.document is document and nodes:
            page.view.setFocus()
            page.scene.sync.when_whole("select", partial(_select_in_sight, page, nodes))

    def add_node(self, spec: NodeSpec) -> None:
        """Where there is room, in sight."""
        if page := self._pages.current:
            self._pages.show(page.document)
            at = page.view.visible_rect().center()
            if id := page.commands.ops.add_node(spec, at, free=True):
                self.show_added(page.document, [id])

    def run_to(self, node: str) -> None:
        document = self._documents.current
        if document is not None and node in document.graph.nodes:
            self._runner.run_to(document, node)

    def bypass(self, id: str) -> None:
        document = self._documents.current
        if document is not None and (node := self._node(id)) is not None:
            off = node.mode == "bypassed"
            text = self.tr("Use again") if off else self.tr("Bypass")
            document.do(SetMode(id, "normal" if off else "bypassed"), text)

    def help_on(self, id: str) -> None:
        if (node := self._node(id)) is not None:
            self.help_requested.emit(node.type)

    def use_seed(self, seed: int, path: Path, graph: Graph | None) -> None:
        from ponystudio.studio.results.picture_actions import use_seed

        document = self._documents.current
        if document is not None and not use_seed(document, seed, path, graph):
            text = self.tr("No seed of this graph belongs to that picture, or all are so already.")
            self.notice.emit(Notification(self.tr("No seed was changed"), text))

    def apply_values(self, path: Path, graph: Graph | None) -> None:
        from ponystudio.studio.results.picture_actions import apply_values

        document = self._documents.current
        if document is not None and not apply_values(document, path, graph):
            text = self.tr("No node of this graph has other values in that picture's graph.")
            self.notice.emit(Notification(self.tr("Nothing to take over"), text))

    def _node(self, id: str) -> Node | None:
        document = self._documents.current
        return document.graph.nodes.get(id) if document is not None else None


def _select_in_sight(page: DocumentPage, nodes: list[str]) -> None:
    page.scene.store.select(nodes)
    if 1 < len(nodes) == len(page.document.graph.nodes):
        page.view.fit()
    elif not page.view.visible_rect().contains(page.scene.store.bounds(nodes).center()):
        page.view.show_node(nodes[-1])
