"""The queue on disk: a file for each job, written once, and one that says in which order."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ponystudio.errors import BadInput, PonyStudioError
from ponystudio.graph.atomic_write import write_text
from ponystudio.graph.formats.graph_file import from_json, to_json
from ponystudio.graph.model import Graph
from ponystudio.qt.background_tasks import BackgroundTasks
from ponystudio.studio.runs.seeds import SeedSet

ORDER = "order.json"


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

    A disk that fails costs the safety of the queue and nothing else.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._tasks = BackgroundTasks("queue")

    def load(self) -> list[tuple[StoredJob, int]]:
        """The jobs in order, with how many of their pictures were made.

        Other files than theirs are removed: of jobs that a crash left between file and order.
        """
        found: list[tuple[StoredJob, int]] = []
        for id, done in self._order():
            with contextlib.suppress(OSError, ValueError, KeyError, TypeError, BadInput):
                data = json.loads(self._file(id).read_text("utf-8"))
                stored = _read(id, data)
                if done < len(stored.seed_sets):
                    found.append((stored, done))
        wanted = {ORDER, *(self._file(stored.id).name for stored, _ in found)}
        self._do(lambda: self._remove_all_but(wanted))
        return found

    def _order(self) -> list[tuple[int, int]]:
        try:
            order = json.loads((self._folder / ORDER).read_text("utf-8"))
            return [(int(id), int(done)) for id, done in order["jobs"]]
        except (OSError, ValueError, KeyError, TypeError):
            return []

    def _remove_all_but(self, names: Collection[str]) -> None:
        for path in self._folder.iterdir():
            if path.name not in names:
                path.unlink(missing_ok=True)

    def keep(self, job: StoredJob) -> None:
        self._do(lambda: write_text(self._made(self._file(job.id)), json.dumps(_written(job))))

    def forget(self, id: int) -> None:
        self._do(lambda: self._file(id).unlink(missing_ok=True))

    def keep_order(self, jobs: Sequence[tuple[int, int]]) -> None:
        text = json.dumps({"jobs": list(jobs)})
        self._do(lambda: write_text(self._made(self._folder / ORDER), text))

    def close(self) -> None:
        self._tasks.finish()

    def _do(self, work: Callable[[], object]) -> None:
        def safely() -> None:
            with contextlib.suppress(OSError, PonyStudioError):
                work()

        self._tasks.do(safely)

    def _file(self, id: int) -> Path:
        return self._folder / f"job-{id}.json"

    def _made(self, path: Path) -> Path:
        self._folder.mkdir(parents=True, exist_ok=True)
        return path


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
