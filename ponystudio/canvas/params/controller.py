"""Passes what mouse and keyboard do on a view to the field under the pointer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from PySide6.QtCore import QEvent, QObject, QPointF, QRectF, Qt
from PySide6.QtGui import (
    QContextMenuEvent,
    QDragMoveEvent,
    QDropEvent,
    QHelpEvent,
    QKeyEvent,
    QMouseEvent,
    QWheelEvent,
)
from PySide6.QtWidgets import QToolTip

from ponystudio.api.spec import ParamSpec
from ponystudio.canvas.action import ActionSpec
from ponystudio.canvas.document import Change, gesture
from ponystudio.canvas.params import menu
from ponystudio.canvas.params.field import Drag, Field, FieldContext, ParamServices, Touch
from ponystudio.canvas.params.painting import label_of, tr
from ponystudio.errors import GraphError
from ponystudio.graph.edits import SetParam, SetView

if TYPE_CHECKING:
    from ponystudio.canvas.params.editor import InPlaceEditor
    from ponystudio.canvas.params.popup import Popup
    from ponystudio.canvas.view import GraphView

# What belongs to the canvas even over a param: Alt+drag duplicates, Ctrl+Shift+click views.
_CANVAS = Qt.KeyboardModifier.AltModifier
_VIEWS = Qt.KeyboardModifier.ControlModifier | Qt.KeyboardModifier.ShiftModifier
_NOTCH = 120.0
_WALKING = frozenset(
    {Qt.Key.Key_Up, Qt.Key.Key_Down, Qt.Key.Key_Left, Qt.Key.Key_Right, Qt.Key.Key_Escape}
)


class ParamController(QObject):
    """The view asks it before its gestures; each method returns whether the event was taken.

    Events are those of the viewport. The scene is told which param is hovered and which has the
    keyboard.
    """

    def __init__(
        self, view: GraphView, services: ParamServices | None = None, parent: QObject | None = None
    ) -> None:
        super().__init__(parent if parent is not None else view)
        self.view = view
        self._drag: Drag | None = None
        self._drag_ctx: FieldContext | None = None
        self._cursor_set = False
        self._editing: tuple[str, str] | None = None
        self._editor: InPlaceEditor | None = None
        self._popup: Popup | None = None
        self._heard: ParamServices | None = None
        self._wheel = gesture("wheel")
        self.set_services(services or view.graph_scene.services or ParamServices.default())
        view.graph_scene.document.changed.connect(self._document_changed)
        view.viewport().installEventFilter(self)

    @property
    def services(self) -> ParamServices:
        found: ParamServices = self.view.graph_scene.services
        if found is not self._heard:
            self.set_services(found)
        return found

    def set_services(self, services: ParamServices) -> None:
        """Take another's folders and seeds; the scene paints with them too."""
        if self._heard is not None:
            self._heard.facts.changed.disconnect(self._facts_changed)
            self._heard.counts.changed.disconnect(self._facts_changed)
        self._heard = services
        services.facts.changed.connect(self._facts_changed)
        services.counts.changed.connect(self._facts_changed)
        self.view.graph_scene.services = services
        self._facts_changed()

    @property
    def popup(self) -> Popup | None:
        return self._popup

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
            self._drag, self._drag_ctx = taken, ctx
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
        drag, self._drag, self._drag_ctx = self._drag, None, None
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

    def leave(self, event: QEvent | None = None) -> bool:
        """The pointer left the view."""
        del event
        self.view.graph_scene.set_param_hover("", "")
        self._set_cursor(None)
        return False

    def context_menu(self, event: QContextMenuEvent) -> bool:
        """Over a param: its menu opens."""
        found = self._at(self.view.to_scene(event.pos()))
        if found is None:
            return False
        node, spec, _ = found
        actions = self.actions_for(node, spec, self.view.to_scene(event.pos()))
        menu.show(self.view, actions, event.globalPos())
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
        return self.leave(event)

    def drop(self, event: QDropEvent) -> bool:
        found = self._drop_at(event)
        self.view.graph_scene.set_param_hover("", "")
        if found is None:
            return False
        field, ctx, paths = found
        event.acceptProposedAction()
        return field.drop(paths, ctx, self)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        """Tooltips of params; the view knows nothing of them."""
        if event.type() == QEvent.Type.ToolTip and isinstance(event, QHelpEvent):
            said = self.tooltip(self.view.to_scene(event.pos()))
            if said:
                QToolTip.showText(event.globalPos(), said, self.view.viewport())
                return True
        return super().eventFilter(watched, event)

    def tooltip(self, scene_pos: QPointF) -> str:
        """What a tooltip over this place says; "" if no param is there."""
        found = self._at(scene_pos)
        if found is None:
            return ""
        node, spec, rect = found
        field, ctx = self._field(spec), self.context(node, spec)
        return field.tooltip(ctx, field.part_at(scene_pos, rect, ctx))

    # For others

    @property
    def focused(self) -> tuple[str, str] | None:
        """The (node, param) that has the keyboard."""
        return self.view.graph_scene.param_focus

    def focus(self, node: str, param: str = "") -> None:
        """Give the keyboard to a param; node "" takes it away."""
        if self.focused != ((node, param) if node else None):
            self._wheel = gesture("wheel")
        self.view.graph_scene.set_param_focus(node, param)

    def edit(self, node: str, param: str, text: str | None = None) -> bool:
        """Begin to edit a param in place; `text` is what was typed to begin with."""
        found = self._row(node, param)
        if found is None:
            return False
        spec, rect = found
        ctx = self.context(node, spec)
        if ctx.connected:
            return False
        self.focus(node, param)
        return self._field(spec).edit(rect, ctx, self, text)

    def actions_for(
        self, node: str, spec: ParamSpec, pos: QPointF | None = None
    ) -> list[ActionSpec]:
        """What a param's context menu offers; `pos` (scene px) where it was asked for."""
        ctx = self.context(node, spec)
        found = self._row(node, spec.name)
        part = ""
        if found and pos is not None:
            part = self._field(spec).part_at(pos, found[1], ctx)
        return menu.actions(ctx, self._field(spec), part, self)

    def context(self, node: str, spec: ParamSpec) -> FieldContext:
        scene = self.view.graph_scene
        return FieldContext.of(
            scene.document, node, spec, self.services, focused=self.focused == (node, spec.name)
        )

    # What fields ask for (field.Host)

    def set_value(self, ctx: FieldContext, value: Any, merge: str = "", text: str = "") -> None:
        if ctx.cell:
            parent, index = ctx.cell
            rows = [dict(row) for row in parent.fresh().value]
            if index < len(rows):
                rows[index][ctx.spec.name] = value
                self.set_value(parent, rows, merge, text)
            return
        said = text or tr("Change {name}").format(name=label_of(ctx.spec))
        if merge.startswith("wheel:"):
            merge = f"{merge}{self._wheel}"
        try:
            ctx.document.do(SetParam(ctx.node, ctx.spec.name, value), said, merge)
        except GraphError:
            return  # the node is gone, or what was typed is no value at all

    def set_locked(self, ctx: FieldContext, locked: bool) -> None:
        before = ctx.document.looks(ctx.node).get("locked", ())
        names = [name for name in before if name != ctx.spec.name]
        if locked:
            names.append(ctx.spec.name)
        said = tr("Lock {name}") if locked else tr("Unlock {name}")
        ctx.document.do(
            SetView(("nodes", ctx.node, "locked"), names), said.format(name=label_of(ctx.spec))
        )

    def open_editor(self, ctx: FieldContext, editor: InPlaceEditor, rect: QRectF) -> None:
        """Show an editor over a field, until it is left."""
        name = (ctx.cell[0] if ctx.cell else ctx).spec.name
        self.view.close_editor()
        self._editing, self._editor = (ctx.node, name), editor
        editor.closed.connect(self._editor_closed)
        editor.tabbed.connect(lambda by: self._edit_next(ctx.node, name, by))
        self.view.open_editor(
            editor,
            rect,
            committed=editor.commit,
            cancelled=editor.cancel,
            on_zoom=editor.set_zoom,
        )

    def open_popup(self, ctx: FieldContext, popup: Popup, rect: QRectF) -> None:
        self.close_popup()
        self._popup = popup
        popup.closed.connect(self._popup_closed)
        popup.open_at(self.view, self.view.from_scene_rect(rect).toAlignedRect())
        self.view.graph_scene.damage_node(ctx.node)

    def close_popup(self) -> None:
        if self._popup is not None:
            self._popup.close_once()

    def repaint(self, ctx: FieldContext) -> None:
        self.view.graph_scene.damage_node(ctx.node)

    # Inside

    def _field(self, spec: ParamSpec) -> Field:
        field: Any = self.view.graph_scene.field(spec)
        return field if isinstance(field, Field) else Field(spec)

    def _at(self, pos: QPointF) -> tuple[str, ParamSpec, QRectF] | None:
        """The param at a point, unless a socket on the card's edge is nearer."""
        found = self.view.graph_scene.param_at(pos)
        if found is None or self.view.graph_scene.socket_at(pos) is not None:
            return None
        return found

    def _row(self, node: str, name: str) -> tuple[ParamSpec, QRectF] | None:
        """A param's spec and where its field is now."""
        item = self.view.graph_scene.node_items.get(node)
        if item is not None:
            for row in item.layout.params:
                if row.spec.name == name:
                    return row.spec, row.rect.translated(item.x, item.y)
        return None

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

    def _editor_closed(self) -> None:
        self._editing = self._editor = None
        self.view.close_editor()

    def _popup_closed(self) -> None:
        self._popup = None
        self.view.setFocus(Qt.FocusReason.OtherFocusReason)

    def _edit_next(self, node: str, name: str, by: int) -> None:
        """Tab out of an editor: on to the next param that can be typed into."""
        item = self.view.graph_scene.node_items.get(node)
        names = [row.spec.name for row in item.layout.params] if item else []
        if name not in names:
            return
        start = names.index(name)
        for step in range(1, len(names)):
            candidate = names[(start + by * step) % len(names)]
            found = self._row(node, candidate)
            typed = found is not None and found[0].type in ("int", "float", "seed", "text")
            if typed and self.edit(node, candidate):
                return

    def _document_changed(self, change: Change) -> None:
        """The editor follows its field, and leaves with its node."""
        if self._editing is None or self._editor is None:
            return
        found = self._row(*self._editing)
        if found is None:
            self.view.close_editor(commit=False)
        elif self._editing[0] in change.nodes | change.looks:
            self._editor.value_changed(self.context(self._editing[0], found[0]).value)
            if self._editor is not None and self._editor.whole_field:
                self.view.editors.move_to(found[1])

    def _facts_changed(self) -> None:
        self.view.graph_scene.damage()
