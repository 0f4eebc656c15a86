"""The studio's side of the worker: start it, watch it, start it again; ask it and hear its answers.

Qt-free. Messages reach the callback on the process's reader thread.
"""

from __future__ import annotations

import itertools
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import IO, Any, BinaryIO, cast

from ponystudio.engine.protocol.frames import FrameWriter, read_message
from ponystudio.engine.protocol.run_events import ErrorInfo, RunFailed, RunFinished, RunRefused
from ponystudio.engine.protocol.worker_messages import (
    Answer,
    CancelRun,
    ClearCache,
    Command,
    Heartbeat,
    MemoryUse,
    PlanAnswer,
    PlanRun,
    RunMessage,
    RunRequest,
    ShowPreviews,
    StartEngine,
    SubmitRun,
    UnloadWeights,
    UpgradeAnswer,
    UpgradeGraph,
    WorkerReady,
    WorkerSettings,
    WorkerUnusable,
)
from ponystudio.errors import Cancelled, WorkerDied
from ponystudio.graph.model import Graph

# Seconds without a sign of life after which the worker is killed; loading its libraries from a
# slow disk may block it for longer.
HEARTBEAT_TIMEOUT = 10.0
STARTUP_TIMEOUT = 120.0
# How often it may die before it was ready until it is no use starting it again.
START_ATTEMPTS = 3
SHUTDOWN_TIMEOUT = 2.0
REMEDY = "See `ponystudio doctor` for what there is to compute with."

# Never the same twice, in another process neither: a late answer must not be taken for another's.
_numbers = itertools.count(1)


@dataclass(frozen=True)
class WorkerExited:
    """The worker ended unexpectedly, for this reason; another is started."""

    code: int
    reason: str


@dataclass(frozen=True)
class WorkerFailed:
    """There can be no worker, for this reason."""

    reason: str


ProcessMessage = WorkerReady | MemoryUse | Answer | WorkerExited | WorkerFailed
OnMessage = Callable[[ProcessMessage], None]


def worker_command() -> list[str]:
    """How the worker is started: a frozen program is its own worker."""
    if getattr(sys, "frozen", False):
        return [sys.executable, "worker"]
    return [sys.executable, "-m", "ponystudio", "worker"]


@dataclass(eq=False)
class _Subprocess:
    """One process of the worker."""

    popen: subprocess.Popen[bytes]
    outbox: FrameWriter
    last_seen: float = field(default_factory=time.monotonic)
    ready: bool = False

    @property
    def is_silent(self) -> bool:
        timeout = HEARTBEAT_TIMEOUT if self.ready else STARTUP_TIMEOUT
        return time.monotonic() - self.last_seen > timeout


class WorkerProcess:
    """A worker that is there from `start` to `close`.

    What is asked before it is ready is handed over then. When it dies, all that it was asked fails
    as WorkerDied, and a new one is started. Methods may be called from any thread.
    """

    def __init__(
        self,
        on_message: OnMessage,
        settings: WorkerSettings | None = None,
        *,
        command: Sequence[str] | None = None,
        log: IO[Any] | int | None = None,
        before_start: Callable[[], None] = lambda: None,
    ) -> None:
        """`log` takes what the worker and its libraries print; None: this process's stderr.

        `before_start` is called before the worker is started: to close the one before it, say.
        """
        self._on_message, self._log = on_message, log
        self._settings = settings or WorkerSettings()
        self._before_start = before_start
        self._command = list(command or worker_command())
        self._lock = threading.RLock()
        self._unanswered: dict[int, SubmitRun | PlanRun | UpgradeGraph] = {}
        self._previews = ShowPreviews(True)
        self._process: _Subprocess | None = None
        self._failed_starts = 0
        self._closing = threading.Event()
        self._failed_reason = ""
        self._threads: list[threading.Thread] = []

    @property
    def pid(self) -> int | None:
        """The process's, while there is one."""
        with self._lock:
            return None if self._process is None else self._process.popen.pid

    def start(self) -> None:
        """Start the worker; WorkerReady says when it is ready, and brings the catalog."""
        for work in (self._supervise, self._kill_silent):
            thread = threading.Thread(target=work, name=f"worker {work.__name__}", daemon=True)
            self._threads.append(thread)
            thread.start()

    def submit(self, request: RunRequest) -> int:
        """Run a graph, after what was submitted before; the number of its events."""
        return self._ask(lambda number: SubmitRun(number, request))

    def plan(self, request: RunRequest) -> int:
        """Ask what a run would do.

        Answered, also while the worker is at a run, by PlanAnswer with this number, RunRefused or
        RunFailed.
        """
        return self._ask(lambda number: PlanRun(number, request))

    def upgrade(self, graph: Graph) -> int:
        """Ask for a graph's old nodes in the versions that are installed, which takes their code.

        Answered by UpgradeAnswer, otherwise as `plan` is.
        """
        return self._ask(lambda number: UpgradeGraph(number, graph))

    def cancel(self, number: int) -> None:
        """Stop a run at its next block or step, or before it begins."""
        with self._lock:
            if number not in self._unanswered:
                return
            if self._is_ready:
                self._send(CancelRun(number))
                return
            del self._unanswered[number]
        self._on_message(RunMessage(number, RunFailed.of(Cancelled())))

    def stop_now(self) -> None:
        """Kill the worker; what it was asked fails, another is started."""
        with self._lock:
            if self._process is not None:
                self._process.popen.kill()

    def show_previews(self, on: bool) -> None:
        """Whether runs show how far they are in small pictures; at first they do."""
        with self._lock:
            self._previews = ShowPreviews(on)
            self._send(self._previews)

    def clear_cache(self) -> None:
        """Forget every result; during a run what it does not need."""
        self._send(ClearCache())

    def unload(self) -> None:
        """Let go of the weights that no node is using."""
        self._send(UnloadWeights())

    def close(self) -> None:
        """End the worker and wait for it; what it was asked is dropped."""
        self._closing.set()
        with self._lock:
            self._unanswered.clear()
            process = self._process
        if process is not None:
            process.outbox.end()  # at the end of its input the worker leaves
            try:
                process.popen.wait(SHUTDOWN_TIMEOUT)
            except subprocess.TimeoutExpired:
                process.popen.kill()
        for thread in self._threads:
            if thread is not threading.current_thread():
                thread.join()

    def __enter__(self) -> WorkerProcess:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # --- One process after the other --------------------------------------------------------------

    def _supervise(self) -> None:
        """Start the worker, read to its end, and do so again until this is closed."""
        self._before_start()
        while not self._closing.is_set() and not self._failed_reason:
            try:
                process = self._spawn()
            except OSError as error:
                self._fail(f"The worker cannot be started: {error}.")
                return
            try:
                self._read(process)
            except (OSError, WorkerDied):
                process.popen.kill()
            if self._failed_reason:
                process.popen.kill()
            self._reap(process)
            if not process.ready and not self._failed_reason:
                self._failed_starts += 1
                if self._failed_starts >= START_ATTEMPTS and not self._closing.is_set():
                    self._fail("The worker ends as soon as it is started.")

    def _spawn(self) -> _Subprocess:
        popen = subprocess.Popen(
            self._command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._log,
            creationflags=getattr(subprocess, "CREATE_NO_WINDOW", 0),
        )
        # When nobody reads any more the process is dead, which the reader sees.
        outbox = FrameWriter(cast(BinaryIO, popen.stdin), on_broken=lambda: None)
        outbox.start()
        process = _Subprocess(popen, outbox)
        with self._lock:
            self._process = process
            self._send(StartEngine(self._settings))
            self._send(self._previews)
            if self._closing.is_set():  # close() came before there was a process to end
                outbox.end()
        return process

    def _read(self, process: _Subprocess) -> None:
        stream = cast(BinaryIO, process.popen.stdout)
        while (message := read_message(stream)) is not None:
            process.last_seen = time.monotonic()
            match message:
                case Heartbeat():
                    continue
                case WorkerUnusable(error):
                    self._fail(error)
                    return
            self._on_message(message)
            with self._lock:
                match message:
                    case WorkerReady():
                        process.ready = True
                        self._failed_starts = 0
                        for command in self._unanswered.values():
                            self._send(command)
                    case PlanAnswer(number) | UpgradeAnswer(number):
                        self._unanswered.pop(number, None)
                    case RunMessage(number, RunFinished() | RunRefused() | RunFailed()):
                        self._unanswered.pop(number, None)

    def _reap(self, process: _Subprocess) -> None:
        code = process.popen.wait()
        process.outbox.end()
        process.outbox.join()
        cast(BinaryIO, process.popen.stdout).close()
        with self._lock:
            self._process = None
            lost = [*self._unanswered] if process.ready else []  # the next one is asked the rest
            for number in lost:
                del self._unanswered[number]
        if self._closing.is_set() or self._failed_reason:
            return
        reason = _exit_reason(code)
        self._on_message(WorkerExited(code, reason))
        for number in lost:
            self._report_failure(
                number,
                f"The engine ended unexpectedly ({reason}).",
                "It was started again. If this repeats, make the picture smaller.",
            )

    def _fail(self, reason: str) -> None:
        """No worker, no answers: all that was asked fails."""
        self._on_message(WorkerFailed(reason))
        with self._lock:
            self._failed_reason = reason
            lost = [*self._unanswered]
            self._unanswered.clear()
        for number in lost:
            self._report_failure(number, reason, REMEDY)

    def _kill_silent(self) -> None:
        """Kill a worker that gives no sign of life."""
        while not self._closing.wait(0.5):
            with self._lock:
                if self._process is not None and self._process.is_silent:
                    self._process.popen.kill()

    # --- Commands ---------------------------------------------------------------------------------

    @property
    def _is_ready(self) -> bool:
        return self._process is not None and self._process.ready

    def _ask(self, command: Callable[[int], SubmitRun | PlanRun | UpgradeGraph]) -> int:
        with self._lock:
            number = next(_numbers)
            if not self._failed_reason:
                self._unanswered[number] = command(number)
                if self._is_ready:
                    self._send(self._unanswered[number])
                return number
        self._report_failure(number, self._failed_reason, REMEDY)
        return number

    def _send(self, command: Command) -> None:
        with self._lock:
            if self._process is not None:
                self._process.outbox.send(command)

    def _report_failure(self, number: int, what: str, remedy: str) -> None:
        failed = RunFailed(ErrorInfo(WorkerDied.__name__, what, remedy=remedy))
        self._on_message(RunMessage(number, failed))


def _exit_reason(code: int) -> str:
    if code == -9:
        return "it was killed, perhaps by the system for lack of memory"
    return f"signal {-code}" if code < 0 else f"exit code {code}"
