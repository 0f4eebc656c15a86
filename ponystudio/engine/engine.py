"""One process's caches, weights and device: runs graphs one after the other on one executor."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from pathlib import Path
from threading import Event as Flag

import torch

from ponystudio.engine.cache.code_fingerprint import fingerprints
from ponystudio.engine.cache.disk_cache import LIMIT, DiskCache
from ponystudio.engine.cache.result_cache import ResultCache
from ponystudio.engine.cache.run_history import RunHistoryFile, SavedOutputs
from ponystudio.engine.executor import Execution
from ponystudio.engine.memory.allocation_limit import AllocationLimit
from ponystudio.engine.memory.devices import (
    DeviceChoice,
    apply,
    device_memory,
    free_device_memory,
    short_title,
    whole_memory,
)
from ponystudio.engine.memory.oom_fallbacks import OomFallbacks
from ponystudio.engine.memory.weights_pool import WeightsPool
from ponystudio.engine.node_packs import NodePacks
from ponystudio.engine.plan import (
    Plan,
)
from ponystudio.engine.protocol.run_events import (
    Event,
    Memory,
    NodePlan,
    ResultsRenamed,
    RunFailed,
    RunFinished,
    RunStarted,
)
from ponystudio.engine.protocol.worker_messages import MemoryUse, RunRequest
from ponystudio.engine.receipts import Receipts
from ponystudio.engine.run_planner import RunPlanner
from ponystudio.engine.run_services import RunObserver, RunServices
from ponystudio.engine.versions import versions
from ponystudio.errors import Cancelled, ChangedFile, NotWritable, PonyStudioError
from ponystudio.graph.name_tokens import NameValues
from ponystudio.graph.result_keys import Environment
from ponystudio.library.file_contents import FileContents
from ponystudio.library.model_index import ModelIndex
from ponystudio.system import main_memory

# Of the device's memory: for weights, and for cached results. Of the main memory: for the latter.
WEIGHTS_SHARE, DEVICE_RESULTS_SHARE, MEMORY_RESULTS_SHARE = 0.9, 0.1, 0.2

Emit = Callable[[Event], None]


class Engine:
    """Run it from one thread; `preview_plan` and `memory` may be asked from another meanwhile.

    `emit` is told of what happens between runs and during them.
    """

    def __init__(
        self,
        packs: NodePacks,
        choice: DeviceChoice,
        *,
        cache_dir: Path | None = None,
        cache_bytes: int | None = None,
        index_path: Path | None = None,
        emit: Emit,
    ) -> None:
        """`cache_bytes` is the most that is kept in `cache_dir`; None: 4 GB. `index_path`: the
        index of model files, with their hashes; None keeps them for this engine alone.
        """
        apply(choice)
        self.packs, self.choice = packs, choice
        self._emit = emit
        # Taken now: of the sources as they are loaded, not as they may be edited later.
        self.environment = Environment(
            device=choice.kind,
            dtype=choice.precision,
            torch=torch.__version__,
            attention="sdpa",
            fingerprints=fingerprints(packs.sources),
        )
        self._disk = (
            DiskCache(
                cache_dir,
                limit=LIMIT if cache_bytes is None else cache_bytes,
                on_failure=lambda text: self._emit(Memory(text)),
            )
            if cache_dir is not None
            else None
        )
        self._index = _index(index_path)
        self._contents = FileContents(self._index)
        memory = choice.within(device_memory(choice.device))
        self.results = ResultCache(
            device_bytes=int(memory * DEVICE_RESULTS_SHARE),
            memory_bytes=int(main_memory.total() * MEMORY_RESULTS_SHARE),
            disk=self._disk,
            still_has=self._contents.still_has,
        )
        self._allocation_limit = AllocationLimit(active=choice.kind == "cpu")
        self.pool = WeightsPool(
            choice,
            budget=int(memory * WEIGHTS_SHARE),
            emit=lambda event: self._emit(event),
            allocation_limit=self._allocation_limit,
        )
        self._history = RunHistoryFile(self._disk)
        self._saved_outputs = SavedOutputs(self._disk)
        self._fallbacks = OomFallbacks(
            choice, self.results, self.pool, lambda event: self._emit(event)
        )
        self._planner = RunPlanner(
            packs,
            self.environment,
            self.results,
            self._history,
            self._saved_outputs,
            self._fallbacks,
            self._contents,
        )

    def check(self, request: RunRequest) -> list[PonyStudioError]:
        """Everything that would keep the run from succeeding and can be seen without it.

        Raises NothingToRun.
        """
        return self._planner.check(request)

    def runnable_part(self, request: RunRequest) -> tuple[RunRequest | None, list[PonyStudioError]]:
        """The request with those targets alone that depend on no error, None if there are none; and
        the errors of the others."""
        return self._planner.runnable_part(request)

    def plan(self, request: RunRequest) -> Plan:
        """What a run of a graph without errors will do."""
        return self._planner.plan(request)

    def preview_plan(
        self, request: RunRequest
    ) -> tuple[dict[str, NodePlan], Mapping[str, str], list[PonyStudioError]]:
        """What `explain` says of as much of the graph as has no errors, what its results are known
        by in short, and those errors. During a run, too."""
        return self._planner.preview(request)

    def explain(self, request: RunRequest) -> dict[str, NodePlan]:
        """For every node of the run, in its order, what it would do with it."""
        return self._planner.explain(self.plan(request), request)

    def run(
        self,
        request: RunRequest,
        *,
        cancel: Flag | None = None,
        observer: RunObserver | None = None,
    ) -> None:
        """Run a graph without errors. Raises RunError or Cancelled, after telling so."""
        start = time.perf_counter()
        try:
            self._run(request, cancel or Flag(), observer or RunObserver())
        except PonyStudioError as error:
            self._emit(RunFailed.of(error))
            raise
        except Cancelled:
            self._emit(RunFailed.of(Cancelled()))
            raise
        else:
            self._emit(RunFinished(round(time.perf_counter() - start, 4)))

    def clear(self) -> None:
        """Forget every result, in memory and on disk, and who was short of memory.

        What a run is using stays until its end.
        """
        self.results.clear()
        self._fallbacks.known.clear()

    def unload(self) -> None:
        """Let go of the weights that no node is using."""
        self.pool.close_idle()

    def memory(self) -> MemoryUse:
        """Who has how much memory now; may be asked from any thread."""
        device = self.choice.device
        on_device, elsewhere = self.pool.used_bytes()
        results, main_results = self.results.used
        if device.type == "cpu":
            on_device, elsewhere = on_device + elsewhere, 0
            results, main_results = results + main_results, 0
        return MemoryUse(
            short_title(self.choice),
            whole_memory(device),
            max(0, free_device_memory(device)),
            on_device,
            results,
            main_memory.total(),
            main_memory.available(),
            elsewhere,
            main_results,
        )

    def close(self) -> None:
        """Write what is still to be written, tell of what cannot be, and let go of everything."""
        if self._disk is not None:
            self._disk.close()
        self._emit = lambda _: None  # that weights leave is no news now
        self._contents.close()
        self.pool.close_idle()
        if self._index is not None:
            self._index.close()

    def _run(self, request: RunRequest, cancel: Flag, observer: RunObserver) -> None:
        def check() -> None:
            if cancel.is_set():
                raise Cancelled("Cancelled.")

        files = self._planner.files(request)
        plan = self._planner.plan(request, files, check)
        while not self.results.pin(plan.needed):
            plan = self._planner.plan(request, files, check)  # an entry on disk was gone or torn
        receipts = Receipts(
            request.graph,
            plan.inputs.graph,
            self.packs.catalog,
            files,
            self.environment,
            cancel,
            request.metadata,
            versions(self.choice),
        )
        services = RunServices(
            request=request,
            plan=plan,
            choice=self.choice,
            files=files,
            pool=self.pool,
            results=self.results,
            fallbacks=self._fallbacks,
            allocation_limit=self._allocation_limit,
            history=self._history,
            saved_outputs=self._saved_outputs,
            receipts=receipts,
            names=NameValues(plan.inputs.graph, self.packs.catalog),
            emit=self._emit,
            cancel=cancel,
            observer=observer,
        )
        execution = Execution(
            self.packs.types, services, lambda keys: self._planner.rekey(keys, files)
        )
        self._emit(RunStarted(len(plan.inputs.order), len(plan.steps), self.choice.why))
        observer.on_plan(plan)
        if plan.steps:
            files.read_rest(cancel)
        receipts.start([step.node.id for step in plan.steps if step.spec.effects])
        try:
            execution.run()
            receipts.finish()
            settled = plan.steps and files.uncertain and files.settle(cancel)
            if settled and (renamed := execution.settle()):
                self._emit(ResultsRenamed(renamed))
        except ChangedFile:
            execution.forget()
            raise
        finally:
            files.close()


def _index(path: Path | None) -> ModelIndex | None:
    """What is known of model files; without a place for it, hashes are made anew each time."""
    try:
        return ModelIndex(path) if path else None
    except NotWritable:
        return None
