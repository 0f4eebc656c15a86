"""Panels that open below a field."""

from __future__ import annotations

from PySide6.QtCore import (
    QCoreApplication,
    QEvent,
    QModelIndex,
    QObject,
    QPersistentModelIndex,
    QPoint,
    QRect,
    QSize,
    Qt,
    Signal,
)
from PySide6.QtGui import QKeyEvent, QMouseEvent, QPainter, QPaintEvent
from PySide6.QtWidgets import (
    QAbstractScrollArea,
    QFrame,
    QWidget,
)

from ponystudio.widgets import metrics, theme
from ponystudio.widgets.common import fade_in
from ponystudio.widgets.primitives import paint_ground

MARGIN = 6
_Index = QModelIndex | QPersistentModelIndex


class Popup(QFrame):
    """A panel over the window that goes when something else is clicked, or with Esc.

    A child of the window and no window of its own: so its corners are round on every system, and
    it fades without the help of a compositor.
    """

    closed = Signal()

    def __init__(self) -> None:
        super().__init__()
        self.done = False
        self._swallowing = False
        self._anchor = QRect()
        self._owner: QWidget | None = None
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.look = theme.current()

    def scaled(self, px: float) -> int:
        return round(px * theme.scale())

    def open_at(self, view: QWidget, rect: QRect) -> None:
        """Show it below a rect of the view's viewport, or above where there is more room."""
        window = view.window()
        self.setParent(window)
        viewport = view.viewport() if isinstance(view, QAbstractScrollArea) else view
        corner = (
            viewport.mapTo(window, rect.topLeft()) if viewport is not window else rect.topLeft()
        )
        self._anchor = QRect(corner, rect.size())
        self.setGeometry(self._place(self._anchor, window.rect()))
        self.show()
        self.raise_()
        fade_in(self)
        self.setFocus(Qt.FocusReason.PopupFocusReason)
        _app().installEventFilter(self)

    def _size_for(self, anchor: QRect) -> QSize:
        """The size for a field of this size on the screen."""
        hint = self.sizeHint()
        return QSize(max(hint.width(), anchor.width()), hint.height())

    def _place(self, anchor: QRect, inside: QRect) -> QRect:
        gap, edge = 4, 8
        size = self._size_for(anchor)
        below = inside.bottom() - edge - (anchor.bottom() + gap)
        above = anchor.top() - gap - (inside.top() + edge)
        height = min(size.height(), max(below, above, 60))
        if size.height() <= below or below >= above:
            y = anchor.bottom() + gap
        else:
            y = anchor.top() - gap - height
        width = min(size.width(), inside.width() - 2 * edge)
        x = max(inside.left() + edge, min(anchor.left(), inside.right() - edge - width))
        return QRect(QPoint(x, y), QSize(width, height))

    def close_once(self) -> None:
        if not self.done:
            self.done = True
            self.hide()
            if not self._swallowing:
                self._gone()
            self.closed.emit()

    def stay_until_gone(self, other: QWidget) -> None:
        """Stay, hidden, until this widget goes."""
        self._owner = other
        other.destroyed.connect(self.deleteLater)

    def resize_to_rows(self) -> None:
        """The contents changed while it is open."""
        parent = self.parentWidget()
        if parent is not None and not self.done:
            self.setGeometry(self._place(self._anchor, parent.rect()))

    def _gone(self) -> None:
        _app().removeEventFilter(self)
        if self._owner is None:
            self.deleteLater()

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        """A click elsewhere closes the popup, and does nothing else."""
        kind = event.type()
        if self._swallowing:
            if kind == QEvent.Type.MouseButtonRelease:
                self._swallowing = False
                self._gone()
                return isinstance(watched, QWidget)
            return False
        if kind in (QEvent.Type.MouseButtonPress, QEvent.Type.MouseButtonDblClick):
            if isinstance(watched, QWidget) and not self._mine(watched):
                self._swallowing = True
                self.close_once()
                return True
        elif kind == QEvent.Type.Wheel and isinstance(watched, QWidget) and not self._mine(watched):
            self.close_once()  # what it belongs to is about to move away
        elif kind == QEvent.Type.WindowDeactivate and watched is self.window():
            self.close_once()
        return False

    def focusNextPrevChild(self, next: bool) -> bool:
        """Tab stays inside."""
        tab = Qt.FocusPolicy.TabFocus
        stops = [
            child
            for child in self.findChildren(QWidget)
            if child.isVisible() and child.isEnabled() and child.focusPolicy() & tab
        ]
        if not stops:
            return True
        now = self.focusWidget()
        at = stops.index(now) if now in stops else -1
        reason = Qt.FocusReason.TabFocusReason if next else Qt.FocusReason.BacktabFocusReason
        stops[(at + (1 if next else -1)) % len(stops)].setFocus(reason)
        return True

    def _mine(self, widget: QWidget) -> bool:
        """Whether a widget is this popup's, or a menu or tooltip over it."""
        if widget is self or self.isAncestorOf(widget):
            return True
        return widget.window() is not self.window()

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.key() == Qt.Key.Key_Escape:
            self.close_once()
        event.accept()

    def event(self, event: QEvent) -> bool:
        if event.type() == QEvent.Type.ShortcutOverride:
            event.accept()  # while it is open, keys are its own
            return True
        return bool(super().event(event))

    def mousePressEvent(self, event: QMouseEvent) -> None:
        event.accept()

    def paintEvent(self, event: QPaintEvent) -> None:
        del event
        painter = QPainter(self)
        paint_ground(painter, self, line="line2", radius=metrics.RADIUS)
        painter.end()


def _app() -> QCoreApplication:
    app = QCoreApplication.instance()
    assert app is not None
    return app
