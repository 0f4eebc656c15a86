"""The worker: a process of its own that computes, so that the studio never waits and never falls.

It is started with two pipes as its standard input and output, and takes them over before anything
else, so that no print of a library can reach them. It ends within a second of the end of its
input, whatever it is doing.

`engine.protocol.worker_messages` has what it is asked and what it says. Plans and upgrades are
answered while a run goes on; what is to be cleared is before its next node.

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
import traceback
from collections import deque
from typing import TYPE_CHECKING, BinaryIO

from ponystudio.engine.protocol.frames import (
    HEARTBEAT,
    FrameWriter,
    UnreadableCommand,
    read_command,
)
from ponystudio.engine.protocol.run_events import ErrorInfo, RunFailed, RunFinished, RunRefused
from ponystudio.engine.protocol.worker_messages import (
    CancelRun,
    ClearCache,
    Command,
    Heartbeat,
    Message,
    PlanAnswer,
    PlanRun,
    RunMessage,
    ShowPreviews,
    StartEngine,
    SubmitRun,
    UnloadWeights,
    UpgradeAnswer,
    UpgradeGraph,
    WorkerReady,
    WorkerUnusable,
)
from ponystudio.errors import Cancelled, PonyStudioError, WorkerDied
from ponystudio.system import standard_streams
from ponystudio.system.own_program import working_folder

if TYPE_CHECKING:
    from ponystudio.engine.worker.service import Service

# Added to the niceness: the desktop and the studio's window come first.
NICENESS = 5
# Seconds between two words about the memory in use, when nothing happens.
MEMORY_EVERY = 2.0
# The exit code after a fault in what must not fail.
FAULT = 70


def main() -> int:
    """Serve until the input ends. Never returns normally: the process exits from a thread."""
    incoming, outgoing = take_over_pipes()
    # Ctrl+C in a terminal reaches the whole group; whether to stop is the studio's to say.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    lower_priority()
    os.chdir(working_folder())
    Worker(incoming, outgoing).serve()
    return 0


def take_over_pipes() -> tuple[BinaryIO, BinaryIO]:
    """The pipes, under numbers that no library knows and no child process inherits.

    Standard input becomes empty, standard output the same as standard error; where there is none,
    as under a windowed program, both lead nowhere.
    """
    standard_streams.secure()
    incoming, outgoing = os.dup(0), os.dup(1)
    os.set_inheritable(incoming, False)
    os.set_inheritable(outgoing, False)
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    os.dup2(2, 1)
    sys.stdout = sys.stderr  # of which nothing is said when it takes no more: no node fails for it
    if sys.platform == "win32":
        import msvcrt

        msvcrt.setmode(incoming, os.O_BINARY)
        msvcrt.setmode(outgoing, os.O_BINARY)
    return os.fdopen(incoming, "rb", buffering=0), os.fdopen(outgoing, "wb", buffering=0)


def lower_priority() -> None:
    if sys.platform == "win32":
        import psutil

        psutil.Process().nice(psutil.BELOW_NORMAL_PRIORITY_CLASS)
    else:
        os.nice(NICENESS)


class Worker:
    """Reads commands on one thread, runs graphs on the calling one, answers through the outbox.

    Plans are made on a thread of their own, so that they need not wait for a run.
    """

    def __init__(self, incoming: BinaryIO, outgoing: BinaryIO) -> None:
        self._incoming = incoming
        self._outbox = FrameWriter(
            outgoing, on_broken=lambda: os._exit(0), on_unsent=self._on_unsent
        )
        self._runs: queue.SimpleQueue[StartEngine | SubmitRun | None] = queue.SimpleQueue()
        self._requests: queue.SimpleQueue[PlanRun | UpgradeGraph] = queue.SimpleQueue()
        self._pending: deque[ClearCache | UnloadWeights] = deque()
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
            command = self._runs.get()
            if service is None:
                if isinstance(command, StartEngine):
                    service = self._start_service(command)
                continue
            self._run_pending(service)
            if isinstance(command, SubmitRun):
                self._run(service, command)

    def _start_service(self, command: StartEngine) -> Service | None:
        """The engine, or None after saying why there can be none."""
        try:
            from ponystudio.engine.worker.service import Service

            service = Service(command.settings, self._outbox, self._previews)
        except PonyStudioError as error:
            self._outbox.send(WorkerUnusable(str(error)))
            return None
        except Exception as error:  # a torch that is damaged, say: another process has the same
            traceback.print_exc()
            what = f"The engine cannot start ({type(error).__name__}: {error})."
            self._outbox.send(WorkerUnusable(what))
            return None
        self._outbox.send(service.ready_message())
        service.report_memory()
        answering = threading.Thread(
            target=self._answer_requests, args=(service,), name="plans", daemon=True
        )
        answering.start()
        return service

    def _run(self, service: Service, command: SubmitRun) -> None:
        number = command.number
        if not self._begin_run(number):
            self._outbox.send(RunMessage(number, RunFailed.of(Cancelled())))
            return
        try:
            os.chdir(working_folder())
            service.run(
                number, command.request, self._cancel_flag, lambda: self._run_pending(service)
            )
        except Cancelled:
            pass  # the engine has said so
        except BaseException as error:  # a fault of ours must not end the process
            self._report_fault(number, error)
        finally:
            with self._lock:
                self._running = None

    def _run_pending(self, service: Service) -> None:
        """What is to be done before the next node."""
        while self._pending:
            with contextlib.suppress(Exception):  # a fault of ours must not end the run
                match self._pending.popleft():
                    case ClearCache():
                        service.clear_cache()
                    case UnloadWeights():
                        service.unload()

    def _answer_requests(self, service: Service) -> None:
        """Answer plans and upgrades, and report the memory in between."""
        while True:
            try:
                command = self._requests.get(timeout=MEMORY_EVERY)
            except queue.Empty:
                with contextlib.suppress(Exception):  # it is reported again soon
                    service.report_memory()
                continue
            try:
                service.answer(command)
            except BaseException as error:  # a fault of ours must not end the process
                self._report_fault(command.number, error)

    def _begin_run(self, number: int) -> bool:
        """Take up a run; False if it was cancelled while it waited."""
        with self._lock:
            self._cancel_flag.clear()
            self._running = number
            cancelled = number in self._cancelled
            # Of those before, the word came when they had ended.
            self._cancelled = {other for other in self._cancelled if other > number}
            return not cancelled

    def _read(self) -> None:
        """Commands in; the end of the pipe, or nonsense on it, ends the process at once: one that
        hears nothing more would seem alive for ever."""
        try:
            while (command := read_command(self._incoming)) is not None:
                match command:
                    case CancelRun(number):
                        self._cancel_run(number)
                    case ShowPreviews(on):
                        (self._previews.set if on else self._previews.clear)()
                    case PlanRun() | UpgradeGraph():
                        self._requests.put(command)
                    case ClearCache() | UnloadWeights():
                        self._pending.append(command)
                        self._runs.put(None)  # so that it is done while no run goes on
                    case StartEngine() | SubmitRun():
                        self._runs.put(command)
                    case UnreadableCommand(number, error):
                        self._outbox.send(RunMessage(number, RunRefused([error])))
        except (OSError, WorkerDied):
            pass
        except BaseException:
            traceback.print_exc()
            os._exit(FAULT)
        os._exit(0)

    def _cancel_run(self, number: int) -> None:
        with self._lock:
            if number == self._running:
                self._cancel_flag.set()
            else:
                self._cancelled.add(number)

    def _send_heartbeats(self) -> None:
        while True:
            self._outbox.send_latest("heartbeat", Heartbeat)
            time.sleep(HEARTBEAT)

    def _on_unsent(self, message: Command | Message, error: Exception) -> None:
        """Whoever waits for an end or an answer gets one all the same."""
        what = f"An answer cannot be handed to the studio: {error}."
        match message:
            case WorkerReady():
                self._outbox.send(WorkerUnusable(what))
            case (
                PlanAnswer(number)
                | UpgradeAnswer(number)
                | RunMessage(number, RunFinished() | RunRefused() | RunFailed())
            ):
                self._outbox.send(RunMessage(number, RunFailed(ErrorInfo("WorkerDied", what))))

    def _report_fault(self, number: int, error: BaseException) -> None:
        reason = type(error).__name__
        what = f"The engine failed ({reason}: {error})."
        failed = RunFailed(ErrorInfo(reason, what, remedy="Please report this."))
        self._outbox.send(RunMessage(number, failed))
