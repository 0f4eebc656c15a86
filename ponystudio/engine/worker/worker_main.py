"""The worker: a process of its own that computes, so that the studio never waits and never falls.

It is started with two pipes as its standard input and output, and takes them over before anything
else, so that no print of a library can reach them. It ends within a second of the end of its
input, whatever it is doing.

Commands: start {device, dtype, memory, cache_dir, cache_bytes, nodes}, submit {run, ...}, plan
{run, ...}, upgrade {run, graph}, cancel {run}, previews {on}, clear {}, unload {}. Plans and
upgrades are answered while a run goes on; clear and unload are done before its next node.
Everything it tells has "event"; what belongs to a run has "run". Besides the events of a run there
are hello or unusable {error}, heartbeat, memory_use {...}, refused {errors}, left_out {errors}
(what depends on them is not run, the rest is), planned {nodes, keys, errors}, upgraded {graph,
notes}, run_planned {steps, keys}, preview and result, the last two with a JPEG.

Only light modules are imported here: torch comes when the pipes are safe.
"""

from __future__ import annotations

import contextlib
import os
import queue
import signal
import sys
import threading
import time
from collections import deque
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, BinaryIO

from ponystudio.engine.protocol.frame_writer import FrameWriter
from ponystudio.engine.protocol.frames import HEARTBEAT, Frame, read_frame
from ponystudio.errors import Cancelled, PonyStudioError, WorkerDied

if TYPE_CHECKING:
    from ponystudio.engine.worker.service import Service

# Added to the niceness: the desktop and the studio's window come first.
NICENESS = 5
# Seconds between two words about the memory in use, when nothing happens.
MEMORY_EVERY = 2.0
_BETWEEN_NODES = ("clear", "unload")
_REQUESTS = ("plan", "upgrade")


def main() -> int:
    """Serve until the input ends. Never returns normally: the process exits from a thread."""
    incoming, outgoing = take_over_pipes()
    # Ctrl+C in a terminal reaches the whole group; whether to stop is the studio's to say.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    lower_priority()
    Worker(incoming, outgoing).serve()
    return 0


def take_over_pipes() -> tuple[BinaryIO, BinaryIO]:
    """The pipes, under numbers that no library knows and no child process inherits.

    Standard input becomes empty, standard output the same as standard error; where there is none,
    as under a windowed program, both lead nowhere.
    """
    _have_standard_error()
    incoming, outgoing = os.dup(0), os.dup(1)
    os.set_inheritable(incoming, False)
    os.set_inheritable(outgoing, False)
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    os.dup2(2, 1)
    if sys.platform == "win32":
        import msvcrt

        msvcrt.setmode(incoming, os.O_BINARY)
        msvcrt.setmode(outgoing, os.O_BINARY)
    return os.fdopen(incoming, "rb", buffering=0), os.fdopen(outgoing, "wb", buffering=0)


def _have_standard_error() -> None:
    try:
        os.fstat(2)
    except OSError:
        nothing = os.open(os.devnull, os.O_WRONLY)
        if nothing != 2:
            os.dup2(nothing, 2)
            os.close(nothing)
    if sys.stderr is None:
        sys.stderr = os.fdopen(2, "w", encoding="utf-8", errors="replace", closefd=False)


def lower_priority() -> None:
    if sys.platform == "win32":
        import psutil

        psutil.Process().nice(psutil.BELOW_NORMAL_PRIORITY_CLASS)
    else:
        os.nice(NICENESS)


class Worker:
    """Reads commands on one thread, executes them on the calling one, answers through the outbox.

    Plans are made on a thread of their own, so that they need not wait for a run.
    """

    def __init__(self, incoming: BinaryIO, outgoing: BinaryIO) -> None:
        self._incoming = incoming
        self._outbox = FrameWriter(outgoing, on_broken=lambda: os._exit(0))
        self._commands: queue.SimpleQueue[Mapping[str, Any]] = queue.SimpleQueue()
        self._requests: queue.SimpleQueue[Mapping[str, Any]] = queue.SimpleQueue()
        self._pending: deque[Mapping[str, Any]] = deque()
        self._cancelled: set[int] = set()
        self._cancel_flag = threading.Event()
        self._running: int | None = None
        self._previews = threading.Event()
        self._previews.set()
        self._lock = threading.Lock()

    def serve(self) -> None:
        for work in (self._read, self._send_heartbeats):
            threading.Thread(target=work, name=work.__name__, daemon=True).start()
        self._outbox.start()
        service: Service | None = None
        while True:
            message = self._commands.get()
            if message["command"] == "start" and service is None:
                service = self._start_service(message)
                if service is not None:
                    threading.Thread(
                        target=self._answer_requests, args=(service,), name="plans", daemon=True
                    ).start()
            elif service is not None:
                self._run_pending(service)
                if message["command"] not in _BETWEEN_NODES:
                    self._execute(service, message)

    def _start_service(self, message: Mapping[str, Any]) -> Service | None:
        """The engine, or None after telling why there can be none."""
        from ponystudio.engine.worker.service import Service

        try:
            service = Service(message, self._outbox, self._previews)
        except PonyStudioError as error:
            self._outbox.send(Frame({"event": "unusable", "error": str(error)}))
            return None
        self._outbox.send(Frame({"event": "hello", **service.hello()}))
        service.report_memory()
        return service

    def _execute(self, service: Service, message: Mapping[str, Any]) -> None:
        run = int(message.get("run", 0))
        if not self._begin_run(run):
            self._outbox.send(_failed(run, "Cancelled", "Cancelled.", ""))
            return
        try:
            service.execute(message, self._cancel_flag, between=lambda: self._run_pending(service))
        except Cancelled:
            pass  # the engine has told of it
        except Exception as error:  # a fault of ours must not end the process
            self._outbox.send(_at_fault(run, error))
        finally:
            with self._lock:
                self._running = None

    def _run_pending(self, service: Service) -> None:
        """What was asked for on the side."""
        while self._pending:
            with contextlib.suppress(Exception):  # a fault of ours must not end the run
                service.execute(self._pending.popleft(), self._cancel_flag)

    def _answer_requests(self, service: Service) -> None:
        """Answer plans, and tell of the memory in between."""
        while True:
            try:
                message = self._requests.get(timeout=MEMORY_EVERY)
            except queue.Empty:
                with contextlib.suppress(Exception):  # it is told again soon
                    service.report_memory()
                continue
            try:
                service.answer(message)
            except Exception as error:  # a fault of ours must not end the process
                self._outbox.send(_at_fault(int(message["run"]), error))

    def _begin_run(self, run: int) -> bool:
        """Take up a run; False if it was cancelled while it waited."""
        with self._lock:
            self._cancel_flag.clear()
            self._running = run
            cancelled = run in self._cancelled
            self._cancelled.discard(run)
            return not cancelled

    def _read(self) -> None:
        """Commands in; the end of the pipe, or nonsense on it, ends the process at once."""
        try:
            while (frame := read_frame(self._incoming)) is not None:
                if frame.message.get("command") == "cancel":
                    self._cancel_run(int(frame.message["run"]))
                elif frame.message.get("command") == "previews":
                    (self._previews.set if frame.message["on"] else self._previews.clear)()
                elif frame.message.get("command") in _REQUESTS:
                    self._requests.put(frame.message)
                else:
                    if frame.message.get("command") in _BETWEEN_NODES:
                        self._pending.append(frame.message)
                    self._commands.put(frame.message)
        except (OSError, WorkerDied, KeyError, ValueError):
            pass
        os._exit(0)

    def _cancel_run(self, run: int) -> None:
        with self._lock:
            if run == self._running:
                self._cancel_flag.set()
            else:
                self._cancelled.add(run)

    def _send_heartbeats(self) -> None:
        while True:
            self._outbox.send_latest("heartbeat", lambda: Frame({"event": "heartbeat"}))
            time.sleep(HEARTBEAT)


def _at_fault(run: int, error: Exception) -> Frame:
    text = f"The engine failed ({type(error).__name__}: {error})."
    return _failed(run, type(error).__name__, text, "Please report this.")


def _failed(run: int, reason: str, error: str, hint: str) -> Frame:
    message = {"event": "run_failed", "node": "", "error": error, "hint": hint, "reason": reason}
    return Frame({**message, "run": run})
