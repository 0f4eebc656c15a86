"""The worker as the studio sees it: a session of its process, in signals on the GUI thread."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import IO, Any

from PySide6.QtCore import QObject, Qt, Signal

from ponystudio.errors import BadInput
from ponystudio.graph.catalog import Catalog
from ponystudio.graph.model import Graph
from ponystudio.studio.worker.catalog_cache import CatalogCache
from ponystudio.studio.worker.worker_process import Submission, WorkerProcess, WorkerSettings

# The log begins anew when it is longer than this, looked at whenever the worker tells of its
# memory; one older log is kept.
LOG_LIMIT = 4 * 2**20


class WorkerSession(QObject):
    """Owns the session. `start` it after the first paint, `close` it before the application ends.

    `hello` brings what the worker said when it was ready ({device, torch, catalog, families}),
    `message_received` each of its other messages with the bytes that came along, `died` the reason
    why a worker ended unexpectedly (another is started), `failed` why there can be none. `memory`
    brings {device, total, free, weights, results, ...} in bytes, `catalog_changed` a Catalog that
    is not the one known before.
    """

    hello = Signal(object)
    message_received = Signal(object, object)
    died = Signal(str)
    failed = Signal(str)
    memory = Signal(object)
    catalog_changed = Signal(object)
    ready_changed = Signal(bool)
    restarted = Signal()

    _queued = Signal(int, object, object)

    def __init__(
        self,
        settings: WorkerSettings | None = None,
        *,
        catalog_file: Path | None = None,
        log_file: Path | None = None,
        command: Sequence[str] | None = None,
        parent: QObject | None = None,
    ) -> None:
        """`catalog_file` is where the catalog is kept for the next start, `log_file` takes what
        the worker and its libraries print (None: it is thrown away)."""
        super().__init__(parent)
        self._settings, self._command = settings or WorkerSettings(), command
        self._catalog_cache = CatalogCache(catalog_file)
        self.log_file = log_file
        self.catalog: Catalog = self._catalog_cache.read()
        self.about: Mapping[str, Any] = {}
        self.memory_in_use: Mapping[str, Any] = {}
        self.failure = ""
        self._ready = self._kill_requested = False
        self._session: WorkerProcess | None = None
        self._log: IO[Any] | None = None
        self._generation = 0
        # Queued, for the session speaks on a thread of its own.
        self._queued.connect(self._dispatch, Qt.ConnectionType.QueuedConnection)

    @property
    def settings(self) -> WorkerSettings:
        return self._settings

    @property
    def is_ready(self) -> bool:
        """Whether the worker has said hello."""
        return self._ready

    @property
    def device(self) -> str:
        """The device in short ("CUDA 0"), or ""."""
        return str(self.about.get("device_title", ""))

    def start(self) -> None:
        if self._session is None:
            self._launch(lambda: None)

    def restart(self, settings: WorkerSettings | None = None) -> None:
        """A new worker, with other settings perhaps; `restarted` says that what the old one was
        at is lost."""
        if settings is not None:
            self._settings = settings
        before = self._session
        if before is not None:  # which stays until there is another: plans come from other threads
            self._launch(before.close)  # which may take seconds
        self._set_ready(False)
        if before is not None:
            self.restarted.emit()

    def close(self) -> None:
        """End the worker and wait for it."""
        session, self._session = self._session, None
        self._generation += 1
        self._set_ready(False)
        if session is not None:
            session.close()
        if self._log is not None:
            self._log.close()
            self._log = None

    def _launch(self, before_start: Callable[[], None]) -> None:
        self._generation += 1
        generation = self._generation

        def tell(message: Mapping[str, Any], blob: bytes) -> None:
            with contextlib.suppress(RuntimeError):  # the application is gone already
                self._queued.emit(generation, message, blob)

        self.failure, self._kill_requested = "", False
        if self._log is None:
            self._log = _open_log(self.log_file)
        log = self._log if self._log is not None else subprocess.DEVNULL
        self._session = WorkerProcess(
            tell, self._settings, command=self._command, log=log, before_start=before_start
        )
        self._session.start()

    # --- Commands ---------------------------------------------------------------------------------

    def submit(self, submission: Submission) -> int:
        """Run a graph; the number that its events carry. Starts the worker if need be."""
        return self._require_session().submit(submission)

    def plan(self, submission: Submission) -> int:
        """Ask what a run would do; answered by "planned" or "refused", also during a run."""
        return self._require_session().plan(submission)

    def upgrade(self, graph: Graph) -> int:
        """Ask for old nodes in their new versions; answered by "upgraded"."""
        return self._require_session().upgrade(graph)

    def cancel(self, number: int) -> None:
        if self._session is not None:
            self._session.cancel(number)

    def stop_now(self) -> None:
        """Kill the worker; another is started, and `died` is not emitted."""
        if self._session is not None:
            self._kill_requested = True
            self._session.stop_now()

    def show_previews(self, on: bool) -> None:
        self._require_session().show_previews(on)

    def unload(self) -> None:
        """Take the weights that no node is using out of the memory."""
        if self._session is not None:
            self._session.unload()

    def clear_cache(self) -> None:
        """Forget every result, in memory and on disk."""
        self._require_session().clear_cache()

    def _require_session(self) -> WorkerProcess:
        self.start()
        assert self._session is not None
        return self._session

    # --- What it tells ----------------------------------------------------------------------------

    def _dispatch(self, generation: int, message: Mapping[str, Any], blob: bytes) -> None:
        if generation != self._generation:
            return  # of a worker that was replaced
        kind = message["event"]
        if kind == "hello":
            self._on_ready(message)
        elif kind == "worker_died":
            self._set_ready(False)
            if not self._kill_requested:
                why = str(message.get("reason", ""))
                self.died.emit(self.tr("It ended unexpectedly (%1).").replace("%1", why))
            self._kill_requested = False
        elif kind == "worker_failed":
            self._set_ready(False)
            self.failure = str(message["error"])
            self.failed.emit(self.failure)
        elif kind == "memory_use":
            self._limit_log()
            self.memory_in_use = message
            self.memory.emit(message)
        else:
            self.message_received.emit(message, blob)

    def _limit_log(self) -> None:
        """The worker has the file open, so it is emptied where it is."""
        if self._log is None or self.log_file is None:
            return
        with contextlib.suppress(OSError):
            if os.fstat(self._log.fileno()).st_size > LOG_LIMIT:
                shutil.copyfile(self.log_file, _older(self.log_file))
                self._log.truncate(0)
                self._log.seek(0)  # where the worker goes on, on systems that share the place

    def _on_ready(self, message: Mapping[str, Any]) -> None:
        self.about = message
        with contextlib.suppress(BadInput):
            found = Catalog.from_json(message["catalog"])
            if found.to_json() != self.catalog.to_json():
                self.catalog = found
                self._catalog_cache.write(found)
                self.catalog_changed.emit(found)
        self._set_ready(True)
        self.hello.emit(message)

    def _set_ready(self, ready: bool) -> None:
        if ready != self._ready:
            self._ready = ready
            self.ready_changed.emit(ready)


def _open_log(path: Path | None) -> IO[Any] | None:
    if path is None:
        return None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.is_file() and path.stat().st_size > LOG_LIMIT:
            path.replace(_older(path))
        return path.open("ab")
    except OSError:
        return None  # what the worker prints is a help, not a need


def _older(log: Path) -> Path:
    return log.with_suffix(".old.log")
