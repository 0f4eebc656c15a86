"""Python's garbage is collected on the GUI's thread alone.

A cycle may hold widgets, which must not end on another thread, where Python would collect them
whenever that thread happens to allocate. So it is told not to, and asked regularly here.

Looking through a million objects takes a third of a second, in which the window stands. Those of a
large graph are values without cycles: when so many have come at once they are set aside, with all
that is there, and looked through again once most of them are gone.
"""

from __future__ import annotations

import gc

from PySide6.QtCore import QObject, QTimer

EVERY = 500
# Objects: as many new ones as are not looked through, and how many more than at the start are.
MANY_NEW, MANY = 50_000, 200_000


class GarbageCollector(QObject):
    """Collects as often as Python would, until `close`."""

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._was_enabled = gc.isenabled()
        self._usual = len(gc.get_objects())
        gc.disable()
        self._timer = QTimer(self, interval=EVERY)
        self._timer.timeout.connect(self._collect)
        self._timer.start()

    def close(self) -> None:
        """Back to Python's own way."""
        self._timer.stop()
        gc.unfreeze()
        if self._was_enabled:
            gc.enable()

    def _collect(self) -> None:
        """The oldest generation that is due, as counts and thresholds say."""
        counts, limits = gc.get_count(), gc.get_threshold()
        if counts[0] > MANY_NEW:
            gc.freeze()
            return
        due = [
            generation
            for generation, (count, limit) in enumerate(zip(counts, limits, strict=True))
            if limit and count > limit
        ]
        if due:
            if due[-1] == len(counts) - 1 and gc.get_freeze_count() < self._usual + MANY:
                gc.unfreeze()
            gc.collect(due[-1])
