"""Runs: one after the other, of frozen graphs, told of in the states of their documents."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path

from PySide6.QtCore import QObject, QTimer, Signal
from PySide6.QtGui import QImage

from ponystudio.engine.protocol.run_events import Event, RunFailed, RunFinished, RunRefused
from ponystudio.engine.protocol.worker_messages import Answer, RunMessage, RunRequest, UpgradeAnswer
from ponystudio.errors import WorkerDied
from ponystudio.graph.model import Graph
from ponystudio.studio.documents.document import Document
from ponystudio.studio.documents.editable_graph import Problem
from ponystudio.studio.documents.node_upgrades import NodeUpgrader
from ponystudio.studio.runs import seeds
from ponystudio.studio.runs.duration_estimates import Estimate, Estimates
from ponystudio.studio.runs.job_queue import Job, JobQueue
from ponystudio.studio.runs.job_store import JobStore
from ponystudio.studio.runs.last_run import LastPictures, LastSeeds
from ponystudio.studio.runs.node_previews import NodePreviews
from ponystudio.studio.runs.planner import Planner
from ponystudio.studio.runs.run_folders import RunFolders
from ponystudio.studio.runs.run_monitor import Outcome, RunMonitor
from ponystudio.studio.runs.seeds import SeedMode
from ponystudio.studio.worker.worker_session import WorkerSession

log = logging.getLogger(__name__)
# Milliseconds after which a Stop without effect may be pressed harder.
STOP_OFFER_DELAY = 2000
SAVE_INTERVAL = 5000
# Milliseconds between two words about how far a job is.
PROGRESS_INTERVAL = 33


class Runner(QObject):
    """Takes runs, puts them into the queue, hands one at a time to the worker.

    `watch` every open document: its states are written here. `picture_made` brings (document or
    None, node, path) of every picture that is saved, `memory_short` (document or None, node,
    action) of every answer to a lack of memory, `left_out` (document, {node: Problem})
    of what a run leaves out, once until that is something else, `job_done` the job and "done",
    "stopped" or "failed", `refused` (document or None, Problem) of what no node can show,
    `stop_offered` whether a Stop had no effect so that `stop_now` may be offered, `restored` how
    many jobs an earlier process left.
    """

    picture_made = Signal(object, str, str)
    memory_short = Signal(object, str, str)
    left_out = Signal(object, object)
    job_done = Signal(object, str)
    refused = Signal(object, object)
    stop_offered = Signal(bool)
    restored = Signal(int)
    options_changed = Signal()

    def __init__(
        self,
        worker: WorkerSession,
        folders: RunFolders,
        *,
        queue: JobQueue | None = None,
        estimates: Estimates | None = None,
        last_seeds: LastSeeds | None = None,
        last_pictures: LastPictures | None = None,
        parent: QObject | None = None,
    ) -> None:
        super().__init__(parent)
        self.worker, self.folders = worker, folders
        self.queue = JobQueue(parent=self) if queue is None else queue
        self.estimates = estimates or Estimates()
        self.last_seeds = last_seeds or LastSeeds()
        self._documents: dict[str, Document] = {}
        self.pictures = NodePreviews(last_pictures, self)
        self._latest: dict[str, QImage] = {}
        self._left_out: dict[Document, set[str]] = {}
        self._monitor: RunMonitor | None = None
        self._mode: SeedMode = "random"
        self._count = 1
        self._deaths = 0
        # What the present or last run did against a lack of memory, in order.
        self.fallbacks: list[str] = []
        self.upgrader = NodeUpgrader(worker, self)
        self.planner = Planner(
            worker, self.pictures.known, self._plan_request, folders.models, parent=self
        )
        self._stop_timer = QTimer(self, singleShot=True, interval=STOP_OFFER_DELAY)
        self._stop_timer.timeout.connect(lambda: self.stop_offered.emit(True))
        self._progress_timer = QTimer(self, singleShot=True, interval=PROGRESS_INTERVAL)
        self._progress_timer.timeout.connect(self._emit_progress)
        self._save_timer = QTimer(self, singleShot=True, interval=SAVE_INTERVAL)
        self._save_timer.timeout.connect(self._save_learned)
        worker.message_received.connect(self._on_message)
        worker.ready_changed.connect(self._on_ready_changed)
        worker.failed.connect(self._on_worker_failed)
        worker.restarted.connect(self._on_worker_restarted)

    # --- Documents --------------------------------------------------------------------------------

    def watch(self, document: Document) -> None:
        """A document was opened."""
        scope = document.id
        self._documents[scope] = document
        self.upgrader.watch(document)
        self.planner.watch(document)
        self.pictures.show_last(document, scope, lambda: self.planner.plan_soon(document))
        if self._monitor is not None and self._monitor.job.scope == scope:
            self._monitor.set_document(document)

    def unwatch(self, document: Document) -> None:
        """It was closed; its jobs go on."""
        self.upgrader.unwatch(document)
        self.planner.unwatch(document)
        scope = document.id
        self._latest.pop(scope, None)
        self._left_out.pop(document, None)
        self._documents.pop(scope, None)
        if self._monitor is not None and self._monitor.document is document:
            self._monitor.set_document(None)

    def document_of(self, job: Job) -> Document | None:
        """The document that a job came from, if it is open."""
        return self._documents.get(job.scope)

    # --- Options ----------------------------------------------------------------------------------

    @property
    def seed_mode(self) -> SeedMode:
        return self._mode

    def set_seed_mode(self, mode: SeedMode) -> None:
        if mode != self._mode and mode in seeds.MODES:
            self._mode = mode
            self.options_changed.emit()

    @property
    def count(self) -> int:
        return self._count

    def set_count(self, count: int) -> None:
        count = max(1, min(count, 999))
        if count != self._count:
            self._count = count
            self.options_changed.emit()

    # --- Runs -------------------------------------------------------------------------------------

    def run(
        self,
        document: Document,
        targets: Sequence[str] | None = None,
        count: int | None = None,
        *,
        front: bool = False,
        denoiser_on_cpu: bool = False,
    ) -> Job:
        """Queue a run of what saves or shows something, or of these nodes.

        Its seeds are rolled now, and the document shows those of the last picture; fixed ones stay,
        and so do those of what is going to be left out or refused.
        """
        graph, catalog = document.graph, document.catalog
        scope = document.id
        faulty = [id for id in document.states if document.states[id].faults]
        seed_values = seeds.seeds_in(graph, catalog, targets, faulty)
        hopeless = not seeds.needed(graph, catalog, targets, faulty)
        mode = "fixed" if hopeless else self._mode
        seed_sets = seeds.choose_seeds(
            seed_values,
            mode,
            count or self._count,
            self.last_seeds.of(scope),
            lambda place: document.has_default(*place),
        )
        job = Job(
            self.queue.new_id(),
            document.title,
            scope,
            graph,
            tuple(seed_sets),
            None if targets is None else tuple(targets),
            document.folder,
            denoiser_on_cpu=denoiser_on_cpu,
            picture=self._latest.get(scope),
        )
        shown = seed_sets[0 if mode == "fixed" else -1]
        if not hopeless:
            self.last_seeds.note(scope, {(node, name): seed for node, name, seed in shown})
            self._save_timer.start()
        document.do_automatic(seeds.edits(graph, shown), self.tr("New seed"))
        self._enqueue(job, front)
        return job

    def run_detached(
        self, title: str, graph: Graph, node: str, folder: Path, graph_dir: Path | None
    ) -> Job:
        """Queue a run of one node of a graph that is nobody's, all of it again, into a folder."""
        id = self.queue.new_id()
        job = Job(
            id, title, "", graph, targets=(node,), graph_dir=graph_dir, output_override=folder
        )
        self._enqueue(job)
        return job

    def _enqueue(self, job: Job, front: bool = False) -> None:
        if self.worker.failure:
            self.worker.restart()  # perhaps it works now
        self.queue.set_paused(False)
        self.queue.add(job, front=front)
        self._start_next()

    def run_to(self, document: Document, node: str) -> Job:
        """Run one node and what it needs."""
        return self.run(document, [node], 1)

    def run_selection(self, document: Document, nodes: Sequence[str]) -> Job | None:
        return self.run(document, list(nodes), 1) if nodes else None

    def cancel(self, job: Job) -> None:
        """Take a job out of the queue; stop it, if it runs."""
        if job.status == "waiting":
            self.queue.remove(job)
            self.job_done.emit(job, "stopped")
        elif job.number is not None:
            job.status, job.cancel_requested = "stopping", True
            self.worker.cancel(job.number)
            self._stop_timer.start()
            self.queue.job_changed.emit(job)

    def cancel_current(self) -> None:
        if self.queue.running is not None:
            self.cancel(self.queue.running)

    def cancel_all(self) -> None:
        for job in reversed(self.queue.jobs):
            self.cancel(job)

    def stop_now(self) -> None:
        """End the worker in the middle of what it does; the queue goes on with another."""
        job = self.queue.running
        if job is not None:
            job.status, job.cancel_requested = "stopping", True
            self.worker.stop_now()

    @property
    def paused(self) -> bool:
        return self.queue.paused

    def pause(self) -> None:
        """Begin no more pictures; the present one is finished."""
        self.queue.set_paused(True)

    def resume(self) -> None:
        if self.worker.failure:
            self.worker.restart()
        self.queue.set_paused(False)
        self._start_next()

    def restore(self, store: JobStore | None = None) -> None:
        """Take up the queue of an earlier process, paused, or one that was put aside; `restored`
        says how many jobs."""
        if found := self.queue.restore(store):
            self.restored.emit(found)

    @property
    def is_running(self) -> bool:
        return self.queue.running is not None

    def clear_cache(self) -> None:
        """Forget every result; the cards tell soon."""
        self.worker.clear_cache()
        self.planner.plan_all()

    # --- What is known ----------------------------------------------------------------------------

    def last_seed(self, document: Document, node: str, param: str) -> int | None:
        """The seed that the last run used here."""
        return self.last_seeds.of(document.id).get((node, param))

    def costs(self, document: Document, nodes: Sequence[str]) -> list[Estimate]:
        """What nodes usually take at their present size; `runs` 0: it is not known."""
        return self.estimates.of_nodes(self.worker.device, document.graph, document.catalog, nodes)

    def close(self) -> None:
        """Before the application ends: what was learned is kept, nothing is told any more."""
        self._stop_timer.stop()
        self._progress_timer.stop()
        self._save_timer.stop()
        self.planner.close()
        self.pictures.close()
        self.estimates.save()
        self.last_seeds.save()

    # --- One run after the other ------------------------------------------------------------------

    def _start_next(self) -> None:
        job = self.queue.next
        if job is None or self.queue.paused or self.queue.running is not None:
            return
        job.status = "running"
        job.begin_picture()
        self.fallbacks = []
        self._monitor = self._new_monitor(job)
        self._monitor.set_document(self._documents.get(job.scope))
        self._monitor.start()
        request = self.folders.request(
            job.graph_now,
            job.graph_dir,
            job.targets,
            job.scope,
            denoiser_on_cpu=job.denoiser_on_cpu,
            output_override=job.output_override,
        )
        job.number = self.worker.submit(request)
        self.queue.changed.emit()

    def _plan_request(self, document: Document, targets: Sequence[str]) -> RunRequest:
        return self.folders.request(document.graph, document.folder, targets, document.id)

    def _new_monitor(self, job: Job) -> RunMonitor:
        monitor = RunMonitor(job, self.worker, self.estimates, self.pictures.known)
        monitor.node_done.connect(self._on_node_done)
        monitor.nodes_left_out.connect(self._on_left_out)
        monitor.output_made.connect(self._on_output)
        monitor.memory_short.connect(self._on_memory_short)
        monitor.results_renamed.connect(partial(self.pictures.rename, job.scope))
        return monitor

    def _on_message(self, message: Answer) -> None:
        monitor = self._monitor
        match message:
            case UpgradeAnswer():
                pass  # the upgrader's
            case RunMessage(number, event) if monitor is not None and number == monitor.job.number:
                outcome = self._outcome(monitor, event)
                if outcome is not None:
                    self._on_run_ended(monitor, outcome)
                elif not self._progress_timer.isActive():
                    self._progress_timer.start()
            case _:
                self.planner.on_answer(message)

    def _outcome(self, monitor: RunMonitor, event: Event) -> Outcome | None:
        """How a run ended, if it did; a fault in showing what happens never leaves it unended."""
        try:
            return monitor.on_event(event)
        except Exception:
            log.exception("What happened in a run could not be shown.")
            ended = isinstance(event, RunFinished | RunRefused | RunFailed)
            return "failed" if ended else None

    def _emit_progress(self) -> None:
        if self._monitor is not None:
            self.queue.job_changed.emit(self._monitor.job)

    def _on_run_ended(self, monitor: RunMonitor, how: Outcome) -> None:
        """One picture is made, or is not to be."""
        job, self._monitor = monitor.job, None
        document = monitor.document
        self._stop_timer.stop()
        self.stop_offered.emit(False)
        job.number = None
        died = monitor.problem is not None and monitor.problem.reason == WorkerDied.__name__
        self._deaths = self._deaths + 1 if died and not job.cancel_requested else 0
        # A dead worker costs one picture; what fails by itself would fail again.
        again = how == "done" or (died and not job.cancel_requested and self._deaths < 2)
        job.done += 1
        if again and not job.cancel_requested and job.done < job.count:
            job.status = "waiting"
            self.queue.picture_done(job)
        else:
            job.status = "waiting"
            self.queue.remove(job)
            if how == "failed":
                job.failure, job.problem = monitor.failure, monitor.problem
            self.job_done.emit(job, how)
        shown = monitor.shown_on_a_node or job.output_override is not None
        if how == "failed" and monitor.problem is not None and not shown:
            self.refused.emit(document, monitor.problem)
        if document is not None:
            self.planner.plan_soon(document)
        self._save_timer.start()
        self._start_next()

    def _on_worker_failed(self, reason: str) -> None:
        """There can be no worker: what waits is kept until the user tries again."""
        self.queue.set_paused(True)
        remedy = self.worker.remedy or self.tr("Choose another device in the settings.")
        self.refused.emit(None, Problem(reason, remedy))

    def _on_ready_changed(self, ready: bool) -> None:
        if ready and self._monitor is not None:
            self._monitor.update_catalog()

    def _on_worker_restarted(self) -> None:
        """There is another worker: the picture that the old one was at is begun anew."""
        self._deaths = 0
        self._stop_timer.stop()
        self.stop_offered.emit(False)
        if self._monitor is not None:
            monitor, self._monitor = self._monitor, None
            monitor.stop()
            monitor.job.status, monitor.job.number = "waiting", None
            if monitor.job.cancel_requested:
                self.queue.remove(monitor.job)
                self.job_done.emit(monitor.job, "stopped")
            self._start_next()

    # --- What the present run's monitor says ------------------------------------------------------

    def _on_node_done(self) -> None:
        if self._monitor is not None and self._monitor.document is not None:
            self.planner.plan_soon(self._monitor.document)

    def _on_left_out(self, problems: Mapping[str, Problem]) -> None:
        """What a run does without; somebody who forgot a node is not told at every run."""
        document = None if self._monitor is None else self._monitor.document
        if document is not None and self._left_out.get(document, set()) != problems.keys():
            self._left_out[document] = set(problems)
            if problems:
                self.left_out.emit(document, problems)

    def _on_memory_short(self, node: str, action: str) -> None:
        if self._monitor is not None:
            self.fallbacks.append(action)
            self.memory_short.emit(self._monitor.document, node, action)

    def _on_output(self, node: str, path: str, unchanged: bool) -> None:
        monitor = self._monitor
        if monitor is None:
            return
        if monitor.job.output_override is not None:
            monitor.job.made.append((node, Path(path)))
            return
        have = partial(self._have_picture, monitor, node)
        self.pictures.load(monitor.job.scope, node, path, monitor.keys.get(node, ""), have)
        under_output = Path(path).is_relative_to(self.folders.output())
        if not unchanged and under_output:
            self.picture_made.emit(monitor.document, node, path)

    def _have_picture(self, monitor: RunMonitor, node: str, picture: QImage) -> None:
        if monitor.document not in self._documents.values():  # closed since the run ended
            monitor.set_document(None)
        else:
            self._latest[monitor.job.scope] = picture
        monitor.set_picture(node, picture)
        self.queue.job_changed.emit(monitor.job)

    def _save_learned(self) -> None:
        for store in (self.estimates, self.last_seeds, self.pictures.last):
            if (text := store.text()) is not None:
                self.pictures.work.do(partial(store.save, text))
