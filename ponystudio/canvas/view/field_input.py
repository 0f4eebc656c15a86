"""Passes what mouse and keyboard do on a view to the field under the pointer."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import QEvent, QObject, QPointF, QRectF, Qt
from PySide6.QtGui import (
    QContextMenuEvent,
    QDragMoveEvent,
    QDropEvent,
    QKeyEvent,
    QMouseEvent,
    QWheelEvent,
)

from ponystudio.api.spec import ParamSpec
from ponystudio.canvas.fields import field_menu
from ponystudio.canvas.fields.base import Drag, Field, FieldContext, FieldServices, Touch
from ponystudio.canvas.fields.field_painting import label_of
from ponystudio.canvas.view.event_handler import EventHandler
from ponystudio.canvas.view.field_host import FieldHost
from ponystudio.qt.i18n import tr
from ponystudio.widgets.action import ActionSpec

if TYPE_CHECKING:
    from ponystudio.canvas.view.view import GraphView

# What belongs to the canvas even over a param: Alt+drag duplicates, Ctrl+Shift+click views.
_CANVAS = Qt.KeyboardModifier.AltModifier
_VIEWS = Qt.KeyboardModifier.ControlModifier | Qt.KeyboardModifier.ShiftModifier
_NOTCH = 120.0
_WALKING = frozenset(
    {Qt.Key.Key_Up, Qt.Key.Key_Down, Qt.Key.Key_Left, Qt.Key.Key_Right, Qt.Key.Key_Escape}
)


class FieldInput(FieldHost, EventHandler):
    """The view asks it before its gestures; each method returns whether the event was taken.

    Events are those of the viewport. The scene is told which param is hovered and which has the
    keyboard.
    """

    def __init__(
        self, view: GraphView, services: FieldServices | None = None, parent: QObject | None = None
    ) -> None:
        super().__init__(view, services, parent)
        self._drag: Drag | None = None
        self._cursor_set = False

    # From the view

    def mouse_press(self, event: QMouseEvent) -> bool:
        pos = self.view.scene_pos(event)
        found = self._at(pos)
        modifiers = event.modifiers()
        ours = not modifiers & _CANVAS and modifiers & _VIEWS != _VIEWS
        if found is None or event.button() != Qt.MouseButton.LeftButton or not ours:
            self.focus("")
            return False
        node, spec, rect = found
        return self._press(node, spec, rect, pos, modifiers)

    def _press(
        self,
        node: str,
        spec: ParamSpec,
        rect: QRectF,
        pos: QPointF,
        modifiers: Qt.KeyboardModifier,
    ) -> bool:
        field, ctx = self._field(spec), self.context(node, spec)
        if ctx.connected:
            self.focus("")
            return False
        touch = Touch(field.part_at(pos, rect, ctx), pos, rect, modifiers)
        scene = self.view.graph_scene
        if not scene.node_items[node].selected:
            scene.select([node])
        self.focus(node, spec.name)
        taken = field.press(touch, ctx, self)
        if not isinstance(taken, bool):
            self._drag = taken
        elif not taken:
            self.focus("")
        return bool(taken)

    def mouse_move(self, event: QMouseEvent) -> bool:
        """With a drag on: it goes on. Without: hover and cursor, and False."""
        pos = self.view.scene_pos(event)
        if self._drag is not None:
            self._drag.move(pos, event.modifiers())
            return True
        if not event.buttons():
            self._hover(pos)
        return False

    def mouse_release(self, event: QMouseEvent) -> bool:
        drag, self._drag = self._drag, None
        if drag is None:
            return False
        drag.release(self.view.scene_pos(event))
        return True

    def double_click(self, event: QMouseEvent) -> bool:
        pos = self.view.scene_pos(event)
        found = self._at(pos)
        if found is None or event.button() != Qt.MouseButton.LeftButton:
            return False
        node, spec, rect = found
        field, ctx = self._field(spec), self.context(node, spec)
        if ctx.connected:
            return False
        touch = Touch(field.part_at(pos, rect, ctx), pos, rect, event.modifiers())
        self.focus(node, spec.name)
        # Buttons such as the dice take each of two quick clicks.
        return field.double_click(touch, ctx, self) or self._press(
            node, spec, rect, pos, event.modifiers()
        )

    def wheel(self, event: QWheelEvent) -> bool:
        found = self._at(self.view.to_scene(event.position()))
        if found is None or self.focused != (found[0], found[1].name):
            return False
        node, spec, _ = found
        ctx = self.context(node, spec)
        # With Alt, Qt hands the horizontal axis over.
        delta = event.angleDelta().y() or event.angleDelta().x()
        if ctx.connected or not delta:
            return False
        return self._field(spec).wheel(delta / _NOTCH, event.modifiers(), ctx, self)

    def key_press(self, event: QKeyEvent) -> bool:
        if self._drag is not None and event.key() == Qt.Key.Key_Escape:
            self._drag.cancel()
            self._drag = None
            return True
        if self.focused is None:
            return False
        node, name = self.focused
        found = self._row(node, name)
        if found is None:
            return False
        spec, rect = found
        return self._key(event, node, spec, rect)

    def _key(self, event: QKeyEvent, node: str, spec: ParamSpec, rect: QRectF) -> bool:
        ctx = self.context(node, spec)
        key = Qt.Key(event.key())
        if self._walked_to(node, spec.name):
            # Who walks the graph by keys goes on with them; Page Up and Down change the value.
            if key in _WALKING:
                return False
        elif key == Qt.Key.Key_Escape:
            self.focus("")
            return True
        if ctx.connected:
            return False
        if self._field(spec).key(event, rect, ctx, self):
            return True
        if key in (Qt.Key.Key_Return, Qt.Key.Key_Enter) and not event.modifiers():
            return self._field(spec).edit(rect, ctx, self)
        if key == Qt.Key.Key_Backspace and not event.modifiers():
            self.set_value(ctx, spec.default, text=tr("Reset {name}").format(name=label_of(spec)))
            return True
        return False

    def _walked_to(self, node: str, name: str) -> bool:
        """Whether the keyboard came to a param by keys, not by a click."""
        at = self.view.graph_scene.focus
        return at is not None and (at.kind, at.node, at.name) == ("param", node, name)

    def leave(self) -> None:
        self.view.graph_scene.set_param_hover("", "")
        self._set_cursor(None)

    def context_menu(self, event: QContextMenuEvent) -> bool:
        """Over a param: its menu opens."""
        found = self._at(self.view.to_scene(event.pos()))
        if found is None:
            return False
        node, spec, _ = found
        actions = self.actions_for(node, spec, self.view.to_scene(event.pos()))
        field_menu.show(self.view, actions, event.globalPos())
        return True

    def drag_enter(self, event: QDragMoveEvent) -> bool:
        return self.drag_move(event)

    def drag_move(self, event: QDragMoveEvent) -> bool:
        """True where files may be dropped on a param."""
        found = self._drop_at(event)
        if found is None:
            self.view.graph_scene.set_param_hover("", "")
            return False
        ctx = found[1]
        self.view.graph_scene.set_param_hover(ctx.node, ctx.spec.name, "drop")
        event.acceptProposedAction()
        return True

    def drag_leave(self, event: QEvent) -> bool:
        del event
        self.leave()
        return False

    def drop(self, event: QDropEvent) -> bool:
        found = self._drop_at(event)
        self.view.graph_scene.set_param_hover("", "")
        if found is None:
            return False
        field, ctx, paths = found
        event.acceptProposedAction()
        return field.drop(paths, ctx, self)

    def tooltip(self, scene_pos: QPointF) -> str:
        """What a tooltip over this place says; "" if no param is there."""
        found = self._at(scene_pos)
        if found is None:
            return ""
        node, spec, rect = found
        field, ctx = self._field(spec), self.context(node, spec)
        return field.tooltip(ctx, field.part_at(scene_pos, rect, ctx))

    # For others

    def actions_for(
        self, node: str, spec: ParamSpec, pos: QPointF | None = None
    ) -> list[ActionSpec]:
        """What a param's context menu offers; `pos` (scene px) where it was asked for."""
        ctx = self.context(node, spec)
        found = self._row(node, spec.name)
        part = ""
        if found and pos is not None:
            part = self._field(spec).part_at(pos, found[1], ctx)
        return field_menu.actions(ctx, self._field(spec), part, self)

    # Inside

    def _at(self, pos: QPointF) -> tuple[str, ParamSpec, QRectF] | None:
        """The param at a point, unless a socket on the card's edge is nearer."""
        found = self.view.graph_scene.param_at(pos)
        if found is None or self.view.graph_scene.socket_at(pos) is not None:
            return None
        return found

    def _hover(self, pos: QPointF) -> None:
        found = self._at(pos)
        if found is None:
            self.leave()
            return
        node, spec, rect = found
        field, ctx = self._field(spec), self.context(node, spec)
        part = None if ctx.connected else field.find_part(pos, rect, ctx)
        self.view.graph_scene.set_param_hover(node, spec.name, part.name if part else "")
        self._set_cursor(part.cursor if part else None)

    def _set_cursor(self, cursor: Qt.CursorShape | None) -> None:
        if cursor is not None and cursor != Qt.CursorShape.ArrowCursor:
            self.view.viewport().setCursor(cursor)
            self._cursor_set = True
        elif self._cursor_set:
            self.view.viewport().unsetCursor()
            self._cursor_set = False

    def _drop_at(self, event: QDropEvent) -> tuple[Field, FieldContext, tuple[str, ...]] | None:
        found = self._at(self.view.to_scene(event.position()))
        paths = tuple(url.toLocalFile() for url in event.mimeData().urls() if url.isLocalFile())
        if found is None or not paths:
            return None
        node, spec, _ = found
        field, ctx = self._field(spec), self.context(node, spec)
        return (field, ctx, paths) if field.accepts_drop(paths, ctx) else None
