"""One run as it goes on: from what the worker tells to states, progress and what is learned."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from PySide6.QtGui import QImage

from ponystudio.errors import GraphError
from ponystudio.graph.topology import ancestors, dependents, effective
from ponystudio.graph.validation import effective_targets
from ponystudio.qt.i18n import tr
from ponystudio.studio.documents.document import Document
from ponystudio.studio.documents.node_state import Problem
from ponystudio.studio.runs.duration_estimates import Work, works
from ponystudio.studio.runs.job_queue import Job
from ponystudio.studio.runs.node_state_writer import NodeStateWriter, faults_of, problem_of
from ponystudio.studio.runs.progress_estimate import ProgressEstimate
from ponystudio.studio.runs.run_texts import title

if TYPE_CHECKING:
    from ponystudio.studio.runs.runner import Runner


class RunMonitor:
    """`on_message` takes each message of the run; it returns how the run ended, or ""."""

    def __init__(self, job: Job, runner: Runner) -> None:
        self.job, self._runner = job, runner
        self.document: Document | None = None
        self.problem: Problem | None = None
        self.shown_on_a_node = False
        self.failure = ""
        self.keys: Mapping[str, str] = {}
        """What the results are known by, once the run is planned."""
        self._graph = job.graph_now
        self._catalog = runner.link.catalog
        self._works = works(self._graph, self._catalog)
        self._states: NodeStateWriter | None = None
        self._estimate: ProgressEstimate | None = None
        self._loading = 0.0
        self._steps: list[str] = []

    def update_catalog(self) -> None:
        """The worker is there: it may know other nodes than those of the last start, with which
        the run was begun."""
        if self._catalog is not self._runner.link.catalog:
            self._catalog = self._runner.link.catalog
            self._works = works(self._graph, self._catalog)
            self.set_document(self.document)
            self.start()

    def set_document(self, document: Document | None) -> None:
        """Where its states are written, from now on."""
        self.document = document
        self._states = None
        if document is not None:
            self._states = NodeStateWriter(
                document, self._possible_nodes(), self._runner.pictures.known
            )

    def start(self) -> None:
        if self._states is not None:
            self._states.start()

    def on_message(self, message: Mapping[str, Any], blob: bytes) -> str:
        handler = getattr(self, f"_{message['event']}", None)
        if handler is None:
            return ""
        ended = handler(message, blob)
        return ended if isinstance(ended, str) else ""

    def stop(self) -> None:
        """It is no longer made."""
        if self._states is not None:
            self._states.stop()

    def set_picture(self, node: str, picture: QImage) -> None:
        """A picture file that the run made, or found unchanged, is read."""
        self.job.picture = picture
        if self._states is not None:
            self._states.set_picture(node, picture)

    # --- Messages, by their names -----------------------------------------------------------------

    def _left_out(self, message: Mapping[str, Any], _: bytes) -> None:
        """Some of what was asked for has errors: it is told of there, and the rest runs."""
        faults = faults_of(message["errors"])
        self.job.left_out = len(faults)
        if self._states is not None:
            self._states.leave_out(faults, self._blocked(faults))
        first_faults = {id: problems[0] for id, problems in faults.items()}
        self._runner.note_left_out(self.document, first_faults)

    def _run_started(self, message: Mapping[str, Any], _: bytes) -> None:
        self.job.nodes = int(message["nodes"])
        if not self.job.left_out:
            self._runner.note_left_out(self.document, {})

    def _run_planned(self, message: Mapping[str, Any], _: bytes) -> None:
        steps = self._steps = [str(id) for id in message["steps"]]
        self.keys = message.get("keys", {})
        device = self._runner.link.device
        nodes = self._graph.nodes
        expected = {
            id: self._runner.estimates.of(device, nodes[id].type, self._work(id)).seconds
            for id in steps
            if id in nodes
        }
        self._estimate = ProgressEstimate(steps, expected)
        if self._states is not None:
            self._states.on_planned(set(steps), self.keys)
        self._update_progress()

    def _node_started(self, message: Mapping[str, Any], _: bytes) -> None:
        id = str(message["node"])
        self.job.node, self.job.node_title = id, title(self._graph, self._catalog, id)
        self.job.step = self.job.steps = 0
        self._loading = 0.0
        if self._estimate is not None:
            self._estimate.start(id)
        if self._states is not None:
            self._states.on_started(id, str(message["why"]))
        self._update_progress()

    def _progress(self, message: Mapping[str, Any], _: bytes) -> None:
        id, step, steps = str(message["node"]), int(message["step"]), int(message["steps"])
        left = None
        if self._estimate is not None:
            self._estimate.progress(id, step, steps)
            left = self._estimate.node_left()
        if id == self.job.node:
            self.job.step, self.job.steps = step, steps
        if self._states is not None:
            self._states.on_progress(id, step, steps, left)
        self._update_progress()

    def _preview(self, message: Mapping[str, Any], blob: bytes) -> None:
        picture = QImage.fromData(blob)
        if not picture.isNull():
            self.job.picture = picture
            if self._states is not None:
                self._states.on_preview(str(message["node"]), picture)

    def _result(self, message: Mapping[str, Any], blob: bytes) -> None:
        picture = QImage.fromData(blob) if blob else None
        if picture is not None and not picture.isNull():
            self.job.picture = picture
        if self._states is not None:
            self._states.on_result(message, picture)

    def _weights(self, message: Mapping[str, Any], _: bytes) -> None:
        self._loading += float(message["seconds"])

    def _node_finished(self, message: Mapping[str, Any], _: bytes) -> None:
        id, cached, seconds = str(message["node"]), message["cached"], float(message["seconds"])
        if id in self._steps:
            self._steps.remove(id)
        self.job.nodes_done += 1
        self.job.nodes_cached += bool(cached)
        if not cached:
            self._learn_duration(id, seconds - self._loading)
        if self._estimate is not None:
            self._estimate.finish(id)
        if self._states is not None:
            self._states.on_finished(id, cached, seconds)
        self._update_progress()
        if not cached:
            self._runner.node_done(self.document)

    def _output(self, message: Mapping[str, Any], _: bytes) -> None:
        unchanged = bool(message.get("unchanged", False))
        self._runner.output_made(self, str(message["node"]), str(message["path"]), unchanged)

    def _note(self, message: Mapping[str, Any], _: bytes) -> None:
        node = str(message["node"]) or self.job.node
        if self._states is not None and node:
            self._states.add_note(node, str(message["text"]))

    def _memory(self, message: Mapping[str, Any], _: bytes) -> None:
        node, action = str(message.get("node", "")), str(message["action"])
        self._runner.note_fallback(self.document, node, action)

    def _run_finished(self, message: Mapping[str, Any], _: bytes) -> str:
        self.job.fraction, self.job.left = 1.0, 0.0
        self.job.seconds += float(message["seconds"])
        if self._states is not None:
            self._states.end()
        return "done"

    def _run_failed(self, message: Mapping[str, Any], _: bytes) -> str:
        if message.get("reason") == "Cancelled" or self.job.cancel_requested:
            self.stop()
            return "stopped"
        self.problem = problem_of(message)
        self.failure = self.problem.what
        # A worker that dies may have had no time to say what it was at.
        node = str(message.get("node", "")) or next(iter(self._steps), self.job.node)
        if node in self._graph.nodes:
            name = title(self._graph, self._catalog, node)
            self.failure = tr("{node} failed").format(node=name)
        if self._states is not None:
            self._states.fail(node, self.problem)
            self.shown_on_a_node = bool(node) and node in self._graph.nodes
        return "failed"

    def _refused(self, message: Mapping[str, Any], _: bytes) -> str:
        faults = faults_of(message["errors"])
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
            device = self._runner.link.device
            self._runner.estimates.learn(device, node.type, self._work(id), max(0.0, seconds))

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
