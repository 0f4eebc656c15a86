"""Python's garbage is collected on the GUI's thread alone.

A cycle may hold widgets, which must not end on another thread, where Python would collect them
whenever that thread happens to allocate. So it is told not to, and asked regularly here.
"""

from __future__ import annotations

import gc

from PySide6.QtCore import QObject, QTimer

EVERY = 500


class GarbageCollector(QObject):
    """Collects as often as Python would, until `close`."""

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._was_enabled = gc.isenabled()
        gc.disable()
        self._timer = QTimer(self, interval=EVERY)
        self._timer.timeout.connect(self._collect)
        self._timer.start()

    def close(self) -> None:
        """Back to Python's own way."""
        self._timer.stop()
        if self._was_enabled:
            gc.enable()

    def _collect(self) -> None:
        """The oldest generation that is due, as counts and thresholds say."""
        counts, limits = gc.get_count(), gc.get_threshold()
        due = [
            generation
            for generation, (count, limit) in enumerate(zip(counts, limits, strict=True))
            if limit and count > limit
        ]
        if due:
            gc.collect(due[-1])
