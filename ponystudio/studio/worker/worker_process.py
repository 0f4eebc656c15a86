"""The studio's side of the worker: start it, watch it, start it again; queue runs and hear of them.

Qt-free. Events reach the callback on the session's reader thread.
"""

from __future__ import annotations

import itertools
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any, BinaryIO, cast

from ponystudio.engine.protocol.frame_writer import FrameWriter
from ponystudio.engine.protocol.frames import Frame, read_frame
from ponystudio.errors import WorkerDied
from ponystudio.graph.formats.graph_file import to_json
from ponystudio.graph.model import Graph

# Seconds without a sign of life after which the worker is killed; loading its libraries from a
# slow disk may block it for longer.
HEARTBEAT_TIMEOUT = 10.0
STARTUP_TIMEOUT = 120.0
# How often it may die before it was ready until it is no use starting it again.
START_ATTEMPTS = 3
SHUTDOWN_TIMEOUT = 2.0
REMEDY = "See `ponystudio doctor` for what there is to compute with."

OnEvent = Callable[[Mapping[str, Any], bytes], None]
_ENDS = ("run_finished", "run_failed", "refused")
_ANSWERS = ("planned", "upgraded", *_ENDS)
# Never the same twice, in another session neither: a late answer must not be taken for another's.
_numbers = itertools.count(1)


@dataclass(frozen=True)
class WorkerSettings:
    """What the worker computes with; a change needs a new session.

    `cache_bytes` is how much is kept on disk, None the engine's default. `memory`: bytes that the
    engine may take of its device's, 0 for what there is.
    """

    device: str = "auto"
    dtype: str = "auto"
    cache_dir: Path | None = None
    cache_bytes: int | None = None
    memory: int = 0
    nodes: Path | None = None


@dataclass(frozen=True)
class Submission:
    """One run: what `engine.protocol.run_request.RunRequest` is on the other side."""

    graph: Graph
    models: Sequence[Path]
    output: Path
    previews: Path
    graph_dir: Path | None = None
    targets: Sequence[str] | None = None
    scope: str = ""
    always_write: bool = False
    denoiser_on_cpu: bool = False
    anew: bool = False

    def as_json(self) -> dict[str, Any]:
        return {
            "graph": to_json(self.graph),
            "models": [str(path) for path in self.models],
            "output": str(self.output),
            "previews": str(self.previews),
            "graph_dir": str(self.graph_dir) if self.graph_dir else None,
            "targets": None if self.targets is None else list(self.targets),
            "scope": self.scope,
            "always_write": self.always_write,
            "denoiser_on_cpu": self.denoiser_on_cpu,
            "anew": self.anew,
        }


def worker_command() -> list[str]:
    """How the worker is started: a frozen program is its own worker."""
    if getattr(sys, "frozen", False):
        return [sys.executable, "worker"]
    return [sys.executable, "-m", "ponystudio", "worker"]


@dataclass(eq=False)
class _Subprocess:
    """One life of the worker."""

    popen: subprocess.Popen[bytes]
    outbox: FrameWriter
    last_seen: float = field(default_factory=time.monotonic)
    ready: bool = False

    @property
    def is_silent(self) -> bool:
        timeout = HEARTBEAT_TIMEOUT if self.ready else STARTUP_TIMEOUT
        return time.monotonic() - self.last_seen > timeout


class WorkerProcess:
    """A worker that is there as long as the session is open.

    Runs are done one after the other. When the worker dies, the run it was at fails as WorkerDied,
    a new worker is started, and the queue goes on. Methods may be called from any thread.
    """

    def __init__(
        self,
        on_event: OnEvent,
        settings: WorkerSettings = WorkerSettings(),
        *,
        command: Sequence[str] | None = None,
        log: IO[Any] | int | None = None,
        before_start: Callable[[], None] = lambda: None,
    ) -> None:
        """`log` takes what the worker and its libraries print; None: this process's stderr.

        `before_start` is called before the worker is started: to close the one before it, say.
        """
        self._on_event, self._settings, self._log = on_event, settings, log
        self._before_start = before_start
        self._command = list(command or worker_command())
        self._lock = threading.RLock()
        self._queue: deque[tuple[int, Submission]] = deque()
        self._current: int | None = None
        self._requests: dict[int, Mapping[str, Any]] = {}
        self._previews: Mapping[str, Any] = {"command": "previews", "on": True}
        self._process: _Subprocess | None = None
        self._failed_starts = 0
        self._closing = threading.Event()
        self._failed_reason = ""
        self._threads: list[threading.Thread] = []

    def start(self) -> None:
        """Start the worker; the event "hello" says when it is ready, and brings the catalog."""
        for work in (self._supervise, self._kill_silent):
            thread = threading.Thread(target=work, name=f"session {work.__name__}", daemon=True)
            self._threads.append(thread)
            thread.start()

    def submit(self, submission: Submission) -> int:
        """Put a run into the queue; the number that its events carry."""
        with self._lock:
            number = next(_numbers)
            if not self._failed_reason:
                self._queue.append((number, submission))
                self._start_next()
                return number
        self._report_failure(number, "WorkerDied", self._failed_reason, REMEDY)
        return number

    def plan(self, submission: Submission) -> int:
        """Ask what a run would do.

        Answered, also while the worker is at a run, by "planned" with all that it can say and the
        errors that are in the way of the rest, "refused" or "run_failed" with this number.
        """
        return self._request({"command": "plan", **submission.as_json()})

    def upgrade(self, graph: Graph) -> int:
        """Ask for a graph's old nodes in the versions that are installed, which takes their code.

        Answered by "upgraded" {graph, notes}, or as `plan` is.
        """
        return self._request({"command": "upgrade", "graph": to_json(graph)})

    def cancel(self, run: int) -> None:
        """Stop a run at its next block or step, or take it out of the queue."""
        with self._lock:
            if run == self._current:
                self._send({"command": "cancel", "run": run})
                return
            waiting = [item for item in self._queue if item[0] == run]
            for item in waiting:
                self._queue.remove(item)
        for _ in waiting:
            self._report_failure(run, "Cancelled", "Cancelled.", "")

    def stop_now(self) -> None:
        """Kill the worker; the run it was at fails, the queue goes on with a new one."""
        with self._lock:
            if self._process is not None:
                self._process.popen.kill()

    def show_previews(self, on: bool) -> None:
        """Whether runs show how far they are in small pictures; at first they do."""
        with self._lock:
            self._previews = {"command": "previews", "on": on}
            self._send(self._previews)

    def clear_cache(self) -> None:
        """Forget every result; during a run what it does not need."""
        self._send({"command": "clear"})

    def unload(self) -> None:
        """Let go of the weights that no node is using."""
        self._send({"command": "unload"})

    def close(self) -> None:
        """End the worker and wait for it; what waits in the queue is dropped."""
        self._closing.set()
        with self._lock:
            self._queue.clear()
            process = self._process
        if process is not None:
            process.outbox.end()  # the end of its input is the worker's word to go
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

    # --- The worker's lives -----------------------------------------------------------------------

    def _supervise(self) -> None:
        """Start the worker, hear it out, and do so again until the session closes."""
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
        # When nobody listens any more the process is dead, which the reader sees.
        outbox = FrameWriter(cast(BinaryIO, popen.stdin), on_broken=lambda: None)
        outbox.start()
        process = _Subprocess(popen, outbox)
        cache, nodes = self._settings.cache_dir, self._settings.nodes
        start = {
            "command": "start",
            "device": self._settings.device,
            "dtype": self._settings.dtype,
            "cache_dir": str(cache) if cache else None,
            "cache_bytes": self._settings.cache_bytes,
            "memory": self._settings.memory,
            "nodes": str(nodes) if nodes else None,
        }
        with self._lock:
            self._process = process
            for message in (start, self._previews, *self._requests.values()):
                self._send(message)
            if self._closing.is_set():  # close() came before there was a process to end
                outbox.end()
        return process

    def _read(self, process: _Subprocess) -> None:
        stream = cast(BinaryIO, process.popen.stdout)
        while (frame := read_frame(stream)) is not None:
            process.last_seen = time.monotonic()
            event = frame.message.get("event")
            if event == "heartbeat":
                continue
            if event == "unusable":
                self._fail(str(frame.message["error"]))
                return
            self._on_event(frame.message, frame.blob)
            with self._lock:
                if event in _ANSWERS:
                    self._requests.pop(int(frame.message["run"]), None)
                if event == "hello":
                    process.ready = True
                    self._failed_starts = 0
                    self._start_next()
                elif event in _ENDS and frame.message.get("run") == self._current:
                    self._current = None
                    self._start_next()

    def _reap(self, process: _Subprocess) -> None:
        code = process.popen.wait()
        process.outbox.end()
        process.outbox.join()
        cast(BinaryIO, process.popen.stdout).close()
        with self._lock:
            self._process = None
            lost = [] if self._current is None else [self._current]
            lost += self._requests
            self._current = None
            self._requests.clear()
        if self._closing.is_set() or self._failed_reason:
            return
        self._on_event({"event": "worker_died", "code": code, "reason": _cause(code)}, b"")
        for number in lost:
            self._report_failure(
                number,
                "WorkerDied",
                f"The engine ended unexpectedly ({_cause(code)}).",
                "It was started again. If this repeats, make the picture smaller.",
            )

    def _fail(self, reason: str) -> None:
        """No worker, no runs: everything that waits fails."""
        self._on_event({"event": "worker_failed", "error": reason}, b"")
        with self._lock:
            self._failed_reason = reason
            waiting = [*(number for number, _ in self._queue), *self._requests]
            self._queue.clear()
            self._requests.clear()
        for number in waiting:
            self._report_failure(number, "WorkerDied", reason, REMEDY)

    def _kill_silent(self) -> None:
        """Kill a worker that gives no sign of life."""
        while not self._closing.wait(0.5):
            with self._lock:
                if self._process is not None and self._process.is_silent:
                    self._process.popen.kill()

    # --- Runs -------------------------------------------------------------------------------------

    def _start_next(self) -> None:
        """Hand the next run to an idle worker."""
        ready = self._process is not None and self._process.ready
        if ready and self._current is None and self._queue:
            self._current, submission = self._queue.popleft()
            self._send({"command": "submit", "run": self._current, **submission.as_json()})

    def _request(self, message: Mapping[str, Any]) -> int:
        """A question, which is asked again of the next worker if this one is not ready yet."""
        with self._lock:
            number = next(_numbers)
            if not self._failed_reason:
                self._requests[number] = {**message, "run": number}
                self._send(self._requests[number])
                return number
        self._report_failure(number, "WorkerDied", self._failed_reason, REMEDY)
        return number

    def _send(self, message: Mapping[str, Any]) -> None:
        with self._lock:
            if self._process is not None:
                self._process.outbox.send(Frame(message))

    def _report_failure(self, run: int, reason: str, error: str, hint: str) -> None:
        message = {"event": "run_failed", "run": run, "node": "", "error": error, "hint": hint}
        self._on_event({**message, "reason": reason}, b"")


def _cause(code: int) -> str:
    if code == -9:
        return "it was killed, perhaps by the system for lack of memory"
    return f"signal {-code}" if code < 0 else f"exit code {code}"
