"""In-place editors: widgets that stand over a part of a card while it is edited."""

from __future__ import annotations

import atexit
from collections.abc import Callable

from PySide6.QtCore import QEvent, QObject, QRectF, Qt
from PySide6.QtGui import QFont, QKeyEvent, QMouseEvent
from PySide6.QtWidgets import QApplication, QWidget

from ponystudio.canvas.view.camera_view import CameraView


def _hide_windows() -> None:
    """Take the focus out of all editors while Python is whole. Qt would do so when its modules
    are gone, and a Python event filter that it asks then brings the process down."""
    if isinstance(QApplication.instance(), QApplication):
        for window in QApplication.topLevelWidgets():
            window.hide()


atexit.register(_hide_windows)


class EditorOverlay(QObject):
    """One editor at a time. It follows pans and zooms, its font with it; Esc cancels it, losing
    the focus commits it, other than to a popup of its own."""

    def __init__(self, view: CameraView) -> None:
        super().__init__(view)
        self._view = view
        self._widget: QWidget | None = None
        self._rect = QRectF()
        self._font = QFont()
        self._committed: Callable[[], object] | None = None
        self._cancelled: Callable[[], object] | None = None
        self._on_zoom: Callable[[float], object] | None = None
        view.camera_changed.connect(self._lay_out)

    @property
    def widget(self) -> QWidget | None:
        return self._widget

    def open(
        self,
        widget: QWidget,
        scene_rect: QRectF,
        committed: Callable[[], object] | None = None,
        cancelled: Callable[[], object] | None = None,
        on_zoom: Callable[[float], object] | None = None,
        focus: bool = True,
    ) -> None:
        """Put a widget over this part of the scene and give it the keyboard.

        `committed` is called once when it is left, `cancelled` once for Esc; then it is deleted.
        `on_zoom` is called with each new zoom (px on screen per px at 100 %) where scaling the
        widget's font is not enough.
        """
        self.close()
        self._widget, self._rect, self._font = widget, scene_rect, QFont(widget.font())
        self._committed, self._cancelled, self._on_zoom = committed, cancelled, on_zoom
        widget.setParent(self._view.viewport())
        self._lay_out()
        widget.show()
        widget.raise_()
        widget.installEventFilter(self)
        if proxy := widget.focusProxy():
            proxy.installEventFilter(self)
        if focus:
            widget.setFocus(Qt.FocusReason.OtherFocusReason)

    def move_to(self, scene_rect: QRectF) -> None:
        """The part of the scene under the editor changed its place or size."""
        self._rect = scene_rect
        self._lay_out()

    def close(self, commit: bool = True) -> None:
        widget, self._widget = self._widget, None
        if widget is None:
            return
        widget.removeEventFilter(self)
        had_focus = widget.hasFocus() or widget.isAncestorOf(QApplication.focusWidget() or widget)
        done = self._committed if commit else self._cancelled
        self._committed = self._cancelled = self._on_zoom = None
        if done:
            done()
        widget.hide()
        widget.deleteLater()
        if had_focus:
            self._view.setFocus(Qt.FocusReason.OtherFocusReason)

    def _lay_out(self) -> None:
        if self._widget is None:
            return
        factor = self._view.transform().m11()
        font = QFont(self._font)
        if self._font.pixelSize() > 0:
            font.setPixelSize(max(1, round(self._font.pixelSize() * factor)))
        self._widget.setFont(font)
        self._widget.setGeometry(self._view.from_scene_rect(self._rect).toAlignedRect())
        if self._on_zoom:
            self._on_zoom(factor)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if event.type() == QEvent.Type.KeyPress and isinstance(event, QKeyEvent):
            if event.key() == Qt.Key.Key_Escape:
                self.close(commit=False)
                return True
        elif event.type() == QEvent.Type.MouseButtonPress and isinstance(event, QMouseEvent):
            # A text ignores it and opens its menu; the canvas would close the editor, menu and all.
            return event.button() == Qt.MouseButton.RightButton
        elif event.type() == QEvent.Type.FocusOut:
            self._left()
        return super().eventFilter(watched, event)

    def _left(self) -> None:
        """Commit, unless the focus went to a popup of the editor, or to another program."""
        if QApplication.activePopupWidget():
            return
        now = QApplication.focusWidget()
        if self._widget and now and (now is self._widget or self._widget.isAncestorOf(now)):
            return
        if self._widget and not self._view.window().isActiveWindow() and now is None:
            return
        self.close()
