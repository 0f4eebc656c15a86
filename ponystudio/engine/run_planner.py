"""Checks graphs and plans their runs, from any thread, without checking one twice."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from threading import RLock

from ponystudio.api import NodeSpec
from ponystudio.engine.cache.result_cache import ResultCache
from ponystudio.engine.cache.run_history import RunHistoryFile, SavedOutputs
from ponystudio.engine.memory.oom_fallbacks import OomFallbacks
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
from ponystudio.engine.preflight import check_models
from ponystudio.engine.protocol.run_events import NodePlan
from ponystudio.engine.protocol.worker_messages import RunRequest
from ponystudio.engine.run_files import Check, RunFiles
from ponystudio.errors import ClosedFolder, NothingToRun, PonyStudioError
from ponystudio.graph.model import Graph, Node
from ponystudio.graph.name_tokens import NameValues, named_files
from ponystudio.graph.result_keys import Environment, NodeKey
from ponystudio.graph.topology import ancestors, effective, without_errors
from ponystudio.graph.validation import check, effective_targets, titles
from ponystudio.library.file_contents import FileContents
from ponystudio.system.file_names import why_closed

# Graphs that are remembered as good: those that run, and those that plans are asked of.
REMEMBERED = 4


@dataclass
class _CheckedGraph:
    """A graph without errors, as last seen: to run it again nothing of this is worked out again."""

    graph: Graph
    targets: tuple[str, ...] | None
    inputs: PlanInputs
    keys: Keys | None = None

    def is_of(self, request: RunRequest) -> bool:
        return self.graph is request.graph and self.targets == request.targets


class RunPlanner:
    """Plans by what is cached, saved, and known of the memory; changes nothing of it."""

    def __init__(
        self,
        packs: NodePacks,
        environment: Environment,
        results: ResultCache,
        history: RunHistoryFile,
        saved_outputs: SavedOutputs,
        fallbacks: OomFallbacks,
        contents: FileContents,
    ) -> None:
        self._packs, self._catalog = packs, packs.catalog
        self._environment, self._results = environment, results
        self._contents = contents
        self._history, self._saved_outputs, self._fallbacks = history, saved_outputs, fallbacks
        self._checked: list[_CheckedGraph] = []
        # What nodes and graphs remember of their keys is written by whoever plans.
        self._lock = RLock()

    def check(self, request: RunRequest) -> list[PonyStudioError]:
        """Everything that would keep the run from succeeding and can be seen without it.

        Raises NothingToRun.
        """
        with self._lock:
            checked = self._find(request)
            if checked is not None:
                inputs = checked.inputs
                closed = self._closed(request, inputs.graph, inputs.targets)
                return [*self._models(request, inputs.reading), *closed]
            targets = self._targets(request)
            called = titles(request.graph, self._catalog) if request.titled else str
            if errors := check(request.graph, self._catalog, targets=targets, title_of=called):
                reading = ancestors(effective(request.graph, self._catalog), targets)
                return [*errors, *self._models(request, reading)]
            inputs = self._add(request, targets).inputs
            closed = self._closed(request, inputs.graph, inputs.targets)
            return [*self._models(request, inputs.reading), *closed]

    def runnable_part(self, request: RunRequest) -> tuple[RunRequest | None, list[PonyStudioError]]:
        """The request with those targets alone that depend on no error, None if there are none; and
        the errors of the others."""
        with self._lock:
            found: list[PonyStudioError] = []
            try:
                targets = self._targets(request)
                while errors := self.check(request):
                    found += errors
                    running = effective(request.graph, self._catalog)
                    targets = without_errors(running, targets, [error.node for error in errors])
                    if not targets or not all(error.node for error in errors):
                        return None, found
                    request = replace(request, targets=tuple(targets))
            except NothingToRun as error:
                return None, [error]
            return request, found

    def files(self, request: RunRequest) -> RunFiles:
        """The files of a run, which are looked at when it is planned."""
        return RunFiles(self._catalog, request.folders, self._contents)

    def plan(
        self,
        request: RunRequest,
        files: RunFiles | None = None,
        check: Check = lambda: None,
    ) -> Plan:
        """What a run of a graph without errors will do, with these files.

        `check` is called while files are read for it; what it raises goes through.
        """
        files = files or self.files(request)
        with self._lock:
            checked = self._find(request) or self._add(request, self._targets(request))
            inputs = checked.inputs
        nodes = inputs.graph.nodes
        reading = [nodes[id] for id in inputs.reading]
        # Without the lock, for this may take a while.
        files.look(reading, [nodes[id] for id in inputs.prompting], check)
        with self._lock:
            if files.renamed:
                self._adopt(inputs, files)
            checked.keys = self.keys(inputs, files, checked.keys)
            return make_plan(
                inputs,
                self._catalog,
                checked.keys,
                EmptyCache() if request.ignore_cache else self._results,
                lambda node, identity: self._is_up_to_date(request, node, identity),
            )

    def explain(self, plan: Plan, request: RunRequest) -> dict[str, NodePlan]:
        """For every node of a plan, in its order, what the run will do with it."""
        return plan.explain(self._history.of(request.scope))

    def preview(
        self, request: RunRequest
    ) -> tuple[dict[str, NodePlan], Mapping[str, str], list[PonyStudioError]]:
        """What `explain` says of as much of the graph as has no errors, what its results are known
        by in short, and those errors."""
        part, errors = self.runnable_part(request)
        if part is None:
            return {}, {}, errors
        plan = self.plan(part)
        return self.explain(plan, part), plan.short_keys, errors

    def keys(self, inputs: PlanInputs, files: RunFiles, before: Keys | None = None) -> Keys:
        """The keys of the results as of now; `before`, if those still hold."""
        with self._lock:
            return plan_keys(
                inputs,
                self._catalog,
                self._environment,
                files.content,
                self._suffixes(inputs, files),
                before,
            )

    def rekey(self, keys: Keys, files: RunFiles) -> Keys:
        """Keys of a run that is under way, by what is known by now of its files and the memory."""
        with self._lock:
            self._take_over_fallbacks(keys, files)
            return self.keys(keys.inputs, files)

    def _adopt(self, inputs: PlanInputs, files: RunFiles) -> None:
        """What runs that did not come to their end have made before all was read of these files is
        known by what they hold from now on."""
        suffixes = self._suffixes(inputs, files)
        before = plan_keys(inputs, self._catalog, self._environment, files.token, suffixes)
        self._take_over_fallbacks(before, files)
        self._results.settle(before.leading_to(self.keys(inputs, files)))

    def _take_over_fallbacks(self, before: Keys, files: RunFiles) -> None:
        plain = plan_keys(before.inputs, self._catalog, self._environment, files.content)
        for id, key in plain.nodes.items():
            if fallback := self._fallbacks.known.get(before.nodes[id].digest):
                self._fallbacks.known[key.digest] = fallback

    def _closed(
        self, request: RunRequest, running: Graph, targets: Iterable[str]
    ) -> Iterator[ClosedFolder]:
        """The nodes that would save or show something where nothing can be written."""
        reasons: dict[Path, str] = {}
        for id in targets:
            spec = self._catalog[running.nodes[id].type]
            if not spec.effects:
                continue
            named = any(param.file_name for param in spec.params)
            if not named and any(param.type == "text" for param in spec.params):
                continue  # a pack's own, which may name its files somewhere else
            folder = request.output if named else request.previews
            if folder not in reasons:
                reasons[folder] = why_closed(folder)
            if reasons[folder]:
                yield ClosedFolder(
                    f"Nothing can be written there: {reasons[folder]}",
                    where=f"{id}: {folder}",
                    node=id,
                    remedy="Choose another folder for results: --output DIR, or in the settings.",
                )

    def _models(self, request: RunRequest, ids: Iterable[str]) -> list[PonyStudioError]:
        return check_models(request.graph, self._packs, request.folders, ids)

    def _find(self, request: RunRequest) -> _CheckedGraph | None:
        return next((checked for checked in self._checked if checked.is_of(request)), None)

    def _add(self, request: RunRequest, targets: list[str]) -> _CheckedGraph:
        inputs = plan_inputs(request.graph, self._catalog, targets)
        checked = _CheckedGraph(request.graph, request.targets, inputs)
        self._checked = [checked, *self._checked[: REMEMBERED - 1]]
        return checked

    def _targets(self, request: RunRequest) -> list[str]:
        if request.targets is not None:
            return list(request.targets)
        return effective_targets(request.graph, self._catalog)

    def _is_up_to_date(self, request: RunRequest, node: str, identity: str) -> bool:
        if request.always_write or request.ignore_cache:
            return False
        folders = request.output, request.previews
        known = identity + request.metadata.suffix
        return self._saved_outputs.up_to_date(request.scope, node, known, folders)

    def _suffixes(self, inputs: PlanInputs, files: RunFiles) -> KeySuffixes | None:
        """What decides a result besides its key: how it must be run for lack of memory, embeddings
        that prompts name, and what tokens in names of files stand for."""
        embeddings = files.embeddings() if inputs.prompting else {}
        named = list(named_files(inputs.graph, self._catalog, inputs.order))
        if not self._fallbacks.known and not embeddings and not named:
            return None
        values = NameValues(inputs.graph, self._catalog)
        names = {(id, param.name): values.of_graph(prefix, id) for id, param, prefix in named}

        def suffix_of(node: Node, spec: NodeSpec, key: NodeKey) -> str:
            fallback = self._fallbacks.known.get(key.digest)
            parts = [fallback.suffix] if fallback else []
            for param in spec.params:
                if param.prompt:
                    parts += files.embedding_contents(node, param, embeddings)
                if name := names.get((node.id, param.name)):
                    parts.append(name)
            return key_suffix("\n".join(parts)) if parts else ""

        return suffix_of
