"""The worker as the studio sees it: a session of its process, in signals on the GUI thread, and the
file that takes what it and its libraries print.
"""

from __future__ import annotations

import contextlib
import logging
import os
import shutil
import subprocess
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import IO, Any, assert_never

from PySide6.QtCore import QObject, Qt, QThread, Signal

from ponystudio.engine.protocol.worker_messages import (
    MemoryUse,
    PlanAnswer,
    RunMessage,
    RunRequest,
    UpgradeAnswer,
    WorkerReady,
    WorkerSettings,
)
from ponystudio.errors import BadInput
from ponystudio.graph.catalog import Catalog
from ponystudio.graph.model import Graph
from ponystudio.studio.worker.catalog_cache import CatalogCache
from ponystudio.studio.worker.worker_process import (
    ProcessMessage,
    WorkerExited,
    WorkerFailed,
    WorkerProcess,
)

log = logging.getLogger(__name__)
# Seconds at a time for which the window takes messages, and how many may wait for it: a worker that
# says more has to wait itself.
TURN = 0.008
MOST_WAITING = 10_000


class WorkerSession(QObject):
    """Owns the process. `start` it after the first paint, `close` it before the application ends.

    `hello` brings the WorkerReady, `message_received` each RunMessage, PlanAnswer or UpgradeAnswer,
    `died` the reason why a worker ended unexpectedly (another is started), `failed` why there can
    be none until the next `restart`. `memory` brings a MemoryUse, `catalog_changed` a Catalog that
    is not the one known before.
    """

    hello = Signal(object)
    message_received = Signal(object)
    died = Signal(str)
    failed = Signal(str)
    memory = Signal(object)
    catalog_changed = Signal(object)
    ready_changed = Signal(bool)
    restarted = Signal()

    _has_mail = Signal()

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
        self.log_file, self._log = log_file, WorkerLog(log_file)
        self.catalog: Catalog = self._catalog_cache.read()
        self.about: WorkerReady | None = None
        self.memory_in_use: MemoryUse | None = None
        self.failure = self.remedy = ""
        self._ready = False
        self._process: WorkerProcess | None = None
        self._generation = 0
        self._inbox: deque[tuple[int, ProcessMessage]] = deque()
        self._inbox_changed = threading.Condition()
        self._mail_called = False
        # Queued, for the process is read on a thread of its own.
        self._has_mail.connect(self._take_mail, Qt.ConnectionType.QueuedConnection)

    @property
    def is_ready(self) -> bool:
        """Whether the worker has said hello."""
        return self._ready

    @property
    def device(self) -> str:
        """The device in short ("CUDA 0"), or ""."""
        return self.about.device_title if self.about else ""

    @property
    def device_choice(self) -> str:
        """The device that was chosen, and why; or ""."""
        return self.about.device if self.about else ""

    @property
    def devices(self) -> Mapping[str, str]:
        """The devices that could be chosen, by name, with their titles; none before it is ready."""
        return self.about.devices if self.about else {}

    def start(self) -> None:
        if self._process is None:
            self._launch(lambda: None)

    def restart(self, settings: WorkerSettings | None = None) -> None:
        """A new worker, with other settings perhaps; `restarted` says that what the old one was
        at is lost."""
        if settings is not None:
            self._settings = settings
        before = self._process
        if before is not None:  # which stays until there is another: plans come from other threads
            self._launch(before.close)  # which may take seconds
        self._set_ready(False)
        if before is not None:
            self.restarted.emit()

    def close(self) -> None:
        """End the worker and wait for it."""
        process, self._process = self._process, None
        self._begin_generation()
        self._set_ready(False)
        if process is not None:
            process.close()
        self._log.close()

    def _launch(self, before_start: Callable[[], None]) -> None:
        generation = self._begin_generation()
        self.failure = self.remedy = ""
        self._process = WorkerProcess(
            partial(self._post, generation),
            self._settings,
            command=self._command,
            log=self._log.open(),
            before_start=before_start,
        )
        self._process.start()

    # --- Commands ---------------------------------------------------------------------------------

    def submit(self, request: RunRequest) -> int:
        """Run a graph; the number that its events carry. Starts the worker if need be."""
        return self._require_process().submit(request)

    def plan(self, request: RunRequest) -> int:
        """Ask what a run would do; answered by PlanAnswer, also during a run."""
        return self._require_process().plan(request)

    def upgrade(self, graph: Graph) -> int:
        """Ask for old nodes in their new versions; answered by UpgradeAnswer."""
        return self._require_process().upgrade(graph)

    def cancel(self, number: int) -> None:
        if self._process is not None:
            self._process.cancel(number)

    def stop_now(self) -> None:
        """Kill the worker; another is started, and `died` is not emitted."""
        if self._process is not None:
            self._process.stop_now()

    def show_previews(self, on: bool) -> None:
        self._require_process().show_previews(on)

    def unload(self) -> None:
        """Take the weights that no node is using out of the memory."""
        if self._process is not None:
            self._process.unload()

    def clear_cache(self) -> None:
        """Forget every result, in memory and on disk."""
        self._require_process().clear_cache()

    def _require_process(self) -> WorkerProcess:
        self.start()
        assert self._process is not None
        return self._process

    # --- Messages ---------------------------------------------------------------------------------

    def _begin_generation(self) -> int:
        """From now on nothing is heard of earlier processes."""
        with self._inbox_changed:
            self._generation += 1
            self._inbox_changed.notify_all()
        return self._generation

    def _post(self, generation: int, message: ProcessMessage) -> None:
        """A message from any thread; the worker's own waits while the window has too many."""
        may_wait = QThread.currentThread() is not self.thread()
        with self._inbox_changed:
            while may_wait and len(self._inbox) >= MOST_WAITING and generation == self._generation:
                self._inbox_changed.wait()
            self._inbox.append((generation, message))
        self._call_for_mail()

    def _call_for_mail(self) -> None:
        """Once until it is taken."""
        with self._inbox_changed:
            called, self._mail_called = self._mail_called, True
        if not called:
            with contextlib.suppress(RuntimeError):  # the application is gone already
                self._has_mail.emit()

    def _take_mail(self) -> None:
        """Some of what waits; the window may want to do something in between."""
        self._mail_called = False
        end = time.monotonic() + TURN
        while self._inbox and time.monotonic() < end:
            with self._inbox_changed:
                generation, message = self._inbox.popleft()
                self._inbox_changed.notify_all()
            if self._inbox:  # whoever takes this message may wait for another
                self._call_for_mail()
            try:
                self._dispatch(generation, message)
            except Exception:
                log.exception("A message of the worker was not taken.")
        if self._inbox:
            self._call_for_mail()

    def _dispatch(self, generation: int, message: ProcessMessage) -> None:
        if generation != self._generation:
            return  # of a worker that was replaced
        match message:
            case WorkerReady():
                self._on_ready(message)
            case WorkerExited(reason=reason, wanted=wanted):
                self._set_ready(False)
                if not wanted:
                    text = self.tr("It ended unexpectedly (%1).").replace("%1", reason)
                    self.died.emit(text)
            case WorkerFailed(reason, remedy):
                self._set_ready(False)
                self.failure, self.remedy = reason, remedy
                self.failed.emit(reason)
            case MemoryUse():
                self._log.limit()
                self.memory_in_use = message
                self.memory.emit(message)
            case RunMessage() | PlanAnswer() | UpgradeAnswer():
                self.message_received.emit(message)
            case _:
                assert_never(message)

    def _on_ready(self, message: WorkerReady) -> None:
        self.about = message
        with contextlib.suppress(BadInput):
            found = Catalog.from_json(message.catalog)
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


# The log begins again when it is longer than this; one older log is kept.
LOG_LIMIT = 4 * 2**20


class WorkerLog:
    """`path` None: what is printed is thrown away."""

    def __init__(self, path: Path | None) -> None:
        self.path = path
        self._file: IO[Any] | None = None

    def open(self) -> IO[Any] | int:
        """The file, for a process to write to; DEVNULL where there can be none."""
        if self._file is None and self.path is not None:
            with contextlib.suppress(OSError):  # what the worker prints is a help, not a need
                self.path.parent.mkdir(parents=True, exist_ok=True)
                if self.path.is_file() and self.path.stat().st_size > LOG_LIMIT:
                    self.path.replace(self._older)
                self._file = self.path.open("ab")
        return subprocess.DEVNULL if self._file is None else self._file

    def limit(self) -> None:
        """Begin again if it is too long: where it is, for the worker has the file open."""
        if self._file is None or self.path is None:
            return
        with contextlib.suppress(OSError):
            if os.fstat(self._file.fileno()).st_size > LOG_LIMIT:
                shutil.copyfile(self.path, self._older)
                self._file.truncate(0)
                self._file.seek(0)  # where the worker goes on, on systems that share the place

    def close(self) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None

    @property
    def _older(self) -> Path:
        assert self.path is not None
        return self.path.with_suffix(".old.log")
