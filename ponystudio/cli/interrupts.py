"""Ctrl+C during a run: the first cancels, the second kills."""

from __future__ import annotations

import signal
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, wait
from types import FrameType
from typing import TypeVar

T = TypeVar("T")
# How long Ctrl+C may go unnoticed on systems where waiting cannot be interrupted.
CANCEL_CHECK_SECONDS = 0.2


def cancellable(work: Callable[[threading.Event], T]) -> T:
    """What `work(cancel)` returns or raises; Ctrl+C sets `cancel`.

    The work runs on a thread of its own, so that the main thread, where signals arrive, is never
    inside one of its kernels. After the first Ctrl+C the system's own handling is back in place,
    so that the second ends the process whatever it is doing.
    """
    cancel = threading.Event()

    def on_interrupt(_: int, __: FrameType | None) -> None:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        cancel.set()
        print("\nCancelling; Ctrl+C again ends it at once.", file=sys.stderr, flush=True)

    before = signal.signal(signal.SIGINT, on_interrupt)
    try:
        with ThreadPoolExecutor(1, thread_name_prefix="run") as pool:
            future = pool.submit(work, cancel)
            while not wait([future], CANCEL_CHECK_SECONDS).done:
                pass
            return future.result()
    finally:
        signal.signal(signal.SIGINT, before)
