"""Badges that change: the old one goes while the new one comes."""

from __future__ import annotations

from PySide6.QtCore import QElapsedTimer, QObject, QTimer

from ponystudio.canvas.scene.card_status import CardStatus, status
from ponystudio.canvas.scene.item_store import ItemStore
from ponystudio.studio.documents.node_state import NodeState
from ponystudio.widgets import theme

CROSS_MS = 120
_INTERVAL = 16
# When more change at once nobody follows them, and painting would take the time of the change.
_MOST = 60

Fade = tuple[CardStatus, float]
"""What a status line was, and how far (0..1) it has become what it is."""


class BadgeFades(QObject):
    """The status lines of cards that are changing now."""

    def __init__(self, store: ItemStore, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._store = store
        self._clock = QElapsedTimer()
        self._clock.start()
        self._since: dict[str, tuple[CardStatus, int]] = {}
        self._timer = QTimer(self, interval=_INTERVAL)
        self._timer.timeout.connect(self._step)

    @property
    def active(self) -> bool:
        """Whether one is under way."""
        return self._timer.isActive()

    def begin(self, node: str, before: NodeState, after: NodeState) -> None:
        """This node's status line becomes another; progress and times just change."""
        item = self._store.node_items[node]
        old, new = (status(item.node, item.spec, state) for state in (before, after))
        same = (old.icon, old.color) == (new.icon, new.color)
        seen = self._store.detail == "full"
        if same or not seen or theme.reduced_motion() or len(self._since) >= _MOST:
            return
        self._since[node] = old, self._clock.elapsed()
        self._timer.start()

    def of(self, node: str) -> Fade | None:
        entry = self._since.get(node)
        if entry is None:
            return None
        before, start = entry
        share = (self._clock.elapsed() - start) / CROSS_MS
        return (before, share) if share < 1 else None

    def _step(self) -> None:
        for node in list(self._since):
            item = self._store.node_items.get(node)
            if item is not None and item.layout.status:
                self._store.damage(item.layout.status.translated(item.x, item.y))
            if self.of(node) is None:
                del self._since[node]
        if not self._since:
            self._timer.stop()
