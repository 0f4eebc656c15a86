"""What waits to be made, and what is being made: frozen graphs, in order."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from PySide6.QtCore import QObject, Signal
from PySide6.QtGui import QImage

from ponystudio.graph.model import Graph
from ponystudio.studio.documents.editable_graph import Problem
from ponystudio.studio.runs.job_store import JobStore, StoredJob
from ponystudio.studio.runs.seeds import SeedSet, with_seeds

Status = Literal["waiting", "running", "stopping"]


@dataclass(eq=False)
class Job:
    """One press of Run: as many pictures as there are `seed_sets`.

    `scope` names the document that it came from; `done` of its pictures are made. The rest is how
    far the present one is: `fraction` of its time, `left` seconds, the `node` that runs; and the
    `seconds` that it all took. `failure` says in short why it failed, `problem` in full,
    `left_out` how many nodes were not fit to run.

    With an `output_override` all is made again, into that folder, and is no result: it is `made`
    for whoever asked. Such a job does not outlive the process.
    """

    id: int
    title: str
    scope: str
    graph: Graph = field(repr=False)
    seed_sets: tuple[SeedSet, ...] = field(default=((),), repr=False)
    targets: tuple[str, ...] | None = None
    graph_dir: Path | None = None
    done: int = 0
    status: Status = "waiting"
    denoiser_on_cpu: bool = False
    output_override: Path | None = None

    number: int | None = None
    node: str = ""
    node_title: str = ""
    step: int = 0
    steps: int = 0
    fraction: float = 0.0
    left: float | None = None
    nodes: int = 0
    nodes_done: int = 0
    nodes_cached: int = 0
    picture: QImage | None = None
    cancel_requested: bool = False
    failure: str = ""
    problem: Problem | None = None
    left_out: int = 0
    seconds: float = 0.0
    made: list[tuple[str, Path]] = field(default_factory=list, repr=False)
    """Node and file."""

    @property
    def count(self) -> int:
        return len(self.seed_sets)

    @property
    def graph_now(self) -> Graph:
        """The graph of the picture that comes next, or is being made."""
        return with_seeds(self.graph, self.seed_sets[min(self.done, self.count - 1)])

    def begin_picture(self) -> None:
        self.node = self.node_title = ""
        self.step = self.steps = self.nodes = self.nodes_done = self.nodes_cached = 0
        self.left_out = 0
        self.made.clear()
        self.fraction, self.left = 0.0, None

    def stored(self) -> StoredJob:
        return StoredJob(
            self.id,
            self.title,
            self.scope,
            self.graph,
            self.seed_sets,
            self.targets,
            self.graph_dir,
            self.denoiser_on_cpu,
        )


class JobQueue(QObject):
    """The jobs in their order, the running one first. Kept on disk, so that a crash loses none.

    `changed`: jobs came, went or moved, or the queue was paused; `job_changed`: one went on.
    """

    changed = Signal()
    job_changed = Signal(object)

    def __init__(self, store: JobStore | None = None, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._store = store
        self._jobs: list[Job] = []
        self._next = 1
        self.paused = False

    def __len__(self) -> int:
        return len(self._jobs)

    @property
    def jobs(self) -> tuple[Job, ...]:
        return tuple(self._jobs)

    @property
    def running(self) -> Job | None:
        return next((job for job in self._jobs if job.status != "waiting"), None)

    @property
    def next(self) -> Job | None:
        """The job that is to go on or to begin."""
        return self._jobs[0] if self._jobs else None

    def restore(self, other: JobStore | None = None) -> int:
        """Take up what an earlier process left, paused, or what is in another store; how many jobs
        that are."""
        store = other or self._store
        if store is None:
            return 0
        found = store.load()
        for stored, done in found:
            job = Job(
                self.new_id() if other else stored.id,
                stored.title,
                stored.scope,
                stored.graph,
                stored.seed_sets,
                stored.targets,
                stored.graph_dir,
                done,
                denoiser_on_cpu=stored.denoiser_on_cpu,
            )
            self._jobs.append(job)
            self._next = max(self._next, job.id + 1)
            if other is not None and self._store is not None:
                self._store.keep(job.stored())
        if found:
            self.paused = True
            self._order_changed()
        if other is not None and self._store is not None:
            self._store.take_over(other, [stored.id for stored, _ in found])
        return len(found)

    def new_id(self) -> int:
        self._next += 1
        return self._next - 1

    def add(self, job: Job, *, front: bool = False) -> None:
        """Put a job last, or before all that wait."""
        at = len(self._jobs)
        if front:
            at = 1 if self._jobs and self._jobs[0].status != "waiting" else 0
        self._jobs.insert(at, job)
        if self._store is not None and job.output_override is None:
            self._store.keep(job.stored())
        self._order_changed()

    def move(self, job: Job, index: int) -> None:
        """Another place for a job that waits; the running one stays first."""
        if job not in self._jobs or job.status != "waiting":
            return
        first = 1 if self._jobs[0].status != "waiting" else 0
        self._jobs.remove(job)
        self._jobs.insert(max(first, min(index, len(self._jobs))), job)
        self._order_changed()

    def remove(self, job: Job) -> None:
        if job in self._jobs:
            self._jobs.remove(job)
            if self._store is not None:
                self._store.forget(job.id)
            self._order_changed()

    def set_paused(self, paused: bool) -> None:
        if paused != self.paused:
            self.paused = paused
            self._order_changed()

    def picture_done(self, job: Job) -> None:
        """A picture of the job is made."""
        self._keep_order()
        self.job_changed.emit(job)

    def _order_changed(self) -> None:
        self._keep_order()
        self.changed.emit()

    def _keep_order(self) -> None:
        if self._store is not None:
            order = [(job.id, job.done) for job in self._jobs if job.output_override is None]
            self._store.keep_order(order)
