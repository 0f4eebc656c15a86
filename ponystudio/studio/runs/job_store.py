"""The queue on disk: a file for each job, written once, and one that says in which order."""

from __future__ import annotations

import contextlib
import json
import re
import threading
import time
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from PySide6.QtCore import QTimer

from ponystudio.errors import BadInput, PonyStudioError
from ponystudio.graph.atomic_write import make_folder, write_error, write_text
from ponystudio.graph.formats.graph_file import from_json, to_json
from ponystudio.graph.model import Graph
from ponystudio.qt.background_tasks import BackgroundTasks
from ponystudio.studio.json_store import put_aside
from ponystudio.studio.runs.seeds import SeedSet

ORDER = "order.json"
# Milliseconds after which what a disk refused is tried again.
RETRY = 3000
_JOB = re.compile(r"job-(\d+)\.json")


@dataclass(frozen=True)
class StoredJob:
    """What of a job is kept."""

    id: int
    title: str
    scope: str
    graph: Graph
    seed_sets: tuple[SeedSet, ...]
    targets: tuple[str, ...] | None
    graph_dir: Path | None
    denoiser_on_cpu: bool = False


class JobStore:
    """In `folder`. What is asked for is done in order on a thread of its own; `close` waits.

    What a disk refuses is tried again until it is done. `failed` is called with the error when that
    begins, and with None once all is safe again.
    """

    def __init__(
        self,
        folder: Path,
        failed: Callable[[PonyStudioError | None], object] = lambda _: None,
    ) -> None:
        self._folder = folder
        self._failed = failed
        self._tasks = BackgroundTasks("queue")
        # What is to be done to each file, the last thing last.
        self._due: dict[str, Callable[[], object]] = {}
        self._lock = threading.Lock()
        self._is_behind = False
        self._retry = QTimer(singleShot=True, interval=RETRY)
        self._retry.timeout.connect(self._catch_up)

    def load(self) -> list[tuple[StoredJob, int]]:
        """The jobs in order, with how many of their pictures were made.

        Other files than theirs are removed: of jobs that a crash left between file and order. What
        is there and cannot be read is put aside, never removed.
        """
        found: list[tuple[StoredJob, int]] = []
        for id, done in self._order():
            try:
                stored = _read(id, json.loads(self._file(id).read_text("utf-8")))
            except FileNotFoundError:
                continue
            except (OSError, ValueError, KeyError, TypeError, BadInput, RecursionError):
                put_aside(self._file(id))
                continue
            if done < len(stored.seed_sets):
                found.append((stored, done))
        wanted = {ORDER, *(self._file(stored.id).name for stored, _ in found)}
        self._do("", lambda: self._remove_all_but(wanted))
        return found

    def _order(self) -> list[tuple[int, int]]:
        """The ids of the jobs; all that there are, from their beginning, where their order cannot
        be read."""
        file = self._folder / ORDER
        try:
            order = json.loads(file.read_text("utf-8"))
            return [(int(id), int(done)) for id, done in order["jobs"]]
        except FileNotFoundError:
            return []
        except (OSError, ValueError, KeyError, TypeError, RecursionError):
            put_aside(file)
            names = (_JOB.fullmatch(path.name) for path in self._folder.glob("job-*.json"))
            return sorted((int(name[1]), 0) for name in names if name)

    def _remove_all_but(self, names: Collection[str]) -> None:
        if not self._folder.is_dir():
            return
        for path in self._folder.iterdir():
            if path.name not in names and not path.stem.endswith(".damaged"):
                path.unlink(missing_ok=True)

    @property
    def has_jobs(self) -> bool:
        return any(self._folder.glob("job-*.json"))

    def put_aside(self) -> None:
        """Begin anew, and leave what is there in a folder of its own, unread."""
        with contextlib.suppress(OSError):
            self._folder.replace(
                self._folder.with_name(f"{self._folder.name}-held-{time.time_ns()}")
            )

    def aside(self) -> list[Path]:
        """What was put aside, oldest first."""
        return sorted(self._folder.parent.glob(f"{self._folder.name}-held-*"))

    def keep(self, job: StoredJob) -> None:
        file = self._file(job.id)
        self._do(file.name, lambda: self._write(file, json.dumps(_written(job))))

    def forget(self, id: int) -> None:
        file = self._file(id)
        self._do(file.name, lambda: file.unlink(missing_ok=True))

    def keep_order(self, jobs: Sequence[tuple[int, int]]) -> None:
        text = json.dumps({"jobs": list(jobs)})
        self._do(ORDER, lambda: self._write(self._folder / ORDER, text))

    def close(self) -> None:
        self._retry.stop()
        if self._is_behind:
            self._catch_up()
        self._tasks.finish()

    def _do(self, name: str, work: Callable[[], object]) -> None:
        with self._lock:
            self._due.pop(name, None)  # the order of things is that of the last ones
            self._due[name] = work
        self._catch_up()

    def _catch_up(self) -> None:
        self._tasks.do(self._do_due, self._done, self._not_done)

    def _do_due(self) -> None:
        """On the thread. What fails does not keep the rest from being done."""
        failure: PonyStudioError | None = None
        with self._lock:
            due = list(self._due.items())
        for name, work in due:
            try:
                work()
            except OSError as error:
                failure = write_error(error, self._folder / name)
            except PonyStudioError as error:
                failure = error
            else:
                with self._lock:
                    if self._due.get(name) is work:
                        del self._due[name]
        if failure is not None:
            raise failure

    def _done(self, _: object) -> None:
        if self._is_behind:
            self._is_behind = False
            self._failed(None)

    def _not_done(self, error: PonyStudioError) -> None:
        self._retry.start()
        if not self._is_behind:
            self._is_behind = True
            self._failed(error)

    def _file(self, id: int) -> Path:
        return self._folder / f"job-{id}.json"

    def _write(self, path: Path, text: str) -> None:
        make_folder(self._folder)
        write_text(path, text)


def _written(job: StoredJob) -> dict[str, Any]:
    return {
        "title": job.title,
        "scope": job.scope,
        "graph": to_json(job.graph),
        # Seeds as text: JSON readers elsewhere have no 64 bits.
        "rolls": [[[node, name, str(seed)] for node, name, seed in roll] for roll in job.seed_sets],
        "targets": None if job.targets is None else list(job.targets),
        "graph_dir": str(job.graph_dir) if job.graph_dir else None,
        "denoiser_on_cpu": job.denoiser_on_cpu,
    }


def _read(id: int, data: dict[str, Any]) -> StoredJob:
    targets, folder = data["targets"], data["graph_dir"]
    return StoredJob(
        id,
        str(data["title"]),
        str(data["scope"]),
        from_json(data["graph"]),
        tuple(tuple((str(n), str(p), int(s)) for n, p, s in roll) for roll in data["rolls"]),
        None if targets is None else tuple(map(str, targets)),
        Path(folder) if folder else None,
        bool(data.get("denoiser_on_cpu", False)),
    )
