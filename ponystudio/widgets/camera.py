"""What all cameras share: how zooms are between each other, and the way from one to another."""

from __future__ import annotations

from PySide6.QtCore import QElapsedTimer, QObject, QSizeF, QTimer, Signal

ANIMATION_MS = 180
_INTERVAL = 8


def zoom_between(start: float, end: float, share: float) -> float:
    """The zoom on the way from one to another, at an even pace to the eye."""
    return float(start * (end / start) ** share)


def fitting_zoom(size: QSizeF, room: QSizeF) -> float:
    """The largest zoom at which something of a size, which is not empty, fits into a room."""
    return min(room.width() / size.width(), room.height() / size.height())


def eased(share: float) -> float:
    """Ease-out: fast first."""
    return 1 - (1 - share) ** 3


class CameraAnimation(QObject):
    """`moved` carries how far the camera is on its way, from 0 to less than 1; `arrived` comes at
    the end."""

    moved = Signal(float)
    arrived = Signal()

    def __init__(self, parent: QObject) -> None:
        super().__init__(parent)
        self._clock = QElapsedTimer()
        self._timer = QTimer(self, interval=_INTERVAL)
        self._timer.timeout.connect(self._step)

    @property
    def active(self) -> bool:
        return self._timer.isActive()

    def start(self) -> None:
        self._clock.start()
        self._timer.start()

    def stop(self) -> None:
        """End it where it is."""
        self._timer.stop()

    def _step(self) -> None:
        share = self._clock.elapsed() / ANIMATION_MS
        if share < 1:
            self.moved.emit(eased(share))
        else:
            self.stop()
            self.arrived.emit()
