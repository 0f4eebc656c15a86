"""A runner with a worker, real or played, for tests of the studio."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from PySide6.QtCore import QCoreApplication, QEventLoop

from helpers import worker_nodes
from helpers.documents import document_of_graph
from ponystudio.api.spec import NodeSpec, ParamSpec
from ponystudio.graph.catalog import Catalog
from ponystudio.graph.model import Graph, Link, Node
from ponystudio.studio.documents.document import Document
from ponystudio.studio.runs.run_folders import RunFolders
from ponystudio.studio.runs.runner import Runner
from ponystudio.studio.worker.worker_process import Submission, WorkerSettings
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


def real_link(root: Path) -> WorkerSession:
    """A worker of its own with the tiny nodes; the caller closes it."""
    nodes = root / "nodes"
    nodes.mkdir(parents=True, exist_ok=True)
    shutil.copy(worker_nodes.__file__, nodes / "tiny.py")
    settings = WorkerSettings("cpu", "fp32", cache_dir=root / "cache", nodes=nodes)
    return WorkerSession(
        settings, catalog_file=root / "catalog.json", log_file=root / "logs" / "engine.log"
    )


class PlayedLink(WorkerSession):
    """A worker that does nothing until it is told what it does."""

    def __init__(self) -> None:
        super().__init__()
        self.submitted: dict[int, Submission] = {}
        self.asked: dict[int, Submission] = {}
        self.cancelled: list[int] = []
        self.killed = 0
        self._number = 0

    def become_ready(self, catalog: Catalog, families: tuple[str, ...] = ()) -> None:
        self._on_ready(
            {
                "event": "hello",
                "device": "CPU, fp32",
                "device_title": "CPU",
                "families": list(families),
                "catalog": catalog.to_json(),
            }
        )

    def start(self) -> None:
        pass

    def submit(self, submission: Submission) -> int:
        self._number += 1
        self.submitted[self._number] = submission
        return self._number

    def plan(self, submission: Submission) -> int:
        self._number += 1
        self.asked[self._number] = submission
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

    def tell(self, event: str, blob: bytes = b"", run: int | None = None, **more: Any) -> None:
        """As if the worker had said it, of the last run."""
        message: Mapping[str, Any] = {"event": event, "run": run or self.run, **more}
        self._dispatch(self._generation, message, blob)


def runner_for(link: WorkerSession, root: Path, **more: Any) -> Runner:
    folders = RunFolders(lambda: [root], lambda: root / "output", root / "previews")
    return Runner(link, folders, **more)


def tiny_catalog() -> Catalog:
    """The tiny nodes' specs, with a seed among them."""
    from ponystudio.api.node import nodes_in

    specs = [item.spec for item in nodes_in(worker_nodes)]
    dice = NodeSpec("tiny.dice", 1, "Dice", "Test", outputs=specs[0].outputs,
                    params=(ParamSpec("seed", "seed", 0),))  # fmt: skip
    return Catalog([*specs, dice])


def document_of(*nodes: Node, catalog: Catalog | None = None) -> Document:
    return document_of_graph(Graph.of(*nodes), catalog or tiny_catalog())
