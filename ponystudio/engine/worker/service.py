"""What the worker does with its engine: runs, plans and upgrades."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from threading import Event as Flag
from threading import Lock

import torch

from ponystudio.diffusion.families import families
from ponystudio.engine.engine import Engine
from ponystudio.engine.memory.devices import choose, short_title
from ponystudio.engine.node_packs import load_packs
from ponystudio.engine.protocol.error_info import ErrorInfo
from ponystudio.engine.protocol.frame_writer import FrameWriter
from ponystudio.engine.protocol.run_events import NodesLeftOut, RunRefused
from ponystudio.engine.protocol.run_request import RunRequest
from ponystudio.engine.protocol.worker_commands import PlanRun, UpgradeGraph, WorkerSettings
from ponystudio.engine.protocol.worker_messages import PlanAnswer, UpgradeAnswer, WorkerReady
from ponystudio.engine.worker.run_reporter import RunReporter
from ponystudio.errors import BadInput, PonyStudioError
from ponystudio.graph.formats.graph_file import share_nodes
from ponystudio.graph.formats.migrations import upgrade_nodes
from ponystudio.graph.model import Graph

# Documents whose last graph is kept, to know what of the next one is the same.
REMEMBERED = 16


class Service:
    """`run`, `clear_cache`, `unload` are for the executor's thread; the rest for any other too."""

    def __init__(self, settings: WorkerSettings, outbox: FrameWriter, previews: Flag) -> None:
        """`previews` is set while they are wanted. Raises UsageError for an absent device."""
        self._outbox, self._previews = outbox, previews
        self._reporter = self._new_reporter()
        self._last_graphs: dict[str, Graph] = {}
        self._graphs_lock = Lock()
        self.engine = Engine(
            load_packs(settings.nodes),
            choose(settings.device, settings.dtype, settings.memory),
            cache_dir=settings.cache_dir,
            cache_bytes=settings.cache_bytes,
            emit=lambda event: self._reporter.emit(event),
        )

    def ready_message(self) -> WorkerReady:
        return WorkerReady(
            device=self.engine.choice.why,
            device_title=short_title(self.engine.choice),
            torch=str(torch.__version__),
            families=sorted(families()),
            catalog=self.engine.packs.catalog.to_json(),
        )

    def clear_cache(self) -> None:
        self.engine.clear()
        self.report_memory()

    def unload(self) -> None:
        self.engine.unload()
        self.report_memory()

    def run(
        self, number: int, request: RunRequest, cancel: Flag, between_nodes: Callable[[], None]
    ) -> None:
        """Run what of it has no errors. Raises Cancelled, after saying so."""
        self._reporter = self._new_reporter(number, between_nodes)
        try:
            self._run(request, cancel)
        except PonyStudioError:
            pass  # the engine has said so
        finally:
            self._reporter = self._new_reporter()
            self.report_memory()

    def answer(self, command: PlanRun | UpgradeGraph) -> None:
        match command:
            case UpgradeGraph(number, graph):
                packs = self.engine.packs
                graph, notes = upgrade_nodes(graph, packs.upgrades, packs.catalog)
                self._outbox.send(UpgradeAnswer(number, graph, notes))
            case PlanRun(number, request):
                self._outbox.send(self._plan(number, request))

    def report_memory(self) -> None:
        use = self.engine.memory()
        self._outbox.send_latest("memory_use", lambda: use)

    def _plan(self, number: int, request: RunRequest) -> PlanAnswer:
        """What a run would do, as far as the graph has no errors."""
        try:
            nodes, keys, errors = self.engine.preview_plan(self._prepare(request))
        except BadInput as error:
            return PlanAnswer(number, {}, {}, [ErrorInfo.of(error)])
        return PlanAnswer(number, nodes, keys, [*map(ErrorInfo.of, errors)])

    def _run(self, request: RunRequest, cancel: Flag) -> None:
        part: RunRequest | None = None
        errors: Sequence[PonyStudioError]
        try:
            part, errors = self.engine.runnable_part(self._prepare(request))
        except BadInput as error:
            errors = [error]
        if part is None:
            self._reporter.emit(RunRefused([*map(ErrorInfo.of, errors)]))
            return
        if errors:
            self._reporter.emit(NodesLeftOut([*map(ErrorInfo.of, errors)]))
        self.engine.run(part, cancel=cancel, observer=self._reporter)

    def _prepare(self, request: RunRequest) -> RunRequest:
        """The request with the nodes of its document's last graph wherever they are equal: what did
        not change is checked and keyed already."""
        graph = request.graph
        if request.ignore_cache:  # of a picture, which was opened by nobody: its nodes may be old
            packs = self.engine.packs
            graph, _ = upgrade_nodes(graph, packs.upgrades, packs.catalog)
        with self._graphs_lock:
            last = self._last_graphs.pop(request.scope, None)
            if last is not None:
                graph = share_nodes(graph, last)
            self._last_graphs[request.scope] = graph
            while len(self._last_graphs) > REMEMBERED:
                del self._last_graphs[next(iter(self._last_graphs))]
        return replace(request, graph=graph)

    def _new_reporter(
        self, number: int = 0, between_nodes: Callable[[], None] = lambda: None
    ) -> RunReporter:
        """Number 0 is of what happens between runs."""
        return RunReporter(
            number, self._outbox, self._previews.is_set, between_nodes, self.report_memory
        )
