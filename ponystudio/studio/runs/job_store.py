"""The queue on disk: a file for each job, written once, and one that says in which order."""

from __future__ import annotations

import json
import re
import threading
import time
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from functools import partial
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
        # What is removed from other folders once nothing is due here.
        self._leftovers: dict[Path, list[Path]] = {}
        self._must_move = False
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
        kept = {ORDER}
        for id, done in self._order():
            name = self._file(id).name
            try:
                stored = _read(id, json.loads(self._file(id).read_text("utf-8")))
            except FileNotFoundError:
                continue
            except (OSError, ValueError, KeyError, TypeError, BadInput, RecursionError):
                put_aside(self._file(id))
                kept.add(name)  # if the disk refused that
                continue
            if done < len(stored.seed_sets):
                found.append((stored, done))
                kept.add(name)
        for path in self._strays(kept):
            self._do(path.name, partial(path.unlink, missing_ok=True))
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

    def _strays(self, kept: Collection[str]) -> list[Path]:
        """Files as they are now: what is written later under such a name is none."""
        try:
            files = [path for path in self._folder.iterdir() if path.is_file()]
        except OSError:
            return []
        damaged = {path.name for path in files if path.stem.endswith(".damaged")}
        return [path for path in files if path.name not in damaged.union(kept)]

    @property
    def has_jobs(self) -> bool:
        return _has_jobs(self._folder)

    def put_aside(self) -> bool:
        """Begin anew, and leave what is there in a folder of its own, unread. False while the disk
        refuses that: it is tried again, and nothing is written before."""
        self._must_move = self.has_jobs
        try:
            self._make_room()
        except PonyStudioError as error:
            self._not_done(error)
        return self.is_free

    @property
    def is_free(self) -> bool:
        """Whether nothing stands here that is still to be put aside."""
        return not self._must_move

    def _make_room(self) -> None:
        if self._must_move:
            aside = self._folder.with_name(f"{self._folder.name}-held-{time.time_ns()}")
            try:
                self._folder.replace(aside)
            except OSError as error:
                raise write_error(error, self._folder) from error
            self._must_move = False

    def aside(self) -> list[Path]:
        """Where jobs are that were put aside, oldest first."""
        folders = self._folder.parent.glob(f"{self._folder.name}-held-*")
        return sorted(path for path in folders if path not in self._leftovers and _has_jobs(path))

    def take_over(self, other: JobStore, ids: Sequence[int]) -> None:
        """These jobs of another store are kept here: once that is safe they are removed there, and
        its folder with the last one."""
        self._leftovers[other._folder] = [other._file(id) for id in ids]
        self._catch_up()

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
        self._make_room()
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
        self._remove_leftovers()

    def _remove_leftovers(self) -> None:
        for folder, files in tuple(self._leftovers.items()):
            if self._due:
                return  # was asked for meanwhile, and will be done
            try:
                for file in files:
                    file.unlink(missing_ok=True)
                if folder.is_dir() and all(path.name == ORDER for path in folder.iterdir()):
                    (folder / ORDER).unlink(missing_ok=True)
                    folder.rmdir()
            except OSError as error:
                raise write_error(error, folder) from error
            del self._leftovers[folder]

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


def _has_jobs(folder: Path) -> bool:
    return any(_JOB.fullmatch(path.name) for path in folder.glob("job-*.json"))


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
