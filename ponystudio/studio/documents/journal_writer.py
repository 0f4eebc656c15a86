"""The threads that put things on the disk, so that nobody waits for it.

One writes what is handed over within a twentieth of a second: from then on it survives the end of
the program. The other does what may take long: once a second at most it makes sure that what was
written survives a power cut, too. What cannot be written is tried again every second.
"""

from __future__ import annotations

import logging
import os
import threading
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Protocol

from ponystudio.errors import PonyStudioError
from ponystudio.graph.atomic_write import flush_folder

log = logging.getLogger(__name__)

# Seconds: what is handed over meanwhile is written in one go; a drag becomes a few lines.
GATHERING = 0.05
SYNCING = 1.0

Job = Callable[[], None]


class AppendFile(Protocol):
    """A file that is appended to; all of it is called on the writing thread."""

    def write(self) -> None:
        """Try again to write what could not be written."""

    def open_handle(self) -> int | None:
        """The open file, for whoever syncs and closes it."""

    def sync_failed(self, error: OSError) -> None: ...


class JournalWriter:
    """`failed` is called on one of the threads: with an error when something cannot be written,
    with None once everything could be."""

    def __init__(self, failed: Callable[[PonyStudioError | None], None] | None = None) -> None:
        self._failed = failed or (lambda _: None)
        self._jobs: deque[Job] = deque()
        self._wake = threading.Condition()
        self._hurry = False
        self._stopping = False
        self._broken = False
        self._unsynced: dict[AppendFile, None] = {}
        self._to_retry: dict[AppendFile, None] = {}
        self._synced = 0.0
        self._is_syncing = False
        self._slow = ThreadPoolExecutor(1, thread_name_prefix="journals-slow")
        self._thread = threading.Thread(target=self._run, name="journals", daemon=True)
        self._thread.start()

    def do(self, job: Job, *, hurry: bool = False) -> None:
        """Have a quick job done on the writing thread, after those handed over before."""
        with self._wake:
            self._hurry |= hurry
            self._jobs.append(job)
            self._wake.notify_all()

    def do_slowly(self, job: Job) -> None:
        """Have a slow job done on the other thread, after those handed over before."""
        self._slow.submit(self._run_job, job)

    def flush(self, timeout: float = 10.0) -> bool:
        """Wait until all that was handed over is written; False if that takes too long."""
        done = threading.Event()
        self.do(done.set, hurry=True)
        return done.wait(timeout)

    def settle(self, timeout: float = 10.0) -> bool:
        """Wait until slow jobs, and what comes of them, are done, too."""
        done = threading.Event()
        self.do(lambda: self.do_slowly(partial(self.do, done.set, hurry=True)), hurry=True)
        return done.wait(timeout)

    def stop(self, timeout: float = 10.0) -> bool:
        """Write what is left, then end the threads; False if something could not be written."""
        with self._wake:
            self._stopping = True
            self._wake.notify_all()
        self._thread.join(timeout)
        return not self._thread.is_alive() and not self._broken

    # --- On the writing thread --------------------------------------------------------------------

    def sync_soon(self, file: AppendFile) -> None:
        """This one is written, but not yet safe from a power cut."""
        self._unsynced[file] = None

    def sync_folder_of(self, path: Path) -> None:
        """A file has got this name: that must survive a power cut, too."""
        self.do_slowly(partial(flush_folder, path.parent))

    def retry_later(self, file: AppendFile, error: PonyStudioError) -> None:
        """This one could not be written; it is tried again."""
        self._to_retry[file] = None
        if not self._broken:
            self._broken = True
            self._failed(error)

    def forget(self, file: AppendFile) -> None:
        self._unsynced.pop(file, None)
        self._to_retry.pop(file, None)

    def _run(self) -> None:
        while not self._stopping:
            for job in self._next():
                self._run_job(job)
            if time.monotonic() >= self._synced + SYNCING:
                self._retry()
                self._sync()
        self._end()

    def _next(self) -> list[Job]:
        with self._wake:
            if not self._jobs and not self._stopping:
                waiting = bool(self._unsynced or self._to_retry)
                left = max(self._synced + SYNCING - time.monotonic(), 0.0)
                self._wake.wait(left if waiting else None)
            if not self._hurry and not self._stopping:
                self._wake.wait_for(lambda: self._hurry or self._stopping, GATHERING)
            self._hurry = False
            jobs = list(self._jobs)
            self._jobs.clear()
            return jobs

    def _end(self) -> None:
        """Do what is left, and what comes of that."""
        self._drain()
        self._slow.submit(lambda: None).result()
        self._drain()
        self._retry()
        self._sync(always=True)
        self._slow.shutdown()
        self._drain()

    def _drain(self) -> None:
        while self._jobs:
            self._run_job(self._jobs.popleft())

    def _run_job(self, job: Job) -> None:
        try:
            job()
        except (PonyStudioError, OSError) as error:
            # A list of tabs or of recent files; where a journal fares likewise, that is told.
            log.info("Something could not be kept: %s", error)
        except Exception:  # the next job must be done all the same
            log.exception("Something could not be kept.")

    def _retry(self) -> None:
        """Try once more what could not be written."""
        waiting = list(self._to_retry)
        self._to_retry.clear()
        for file in waiting:
            self._run_job(file.write)
        if self._broken and not self._to_retry:
            self._broken = False
            self._failed(None)
        self._synced = time.monotonic()

    def _sync(self, *, always: bool = False) -> None:
        if self._is_syncing and not always:  # a slow disk: next time
            return
        handles: list[tuple[AppendFile, int | None]] = []
        for file in tuple(self._unsynced):
            try:
                handles.append((file, file.open_handle()))
            except OSError as error:  # too many open files, say: next time
                log.info("A journal cannot be made safe now: %s", error)
            else:
                del self._unsynced[file]
        if handles:
            self._is_syncing = True
            self._slow.submit(self._sync_all, handles)

    # --- On the other thread ----------------------------------------------------------------------

    def _sync_all(self, handles: list[tuple[AppendFile, int | None]]) -> None:
        for file, handle in handles:
            if handle is None:
                continue
            try:
                os.fsync(handle)
            except OSError as error:
                self.do(partial(file.sync_failed, error))
            finally:
                os.close(handle)
        self._is_syncing = False
