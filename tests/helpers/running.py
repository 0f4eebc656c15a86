"""A runner with a worker, real or played, for tests of the studio."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from PySide6.QtCore import QBuffer, QCoreApplication, QEventLoop
from PySide6.QtGui import QImage

from helpers import worker_nodes
from helpers.documents import document_of_graph
from ponystudio.api.spec import NodeSpec, ParamSpec
from ponystudio.engine.protocol.run_events import Event, RunFinished
from ponystudio.engine.protocol.worker_messages import (
    RunMessage,
    RunRequest,
    WorkerReady,
    WorkerSettings,
)
from ponystudio.graph.catalog import Catalog
from ponystudio.graph.model import Graph, Link, Node
from ponystudio.studio.documents.document import Document
from ponystudio.studio.runs.run_folders import RunFolders
from ponystudio.studio.runs.runner import Runner
from ponystudio.studio.worker.worker_process import ProcessMessage
from ponystudio.studio.worker.worker_session import WorkerSession

SOON = 60.0


def make(id: str, type: str, /, **given: Any) -> Node:
    links = {k: Link(*v) for k, v in given.items() if isinstance(v, tuple)}
    params = {k: v for k, v in given.items() if not isinstance(v, tuple)}
    return Node(id, f"tiny.{type}", params=params, inputs=links)


def until(test: Callable[[], object], seconds: float = SOON) -> None:
    """Let the application live until this is true."""
    deadline = time.monotonic() + seconds
    while not test():
        assert time.monotonic() < deadline, "waited in vain"
        QCoreApplication.processEvents(QEventLoop.ProcessEventsFlag.AllEvents, 20)
        time.sleep(0.002)


def real_worker(root: Path) -> WorkerSession:
    """A worker of its own with the tiny nodes; the caller closes it."""
    nodes = root / "nodes"
    nodes.mkdir(parents=True, exist_ok=True)
    shutil.copy(worker_nodes.__file__, nodes / "tiny.py")
    settings = WorkerSettings("cpu", "fp32", cache_dir=root / "cache", nodes=nodes)
    return WorkerSession(
        settings, catalog_file=root / "catalog.json", log_file=root / "logs" / "engine.log"
    )


class PlayedWorker(WorkerSession):
    """A worker that does nothing until it is told what it does."""

    def __init__(self) -> None:
        super().__init__()
        self.submitted: dict[int, RunRequest] = {}
        self.asked: dict[int, RunRequest] = {}
        self.cancelled: list[int] = []
        self.killed = 0
        self._number = 0

    def become_ready(self, catalog: Catalog, families: tuple[str, ...] = ()) -> None:
        self.receive(WorkerReady("CPU, fp32", "CPU", "", list(families), catalog.to_json()))

    def start(self) -> None:
        pass

    def submit(self, request: RunRequest) -> int:
        self._number += 1
        self.submitted[self._number] = request
        return self._number

    def plan(self, request: RunRequest) -> int:
        self._number += 1
        self.asked[self._number] = request
        return self._number

    def upgrade(self, graph: Graph) -> int:
        self._number += 1
        return self._number

    def cancel(self, number: int) -> None:
        self.cancelled.append(number)

    def stop_now(self) -> None:
        self.killed += 1

    def unload(self) -> None:
        self.unloaded = True

    @property
    def run(self) -> int:
        """The number of the last run."""
        return max(self.submitted, default=0)

    def tell(self, event: Event, run: int | None = None) -> None:
        """As if this happened in the last run."""
        self.receive(RunMessage(run or self.run, event))

    def receive(self, message: ProcessMessage) -> None:
        """As if the worker had said it."""
        self._dispatch(self._generation, message)


def runner_for(worker: WorkerSession, root: Path, **more: Any) -> Runner:
    folders = RunFolders(lambda: [root], lambda: root / "output", root / "previews")
    return Runner(worker, folders, **more)


def tiny_catalog() -> Catalog:
    """The tiny nodes' specs, with a seed among them."""
    from ponystudio.api.node import nodes_in

    specs = [item.spec for item in nodes_in(worker_nodes)]
    dice = NodeSpec("tiny.dice", 1, "Dice", "Test", outputs=specs[0].outputs,
                    params=(ParamSpec("seed", "seed", 0),))  # fmt: skip
    return Catalog([*specs, dice])


def document_of(*nodes: Node, catalog: Catalog | None = None) -> Document:
    return document_of_graph(Graph.of(*nodes), catalog or tiny_catalog())


def encoded(picture: QImage) -> bytes:
    """As the worker sends pictures."""
    data = QBuffer()
    picture.save(data, "JPEG")
    return bytes(data.data())


def finish(worker: PlayedWorker) -> None:
    """The last run is done."""
    worker.tell(RunFinished(seconds=1.0))
