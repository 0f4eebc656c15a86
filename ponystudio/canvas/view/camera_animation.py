"""A view's way from one camera to another."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import QElapsedTimer, QObject, QTimer

from ponystudio.canvas.view.camera import ANIMATION_MS, Camera, eased
from ponystudio.widgets import theme

if TYPE_CHECKING:
    from ponystudio.canvas.view.camera_view import CameraView


class CameraAnimation(QObject):
    def __init__(self, view: CameraView) -> None:
        super().__init__(view)
        self._view = view
        self._clock = QElapsedTimer()
        self._timer = QTimer(self, interval=8)
        self._timer.timeout.connect(self._step)
        self._start = self._end = None  # type: Camera | None

    @property
    def target(self) -> Camera | None:
        """Where it is going, None when it stands."""
        return self._end if self._timer.isActive() else None

    def start(self, to: Camera) -> None:
        if theme.reduced_motion() or not self._view.isVisible():
            self.stop()
            self._view.set_camera(to)
            return
        self._start, self._end = self._view.camera(), to
        self._clock.start()
        self._timer.start()

    def stop(self) -> None:
        self._timer.stop()

    def _step(self) -> None:
        if self._start is None or self._end is None:
            return
        share = min(1.0, self._clock.elapsed() / ANIMATION_MS)
        if share >= 1.0:
            self.stop()
            self._view.set_camera(self._end)
        else:
            self._view.set_camera(self._start.toward(self._end, eased(share)))
