"""What waits to be sent: in order, with only the latest of what is outdated soon."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable
from typing import BinaryIO

from ponystudio.engine.protocol.frames import write_frame
from ponystudio.engine.protocol.message_codec import encode
from ponystudio.engine.protocol.worker_commands import Command
from ponystudio.engine.protocol.worker_messages import Message

# Progress and previews a second.
RATE = 30

Make = Callable[[], Command | Message]


class FrameWriter:
    """A thread that writes frames to a pipe, so that whoever sends something never waits for it.

    `on_broken` is called when nobody reads the pipe any more.
    """

    def __init__(self, stream: BinaryIO, *, on_broken: Callable[[], None]) -> None:
        self._stream, self._on_broken = stream, on_broken
        self._waiting: dict[object, Make] = {}
        self._urgent = False
        self._closed = False
        self._changed = threading.Condition()
        self._thread = threading.Thread(target=self._work, name="outbox", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def send(self, message: Command | Message) -> None:
        """Send this, after all that was sent before."""
        with self._changed:
            self._waiting[object()] = lambda: message
            self._urgent = True
            self._changed.notify()

    def send_latest(self, key: object, make: Make) -> None:
        """Send this in place of what waits under the same key; `make` runs on the thread.

        It stands where the first under this key stood, so it never overtakes nor falls behind.
        """
        with self._changed:
            self._waiting[key] = make
            self._changed.notify()

    def end(self) -> None:
        """Send what still waits, then close the pipe; returns at once."""
        with self._changed:
            self._closed = True
            self._changed.notify()

    def join(self) -> None:
        """Wait until all is sent, after `end`, or nobody reads any more."""
        self._thread.join()

    def _work(self) -> None:
        try:
            self._write_all()
        except OSError:
            self._on_broken()
        finally:
            with contextlib.suppress(OSError):
                self._stream.close()

    def _write_all(self) -> None:
        while True:
            with self._changed:
                while not self._waiting:
                    if self._closed:
                        return
                    self._changed.wait()
                batch, self._waiting = self._waiting, {}
                self._urgent = False
            for make in batch.values():
                write_frame(self._stream, encode(make()))
            self._pause()

    def _pause(self) -> None:
        """Let what is outdated soon gather, unless something of weight waits."""
        end = time.monotonic() + 1 / RATE
        with self._changed:
            while not (self._urgent or self._closed):
                left = end - time.monotonic()
                if left <= 0:
                    return
                self._changed.wait(left)
