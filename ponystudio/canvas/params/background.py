"""Small work off the GUI thread: the newest of each kind counts, results come back as a signal."""

from __future__ import annotations

import logging
import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Any

from PySide6.QtCore import QObject, Qt, Signal

log = logging.getLogger(__name__)
# How long the thread waits for more before it ends; nothing has to end it.
LINGER = 0.05


class Background(QObject):
    """One thread that lives while there is work. Results are handed over in the GUI thread."""

    _finished = Signal(object, object, object)

    def __init__(self, name: str) -> None:
        super().__init__()
        self._name = name
        self._wanted: OrderedDict[Hashable, tuple[Callable[[], Any], Callable[[Any], None]]] = (
            OrderedDict()
        )
        self._ready = threading.Condition()
        self._thread: threading.Thread | None = None
        self._finished.connect(self._deliver, Qt.ConnectionType.QueuedConnection)

    def submit(self, key: Hashable, work: Callable[[], Any], done: Callable[[Any], None]) -> None:
        """Do some work, unless it is replaced by newer work of the same key before it begins.

        `done` is called with the result in the thread of this object; not at all if the work
        raised, which is logged.
        """
        with self._ready:
            self._wanted.pop(key, None)
            self._wanted[key] = (work, done)
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name=self._name, daemon=True)
                self._thread.start()
            self._ready.notify()

    @property
    def busy(self) -> bool:
        with self._ready:
            return self._thread is not None

    def forget(self) -> None:
        """Drop what has not begun."""
        with self._ready:
            self._wanted.clear()

    def _run(self) -> None:
        while True:
            with self._ready:
                if not self._wanted and not self._ready.wait_for(lambda: self._wanted, LINGER):
                    self._thread = None
                    return
                # The newest first: it is what is on the screen.
                key, (work, done) = self._wanted.popitem()
            try:
                result = work()
            except Exception:
                log.exception("%s failed at %r", self._name, key)
                continue
            try:
                self._finished.emit(key, done, result)
            except RuntimeError:
                return  # the app is gone

    def _deliver(self, key: object, done: Callable[[Any], None], result: Any) -> None:
        del key
        done(result)
