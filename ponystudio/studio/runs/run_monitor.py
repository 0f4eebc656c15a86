"""One run as it goes on: from its events to states, progress and what is learned."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Literal, assert_never

from PySide6.QtCore import QObject, Signal
from PySide6.QtGui import QImage

from ponystudio.engine.protocol.run_events import (
    CANCELLED,
    ErrorInfo,
    Event,
    Memory,
    NodeFinished,
    NodePreview,
    NodeResult,
    NodesLeftOut,
    NodeStarted,
    Note,
    Output,
    Progress,
    ResultsRenamed,
    RunFailed,
    RunFinished,
    RunPlanned,
    RunRefused,
    RunStarted,
    Tier,
    WeightsEvent,
)
from ponystudio.errors import GraphError
from ponystudio.graph.topology import ancestors, dependents, effective
from ponystudio.graph.validation import effective_targets
from ponystudio.qt.i18n import tr
from ponystudio.qt.picture_image import own_image
from ponystudio.studio.documents.document import Document
from ponystudio.studio.documents.editable_graph import Problem
from ponystudio.studio.runs.duration_estimates import Estimates, ProgressEstimate, Work, works
from ponystudio.studio.runs.job_queue import Job
from ponystudio.studio.runs.node_state_writer import (
    NodeStateWriter,
    PreviewPictures,
    faults_of,
    problem_of,
)
from ponystudio.studio.runs.run_texts import title
from ponystudio.studio.worker.worker_session import WorkerSession

Outcome = Literal["done", "stopped", "failed"]
Faults = Mapping[str, tuple[Problem, ...]]


class RunMonitor(QObject):
    """Takes each event of a run of `job`.

    `node_done`: a node ran; `nodes_left_out` brings the first Problem of each node that the run
    does without, none when it is known that it does without none; `output_made` (node, path,
    unchanged) of every picture file; `memory_short` (node, action) of every fallback;
    `results_renamed` (keys) when results are known by other ones now.
    """

    node_done = Signal()
    nodes_left_out = Signal(object)
    output_made = Signal(str, str, bool)
    memory_short = Signal(str, str)
    results_renamed = Signal(object)

    def __init__(
        self, job: Job, session: WorkerSession, estimates: Estimates, pictures: PreviewPictures
    ) -> None:
        super().__init__()
        self.job = job
        self._session, self._estimates, self._pictures = session, estimates, pictures
        self.document: Document | None = None
        self.problem: Problem | None = None
        self.shown_on_a_node = False
        self.failure = ""
        self.keys: Mapping[str, str] = {}
        """What the results are known by, once the run is planned."""
        self._graph = job.graph_now
        self._catalog = session.catalog
        self._works = works(self._graph, self._catalog)
        self._states: NodeStateWriter | None = None
        self._estimate: ProgressEstimate | None = None
        self._loading_seconds = 0.0
        self._steps: list[str] = []

    def update_catalog(self) -> None:
        """The worker is there: it may know other nodes than those of the last start, with which
        the run was begun."""
        if self._catalog is not self._session.catalog:
            self._catalog = self._session.catalog
            self._works = works(self._graph, self._catalog)
            self.set_document(self.document)
            self.start()

    def set_document(self, document: Document | None) -> None:
        """Where its states are written, from now on."""
        self.document = document
        self._states = None
        if document is not None:
            self._states = NodeStateWriter(document, self._possible_nodes(), self._pictures)

    def start(self) -> None:
        if self._states is not None:
            self._states.start()

    def on_event(self, event: Event) -> Outcome | None:
        """Take an event; how the run ended, if it did."""
        match event:
            case RunStarted():
                self._on_started(event)
            case NodesLeftOut(errors):
                self._on_left_out(faults_of(errors))
            case RunPlanned():
                self._on_planned(event)
            case ResultsRenamed(keys):
                self.results_renamed.emit(keys)
            case NodeStarted(node, why):
                self._on_node_started(node, why)
            case Progress(node, step, steps):
                self._on_progress(node, step, steps)
            case NodePreview(node=node, jpeg=jpeg):
                self._on_preview(node, own_image(jpeg))
            case NodeResult():
                self._on_result(event)
            case WeightsEvent(seconds=seconds):
                self._loading_seconds += seconds
            case NodeFinished(node, cached, seconds):
                self._on_node_finished(node, cached, seconds)
            case Output(node, path, unchanged):
                self.output_made.emit(node, path, unchanged)
            case Note(node, text):
                self._on_note(node or self.job.node, text)
            case Memory(action, node):
                self.memory_short.emit(node, action)
            case RunFinished(seconds):
                return self._on_finished(seconds)
            case RunFailed(error):
                return self._on_failed(error)
            case RunRefused(errors):
                return self._on_refused(faults_of(errors))
            case _:
                assert_never(event)
        return None

    def stop(self) -> None:
        """It is no longer made."""
        if self._states is not None:
            self._states.stop()

    def set_picture(self, node: str, picture: QImage) -> None:
        """A picture file that the run made, or found unchanged, is read."""
        self.job.picture = picture
        if self._states is not None:
            self._states.set_picture(node, picture)

    # --- Events -----------------------------------------------------------------------------------

    def _on_started(self, event: RunStarted) -> None:
        self.job.nodes = event.nodes
        if not self.job.left_out:
            self.nodes_left_out.emit({})

    def _on_left_out(self, faults: Faults) -> None:
        """Some of what was asked for has errors: it is shown there, and the rest runs."""
        self.job.left_out = len(faults)
        if self._states is not None:
            self._states.leave_out(faults, self._blocked(faults))
        self.nodes_left_out.emit({id: problems[0] for id, problems in faults.items()})

    def _on_planned(self, event: RunPlanned) -> None:
        self._steps, self.keys = [*event.steps], event.keys
        device, nodes = self._session.device, self._graph.nodes
        expected = {
            id: self._estimates.of(device, nodes[id].type, self._work(id)).seconds
            for id in self._steps
            if id in nodes
        }
        self._estimate = ProgressEstimate(self._steps, expected)
        if self._states is not None:
            self._states.on_planned(set(self._steps), self.keys)
        self._update_progress()

    def _on_node_started(self, id: str, why: str) -> None:
        self.job.node, self.job.node_title = id, title(self._graph, self._catalog, id)
        self.job.step = self.job.steps = 0
        self._loading_seconds = 0.0
        if self._estimate is not None:
            self._estimate.start(id)
        if self._states is not None:
            self._states.on_started(id, why)
        self._update_progress()

    def _on_progress(self, id: str, step: int, steps: int) -> None:
        left = None
        if self._estimate is not None:
            self._estimate.progress(id, step, steps)
            left = self._estimate.node_left()
        if id == self.job.node:
            self.job.step, self.job.steps = step, steps
        if self._states is not None:
            self._states.on_progress(id, step, steps, left)
        self._update_progress()

    def _on_preview(self, id: str, picture: QImage) -> None:
        if not picture.isNull():
            self.job.picture = picture
            if self._states is not None:
                self._states.on_preview(id, picture)

    def _on_result(self, result: NodeResult) -> None:
        picture = own_image(result.jpeg) if result.jpeg else None
        if picture is not None and not picture.isNull():
            self.job.picture = picture
        if self._states is not None:
            self._states.on_result(result, picture)

    def _on_node_finished(self, id: str, cached: Tier | bool, seconds: float) -> None:
        if id in self._steps:
            self._steps.remove(id)
        self.job.nodes_done += 1
        self.job.nodes_cached += bool(cached)
        if not cached:
            self._learn_duration(id, seconds - self._loading_seconds)
        if self._estimate is not None:
            self._estimate.finish(id)
        if self._states is not None:
            self._states.on_finished(id, cached, seconds)
        self._update_progress()
        if not cached:
            self.node_done.emit()

    def _on_note(self, id: str, text: str) -> None:
        if self._states is not None and id:
            self._states.add_note(id, text)

    def _on_finished(self, seconds: float) -> Outcome:
        self.job.fraction, self.job.left = 1.0, 0.0
        self.job.seconds += seconds
        if self._states is not None:
            self._states.end()
        return "done"

    def _on_failed(self, error: ErrorInfo) -> Outcome:
        if error.reason == CANCELLED or self.job.cancel_requested:
            self.stop()
            return "stopped"
        self.problem = problem_of(error)
        self.failure = self.problem.what
        # A worker that dies may have had no time to say what it was at.
        node = error.node or next(iter(self._steps), self.job.node)
        if node in self._graph.nodes:
            name = title(self._graph, self._catalog, node)
            self.failure = tr("{node} failed").format(node=name)
        if self._states is not None:
            self._states.fail(node, self.problem)
            self.shown_on_a_node = bool(node) and node in self._graph.nodes
        return "failed"

    def _on_refused(self, faults: Faults) -> Outcome:
        self.problem = next(iter(faults.values()))[0] if faults else None
        node = next(iter(faults), "")
        if self.problem is not None and node in self._graph.nodes:
            name = title(self._graph, self._catalog, node)
            self.failure = tr("Not run. {node}: {what}").format(node=name, what=self.problem.what)
        if self._states is not None:
            self._states.refuse(faults, self._blocked(faults))
            self.shown_on_a_node = any(faults)
        return "failed"

    # ----------------------------------------------------------------------------------------------

    def _update_progress(self) -> None:
        if self._estimate is None:
            return
        # Never backwards: a bar that shrinks is worse than one that waits.
        self.job.fraction = max(self.job.fraction, self._estimate.fraction)
        self.job.left = self._estimate.left

    def _learn_duration(self, id: str, seconds: float) -> None:
        node = self._graph.nodes.get(id)
        if node is not None:
            device = self._session.device
            self._estimates.learn(device, node.type, self._work(id), max(0.0, seconds))

    def _work(self, id: str) -> Work:
        return self._works.get(id, Work())

    def _blocked(self, faults: Iterable[str]) -> dict[str, str]:
        """By node the faulty one that it needs."""
        running = effective(self._graph, self._catalog)
        return {id: node for node in faults for id in dependents(running, [node])}

    def _possible_nodes(self) -> set[str]:
        """The nodes that the run may concern."""
        running = effective(self._graph, self._catalog)
        try:
            targets = self.job.targets
            wanted = effective_targets(self._graph, self._catalog) if targets is None else targets
        except GraphError:
            return set()
        return ancestors(running, wanted)
