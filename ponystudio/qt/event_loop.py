"""The application's event loop: qasync's, so that what Qt calls may `await`."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from PySide6.QtCore import QCoreApplication

if TYPE_CHECKING:
    from qasync import QEventLoop

# Seconds that flows have to clean up in at the end.
END_TIMEOUT = 3.0


@contextmanager
def event_loop(app: QCoreApplication, *, already_running: bool = False) -> Iterator[QEventLoop]:
    """A loop in which flows may be started; those that have not ended at its end are cancelled.

    They go on while its `run_forever` runs Qt's loop; with `already_running`, for tests and
    scripts, while anybody does.
    """
    os.environ["QT_API"] = "pyside6"  # whatever else is installed, and wanted by other programs
    from qasync import QEventLoop

    loop = QEventLoop(app, already_running=already_running)
    asyncio.set_event_loop(loop)
    try:
        yield loop
    finally:
        end_flows(loop)
        if already_running:
            loop.stop()
            asyncio._set_running_loop(None)
        loop.close()
        asyncio.set_event_loop(None)


def end_flows(loop: asyncio.AbstractEventLoop) -> list[asyncio.Task[object]]:
    """Cancel all flows and let them clean up; those that would not end."""
    deadline = time.monotonic() + END_TIMEOUT
    while (flows := asyncio.all_tasks(loop)) and time.monotonic() < deadline:
        for flow in flows:
            flow.cancel()
        QCoreApplication.processEvents()
    return list(flows)
