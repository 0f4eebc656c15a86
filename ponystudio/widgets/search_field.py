"""A line to search by."""

from __future__ import annotations

from PySide6.QtCore import QRectF, Qt, QTimer, Signal
from PySide6.QtGui import QKeyEvent, QPainter, QPaintEvent
from PySide6.QtWidgets import QLineEdit, QWidget

from ponystudio.widgets import theme
from ponystudio.widgets.primitives import draw_icon, px

_TYPING_MS = 120


class SearchField(QLineEdit):
    """`searched` (text) a moment after typing; `entered` by Enter or down, to go on to what was
    found; `left` by Esc in an empty field."""

    searched = Signal(str)
    left = Signal()
    entered = Signal()

    def __init__(self, placeholder: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._soon = QTimer(self, singleShot=True, interval=_TYPING_MS)
        self.setPlaceholderText(placeholder)
        self.setAccessibleName(self.tr("Search results"))
        self.textChanged.connect(lambda: self._soon.start())
        self._soon.timeout.connect(self._emit)
        self._restyle()
        theme.hub.changed.connect(self._restyle)

    def paintEvent(self, event: QPaintEvent) -> None:
        super().paintEvent(event)
        middle = QRectF(px(8), 0, px(16), self.height()).center()
        draw_icon(QPainter(self), "search", middle, theme.current().color("text3"))

    def clear_now(self) -> None:
        self.clear()
        self._soon.stop()
        self._emit()

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.key() == Qt.Key.Key_Escape:
            if self.text():
                self.clear_now()
            else:
                self.left.emit()
            return
        if event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter, Qt.Key.Key_Down):
            self.entered.emit()
            return
        super().keyPressEvent(event)

    def _emit(self) -> None:
        self.searched.emit(self.text())

    def _restyle(self) -> None:
        self.setTextMargins(px(20), 0, 0, 0)
