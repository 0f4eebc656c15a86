"""Badges that change: the old one goes while the new one comes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import QElapsedTimer, QObject, QTimer

from ponystudio.canvas.scene.card_status import CardStatus
from ponystudio.widgets import theme

if TYPE_CHECKING:
    from ponystudio.canvas.scene.scene import GraphScene

CROSS_MS = 120
_INTERVAL = 16
# When more change at once nobody follows them, and painting would take the time of the change.
_MOST = 60


class BadgeFades(QObject):
    """The status lines of a scene that are changing now."""

    def __init__(self, scene: GraphScene) -> None:
        super().__init__(scene)
        self._scene = scene
        self._clock = QElapsedTimer()
        self._clock.start()
        self._since: dict[str, tuple[CardStatus, int]] = {}
        self._timer = QTimer(self, interval=_INTERVAL)
        self._timer.timeout.connect(self._step)

    def begin(self, node: str, before: CardStatus, after: CardStatus) -> None:
        """This node's status line becomes another; progress and times just change."""
        same = (before.icon, before.color) == (after.icon, after.color)
        seen = self._scene.detail == "full" and self._scene.views()
        if same or not seen or theme.reduced_motion() or len(self._since) >= _MOST:
            return
        self._since[node] = before, self._clock.elapsed()
        self._timer.start()

    def of(self, node: str) -> tuple[CardStatus, float] | None:
        """What a status line was, and how far (0..1) it has become what it is."""
        found = self._since.get(node)
        if found is None:
            return None
        before, start = found
        share = (self._clock.elapsed() - start) / CROSS_MS
        return (before, share) if share < 1 else None

    def _step(self) -> None:
        scene = self._scene
        for node in list(self._since):
            item = scene.node_items.get(node)
            if item is not None and item.layout.status:
                scene.damage(item.layout.status.translated(item.x, item.y))
            if self.of(node) is None:
                del self._since[node]
        if not self._since:
            self._timer.stop()
