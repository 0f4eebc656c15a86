"""What model files can be used for in the graph in front."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from PySide6.QtCore import QObject, Signal

from ponystudio.api.spec import NodeSpec, ParamSpec
from ponystudio.graph.editing.edits import SetParam
from ponystudio.graph.model import Node
from ponystudio.library.file_checks import files_of
from ponystudio.studio.documents.documents import Documents
from ponystudio.studio.models.field_services import loader, takes, with_file
from ponystudio.studio.models.model_files import FileFacts


class ModelActions(QObject):
    """Uses of files by the document in front and the nodes that are `selected` in it. Kinds are
    those of folders: checkpoints, loras, …

    `open_requested` carries a file that is to get its loader, `use_requested` the node that took
    one and is to be shown.
    """

    open_requested = Signal(object)
    use_requested = Signal(str)

    def __init__(
        self,
        documents: Documents,
        facts: FileFacts,
        selected: Callable[[], Sequence[str]],
        parent: QObject | None = None,
    ) -> None:
        super().__init__(parent)
        self._documents, self._facts, self._selected = documents, facts, selected

    def family(self) -> str:
        """The family of the model that the graph loads, "" if none is known."""
        for _, spec, node in self._nodes():
            for param in spec.params:
                if param.kind in ("checkpoints", "diffusion_models"):
                    name = str(node.params.get(param.name, param.default))
                    if fact := self._facts.get(param.kind, name):
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
        return loader(self._documents.catalog, kind) is not None

    def taker(self, kind: str) -> str:
        """The title of the selected node, if it is one that takes a file of this kind."""
        found = self._taker(kind)
        return found[1].title if found else ""

    def add(self, path: Path) -> None:
        """Put the loader of a model file onto the canvas, in the middle of what is seen."""
        self.open_requested.emit(path)

    def use(self, kind: str, name: str) -> None:
        """Let the selected node take this file."""
        found, document = self._taker(kind), self._documents.current
        if found is None or document is None:
            return
        id, spec, param = found
        present = document.graph.nodes[id].params.get(param.name, param.default)
        change = SetParam(id, param.name, with_file(param, name, present))
        document.do(change, self.tr("Change the file of %1").replace("%1", spec.title))
        self.use_requested.emit(id)

    def _taker(self, kind: str) -> tuple[str, NodeSpec, ParamSpec] | None:
        selected = [*self._selected()]
        for id, spec, _ in self._nodes():
            if [id] == selected:
                for param in spec.params:
                    if takes(param, kind):
                        return id, spec, param
        return None

    def _nodes(self) -> Iterator[tuple[str, NodeSpec, Node]]:
        document = self._documents.current
        for id, node in document.graph.nodes.items() if document else ():
            if document and (spec := document.spec(id)) is not None:
                yield id, spec, node
