"""Old nodes in an opened graph become those of the installed version.

That takes their packs' code, which only the worker runs; so it happens when the worker is ready.
"""

from __future__ import annotations

import contextlib

from PySide6.QtCore import QObject, Signal

from ponystudio.engine.protocol.worker_messages import Answer, UpgradeAnswer
from ponystudio.errors import GraphError
from ponystudio.graph.editing.edits import ReplaceNode
from ponystudio.graph.model import Graph
from ponystudio.studio.documents.editable_graph import EditableGraph
from ponystudio.studio.worker.worker_session import WorkerSession


class NodeUpgrader(QObject):
    """Asks for each watched document once, and makes the upgrade a step that can be undone.

    `upgraded` brings the document and a note on each node.
    """

    upgraded = Signal(object, object)

    def __init__(self, worker: WorkerSession, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._worker = worker
        self._waiting: list[EditableGraph] = []
        self._requests: dict[int, tuple[EditableGraph, Graph]] = {}
        worker.hello.connect(lambda _: self._request_all())
        worker.message_received.connect(self._on_message)
        worker.restarted.connect(self._requeue)

    def watch(self, document: EditableGraph) -> None:
        self._waiting.append(document)
        if self._worker.is_ready:
            self._request_all()

    def unwatch(self, document: EditableGraph) -> None:
        self._waiting = [other for other in self._waiting if other is not document]
        self._requests = {n: item for n, item in self._requests.items() if item[0] is not document}

    def _request_all(self) -> None:
        waiting, self._waiting = self._waiting, []
        for document in waiting:
            graph = document.graph
            if any(self._is_old(document, id) for id in graph.nodes):
                self._requests[self._worker.upgrade(graph)] = document, graph

    def _requeue(self) -> None:
        """The worker that was asked is gone: the next one is asked when it is ready."""
        self._waiting += [document for document, _ in self._requests.values()]
        self._requests.clear()

    def _is_old(self, document: EditableGraph, id: str) -> bool:
        spec = self._worker.catalog.get(document.graph.nodes[id].type)
        return spec is not None and document.graph.nodes[id].version < spec.version

    def _on_message(self, message: Answer) -> None:
        request = self._requests.pop(message.number, None)
        if request is None or not isinstance(message, UpgradeAnswer):
            return
        document, before = request
        after = message.graph.nodes
        with contextlib.suppress(GraphError):
            edits = [
                ReplaceNode(after[id])
                for id, node in before.nodes.items()
                if id in after
                and after[id].version != node.version
                and document.graph.nodes.get(id) == node  # not edited in the meantime
            ]
            if edits:
                document.do_all(edits, self.tr("Upgrade nodes"))
                self.upgraded.emit(document, message.notes)
