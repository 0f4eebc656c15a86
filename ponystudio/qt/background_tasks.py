"""Work that must not hold up the window: jobs on threads, and flows that await them."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import threading
import time
from collections import OrderedDict, deque
from collections.abc import Callable, Coroutine, Hashable
from contextvars import ContextVar, copy_context
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeVar

from PySide6.QtCore import QCoreApplication, QEventLoop, QObject, Qt, QThread, Signal

from ponystudio.errors import Cancelled, PonyStudioError

log = logging.getLogger(__name__)
# Seconds for which a thread waits for more before it ends; nothing has to end it.
IDLE_SECONDS = 0.05
# Seconds after which `close` waits no longer: nobody wants to wait for a huge picture only to see
# the window close.
CLOSE_TIMEOUT = 3.0

T = TypeVar("T")
Failed = Callable[[PonyStudioError], object]
"""Takes an error that somebody has to be told of."""
_owner: ContextVar[BackgroundTasks] = ContextVar("owner")


async def in_background(function: Callable[..., T], *args: Any) -> T:
    """What `function` gives, worked out on a thread of those tasks that started this flow.

    Raises what it raises. When the flow is cancelled, a job that has not begun is forgotten, and
    one that has goes on to its end for nobody.
    """
    return await _owner.get().result(function, *args)


@dataclass(eq=False)
class _Job:
    """A function for a thread; one of the others is called on the owner's with how it ended."""

    function: Callable[[], Any]
    then: Callable[[Any], object] | None
    failed: Callable[[BaseException], object]


class BackgroundTasks(QObject):
    """A few threads, one by default, which are there while there is work.

    Jobs are done in the order in which they were given; with `newest_first` the last one first:
    what is looked at now matters more than what was scrolled past.

    Everything but jobs happens on the thread that this object lives on: that of the window.
    """

    _ready = Signal()

    def __init__(
        self,
        name: str,
        threads: int = 1,
        *,
        newest_first: bool = False,
        parent: QObject | None = None,
    ) -> None:
        super().__init__(parent)
        self._name, self._max_threads, self._newest_first = name, threads, newest_first
        # By their keys; those without one by themselves.
        self._waiting: OrderedDict[Hashable, _Job] = OrderedDict()
        self._flows: dict[Hashable, asyncio.Task[Any]] = {}
        self._answers: deque[Callable[[], object]] = deque()
        self._changed = threading.Condition()
        self._threads: set[threading.Thread] = set()
        self._idle = self._unfinished = 0
        self._closing = False
        self._ready.connect(self._deliver, Qt.ConnectionType.QueuedConnection)
        self.destroyed.connect(partial(_cancel_all, self._flows))

    def do(
        self,
        job: Callable[[], Any],
        then: Callable[[Any], object] | None = None,
        failed: Failed | None = None,
        *,
        key: Hashable = None,
    ) -> None:
        """Do a job on a thread; `then` is called with what it gives, or `failed` with its error,
        which is logged if nobody wants it.

        It takes the place of a job of the same key that has not begun.
        """
        self._add(_Job(job, then, partial(self._report, failed)), key)

    def start(
        self,
        flow: Coroutine[Any, Any, object],
        failed: Failed | None = None,
        *,
        key: Hashable = None,
    ) -> None:
        """Begin an async function that awaits `in_background`; its error is told as that of a job.

        It is cancelled by `close`, by `drop`, by a later flow of the same key, and when this object
        is gone.
        """
        assert self._is_here()
        if self._closing:
            flow.close()
            return
        if key is not None:
            self.drop(key)
        context = copy_context()
        context.run(_owner.set, self)
        task = asyncio.get_event_loop().create_task(flow, context=context)
        self._flows[task if key is None else key] = task
        task.add_done_callback(partial(self._flow_ended, task if key is None else key, failed))

    async def result(self, function: Callable[..., T], *args: Any) -> T:
        """As `in_background`, on a thread of these tasks and no others."""
        if self._closing:
            raise asyncio.CancelledError
        future: asyncio.Future[T] = asyncio.get_event_loop().create_future()
        settle = partial(_settle, future)
        job = _Job(
            partial(function, *args), partial(settle, future.set_result),
            partial(settle, future.set_exception),
        )  # fmt: skip
        self._add(job, job)
        try:
            return await future
        finally:
            self.drop(job)

    def post(self, call: Callable[[], object]) -> None:
        """Have this called on the window's thread; for jobs that tell how far they are."""
        with self._changed:
            self._answers.append(call)
            self._changed.notify_all()
        with contextlib.suppress(RuntimeError):  # the application is gone already
            self._ready.emit()

    def drop(self, key: Hashable) -> None:
        """Forget a job that has not begun; cancel a flow."""
        with self._changed:
            self._remove(key)
        if (flow := self._flows.pop(key, None)) is not None:
            flow.cancel()

    def forget(self) -> None:
        """Drop all jobs that have not begun."""
        with self._changed:
            self._unfinished -= len(self._waiting)
            self._waiting.clear()

    def wait(self) -> None:
        """Until all jobs are done and answered, those too that answers have given, and all flows
        have ended. Not for flows: they `await`."""
        while self._unfinished or self._answers or self._flows:
            with self._changed:
                self._changed.wait_for(lambda: self._answers or not self._unfinished)
            self._deliver()
            if self._flows:
                # No flow can go on while another one stands here.
                assert asyncio.current_task(asyncio.get_event_loop()) is None
                flags = QEventLoop.ProcessEventsFlag.ExcludeUserInputEvents
                QCoreApplication.processEvents(flags)

    def finish(self) -> None:
        """Wait, and take no more."""
        self.wait()
        self.close()

    def close(self) -> None:
        """Forget what waits, and return when what is being done is done, or after some seconds;
        nobody gets an answer any more."""
        self._closing = True
        self.forget()
        _cancel_all(self._flows)
        with self._changed:
            self._changed.notify_all()
        deadline = time.monotonic() + CLOSE_TIMEOUT
        for thread in tuple(self._threads):
            thread.join(max(0.0, deadline - time.monotonic()))

    @property
    def busy(self) -> bool:
        """Whether jobs wait or are being done."""
        return bool(self._unfinished)

    @property
    def closing(self) -> bool:
        """Whether a long job should end early."""
        return self._closing

    def _add(self, job: _Job, key: Hashable) -> None:
        with self._changed:
            if self._closing:
                return
            if key is not None:
                self._remove(key)
            self._waiting[job if key is None else key] = job
            self._unfinished += 1
            if len(self._waiting) > self._idle and len(self._threads) < self._max_threads:
                thread = threading.Thread(target=self._work, name=self._name, daemon=True)
                self._threads.add(thread)
                thread.start()
            self._changed.notify_all()

    def _remove(self, key: Hashable) -> None:
        if self._waiting.pop(key, None) is not None:
            self._unfinished -= 1

    def _is_here(self) -> bool:
        return QThread.currentThread() is self.thread()

    def _deliver(self) -> None:
        assert self._is_here()  # answers may touch widgets
        while self._answers:
            answer = self._answers.popleft()
            if not self._closing:  # else whoever wanted to know is gone
                answer()

    def _flow_ended(self, key: Hashable, failed: Failed | None, flow: asyncio.Task[Any]) -> None:
        if self._flows.get(key) is flow:
            del self._flows[key]
        if not flow.cancelled() and (error := flow.exception()) is not None:
            self._report(failed, error)

    def _report(self, failed: Failed | None, error: BaseException) -> None:
        """Tell of an error: `failed`, or the log, and both of one that should not be."""
        if isinstance(error, Cancelled):
            return
        if failed is not None and isinstance(error, PonyStudioError):
            failed(error)
            return
        log.error("A job of %s failed.", self._name, exc_info=error)
        if failed is not None:
            failed(PonyStudioError(f"PonyStudio itself is at fault: {error!r}."))

    # --- On the threads ---------------------------------------------------------------------------

    def _work(self) -> None:
        while (job := self._next()) is not None:
            answer = self._done(job)
            with self._changed:
                if answer is not None:
                    self._answers.append(answer)
                self._unfinished -= 1
                self._changed.notify_all()
            if answer is not None:
                with contextlib.suppress(RuntimeError):  # the application is gone already
                    self._ready.emit()

    def _next(self) -> _Job | None:
        """What is to be done, or None when the thread is no longer needed."""
        with self._changed:
            self._idle += 1
            self._changed.wait_for(lambda: self._waiting or self._closing, IDLE_SECONDS)
            self._idle -= 1
            if self._waiting:
                return self._waiting.popitem(last=self._newest_first)[1]
            self._threads.discard(threading.current_thread())
            return None

    def _done(self, job: _Job) -> Callable[[], object] | None:
        """The answer to a job that has been done."""
        try:
            result = job.function()
        except BaseException as error:
            return partial(job.failed, error)
        return None if job.then is None else partial(job.then, result)


def _settle(future: asyncio.Future[Any], settle: Callable[[Any], None], value: object) -> None:
    if not future.done():  # else its flow was cancelled
        settle(value)


def _cancel_all(flows: dict[Hashable, asyncio.Task[Any]], _: object = None) -> None:
    for flow in tuple(flows.values()):
        flow.cancel()
