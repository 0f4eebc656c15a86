"""The threads that put things on the disk, so that nobody waits for it.

One writes what is handed over within a twentieth of a second: from then on it survives the end of
the program. The other does what may take long: once a second at most it makes sure that what was
written survives a power cut, too. What fails is tried again, ever more seldom, until it is safe.
"""

from __future__ import annotations

import logging
import os
import threading
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Protocol

from ponystudio.errors import PonyStudioError
from ponystudio.graph.atomic_write import sync_folder

log = logging.getLogger(__name__)

# Seconds: what is handed over meanwhile is written in one go; a drag becomes a few lines.
GATHERING = 0.05
SYNCING = 1.0
# Seconds between two tries on a disk that fails and fails.
LONGEST_WAIT = 8.0
# So often what is not safe is tried once more before the threads end.
LAST_TRIES = 3

Job = Callable[[], None]


@dataclass(frozen=True)
class Sync:
    """A handle of a file, to sync and close; its folder, if that may not know its name yet; and
    which of the files of that name it is."""

    generation: int
    handle: int
    folder: Path | None

    def run(self) -> None:
        """Raises OSError."""
        try:
            os.fsync(self.handle)
            if self.folder is not None:
                sync_folder(self.folder)
                sync_folder(self.folder.parent)  # which may not know that one's name yet
        finally:
            os.close(self.handle)


class AppendFile(Protocol):
    """A file that is appended to; all of it is called on the writing thread."""

    def retry(self) -> None:
        """Try again what could not be done."""

    def begin_sync(self) -> Sync | None:
        """What makes all safe that is written; None: not now."""

    def synced(self, sync: Sync) -> None: ...

    def sync_failed(self, sync: Sync, error: OSError) -> None: ...


@dataclass
class _Trouble:
    """When what failed is due again, and after how long once more."""

    due: float
    wait: float


class JournalWriter:
    """`failed` is called on one of the threads: with an error when something cannot be made safe,
    with None once everything is."""

    def __init__(self, failed: Callable[[PonyStudioError | None], None] | None = None) -> None:
        self._failed = failed or (lambda _: None)
        self._jobs: deque[Job] = deque()
        self._wake = threading.Condition()
        self._hurry = False
        self._stopping = False
        self._unsynced: dict[AppendFile, None] = {}
        self._unsafe: dict[AppendFile, _Trouble] = {}
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

    def sync(self, timeout: float = 10.0) -> bool:
        """Wait until all that was handed over, slow jobs and what comes of them included, is safe
        from a power cut; False if something cannot be, or that takes too long."""
        deadline = time.monotonic() + timeout
        for _ in range(2):  # what comes of slow jobs wants to be synced, too
            done, left = threading.Event(), set[AppendFile]()
            self.do(partial(self._sync_and_tell, done, left), hurry=True)
            if not done.wait(max(0.0, deadline - time.monotonic())):
                return False
        return not (left or self._unsafe)

    def stop(self, timeout: float = 10.0) -> bool:
        """Make safe what is left, then end the threads; False if something could not be."""
        with self._wake:
            self._stopping = True
            self._wake.notify_all()
        self._thread.join(timeout)
        return not (self._thread.is_alive() or self._unsafe or self._unsynced)

    # --- On the writing thread --------------------------------------------------------------------

    def sync_soon(self, file: AppendFile) -> None:
        """This one is written, but not yet safe from a power cut."""
        self._unsynced[file] = None

    def unsafe(self, file: AppendFile, error: PonyStudioError) -> None:
        """Something of this one could not be made safe; it is tried again."""
        told, trouble = bool(self._unsafe), self._unsafe.get(file)
        wait = SYNCING if trouble is None else min(2 * trouble.wait, LONGEST_WAIT)
        self._unsafe[file] = _Trouble(time.monotonic() + wait, wait)
        if not told:
            self._failed(error)

    def safe(self, file: AppendFile) -> None:
        """All of this one that was written before its last sync is safe."""
        if self._unsafe.pop(file, None) is not None and not self._unsafe:
            self._failed(None)

    def forget(self, file: AppendFile) -> None:
        """Nothing of this one is wanted, or left to do, any more."""
        self._unsynced.pop(file, None)
        self.safe(file)

    def _run(self) -> None:
        while not self._stopping:
            for job in self._next():
                self._run_job(job)
            if time.monotonic() >= self._synced + SYNCING:
                self._retry()
                self._sync()
                self._synced = time.monotonic()
        self._end()

    def _next(self) -> list[Job]:
        with self._wake:
            if not self._jobs and not self._stopping:
                waiting = bool(self._unsynced or self._unsafe)
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
        self._settle()
        for _ in range(LAST_TRIES):
            if self._unsafe or self._unsynced:
                self._retry(always=True)
                self._sync(always=True)
                self._settle()
        self._slow.shutdown()

    def _settle(self) -> None:
        self._drain()
        self._slow.submit(lambda: None).result()
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

    def _retry(self, *, always: bool = False) -> None:
        """Try once more what failed and is due."""
        now = time.monotonic()
        for file, trouble in tuple(self._unsafe.items()):
            if always or trouble.due <= now:
                self._run_job(file.retry)

    def _sync(self, *, always: bool = False) -> None:
        if self._is_syncing and not always:  # a slow disk: next time
            return
        begun: list[tuple[AppendFile, Sync]] = []
        for file in tuple(self._unsynced):
            if (sync := file.begin_sync()) is not None:
                begun.append((file, sync))
                del self._unsynced[file]
        if begun:
            self._is_syncing = True
            self._slow.submit(self._sync_all, begun)

    def _sync_and_tell(self, done: threading.Event, left: set[AppendFile]) -> None:
        self._sync(always=True)
        left.update(self._unsynced)
        self.do_slowly(partial(self.do, done.set, hurry=True))

    # --- On the other thread ----------------------------------------------------------------------

    def _sync_all(self, begun: list[tuple[AppendFile, Sync]]) -> None:
        for file, sync in begun:
            try:
                sync.run()
            except OSError as error:
                self.do(partial(file.sync_failed, sync, error))
            else:
                self.do(partial(file.synced, sync))
        self._is_syncing = False
