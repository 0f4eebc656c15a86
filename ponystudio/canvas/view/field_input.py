"""Passes what mouse and keyboard do on a view to the field under the pointer."""

from __future__ import annotations

from PySide6.QtCore import QEvent, QPointF, Qt
from PySide6.QtGui import (
    QContextMenuEvent,
    QDragMoveEvent,
    QDropEvent,
    QKeyEvent,
    QMouseEvent,
    QWheelEvent,
)

from ponystudio.canvas.fields import field_menu
from ponystudio.canvas.fields.base import Drag, Touch
from ponystudio.canvas.fields.field_context import FieldContext
from ponystudio.canvas.fields.field_painting import label_of
from ponystudio.canvas.scene import hit_test
from ponystudio.canvas.scene.item_store import ParamPlace
from ponystudio.canvas.view.camera_view import CameraView
from ponystudio.canvas.view.event_handler import EventHandler
from ponystudio.canvas.view.field_host import FieldHost
from ponystudio.qt.i18n import tr
from ponystudio.widgets.action import ActionSpec

# What belongs to the canvas even over a param: Alt+drag duplicates, Ctrl+Shift+click views.
_CANVAS = Qt.KeyboardModifier.AltModifier
_VIEWS = Qt.KeyboardModifier.ControlModifier | Qt.KeyboardModifier.ShiftModifier
_NOTCH = 120.0
_WALKING = frozenset(
    {Qt.Key.Key_Up, Qt.Key.Key_Down, Qt.Key.Key_Left, Qt.Key.Key_Right, Qt.Key.Key_Escape}
)


class FieldInput(EventHandler):
    """The view asks it before its gestures; each method returns whether the event was taken.

    Events are those of the viewport. The scene is told which param is hovered and which has the
    keyboard; what fields want done the host does.
    """

    def __init__(self, view: CameraView, host: FieldHost) -> None:
        self._view, self._scene, self._host = view, view.graph_scene, host
        self._drag: Drag | None = None
        self._cursor_set = False

    def mouse_press(self, event: QMouseEvent) -> bool:
        pos = self._view.scene_pos(event)
        place = self._at(pos)
        modifiers = event.modifiers()
        ours = not modifiers & _CANVAS and modifiers & _VIEWS != _VIEWS
        if place is None or event.button() != Qt.MouseButton.LeftButton or not ours:
            self._host.focus("")
            return False
        return self._press(place, pos, modifiers)

    def _press(self, place: ParamPlace, pos: QPointF, modifiers: Qt.KeyboardModifier) -> bool:
        ctx = self._context(place)
        if ctx.connected:
            self._host.focus("")
            return False
        store = self._scene.store
        if not store.node_items[place.node].selected:
            store.select([place.node])
        touch = self._touch(place, pos, modifiers, ctx)
        self._host.focus(place.node, place.spec.name)
        taken = place.field.press(touch, ctx, self._host)
        if not isinstance(taken, bool):
            self._drag = taken
        elif not taken:
            self._host.focus("")
        return bool(taken)

    def mouse_move(self, event: QMouseEvent) -> bool:
        """With a drag on: it goes on. Without: hover and cursor, and False."""
        pos = self._view.scene_pos(event)
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
        drag.release(self._view.scene_pos(event))
        return True

    def double_click(self, event: QMouseEvent) -> bool:
        pos = self._view.scene_pos(event)
        place = self._at(pos)
        if place is None or event.button() != Qt.MouseButton.LeftButton:
            return False
        ctx = self._context(place)
        if ctx.connected:
            return False
        touch = self._touch(place, pos, event.modifiers(), ctx)
        self._host.focus(place.node, place.spec.name)
        # Buttons such as the dice take each of two quick clicks.
        return place.field.double_click(touch, ctx, self._host) or self._press(
            place, pos, event.modifiers()
        )

    def wheel(self, event: QWheelEvent) -> bool:
        place = self._at(self._view.to_scene(event.position()))
        if place is None or self._host.focused != (place.node, place.spec.name):
            return False
        ctx = self._context(place)
        # With Alt, Qt hands the horizontal axis over.
        delta = event.angleDelta().y() or event.angleDelta().x()
        if ctx.connected or not delta:
            return False
        return place.field.wheel(delta / _NOTCH, event.modifiers(), ctx, self._host)

    def key_press(self, event: QKeyEvent) -> bool:
        if self._drag is not None and event.key() == Qt.Key.Key_Escape:
            self._drag.cancel()
            self._drag = None
            return True
        if self._host.focused is None:
            return False
        place = self._scene.store.param(*self._host.focused)
        return place is not None and self._key(event, place)

    def _key(self, event: QKeyEvent, place: ParamPlace) -> bool:
        key = Qt.Key(event.key())
        if self._walked_to(place):
            # Who walks the graph by keys goes on with them; Page Up and Down change the value.
            if key in _WALKING:
                return False
        elif key == Qt.Key.Key_Escape:
            self._host.focus("")
            return True
        ctx = self._context(place)
        if ctx.connected:
            return False
        if place.field.key(event, place.rect, ctx, self._host):
            return True
        if key in (Qt.Key.Key_Return, Qt.Key.Key_Enter) and not event.modifiers():
            return place.field.edit(place.rect, ctx, self._host)
        if key == Qt.Key.Key_Backspace and not event.modifiers():
            text = tr("Reset {name}").format(name=label_of(place.spec))
            self._host.set_value(ctx, place.spec.default, text=text)
            return True
        return False

    def _walked_to(self, place: ParamPlace) -> bool:
        """Whether the keyboard came to a param by keys, not by a click."""
        at = self._scene.focus
        here = ("param", place.node, place.spec.name)
        return at is not None and (at.kind, at.node, at.name) == here

    def leave(self) -> None:
        self._scene.set_param_hover("", "")
        self._set_cursor(None)

    def context_menu(self, event: QContextMenuEvent) -> bool:
        """Over a param: its menu opens."""
        pos = self._view.to_scene(event.pos())
        place = self._at(pos)
        if place is None:
            return False
        field_menu.show(self._view, self.actions_for(place, pos), event.globalPos())
        return True

    def actions_for(self, place: ParamPlace, pos: QPointF) -> list[ActionSpec]:
        """What a param's context menu offers; `pos` (scene px) where it was asked for."""
        ctx = self._context(place)
        part = place.field.part_at(pos, place.rect, ctx)
        return field_menu.actions(ctx, place.field, part, self._host)

    def drag_enter(self, event: QDragMoveEvent) -> bool:
        return self.drag_move(event)

    def drag_move(self, event: QDragMoveEvent) -> bool:
        """True where files may be dropped on a param."""
        target = self._drop_target(event)
        if target is None:
            self._scene.set_param_hover("", "")
            return False
        place, _ = target
        self._scene.set_param_hover(place.node, place.spec.name, "drop")
        event.acceptProposedAction()
        return True

    def drag_leave(self, event: QEvent) -> bool:
        del event
        self.leave()
        return False

    def drop(self, event: QDropEvent) -> bool:
        target = self._drop_target(event)
        self._scene.set_param_hover("", "")
        if target is None:
            return False
        place, paths = target
        event.acceptProposedAction()
        return place.field.drop(paths, self._context(place), self._host)

    def tooltip(self, pos: QPointF) -> str:
        """What a tooltip over this place (scene px) says; "" if no param is there."""
        place = self._at(pos)
        if place is None:
            return ""
        ctx = self._context(place)
        return place.field.tooltip(ctx, place.field.part_at(pos, place.rect, ctx))

    # Inside

    def _at(self, pos: QPointF) -> ParamPlace | None:
        """The param at a point, unless a socket on the card's edge is nearer."""
        place = hit_test.param_at(self._scene.store, pos)
        socket = hit_test.socket_at(self._scene.store, pos) if place else None
        return None if socket else place

    def _context(self, place: ParamPlace) -> FieldContext:
        return self._host.context(place.node, place.spec)

    def _touch(
        self,
        place: ParamPlace,
        pos: QPointF,
        modifiers: Qt.KeyboardModifier,
        ctx: FieldContext,
    ) -> Touch:
        return Touch(place.field.part_at(pos, place.rect, ctx), pos, place.rect, modifiers)

    def _hover(self, pos: QPointF) -> None:
        place = self._at(pos)
        if place is None:
            self.leave()
            return
        ctx = self._context(place)
        part = None if ctx.connected else place.field.find_part(pos, place.rect, ctx)
        self._scene.set_param_hover(place.node, place.spec.name, part.name if part else "")
        self._set_cursor(part.cursor if part else None)

    def _set_cursor(self, cursor: Qt.CursorShape | None) -> None:
        if cursor is not None and cursor != Qt.CursorShape.ArrowCursor:
            self._view.viewport().setCursor(cursor)
            self._cursor_set = True
        elif self._cursor_set:
            self._view.viewport().unsetCursor()
            self._cursor_set = False

    def _drop_target(self, event: QDropEvent) -> tuple[ParamPlace, tuple[str, ...]] | None:
        """The param under a drop of files that would take them, and their paths."""
        place = self._at(self._view.to_scene(event.position()))
        paths = tuple(url.toLocalFile() for url in event.mimeData().urls() if url.isLocalFile())
        if place is None or not paths:
            return None
        accepted = place.field.accepts_drop(paths, self._context(place))
        return (place, paths) if accepted else None
