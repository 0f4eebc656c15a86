"""Moving a view by mouse, wheel, trackpad and Space."""

from __future__ import annotations

from PySide6.QtCore import QEvent, QObject, QPointF, Qt, Signal
from PySide6.QtGui import QKeyEvent, QMouseEvent, QNativeGestureEvent, QWheelEvent
from PySide6.QtWidgets import QGestureEvent, QPinchGesture

from ponystudio.canvas.view.camera_view import CameraView
from ponystudio.canvas.view.event_handler import EventHandler

# One notch of a wheel (120) zooms by this much.
_NOTCH = 1.15


class Panning(QObject, EventHandler):
    """First in the row of a view's handlers: takes the middle button, and the left while Space is
    down. `space_tapped` when Space was pressed and let go without moving the view."""

    space_tapped = Signal()

    def __init__(self, view: CameraView) -> None:
        super().__init__(view)
        self._view = view
        self._last: QPointF | None = None
        self._space = False
        self._dragged = False

    def mouse_press(self, event: QMouseEvent) -> bool:
        button = event.button()
        if button == Qt.MouseButton.MiddleButton or (
            self._space and button == Qt.MouseButton.LeftButton
        ):
            self._last = event.position()
            self._dragged = True
            self._view.viewport().setCursor(Qt.CursorShape.ClosedHandCursor)
            return True
        return False

    def mouse_move(self, event: QMouseEvent) -> bool:
        if self._last is None:
            return self._space  # whose cursor stays
        moved = event.position() - self._last
        self._last = event.position()
        self._view.pan(moved.x(), moved.y())
        return True

    def mouse_release(self, event: QMouseEvent) -> bool:
        del event
        if self._last is None:
            return False
        self._last = None
        self._show_cursor()
        return True

    def key_press(self, event: QKeyEvent) -> bool:
        if event.key() != Qt.Key.Key_Space or event.modifiers() != Qt.KeyboardModifier.NoModifier:
            return False
        if not event.isAutoRepeat():
            self._space, self._dragged = True, False
            self._show_cursor()
        return True

    def key_release(self, event: QKeyEvent) -> bool:
        if event.key() != Qt.Key.Key_Space or event.isAutoRepeat() or not self._space:
            return False
        self._space = False
        self._show_cursor()
        if not self._dragged:
            self.space_tapped.emit()
        return True

    def focus_out(self, event: QEvent) -> bool:
        del event
        self._space, self._last = False, None
        self._show_cursor()
        return False

    def wheel_moves(self, event: QWheelEvent) -> None:
        """Trackpads pan, or zoom with Ctrl; wheels zoom, or pan with Shift or Alt."""
        pixels, angle = event.pixelDelta(), event.angleDelta()
        modifiers = event.modifiers()
        zooming = bool(modifiers & Qt.KeyboardModifier.ControlModifier)
        touchpad = not pixels.isNull() and event.phase() != Qt.ScrollPhase.NoScrollPhase
        if touchpad and not zooming:
            self._view.pan(pixels.x(), pixels.y())
            return
        if not touchpad and modifiers & (
            Qt.KeyboardModifier.ShiftModifier | Qt.KeyboardModifier.AltModifier
        ):
            step = angle.y() or angle.x()
            if modifiers & Qt.KeyboardModifier.ShiftModifier:
                self._view.pan(step / 2, 0)
            else:
                self._view.pan(0, step / 2)
            return
        if not touchpad and angle.y() == 0 and angle.x():
            self._view.pan(angle.x() / 2, 0)
            return
        self._view.zoom_at(_NOTCH ** (angle.y() / 120), event.position())

    def native_gesture(self, event: QNativeGestureEvent) -> bool:
        if event.gestureType() == Qt.NativeGestureType.ZoomNativeGesture:
            self._view.zoom_at(1 + event.value(), event.position())
            return True
        if event.gestureType() == Qt.NativeGestureType.SmartZoomNativeGesture:
            self._view.fit()
            return True
        return False

    def gesture(self, event: QEvent) -> bool:
        """A pinch on a touch screen."""
        if not isinstance(event, QGestureEvent):
            return False
        pinch = event.gesture(Qt.GestureType.PinchGesture)
        if not isinstance(pinch, QPinchGesture):
            return False
        at = QPointF(self._view.viewport().mapFromGlobal(pinch.centerPoint().toPoint()))
        self._view.zoom_at(pinch.scaleFactor(), at)
        moved = pinch.centerPoint() - pinch.lastCenterPoint()
        self._view.pan(moved.x(), moved.y())
        return True

    def _show_cursor(self) -> None:
        viewport = self._view.viewport()
        if self._space:
            viewport.setCursor(Qt.CursorShape.OpenHandCursor)
        else:
            viewport.unsetCursor()
