"""Passes what mouse and keyboard do on a view to the field under the pointer."""

from __future__ import annotations

from typing import Any

from PySide6.QtCore import QObject, QPointF, QRectF
from PySide6.QtGui import (
    QContextMenuEvent,
    QDragMoveEvent,
    QDropEvent,
    QKeyEvent,
    QMouseEvent,
    QWheelEvent,
)
from PySide6.QtWidgets import QWidget

from ponystudio.api.spec import ParamSpec
from ponystudio.canvas.action import ActionSpec
from ponystudio.canvas.params.field import FieldContext, ParamServices


class ParamController(QObject):
    """The view asks it before its gestures; each method returns whether the event was taken.

    `view` is a GraphView: it has `scene()` (GraphScene), `mapToScene`, `viewport()` and
    `open_editor(widget, scene_rect)`. Events are those of the viewport.
    """

    def __init__(
        self, view: Any, services: ParamServices | None = None, parent: QObject | None = None
    ) -> None:
        super().__init__(parent if parent is not None else view)
        self.view = view
        self.services = services or ParamServices.default()

    # From the view

    def mouse_press(self, event: QMouseEvent) -> bool:
        return False

    def mouse_move(self, event: QMouseEvent) -> bool:
        """With a button down: the drag goes on. Without: hover and cursor, and False."""
        return False

    def mouse_release(self, event: QMouseEvent) -> bool:
        return False

    def double_click(self, event: QMouseEvent) -> bool:
        return False

    def wheel(self, event: QWheelEvent) -> bool:
        return False

    def key_press(self, event: QKeyEvent) -> bool:
        return False

    def leave(self) -> None:
        """The pointer left the view."""

    def context_menu(self, event: QContextMenuEvent) -> bool:
        """Over a param: its menu opens."""
        return False

    def drag_move(self, event: QDragMoveEvent) -> bool:
        """Also for drag enter: True where files may be dropped on a param."""
        return False

    def drop(self, event: QDropEvent) -> bool:
        return False

    def tooltip(self, scene_pos: QPointF) -> str:
        """What a tooltip over this place says; "" if no param is there."""
        return ""

    # For others

    def focus(self, node: str, param: str) -> None:
        """Give the keyboard to a param ("" takes it away)."""

    def edit(self, node: str, param: str, text: str | None = None) -> bool:
        """Begin to edit a param in place; `text` is what was typed to begin with."""
        return False

    def actions_for(self, node: str, spec: ParamSpec) -> list[ActionSpec]:
        """What a param's context menu offers."""
        return []

    def context(self, node: str, spec: ParamSpec) -> FieldContext:
        return FieldContext.of(self.view.scene().document, node, spec, self.services)

    def open_popup(self, ctx: FieldContext, popup: QWidget, rect: QRectF) -> None: ...
