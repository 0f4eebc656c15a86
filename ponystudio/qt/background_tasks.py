"""Work that must not hold up the window, with its answers brought back to it."""

from __future__ import annotations

import contextlib
import logging
import threading
import time
from collections import OrderedDict, deque
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from functools import partial
from typing import Any

from PySide6.QtCore import QObject, Qt, Signal

from ponystudio.errors import PonyStudioError

log = logging.getLogger(__name__)
# Seconds for which a thread waits for more before it ends; nothing has to end it.
IDLE_SECONDS = 0.05
# Seconds after which `close` waits no longer: nobody wants to wait for a huge picture only to see
# the window close.
CLOSE_TIMEOUT = 3.0


@dataclass(eq=False)
class _Task:
    job: Callable[[], Any]
    then: Callable[[Any], object] | None
    failed: Callable[[PonyStudioError], object] | None


class BackgroundTasks(QObject):
    """A few threads, one by default, which are there while there is work.

    Jobs are done in the order in which they were given; with `newest_first` the last one first:
    what is looked at now matters more than what was scrolled past.
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
        self._waiting: OrderedDict[Hashable, _Task] = OrderedDict()
        self._answers: deque[Callable[[], object]] = deque()
        self._changed = threading.Condition()
        self._threads: set[threading.Thread] = set()
        self._idle = self._unfinished = 0
        self._closing = False
        self._ready.connect(self._deliver, Qt.ConnectionType.QueuedConnection)

    def do(
        self,
        job: Callable[[], Any],
        then: Callable[[Any], object] | None = None,
        failed: Callable[[PonyStudioError], object] | None = None,
        *,
        key: Hashable = None,
    ) -> None:
        """Do a job on a thread; `then` is called with what it gives on this object's own, or
        `failed` with its error, which is logged if nobody wants it.

        It takes the place of a job of the same key that has not begun.
        """
        with self._changed:
            if self._closing:
                return
            if key is not None:
                self._remove(key)
            task = _Task(job, then, failed)
            self._waiting[task if key is None else key] = task
            self._unfinished += 1
            if len(self._waiting) > self._idle and len(self._threads) < self._max_threads:
                thread = threading.Thread(target=self._work, name=self._name, daemon=True)
                self._threads.add(thread)
                thread.start()
            self._changed.notify_all()

    def drop(self, key: Hashable) -> None:
        """Forget a job that has not begun."""
        with self._changed:
            self._remove(key)

    def forget(self) -> None:
        """Drop all that has not begun."""
        with self._changed:
            self._unfinished -= len(self._waiting)
            self._waiting.clear()

    def wait(self) -> None:
        """Until all jobs are done and answered, those too that answers have given."""
        while self._unfinished or self._answers:
            with self._changed:
                self._changed.wait_for(lambda: self._answers or not self._unfinished)
            self._deliver()

    def finish(self) -> None:
        """Wait, and take no more."""
        self.wait()
        self.close()

    def close(self) -> None:
        """Forget what waits, and return when what is being done is done, or after some seconds;
        nobody gets an answer any more."""
        self._closing = True
        self.forget()
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

    def _remove(self, key: Hashable) -> None:
        if self._waiting.pop(key, None) is not None:
            self._unfinished -= 1

    def _deliver(self) -> None:
        while self._answers:
            answer = self._answers.popleft()
            if not self._closing:  # else whoever wanted to know is gone
                answer()

    # --- On the threads ---------------------------------------------------------------------------

    def _work(self) -> None:
        while (task := self._next()) is not None:
            answer = self._done(task)
            with self._changed:
                if answer is not None:
                    self._answers.append(answer)
                self._unfinished -= 1
                self._changed.notify_all()
            if answer is not None:
                with contextlib.suppress(RuntimeError):  # the application is gone already
                    self._ready.emit()

    def _next(self) -> _Task | None:
        """What is to be done, or None when the thread is no longer needed."""
        with self._changed:
            self._idle += 1
            self._changed.wait_for(lambda: self._waiting or self._closing, IDLE_SECONDS)
            self._idle -= 1
            if self._waiting:
                return self._waiting.popitem(last=self._newest_first)[1]
            self._threads.discard(threading.current_thread())
            return None

    def _done(self, task: _Task) -> Callable[[], object] | None:
        """The answer to a job that has been done."""
        then, failed = task.then, task.failed
        try:
            result = task.job()
        except Exception as raised:
            error = raised
        else:
            return None if then is None else lambda: then(result)
        if failed is not None and isinstance(error, PonyStudioError):
            return partial(failed, error)
        if not self._closing:  # else whoever wanted to know is gone
            log.error("A job of %s failed.", self._name, exc_info=error)
        if failed is None:
            return None
        return partial(failed, PonyStudioError(f"PonyStudio itself is at fault: {error!r}."))
