"""Who may take the events of a view."""

from __future__ import annotations

from PySide6.QtCore import QEvent
from PySide6.QtGui import (
    QContextMenuEvent,
    QDragMoveEvent,
    QDropEvent,
    QKeyEvent,
    QMouseEvent,
    QWheelEvent,
)


class EventHandler:
    """Takes nothing: the others take what they have a use for, and say so with True.

    Who took a press gets the moves and the release after it. `leave` is told.
    """

    def mouse_press(self, _event: QMouseEvent, /) -> bool:
        return False

    def mouse_move(self, _event: QMouseEvent, /) -> bool:
        return False

    def mouse_release(self, _event: QMouseEvent, /) -> bool:
        return False

    def double_click(self, _event: QMouseEvent, /) -> bool:
        return False

    def context_menu(self, _event: QContextMenuEvent, /) -> bool:
        return False

    def wheel(self, _event: QWheelEvent, /) -> bool:
        return False

    def key_press(self, _event: QKeyEvent, /) -> bool:
        return False

    def key_release(self, _event: QKeyEvent, /) -> bool:
        return False

    def focus_out(self, _event: QEvent, /) -> bool:
        return False

    def drag_enter(self, _event: QDragMoveEvent, /) -> bool:
        return False

    def drag_move(self, _event: QDragMoveEvent, /) -> bool:
        return False

    def drag_leave(self, _event: QEvent, /) -> bool:
        return False

    def drop(self, _event: QDropEvent, /) -> bool:
        return False

    def leave(self) -> None:
        """The pointer left the view."""
