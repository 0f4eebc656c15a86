"""Keep the machine from falling asleep while pictures are made.

By the system's own means, each of which ends with this process, however that ends. Where there is
none nothing happens, and nothing is said.
"""

from __future__ import annotations

import contextlib
import threading

from PySide6.QtCore import QObject, QTimer

from ponystudio.studio.runs.job_queue import JobQueue

# Milliseconds between two runs in which the machine is not let go of.
RELEASE_DELAY = 5_000
# Seconds that the system has to be told in when the application ends.
CLOSE_TIMEOUT = 1.0


class SleepInhibitor(QObject):
    """Holds the machine awake while a job of the queue runs."""

    def __init__(self, queue: JobQueue, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._queue = queue
        self._on = True
        self._thread: threading.Thread | None = None
        self._released = threading.Event()
        self._release_timer = QTimer(self, singleShot=True, interval=RELEASE_DELAY)
        self._release_timer.timeout.connect(self._release)
        queue.changed.connect(self._update)

    def set_on(self, on: bool) -> None:
        """Whether it is wanted at all."""
        self._on = on
        if not on:
            self._release()
        self._update()

    @property
    def is_held(self) -> bool:
        return self._thread is not None

    def close(self) -> None:
        self._on = False
        self._release_timer.stop()
        if (thread := self._thread) is not None:
            self._release()
            thread.join(CLOSE_TIMEOUT)

    def _update(self) -> None:
        if self._queue.running is None or not self._on:
            if self.is_held and not self._release_timer.isActive():
                self._release_timer.start()
            return
        self._release_timer.stop()
        if not self.is_held:
            self._released = threading.Event()
            self._thread = threading.Thread(
                target=_hold, args=(self._released,), name="keep awake", daemon=True
            )
            self._thread.start()

    def _release(self) -> None:
        self._thread = None
        self._released.set()


def _hold(released: threading.Event) -> None:
    """On a thread: a desktop may take seconds to answer."""
    with contextlib.suppress(Exception):  # it raises when the desktop is gone at the end
        from wakepy import keep

        with keep.running(on_fail="pass"):
            released.wait()
