"""After every edit: what is wrong with the graph, and what the next run would do."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from PySide6.QtCore import QObject, QTimer, Signal

from ponystudio.engine.protocol.run_events import NOT_NEEDED, ErrorInfo, NodePlan, RunRefused
from ponystudio.engine.protocol.worker_messages import PlanAnswer, RunMessage, RunRequest
from ponystudio.errors import PonyStudioError
from ponystudio.graph.catalog import Catalog
from ponystudio.graph.model import Graph
from ponystudio.graph.topology import ancestors, effective, without_errors
from ponystudio.graph.validation import check, titles
from ponystudio.library.file_checks import check_files
from ponystudio.library.model_folders import ModelFolders
from ponystudio.qt.background_tasks import BackgroundTasks
from ponystudio.studio.documents.document import Document
from ponystudio.studio.documents.editable_graph import Change, Problem
from ponystudio.studio.runs.node_state_writer import PreviewPictures, faults_of
from ponystudio.studio.runs.run_texts import plan_texts
from ponystudio.studio.worker.worker_session import WorkerSession

# Milliseconds without an edit after which the graph is looked at.
PAUSE = 150
# The same while a run goes on in a graph of so many nodes.
LARGE, PAUSE_IF_LARGE = 300, 1500
# In place of a question's number: there was nothing to ask.
NOTHING = -1

Faults = Mapping[str, tuple[Problem, ...]]


@dataclass(frozen=True)
class PlanRequest:
    """A plan that was asked for: of which graph, of which document."""

    document: Document
    graph: Graph
    catalog: Catalog


class Planner(QObject):
    """Writes `tier`, `reason` and `faults` of the documents that it watches.

    `request` makes the question for the worker out of a document and the nodes to plan.
    `checked` is emitted with a document when its faults are known; `graph_faults` has those that
    belong to no node.
    """

    checked = Signal(object)

    def __init__(
        self,
        worker: WorkerSession,
        pictures: PreviewPictures,
        request: Callable[[Document, Sequence[str]], RunRequest],
        models: Callable[[], Sequence[Path]],
        parent: QObject | None = None,
    ) -> None:
        super().__init__(parent)
        self._worker, self._pictures = worker, pictures
        self._request, self._models = request, models
        self._timers: dict[Document, QTimer] = {}
        self._pending: dict[int, PlanRequest] = {}
        # Checks that go on, and what was answered before it was known what they asked.
        self._checks_running = 0
        self._early_answers: dict[int, RunMessage | PlanAnswer] = {}
        self._to_replan: set[Document] = set()
        self._faults: dict[Document, Faults] = {}
        self._listeners: dict[Document, list[tuple[Any, Any]]] = {}
        self._tasks = BackgroundTasks("planner", parent=self)
        worker.ready_changed.connect(self._on_ready_changed)

    def watch(self, document: Document) -> None:
        if document in self._timers:
            return
        timer = QTimer(self, singleShot=True, interval=PAUSE)
        timer.timeout.connect(partial(self._check_now, document))
        self._timers[document] = timer
        listeners: list[tuple[Any, Any]] = [
            (document.changed, partial(self._changed, document)),
            (document.catalog_changed, partial(timer.start, PAUSE)),
        ]
        for signal, slot in listeners:
            signal.connect(slot)
        self._listeners[document] = listeners
        timer.start(PAUSE)

    def unwatch(self, document: Document) -> None:
        for signal, slot in self._listeners.pop(document, ()):
            signal.disconnect(slot)
        timer = self._timers.pop(document, None)
        if timer is not None:
            timer.stop()
            timer.deleteLater()
        self._to_replan.discard(document)
        self._faults.pop(document, None)
        self._pending = {n: r for n, r in self._pending.items() if r.document != document}

    def plan_soon(self, document: Document) -> None:
        """A node has run, say: results are where they were not."""
        timer = self._timers.get(document)
        if timer is not None and not timer.isActive():
            # To plan a large graph takes time that the run would have.
            timer.start(PAUSE if len(document.graph.nodes) < LARGE else PAUSE_IF_LARGE)

    def plan_all(self) -> None:
        """Folders or settings have changed."""
        for timer in self._timers.values():
            timer.start(PAUSE)

    def graph_faults(self, document: Document) -> tuple[Problem, ...]:
        """What is wrong with no node in particular."""
        return self._faults.get(document, {}).get("", ())

    def close(self) -> None:
        for document in list(self._timers):
            self.unwatch(document)
        self._tasks.close()

    # --- The check, and the question --------------------------------------------------------------

    def _changed(self, document: Document, change: Change) -> None:
        if change.nodes or change.before.models is not change.after.models:
            _clear_stale_failures(document, change)
            self._timers[document].start(PAUSE)

    def _check_now(self, document: Document) -> None:
        """Off the GUI thread: large graphs take a while to check, and to spell out."""
        request = PlanRequest(document, document.graph, document.catalog)
        folders = ModelFolders(list(self._models()), document.folder)
        families = self._worker.about.families if self._worker.about else None
        ask = self._plan_request(document) if self._worker.is_ready else None
        if any(other.document is document for other in self._pending.values()):
            ask = None  # one question at a time
            self._to_replan.add(document)

        self._checks_running += 1

        def work() -> tuple[Faults, int | None]:
            faults = _check(request.graph, request.catalog, folders, families)
            if ask is None:
                return faults, None
            targets = plannable(request.graph, request.catalog, faults)
            return faults, ask(targets) if targets else NOTHING

        self._tasks.do(work, partial(self._on_checked, request), self._on_check_failed)

    def _plan_request(self, document: Document) -> Callable[[Sequence[str]], int]:
        request = self._request(document, ())
        return lambda targets: self._worker.plan(replace(request, targets=tuple(targets)))

    def _on_checked(self, request: PlanRequest, checked: tuple[Faults, int | None]) -> None:
        document, graph = request.document, request.graph
        faults, number = checked
        early = None if number is None else self._early_answers.pop(number, None)
        self._end_check()
        if document not in self._timers:
            return
        if document.graph.nodes == graph.nodes:
            self._faults[document] = faults
            before = [id for id in document.states if document.states[id].faults]
            with document.states.at_once():
                for id in {*before, *faults}:
                    if id in graph.nodes:
                        document.states.update(id, faults=faults.get(id, ()))
            self.checked.emit(document)
        if number == NOTHING:
            with document.states.at_once():
                for id in document.graph.nodes:
                    _set_plan(document, id, "", "")
        elif number is not None:
            self._pending[number] = request
            if early is not None:
                self.on_answer(early)

    def _on_check_failed(self, _: PonyStudioError) -> None:
        """It is in the log; the next edit is checked as ever."""
        self._end_check()

    def _end_check(self) -> None:
        self._checks_running -= 1
        if not self._checks_running:
            self._early_answers.clear()

    def on_answer(self, message: RunMessage | PlanAnswer) -> None:
        """What may be the worker's answer to a plan."""
        request = self._pending.pop(message.number, None)
        if request is None:
            if self._checks_running:  # it overtook the news that it was asked for
                self._early_answers[message.number] = message
            return
        document = request.document
        with document.states.at_once():
            match message:
                case PlanAnswer(nodes=nodes, keys=keys, errors=errors):
                    self._write(request, nodes, keys)
                    self._add_faults(request, faults_of(errors))
                case RunMessage(event=RunRefused(errors)):
                    self._write(request, {}, {})
                    self._add_faults(request, faults_of(errors))
        if document in self._to_replan:
            self._to_replan.discard(document)
            self._timers[document].start(PAUSE)

    def _write(
        self, request: PlanRequest, nodes: Mapping[str, NodePlan], keys: Mapping[str, str]
    ) -> None:
        document = request.document
        words = plan_texts(nodes, request.graph, request.catalog)
        for id in document.graph.nodes:
            tier, reason = words.get(id, ("", ""))
            more: dict[str, Any] = {}
            state = document.states[id]
            if state.phase == "rest" and id in nodes and nodes[id].status == NOT_NEEDED:
                more = {"phase": "done"}  # in an earlier process: what it was for still stands
            elif state.phase in ("rest", "done"):
                picture = self._pictures.get(keys.get(id, "")) if tier else None
                if picture is not None:
                    more = {"picture": picture, "stale": False, "live": False}
                elif not tier and reason:
                    more = {"stale": state.picture is not None}
            _set_plan(document, id, tier, reason, **more)

    def _add_faults(self, request: PlanRequest, new_faults: Faults) -> None:
        """What only the worker could see; what the check has seen already is not said twice."""
        for id, problems in new_faults.items():
            if id in request.document.graph.nodes:
                before = request.document.states[id].faults
                known = {(fault.reason, fault.socket) for fault in before}
                new = [p for p in problems if (p.reason, p.socket) not in known]
                if new:
                    request.document.states.update(id, faults=(*before, *new))

    def _on_ready_changed(self, ready: bool) -> None:
        self._pending.clear()
        self._early_answers.clear()
        self._to_replan.clear()
        if ready:
            self.plan_all()


def plannable(graph: Graph, catalog: Mapping[str, Any], faults: Faults) -> list[str]:
    """What a plan can be asked of: all ends of what does not depend on a fault."""
    nodes = (running := effective(graph, catalog)).nodes
    good = without_errors(running, nodes, [id for id in faults if id])
    read = {source for id in good for source in nodes[id].sources}
    effects = {type for type, spec in catalog.items() if spec.effects}
    return sorted(id for id in good if id not in read or nodes[id].type in effects)


def _check(
    graph: Graph, catalog: Catalog, folders: ModelFolders, families: Sequence[str] | None
) -> Faults:
    errors = [
        *check(graph, catalog, title_of=titles(graph, catalog)),
        *check_files(graph, catalog, folders, effective(graph, catalog).nodes, families=families),
    ]
    return faults_of(map(ErrorInfo.of, errors))


def _clear_stale_failures(document: Document, change: Change) -> None:
    """A failure is over when its node, or what it depends on, is changed."""
    failed = [id for id in document.states if document.states[id].phase in ("failed", "not_run")]
    if not failed:
        return
    graph = document.graph
    over = {id for id in failed if not change.nodes.isdisjoint(ancestors(graph, [id]))}
    for id in over:
        document.states.update(id, phase="rest", problem=None, reason="")


def _set_plan(document: Document, id: str, tier: str, reason: str, **more: Any) -> None:
    state = document.states[id]
    if state.phase in ("running", "failed", "not_run"):
        return  # they have their own story
    if more or (state.tier, state.reason) != (tier, reason):
        document.states.update(id, tier=tier, reason=reason, **more)
