"""The studio's side of the worker: start it, watch it, start it again; ask it and hear its answers.

Qt-free. Messages reach the callback on the process's reader thread.
"""

from __future__ import annotations

import contextlib
import io
import itertools
import logging
import os
import select
import signal
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
    Message,
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
from ponystudio.system.main_memory import oom_kills
from ponystudio.system.own_program import own_command, working_folder

log = logging.getLogger(__name__)

# Seconds without a sign of life after which the worker is killed; loading its libraries from a
# slow disk may block it for longer.
HEARTBEAT_TIMEOUT = 10.0
STARTUP_TIMEOUT = 120.0
# Seconds in which it must be ready, alive or not.
READY_TIMEOUT = 300.0
# How often in a row it may end without having been of use until it is no use starting it again,
# and the seconds that are waited in between, twice as long each time.
START_ATTEMPTS = 3
BACK_OFF = 0.5
# Seconds after which a worker that was not asked anything has been of use all the same.
LONG_ENOUGH = 60.0
# Seconds that a worker has to leave by itself at the end of its input, or of its output.
SHUTDOWN_TIMEOUT = 2.0
STOPPED = "it was stopped"
REMEDY = "See `ponystudio doctor` for what there is to compute with."

# Never the same twice, in another process neither: a late answer must not be taken for another's.
_numbers = itertools.count(1)


@dataclass(frozen=True)
class WorkerExited:
    """The worker ended, for this reason; another is started. `wanted`: by Stop now."""

    code: int
    reason: str
    wanted: bool = False


@dataclass(frozen=True)
class WorkerFailed:
    """There can be no worker, for this reason, until the user has tried to mend that."""

    reason: str
    remedy: str = ""


ProcessMessage = WorkerReady | MemoryUse | Answer | WorkerExited | WorkerFailed
OnMessage = Callable[[ProcessMessage], None]


@dataclass(eq=False)
class _Subprocess:
    """One process of the worker. `end`: why it is ended, where that is known; `listening`: since
    when its next message is waited for, None while one is being handled; `useful`: it has finished
    a run, or was stopped."""

    popen: subprocess.Popen[bytes]
    outbox: FrameWriter
    oom_kills: int = field(default_factory=lambda: oom_kills())
    started: float = field(default_factory=time.monotonic)
    listening: float | None = field(default_factory=time.monotonic)
    ready: bool = False
    useful: bool = False
    end: str = ""

    def kill_if_hung(self) -> None:
        now, since = time.monotonic(), self.listening
        timeout = HEARTBEAT_TIMEOUT if self.ready else STARTUP_TIMEOUT
        if since is not None and now - since > timeout:
            self.kill(f"it gave no sign of life for {timeout:.0f} seconds")
        elif not self.ready and now - self.started > READY_TIMEOUT:
            self.kill(f"it was not ready within {READY_TIMEOUT:.0f} seconds")

    def kill(self, why: str) -> None:
        """End it; the first to do so says why."""
        self.end = self.end or why
        with contextlib.suppress(OSError):  # it has just ended
            self.popen.kill()

    def reason(self, code: int) -> str:
        """Why it ended, as far as that is known."""
        if self.end:
            return self.end
        if code >= 0:
            return f"exit code {code}"
        if code != -signal.SIGKILL:
            return f"signal {-code}: {signal.strsignal(-code)}"
        if oom_kills() > self.oom_kills:
            return "the system ended it for lack of memory"
        return "it was killed, perhaps by the system for lack of memory"

    def remedy(self, code: int) -> str:
        """What to do if it ends so again."""
        if not self.end and code < 0 and code == -signal.SIGKILL:
            return "If this repeats, make the picture smaller."
        return "If this repeats, the engine's log may say why."


class _Output(io.RawIOBase):
    """What a process writes, to its end: also where a child of it has the pipe and lives on."""

    def __init__(self, popen: subprocess.Popen[bytes]) -> None:
        self._popen, self._pipe = popen, cast(BinaryIO, popen.stdout).fileno()

    def read(self, size: int = -1) -> bytes:
        if sys.platform != "win32":  # where children have no such pipe
            poll = select.poll()
            poll.register(self._pipe, select.POLLIN)
            while not poll.poll(500):
                if self._popen.poll() is not None and not poll.poll(0):
                    return b""
        return os.read(self._pipe, size)


class WorkerProcess:
    """A worker that is there from `start` to `close`.

    What is asked before it is ready is handed over then. When it dies, all that it was asked fails
    as WorkerDied, and a new one is started; after START_ATTEMPTS that were of no use WorkerFailed
    says so. Whatever it sends, and whatever the callback raises, ends none of this. Methods may be
    called from any thread.
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
        self._command = list(command or own_command("worker"))
        self._lock = threading.RLock()
        self._unanswered: dict[int, SubmitRun | PlanRun | UpgradeGraph] = {}
        self._previews = ShowPreviews(True)
        self._process: _Subprocess | None = None
        self._useless_starts = 0
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
        self._tell(RunMessage(number, RunFailed.of(Cancelled())))

    def stop_now(self) -> None:
        """Kill the worker; what it was asked fails, another is started. Runs that wait for it to be
        ready are cancelled."""
        with self._lock:
            waiting = [*self._unanswered] if not self._is_ready else []
            waiting = [n for n in waiting if isinstance(self._unanswered[n], SubmitRun)]
            for number in waiting:
                del self._unanswered[number]
            if self._process is not None:
                self._process.useful = True
                self._process.kill(STOPPED)
        for number in waiting:
            self._tell(RunMessage(number, RunFailed.of(Cancelled())))

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
                process.kill("it did not leave")
        for thread in self._threads:
            if thread is not threading.current_thread():
                thread.join(2 * SHUTDOWN_TIMEOUT)  # a driver may keep a process that is killed

    def __enter__(self) -> WorkerProcess:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # --- One process after the other --------------------------------------------------------------

    def _supervise(self) -> None:
        """Start the worker, read to its end, and do so again until this is closed."""
        try:
            self._before_start()
        except Exception:
            log.exception("What comes before the worker failed.")
        while not self._closing.wait(self._pause()) and not self._failed_reason:
            try:
                process = self._spawn()
            except Exception as error:
                self._count_useless(f"it cannot be started: {error}")
                continue
            try:
                self._read(process)
            except WorkerDied as error:
                process.kill(f"it sent {error.what}")
            except Exception as error:
                log.exception("What the worker sent could not be taken.")
                process.kill(f"it sent what cannot be taken, {type(error).__name__}: {error}")
            self._reap(process)

    def _pause(self) -> float:
        """Seconds until the next start; none after one that was of use."""
        return float(BACK_OFF * (2**self._useless_starts - 1))

    def _spawn(self) -> _Subprocess:
        popen = subprocess.Popen(
            self._command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._log,
            cwd=working_folder(),
            creationflags=getattr(subprocess, "CREATE_NO_WINDOW", 0),
        )
        # When nobody reads any more the process is dead, which the reader sees.
        outbox = FrameWriter(
            cast(BinaryIO, popen.stdin), on_broken=lambda: None, on_unsent=self._on_unsent
        )
        process = _Subprocess(popen, outbox)
        try:
            outbox.start()
        except RuntimeError:  # no more threads
            process.kill("there was no thread for it")
            self._reap(process)
            raise
        with self._lock:
            self._process = process
            self._send(StartEngine(self._settings))
            self._send(self._previews)
            if self._closing.is_set():  # close() came before there was a process to end
                outbox.end()
        return process

    def _read(self, process: _Subprocess) -> None:
        stream = cast(BinaryIO, _Output(process.popen))
        while (message := read_message(stream)) is not None:
            process.listening = None
            match message:
                case Heartbeat():
                    pass
                case WorkerUnusable(error):
                    self._fail(error)
                    process.kill("there can be no engine")
                    return
                case _:
                    self._tell(message)
                    self._note(process, message)
            process.listening = time.monotonic()

    def _note(self, process: _Subprocess, message: Message) -> None:
        """What a message says of what is to be asked, and of what was answered."""
        with self._lock:
            match message:
                case WorkerReady() if not process.ready:
                    process.ready = True
                    for command in self._unanswered.values():
                        self._send(command)
                case (
                    PlanAnswer(number)
                    | UpgradeAnswer(number)
                    | RunMessage(number, RunFinished() | RunRefused() | RunFailed())
                ):
                    asked = self._unanswered.pop(number, None)
                    process.useful |= isinstance(asked, SubmitRun)

    def _reap(self, process: _Subprocess) -> None:
        try:
            code = process.popen.wait(SHUTDOWN_TIMEOUT)
        except subprocess.TimeoutExpired:
            process.kill("it closed its output")
            code = process.popen.wait()
        process.outbox.end()
        process.outbox.join(SHUTDOWN_TIMEOUT)  # a child of it may have the pipe, and not read it
        cast(BinaryIO, process.popen.stdout).close()
        with self._lock:
            self._process = None
            # The next one is asked what this one was not.
            lost = self._unanswered if process.ready else {}
            self._unanswered = {} if process.ready else self._unanswered
        if self._closing.is_set() or self._failed_reason:
            return
        reason = process.reason(code)
        self._tell(WorkerExited(code, reason, wanted=reason == STOPPED))
        for number in lost:
            what = f"The engine ended unexpectedly ({reason})."
            self._report_failure(number, what, f"It was started again. {process.remedy(code)}")
        at_a_run = any(isinstance(command, SubmitRun) for command in lost.values())
        lived = time.monotonic() - process.started
        if at_a_run or process.useful or (process.ready and lived > LONG_ENOUGH):
            self._useless_starts = 0
        else:
            self._count_useless(reason)

    def _count_useless(self, reason: str) -> None:
        """A worker was of no use: after some of them in a row there is none any more."""
        self._useless_starts += 1
        if self._useless_starts >= START_ATTEMPTS:
            times = f"The engine ended {START_ATTEMPTS} times in a row ({reason})."
            self._fail(times, "Try again; if it ends as before, its log may say why.")

    def _fail(self, reason: str, remedy: str = "") -> None:
        """No worker, no answers: all that was asked fails."""
        self._tell(WorkerFailed(reason, remedy))
        with self._lock:
            self._failed_reason = reason
            lost = [*self._unanswered]
            self._unanswered.clear()
        for number in lost:
            self._report_failure(number, reason, remedy or REMEDY)

    def _kill_silent(self) -> None:
        """Kill a worker that gives no sign of life."""
        while not self._closing.wait(0.5):
            with self._lock:
                if self._process is not None:
                    self._process.kill_if_hung()

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

    def _on_unsent(self, command: Command | Message, error: Exception) -> None:
        """What the worker never heard of."""
        number = getattr(command, "number", None)
        with self._lock:
            asked = self._unanswered.pop(number, None) if number is not None else None
        if asked is not None:
            what = f"The graph cannot be handed to the engine: {error}."
            self._report_failure(asked.number, what, "Make texts and lists in the graph shorter.")

    def _report_failure(self, number: int, what: str, remedy: str) -> None:
        failed = RunFailed(ErrorInfo(WorkerDied.__name__, what, remedy=remedy))
        self._tell(RunMessage(number, failed))

    def _tell(self, message: ProcessMessage) -> None:
        """Whoever listens may be at fault: that is no reason to stop reading."""
        try:
            self._on_message(message)
        except Exception:
            log.exception("A message of the worker was not taken.")
