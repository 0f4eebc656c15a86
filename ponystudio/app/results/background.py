"""Work that must not hold up the window: a few threads that take jobs from a list."""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Hashable

_PATIENCE = 3.0
Job = Callable[[], None]
_log = logging.getLogger(__name__)


class Background:
    """Runs jobs in its own threads, which start with the first job.

    With `newest_first` the job asked for last is done first: what is looked at now matters more
    than what was scrolled past. A job with a `key` replaces a waiting one of the same key. Jobs
    tell their results by Qt signals, which arrive in the thread of whoever listens.
    """

    def __init__(self, name: str, threads: int = 1, newest_first: bool = False) -> None:
        self._name, self._count, self._newest_first = name, threads, newest_first
        self._jobs: deque[tuple[Hashable, Job]] = deque()
        self._ready = threading.Condition()
        self._threads: list[threading.Thread] = []
        self._busy = 0
        self._closing = False

    def do(self, job: Job, key: Hashable = None) -> None:
        with self._ready:
            if self._closing:
                return
            if key is not None:
                self._remove(key)
            self._jobs.append((key, job))
            if len(self._threads) < self._count and self._busy + 1 > len(self._threads):
                thread = threading.Thread(target=self._work, name=self._name, daemon=True)
                self._threads.append(thread)
                thread.start()
            self._ready.notify()

    def drop(self, key: Hashable) -> None:
        """Forget a waiting job; one that is being done goes on."""
        with self._ready:
            self._remove(key)

    def close(self) -> None:
        """Forget what waits, and return when what is being done is done, or after some seconds:
        nobody wants to wait for a huge picture only to see the window close."""
        with self._ready:
            self._closing = True
            self._jobs.clear()
            self._ready.notify_all()
        deadline = time.monotonic() + _PATIENCE
        for thread in self._threads:
            thread.join(max(0.0, deadline - time.monotonic()))

    @property
    def ended(self) -> bool:
        """Whether no job is being done any more, once closed."""
        return not any(thread.is_alive() for thread in self._threads)

    @property
    def closing(self) -> bool:
        """Whether a long job should end early."""
        return self._closing

    def _remove(self, key: Hashable) -> None:
        self._jobs = deque(entry for entry in self._jobs if entry[0] != key)

    def _work(self) -> None:
        while True:
            with self._ready:
                while not self._jobs and not self._closing:
                    self._ready.wait()
                if self._closing:
                    return
                _, job = self._jobs.pop() if self._newest_first else self._jobs.popleft()
                self._busy += 1
            try:
                job()
            except Exception:
                if self._closing:  # whoever wanted to know is gone
                    return
                # One bad picture must not stop all others from being shown.
                _log.exception("A job of %s failed", self._name)
            with self._ready:
                self._busy -= 1
