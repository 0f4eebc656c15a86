"""What model files can be used for in the graph in front."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject

from ponystudio.api.spec import NodeSpec, ParamSpec
from ponystudio.graph.editing.edits import SetParam
from ponystudio.graph.model import Node
from ponystudio.library.file_checks import files_of

if TYPE_CHECKING:
    from ponystudio.app.window.main_window import MainWindow


class ModelActions(QObject):
    """Kinds are those of folders: checkpoints, loras, …"""

    def __init__(self, window: MainWindow) -> None:
        super().__init__(window)
        self._window = window

    def family(self) -> str:
        """The family of the model that the graph loads, "" if none is known."""
        for _, spec, node in self._nodes():
            for param in spec.params:
                if param.kind in ("checkpoints", "diffusion_models"):
                    name = str(node.params.get(param.name, param.default))
                    if fact := self._window.field_services.facts.get(param.kind, name):
                        return fact.family
        return ""

    def in_use(self) -> set[tuple[str, str]]:
        """(kind, name) of the files that the graph names."""
        return {
            (kind, name)
            for _, spec, node in self._nodes()
            for _, kind, name in files_of(node, spec)
        }

    def has_loader(self, kind: str) -> bool:
        """Whether there is a node that loads files of a kind."""
        from ponystudio.app.window.drop_contents import loader

        return loader(self._window.documents.catalog, kind) is not None

    def taker(self, kind: str) -> str:
        """The title of the selected node, if it is one that takes a file of this kind."""
        found = self._taker(kind)
        return found[1].title if found else ""

    def add(self, path: Path) -> None:
        """Put the loader of a model file onto the canvas, in the middle of what is seen."""
        self._window.canvas_requests.open_files([path])

    def use(self, kind: str, name: str) -> None:
        """Let the selected node take this file."""
        from ponystudio.app.window.drop_contents import with_file

        window, found = self._window, self._taker(kind)
        document = window.documents.current
        if found is None or document is None:
            return
        id, spec, param = found
        present = document.graph.nodes[id].params.get(param.name, param.default)
        change = SetParam(id, param.name, with_file(param, name, present))
        document.do(change, self.tr("Change the file of %1").replace("%1", spec.title))
        window.canvas_requests.go_to(document, id)

    def _taker(self, kind: str) -> tuple[str, NodeSpec, ParamSpec] | None:
        from ponystudio.app.window.drop_contents import takes

        page = self._window.page
        selected = page.selected() if page else []
        for id, spec, _ in self._nodes():
            if [id] == selected:
                for param in spec.params:
                    if takes(param, kind):
                        return id, spec, param
        return None

    def _nodes(self) -> Iterator[tuple[str, NodeSpec, Node]]:
        document = self._window.documents.current
        for id, node in document.graph.nodes.items() if document else ():
            if document and (spec := document.spec(id)) is not None:
                yield id, spec, node
