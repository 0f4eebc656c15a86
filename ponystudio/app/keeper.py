"""The thread that puts things on the disk, so that nobody waits for it.

Journals register what they have appended: once a second at most it is made sure that it would
survive a power cut, too. What cannot be written is tried again every second.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Callable
from typing import Protocol

from ponystudio.errors import PonyStudioError

log = logging.getLogger(__name__)

# Seconds: what is handed over meanwhile is written in one go; a drag becomes a few lines.
GATHERING = 0.05
SYNCING = 1.0

Job = Callable[[], None]


class Kept(Protocol):
    """A file that is appended to; both are called on the keeper's thread."""

    def write(self) -> None: ...

    def sync(self) -> None: ...


class Keeper:
    """`failed` is called on the thread: with an error when something cannot be written, with None
    once everything could be."""

    def __init__(self, failed: Callable[[PonyStudioError | None], None] | None = None) -> None:
        self._failed = failed or (lambda _: None)
        self._jobs: deque[Job] = deque()
        self._wake = threading.Condition()
        self._hurry = False
        self._stopping = False
        self._broken = False
        self._unsynced: dict[Kept, None] = {}
        self._late: dict[Kept, None] = {}
        self._synced = 0.0
        self._thread = threading.Thread(target=self._run, name="journals", daemon=True)
        self._thread.start()

    def do(self, job: Job) -> None:
        """Have a job done on the thread, after all that was handed over before."""
        with self._wake:
            self._jobs.append(job)
            self._wake.notify_all()

    def flush(self, timeout: float = 10.0) -> bool:
        """Wait until all that was handed over is written; False if that takes too long."""
        done = threading.Event()
        with self._wake:
            self._hurry = True
            self._jobs.append(done.set)
            self._wake.notify_all()
        return done.wait(timeout)

    def stop(self, timeout: float = 10.0) -> bool:
        """Write what is left, then end the thread; False if something could not be written."""
        with self._wake:
            self._stopping = True
            self._wake.notify_all()
        self._thread.join(timeout)
        return not self._thread.is_alive() and not self._broken

    # --- On the thread ----------------------------------------------------------------------------

    def appended(self, kept: Kept) -> None:
        """This one is written, but not yet safe from a power cut."""
        self._unsynced[kept] = None

    def late(self, kept: Kept, error: PonyStudioError) -> None:
        """This one could not be written; it is tried again."""
        self._late[kept] = None
        if not self._broken:
            self._broken = True
            self._failed(error)

    def forget(self, kept: Kept) -> None:
        self._unsynced.pop(kept, None)
        self._late.pop(kept, None)

    def _run(self) -> None:
        while True:
            jobs, stopping = self._next()
            for job in jobs:
                self._do(job)
            if stopping or time.monotonic() >= self._synced + SYNCING:
                self._sync()
            if stopping and not jobs:
                return

    def _next(self) -> tuple[list[Job], bool]:
        with self._wake:
            if not self._jobs and not self._stopping:
                waiting = bool(self._unsynced or self._late)
                left = max(self._synced + SYNCING - time.monotonic(), 0.0)
                self._wake.wait(left if waiting else None)
            if not self._hurry and not self._stopping:
                self._wake.wait_for(lambda: self._hurry or self._stopping, GATHERING)
            self._hurry = False
            jobs = list(self._jobs)
            self._jobs.clear()
            return jobs, self._stopping

    def _do(self, job: Job) -> None:
        try:
            job()
        except PonyStudioError as error:
            self._failed(error)
        except Exception:  # the next job must be done all the same
            log.exception("Something could not be kept.")

    def _sync(self) -> None:
        late, unsynced = list(self._late), list(self._unsynced)
        self._late.clear()
        self._unsynced.clear()
        for kept in late:
            self._do(kept.write)
        for kept in {**dict.fromkeys(unsynced), **self._unsynced}:
            self._unsynced.pop(kept, None)
            self._do(kept.sync)
        if self._broken and not self._late:
            self._broken = False
            self._failed(None)
        self._synced = time.monotonic()
