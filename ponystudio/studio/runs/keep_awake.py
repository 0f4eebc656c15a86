"""Keep the machine from falling asleep while pictures are made.

By the system's own means, each of which ends with this process, however that ends. Where there is
none nothing happens, and nothing is said.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence

from PySide6.QtCore import QObject, QTimer

from ponystudio.studio.runs.job_queue import JobQueue

# Between two runs the machine is not let go of at once: to ask anew costs a process.
LINGER = 5_000
_SYSTEM_REQUIRED = 0x80000001
_CONTINUOUS = 0x80000000


class SleepInhibitor(QObject):
    """Holds the machine awake while a job of the queue runs."""

    def __init__(self, queue: JobQueue, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._queue = queue
        self._on = True
        self._holder: subprocess.Popen[bytes] | None = None
        self._held = False
        self._linger = QTimer(self, singleShot=True, interval=LINGER)
        self._linger.timeout.connect(self._let_go)
        queue.changed.connect(self._look)

    def set_on(self, on: bool) -> None:
        """Whether it is wanted at all."""
        self._on = on
        if not on:
            self._let_go()
        self._look()

    @property
    def is_held(self) -> bool:
        return self._held

    def close(self) -> None:
        self._on = False
        self._linger.stop()
        self._let_go()

    def _look(self) -> None:
        if self._queue.running is None or not self._on:
            if self._held and not self._linger.isActive():
                self._linger.start()
            return
        self._linger.stop()
        if not self._held:
            self._held = True
            self._hold()

    def _hold(self) -> None:
        if sys.platform == "win32":
            _windows_state(_SYSTEM_REQUIRED)
            return
        command = holder_command()
        if command is None:
            return
        with contextlib.suppress(OSError):
            self._holder = subprocess.Popen(
                command,
                stdin=subprocess.PIPE,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                start_new_session=True,
            )

    def _let_go(self) -> None:
        if not self._held:
            return
        self._held = False
        if sys.platform == "win32":
            _windows_state(_CONTINUOUS)
        holder, self._holder = self._holder, None
        if holder is not None:
            assert holder.stdin is not None
            holder.stdin.close()  # what waits on it leaves; a crash of ours closes it too
            holder.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                holder.wait(1)


def holder_command() -> Sequence[str] | None:
    """A process that keeps the machine awake for as long as it lives."""
    if sys.platform == "darwin":
        return ["/usr/bin/caffeinate", "-i", "-w", str(os.getpid())]
    inhibit, wait = shutil.which("systemd-inhibit"), shutil.which("cat")
    # Without a login manager it only complains.
    if inhibit is None or wait is None or not os.path.isdir("/run/systemd/system"):  # noqa: PTH112
        return None
    return [
        inhibit,
        "--what=idle:sleep",
        "--who=PonyStudio",
        "--why=Pictures are being made",
        "--mode=block",
        wait,
    ]


def _windows_state(state: int) -> None:
    import ctypes

    with contextlib.suppress(AttributeError, OSError):
        ctypes.windll.kernel32.SetThreadExecutionState(state)  # type: ignore[attr-defined]
