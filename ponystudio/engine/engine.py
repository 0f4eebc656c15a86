"""One process's caches, weights and device: runs graphs one after the other on one executor."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from threading import Event as Flag
from threading import RLock
from typing import Any

import torch

from ponystudio.api import NodeSpec, ParamSpec
from ponystudio.diffusion.families import families
from ponystudio.diffusion.text.embedding_names import may_mean
from ponystudio.engine.cache.code_fingerprint import fingerprints
from ponystudio.engine.cache.disk_cache import LIMIT, DiskCache
from ponystudio.engine.cache.result_cache import ResultCache
from ponystudio.engine.cache.run_history import RunHistoryFile
from ponystudio.engine.cache.saved_outputs import SavedOutputs
from ponystudio.engine.executor import Execution, OnResult
from ponystudio.engine.memory.allocation_limit import AllocationLimit
from ponystudio.engine.memory.devices import (
    DeviceChoice,
    apply,
    device_memory,
    free_device_memory,
    short_title,
    whole_memory,
)
from ponystudio.engine.memory.oom_fallbacks import Fallback, OomFallbacks
from ponystudio.engine.memory.weights_pool import WeightsPool
from ponystudio.engine.node_context import Preview, RunServices
from ponystudio.engine.node_packs import NodePacks
from ponystudio.engine.plan import (
    EmptyCache,
    Keys,
    KeySuffixes,
    Plan,
    PlanInputs,
    key_suffix,
    make_plan,
    plan_inputs,
    plan_keys,
)
from ponystudio.engine.protocol.run_events import Event, Memory, RunFailed, RunFinished, RunStarted
from ponystudio.engine.protocol.run_request import RunRequest
from ponystudio.engine.receipts import Receipts
from ponystudio.errors import Cancelled, NothingToRun, NotWritable, PonyStudioError
from ponystudio.graph.model import Graph, Node
from ponystudio.graph.result_keys import Environment, NodeKey
from ponystudio.graph.topology import ancestors, effective, without_errors
from ponystudio.graph.validation import check, effective_targets, titles
from ponystudio.library.file_checks import check_files, files_of
from ponystudio.library.formats import main_memory
from ponystudio.library.formats.content_id import content_id, hashes
from ponystudio.library.model_index import ModelIndex

# Of the device's memory: for weights, and for cached results. Of the main memory: for the latter.
WEIGHTS_SHARE, DEVICE_RESULTS_SHARE, MEMORY_RESULTS_SHARE = 0.9, 0.1, 0.2

# Graphs that are remembered as good: those that run, and those that plans are asked of.
REMEMBERED = 4

Emit = Callable[[Event], None]


@dataclass(frozen=True)
class MemoryUse:
    """Who has how many bytes of the device's memory; `main_...` of the main memory.

    `device` is its name in short. Where the device is the CPU the two are the same.
    """

    device: str
    total: int
    free: int
    weights: int
    results: int
    main_total: int
    main_free: int
    main_weights: int
    main_results: int

    def as_json(self) -> dict[str, Any]:
        return asdict(self)


@dataclass
class _CheckedGraph:
    """A graph without errors, as last seen: to run it again nothing of this is worked out again."""

    graph: Graph
    targets: tuple[str, ...] | None
    inputs: PlanInputs
    keys: Keys | None = None

    def is_of(self, request: RunRequest) -> bool:
        return self.graph is request.graph and self.targets == request.targets


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
        emit: Emit,
    ) -> None:
        """`cache_bytes` is the most that is kept in `cache_dir`; None: 4 GB."""
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
                on_trouble=lambda text: self._emit(Memory(text)),
            )
            if cache_dir is not None
            else None
        )
        there = choice.within(device_memory(choice.device))
        self.results = ResultCache(
            device_bytes=int(there * DEVICE_RESULTS_SHARE),
            memory_bytes=int(main_memory.total() * MEMORY_RESULTS_SHARE),
            disk=self._disk,
        )
        self._allocation_limit = AllocationLimit(active=choice.kind == "cpu")
        self.pool = WeightsPool(
            choice,
            budget=int(there * WEIGHTS_SHARE),
            emit=lambda event: self._emit(event),
            allocation_limit=self._allocation_limit,
        )
        self._index = _index(cache_dir)
        self._history = RunHistoryFile(self._disk)
        self._saved_outputs = SavedOutputs(self._disk)
        self._node_fallbacks: dict[str, Fallback] = {}
        self._seen: list[_CheckedGraph] = []
        # What nodes and graphs remember of their keys is written by whoever plans.
        self._planning = RLock()

    def check(self, request: RunRequest) -> list[PonyStudioError]:
        """Everything that would keep the run from succeeding and can be seen without it.

        Raises NothingToRun.
        """
        with self._planning:
            return self._errors(request)

    def runnable_part(self, request: RunRequest) -> tuple[RunRequest | None, list[PonyStudioError]]:
        """The request with those targets alone that depend on no error, None if there are none; and
        the errors of the others."""
        with self._planning:
            found: list[PonyStudioError] = []
            try:
                targets = self._targets(request)
                while errors := self._errors(request):
                    found += errors
                    running = effective(request.graph, self.packs.catalog)
                    targets = without_errors(running, targets, [error.node for error in errors])
                    if not targets or not all(error.node for error in errors):
                        return None, found
                    request = replace(request, targets=tuple(targets))
            except NothingToRun as error:
                return None, [error]
            return request, found

    def plan(self, request: RunRequest) -> Plan:
        """What a run of a graph without errors will do."""
        with self._planning:
            good = self._known(request)
            if good is None:
                inputs = plan_inputs(request.graph, self.packs.catalog, self._targets(request))
                good = self._note(_CheckedGraph(request.graph, request.targets, inputs))
            good.keys = self._keys(good.inputs, request, good.keys)
            return make_plan(
                good.inputs,
                self.packs.catalog,
                good.keys,
                EmptyCache() if request.ignore_cache else self.results,
                lambda node, identity: self._up_to_date(request, node, identity),
            )

    def preview_plan(
        self, request: RunRequest
    ) -> tuple[dict[str, str], Mapping[str, str], list[PonyStudioError]]:
        """What `explain` says of as much of the graph as has no errors, what its results are known
        by in short, and those errors.

        May be asked from any thread, during a run too.
        """
        with self._planning:
            part, errors = self.runnable_part(request)
            if part is None:
                return {}, {}, errors
            plan = self.plan(part)
            return self._said(plan, part), plan.short_keys, errors

    def explain(self, request: RunRequest) -> dict[str, str]:
        """For every node of the run, in its order: "runs: WHY", "cached: WHERE" or why neither."""
        return self._said(self.plan(request), request)

    def run(
        self,
        request: RunRequest,
        *,
        emit: Emit | None = None,
        cancel: Flag | None = None,
        preview: Preview | None = None,
        on_result: OnResult | None = None,
        on_plan: Callable[[Plan], None] | None = None,
        between: Callable[[], None] | None = None,
    ) -> None:
        """Run a graph without errors. Raises RunError or Cancelled, after telling so.

        `on_plan` is told what will run; `between` is called before each node.
        """
        before, self._emit = self._emit, emit or self._emit
        start = time.perf_counter()
        try:
            self._run(request, cancel or Flag(), preview, on_result, on_plan, between)
        except PonyStudioError as error:
            self._emit(RunFailed.of(error))
            raise
        except Cancelled:
            self._emit(RunFailed("", "Cancelled.", "", "Cancelled"))
            raise
        else:
            self._emit(RunFinished(round(time.perf_counter() - start, 4)))
        finally:
            self._emit = before

    def clear(self) -> None:
        """Forget every result, in memory and on disk, and who was short of memory.

        What a run is using stays until its end.
        """
        self.results.clear()
        self._node_fallbacks.clear()

    def unload(self) -> None:
        """Let go of the weights that no node is using."""
        self.pool.close_idle()

    def memory(self) -> MemoryUse:
        """Who has how much memory now; may be asked from any thread."""
        device = self.choice.device
        on_device, elsewhere = self.pool.held()
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
        """Write what is still to be written and let go of everything, without a word."""
        self._emit = lambda _: None
        self.pool.close_idle()
        if self._disk is not None:
            self._disk.close()
        if self._index is not None:
            self._index.close()

    def _run(
        self,
        request: RunRequest,
        cancel: Flag,
        preview: Preview | None,
        on_result: OnResult | None,
        on_plan: Callable[[Plan], None] | None,
        between: Callable[[], None] | None,
    ) -> None:
        plan = self.plan(request)
        while not self.results.pin(plan.needed):
            plan = self.plan(request)  # an entry on the disk was gone or torn
        receipts = Receipts(
            request.graph,
            plan.inputs.graph,
            self.packs.catalog,
            request.folders,
            self.environment,
            self._index.sha256 if self._index else lambda path: hashes(path)["sha256"],
            cancel,
        )
        around = RunServices(
            pool=self.pool,
            emit=self._emit,
            cancel=cancel,
            output=request.output,
            previews=request.previews,
            receipts=receipts,
            embeddings=lambda: _embeddings(request),
            choosers=lambda lora: self._choosers(plan, request, lora),
            preview=preview,
        )
        execution = Execution(
            plan,
            self.packs.types,
            self.choice,
            self.results,
            around,
            OomFallbacks(
                self.choice,
                self.results,
                self.pool,
                self._emit,
                denoiser_on_cpu=request.denoiser_on_cpu,
            ),
            self._allocation_limit,
            node_fallbacks=self._node_fallbacks,
            rekey=lambda: self._keys(plan.inputs, request),
            resolve=request.folders.resolve,
            on_result=on_result,
            between=between,
        )
        self._emit(RunStarted(len(plan.inputs.order), len(plan.steps), self.choice.why))
        if on_plan is not None:
            on_plan(plan)
        receipts.start([step.node.id for step in plan.steps if step.spec.effects])
        execution.run(self._history, request.scope, self._saved_outputs)
        receipts.finish()

    def _said(self, plan: Plan, request: RunRequest) -> dict[str, str]:
        past = self._history.of(request.scope)
        said: dict[str, str] = {id: f"cached: {tier}" for id, tier in plan.cached.items()}
        said |= dict.fromkeys(plan.unchanged, "skipped: its files still stand")
        said |= {step.node.id: f"runs: {plan.why(step, past)}" for step in plan.steps}
        return {id: said.get(id, "not needed") for id in plan.inputs.order}

    def _errors(self, request: RunRequest) -> list[PonyStudioError]:
        catalog = self.packs.catalog
        good = self._known(request)
        if good is None:
            targets = self._targets(request)
            called = titles(request.graph, catalog) if request.titled else str
            if errors := check(request.graph, catalog, targets=targets, title_of=called):
                reading = ancestors(effective(request.graph, catalog), targets)
                return [*errors, *self._file_errors(request, reading)]
            inputs = plan_inputs(request.graph, catalog, targets)
            good = self._note(_CheckedGraph(request.graph, request.targets, inputs))
        return self._file_errors(request, good.inputs.reading)

    def _file_errors(self, request: RunRequest, ids: Iterable[str]) -> list[PonyStudioError]:
        catalog = self.packs.catalog
        return [*check_files(request.graph, catalog, request.folders, ids, families=families())]

    def _known(self, request: RunRequest) -> _CheckedGraph | None:
        return next((good for good in self._seen if good.is_of(request)), None)

    def _note(self, good: _CheckedGraph) -> _CheckedGraph:
        self._seen = [good, *self._seen[: REMEMBERED - 1]]
        return good

    def _keys(self, inputs: PlanInputs, request: RunRequest, before: Keys | None = None) -> Keys:
        with self._planning:
            return plan_keys(
                inputs,
                self.packs.catalog,
                self.environment,
                lambda spec, value: _content(request, spec, value),
                self._suffixes(inputs, request),
                before,
            )

    def _targets(self, request: RunRequest) -> list[str]:
        if request.targets is not None:
            return list(request.targets)
        return effective_targets(request.graph, self.packs.catalog)

    def _up_to_date(self, request: RunRequest, node: str, identity: str) -> bool:
        return not (
            request.always_write or request.ignore_cache
        ) and self._saved_outputs.up_to_date(
            request.scope, node, identity, (request.output, request.previews)
        )

    def _choosers(self, plan: Plan, request: RunRequest, lora: Path) -> list[str]:
        """The nodes of the run that name this LoRA."""
        nodes = {id: plan.inputs.graph.nodes[id] for id in plan.inputs.order}
        return [
            id
            for id, node in nodes.items()
            for _, kind, name in files_of(node, self.packs.catalog[node.type])
            if kind == "loras" and request.folders.resolve(kind, name) == lora
        ]

    def _suffixes(self, inputs: PlanInputs, request: RunRequest) -> KeySuffixes | None:
        """What decides a result besides its key: how it must be run for lack of memory, and
        embeddings that prompts name."""
        embeddings = _embeddings(request) if inputs.prompting else {}
        if not self._node_fallbacks and not embeddings:
            return None

        def suffix_of(node: Node, spec: NodeSpec, key: NodeKey) -> str:
            fallback = self._node_fallbacks.get(key.digest)
            parts = [fallback.suffix] if fallback else []
            for param in spec.params:
                if param.prompt:
                    parts += _named(node, param, embeddings)
            return key_suffix("\n".join(parts)) if parts else ""

        return suffix_of


def _index(cache_dir: Path | None) -> ModelIndex | None:
    """What is known of model files; without a place for it, hashes are made anew each time."""
    try:
        return ModelIndex(cache_dir / "models.sqlite") if cache_dir else None
    except NotWritable:
        return None


def _content(request: RunRequest, spec: ParamSpec, value: str) -> str:
    return content_id(request.folders.resolve(spec.kind, value))


def _embeddings(request: RunRequest) -> dict[str, Path]:
    """The textual inversions that prompts may name."""
    return {
        name: request.folders.resolve("embeddings", name)
        for name in request.folders.names("embeddings")
    }


def _named(node: Node, param: ParamSpec, embeddings: Mapping[str, Path]) -> list[str]:
    """Contents of the embeddings that a prompt may read: all, if a wire brings it."""
    text = str(node.params.get(param.name, param.default))
    return [
        f"{name} {content_id(path)}"
        for name, path in sorted(embeddings.items())
        if param.name in node.inputs or may_mean(text, name)
    ]
