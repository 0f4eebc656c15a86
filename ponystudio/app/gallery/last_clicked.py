"""Whether it is plain what a key would reach: files go only by keys that are meant for them."""

from __future__ import annotations

from PySide6.QtCore import QEvent, QObject, Signal
from PySide6.QtWidgets import QApplication, QWidget


class LastClicked(QObject):
    """On while a widget, or a part of it, is what was clicked last and has the keyboard; whoever
    walks there by keys says so with `set_on`. `changed` when that begins or ends.

    The widget shows it by a ring, and asks it before it gives a file away. The clicks of the whole
    program are looked at, but only while it is on.
    """

    changed = Signal()

    def __init__(self, widget: QWidget) -> None:
        super().__init__(widget)
        self._widget, self._on = widget, False
        widget.installEventFilter(self)

    def __bool__(self) -> bool:
        return self._on and self._widget.hasFocus()

    def set_on(self, on: bool = True) -> None:
        app = QApplication.instance()
        if on == self._on or app is None:
            return
        self._on = on
        if on:
            app.installEventFilter(self)
        else:
            app.removeEventFilter(self)
        self.changed.emit()

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        left = event.type() == QEvent.Type.FocusOut and watched is self._widget
        pressed = self._on and event.type() == QEvent.Type.MouseButtonPress
        if left or (pressed and self._is_elsewhere(watched)):
            self.set_on(False)
        return False

    def _is_elsewhere(self, watched: QObject) -> bool:
        own = self._widget
        return isinstance(watched, QWidget) and watched is not own and not own.isAncestorOf(watched)
