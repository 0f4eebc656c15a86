"""The dots that move along wires into running nodes.

They lie over the kept picture, so that moving them paints nothing anew.
"""

from __future__ import annotations

from PySide6.QtCore import QElapsedTimer, QObject, QRect, QTimer
from PySide6.QtGui import QRegion

from ponystudio.canvas.painting.viewport import Viewport
from ponystudio.canvas.scene.item_store import ItemStore
from ponystudio.canvas.scene.items import WireItem
from ponystudio.studio.documents.node_state import NodeStates
from ponystudio.widgets import theme

SPEED, GAP = 24.0, 14.0  # px a second, px from dot to dot
_INTERVAL = 34  # at most 30 frames a second


class WireAnimation(QObject):
    """The wires into running nodes, and how far their dots have come."""

    def __init__(self, view: Viewport, store: ItemStore, states: NodeStates) -> None:
        super().__init__(view.viewport())
        self._view, self._store, self._states = view, store, states
        self._clock = QElapsedTimer()
        self._timer = QTimer(self, interval=_INTERVAL)
        self._timer.timeout.connect(self._step)
        self._running: frozenset[str] = frozenset()
        self._states.changed.connect(self._state_changed)
        theme.hub.changed.connect(self._start_or_stop)
        self._find_running()

    @property
    def active(self) -> bool:
        """Whether the dots move now."""
        return self._timer.isActive()

    def wires(self) -> list[WireItem]:
        """The wires that dots move on, as far as they show."""
        if self._store.detail != "full":
            return []
        seen = self._view.visible_rect()
        keys = {key for id in self._running for key in self._store.wires_of.get(id, ())}
        found = (self._store.wire_items[key] for key in sorted(keys) if key[0] in self._running)
        return [item for item in found if item.box.intersects(seen)]

    @property
    def offset(self) -> float:
        """How far the dots have come since the last one was where they are."""
        if theme.reduced_motion() or not self.active:
            return 0.0
        return (self._clock.elapsed() / 1000 * SPEED) % GAP

    def _state_changed(self, node: str) -> None:
        if not node:
            self._find_running()
        elif (self._states[node].phase == "running") != (node in self._running):
            self._running ^= {node}
            self._start_or_stop()

    def _find_running(self) -> None:
        states = self._states
        self._running = frozenset(id for id in states if states[id].phase == "running")
        self._start_or_stop()

    def _start_or_stop(self) -> None:
        if not self._running or theme.reduced_motion():
            self._timer.stop()
        elif not self._timer.isActive():
            self._clock.start()
            self._timer.start()

    def _step(self) -> None:
        if not self._view.viewport().isVisible():
            return
        region = QRegion()
        for item in self.wires():
            for box in item.boxes(3.0):
                region += self._view.from_scene_rect(box).toAlignedRect()
        region &= QRect(self._view.viewport().rect())
        if not region.isEmpty():
            self._view.viewport().update(region)
