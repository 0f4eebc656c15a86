"""Work on files away from the GUI thread, with the answer brought back to it."""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

from PySide6.QtCore import QObject, Qt, Signal

from ponystudio.errors import PonyStudioError

log = logging.getLogger(__name__)


class OffThread(QObject):
    """One thread that does jobs in the order in which they were given."""

    _ready = Signal()

    def __init__(self, name: str, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._executor = ThreadPoolExecutor(1, thread_name_prefix=name)
        self._answers: deque[Callable[[], None]] = deque()
        self._futures: set[Future[None]] = set()
        self._ready.connect(self._deliver, Qt.ConnectionType.QueuedConnection)

    def run(
        self,
        job: Callable[[], Any],
        then: Callable[[Any], object],
        failed: Callable[[PonyStudioError], object],
    ) -> None:
        """Do the job on the thread; `then` or `failed` is called on this object's own."""
        future = self._executor.submit(self._work, job, then, failed)
        self._futures.add(future)
        future.add_done_callback(self._futures.discard)

    def wait(self) -> None:
        """Until all jobs are done and answered, those too that answers have given."""
        while self._futures or self._answers:
            for future in tuple(self._futures):
                future.result()
            self._deliver()

    def stop(self) -> None:
        self.wait()
        self._executor.shutdown()

    def _work(
        self,
        job: Callable[[], Any],
        then: Callable[[Any], object],
        failed: Callable[[PonyStudioError], object],
    ) -> None:
        try:
            result = job()
            self._answers.append(lambda: _call(then, result))
        except PonyStudioError as error:
            self._answers.append(lambda error=error: _call(failed, error))  # type: ignore[misc]
        except Exception as error:
            log.exception("A job on files failed.")
            told = PonyStudioError(f"PonyStudio itself is at fault: {error!r}.")
            self._answers.append(lambda: _call(failed, told))
        self._ready.emit()

    def _deliver(self) -> None:
        while self._answers:
            self._answers.popleft()()


def _call(function: Callable[[Any], object], value: Any) -> None:
    function(value)
