"""Ctrl+C: it is heard at once, whatever is being done.

Work runs on a thread of its own, so that the main one, where signals arrive, is never inside a
kernel or an import. A thread that does not listen is given up, and the process ends without it.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Callable
from types import FrameType
from typing import Any, Generic, TypeVar

from ponystudio.errors import Cancelled

T = TypeVar("T")
# How long Ctrl+C may go unnoticed on systems where waiting cannot be interrupted.
CANCEL_CHECK_SECONDS = 0.05
# Seconds that threads of others have to end at the end.
GRACE = 1.0
_given_up: list[threading.Thread] = []


def cancellable(work: Callable[[threading.Event], T]) -> T:
    """What `work(cancel)` returns or raises; Ctrl+C sets `cancel`.

    What is importing then hears of it too late, and is given up: raises Cancelled. After the first
    Ctrl+C the system's own handling is back in place, so that the second ends the process whatever
    it is doing.
    """
    cancel = threading.Event()

    def on_interrupt(_: int, __: FrameType | None) -> None:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        cancel.set()
        print("\nCancelling; Ctrl+C again ends it at once.", file=sys.stderr, flush=True)

    before = signal.signal(signal.SIGINT, on_interrupt)
    task = _Task(lambda: work(cancel))
    try:
        while not task.wait():
            if cancel.is_set() and task.is_importing:
                task.give_up()
                raise Cancelled
        return task.result()
    finally:
        signal.signal(signal.SIGINT, before)


def interruptible(work: Callable[[], T]) -> T:
    """What `work()` returns or raises, which may be given up at any time: it only looks.

    Raises KeyboardInterrupt at once on Ctrl+C.
    """
    task = _Task(work)
    try:
        while not task.wait():
            pass
    except KeyboardInterrupt:
        task.give_up()
        raise
    return task.result()


def leave(code: int) -> int:
    """The exit code; but the process ends here if a thread would keep it, one that was given up or
    that of a node pack, and after Ctrl+C, which Python would end otherwise."""
    main = threading.main_thread()
    others = [t for t in threading.enumerate() if t is not main and not t.daemon]
    for thread in others:
        thread.join(GRACE / len(others))
    alive = any(thread.is_alive() for thread in (*others, *_given_up))
    if alive or code == Cancelled.exit_code:
        for stream in (sys.stdout, sys.stderr):
            if stream is not None:
                stream.flush()
        os._exit(code)
    return code


class _Task(Generic[T]):
    """A function on a thread."""

    def __init__(self, function: Callable[[], T]) -> None:
        self._function = function
        self._ended = threading.Event()
        self._values: list[T] = []
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._work, name="run", daemon=True)
        self._thread.start()

    def _work(self) -> None:
        try:
            self._values.append(self._function())
        except BaseException as error:
            self._error = error
        self._ended.set()

    def wait(self) -> bool:
        """A moment; whether it has ended."""
        return self._ended.wait(CANCEL_CHECK_SECONDS)

    def result(self) -> T:
        self._thread.join()
        if self._error is not None:
            raise self._error
        return self._values[0]

    def give_up(self) -> None:
        _given_up.append(self._thread)

    @property
    def is_importing(self) -> bool:
        frames: Any = sys._current_frames()
        frame = frames.get(self._thread.ident)
        while frame is not None and not frame.f_code.co_filename.startswith("<frozen importlib"):
            frame = frame.f_back
        return frame is not None
