"""What fields ask of the view that they are on: edits, editors, popups, the keyboard."""

from __future__ import annotations

from typing import Any

from PySide6.QtCore import QObject, QRectF, Qt

from ponystudio.api.spec import ParamSpec
from ponystudio.canvas.fields.base import TextSelection
from ponystudio.canvas.fields.field_context import FieldContext
from ponystudio.canvas.fields.field_painting import label_of
from ponystudio.canvas.fields.inplace_editor import InPlaceEditor
from ponystudio.canvas.fields.popup_base import Popup
from ponystudio.canvas.view.camera_view import CameraView
from ponystudio.canvas.view.editor_overlay import EditorOverlay
from ponystudio.errors import GraphError
from ponystudio.graph.editing.edits import SetParam, SetView
from ponystudio.qt.i18n import tr
from ponystudio.studio.documents.editable_graph import Change, gesture
from ponystudio.studio.models.field_services import FieldServices


class FieldHost(QObject):
    """The `Host` of a view's fields. One editor and one popup are open at a time."""

    def __init__(self, view: CameraView, editors: EditorOverlay) -> None:
        super().__init__(view)
        self._view, self._scene, self._editors = view, view.graph_scene, editors
        self._editing: tuple[str, str] | None = None
        self._editor: InPlaceEditor | None = None
        self._popup: Popup | None = None
        self._wheel = gesture("wheel")
        self._scene.document.changed.connect(self._document_changed)

    @property
    def services(self) -> FieldServices:
        return self._scene.services

    @property
    def popup(self) -> Popup | None:
        return self._popup

    # The keyboard

    @property
    def focused(self) -> tuple[str, str] | None:
        """The (node, param) that has the keyboard."""
        return self._scene.param_focus

    def focus(self, node: str, param: str = "") -> None:
        """Give the keyboard to a param; node "" takes it away."""
        if self.focused != ((node, param) if node else None):
            self._wheel = gesture("wheel")
        self._scene.set_param_focus(node, param)

    def edit(self, node: str, param: str, text: str | None = None) -> bool:
        """Begin to edit a param in place; `text` is what was typed to begin with."""
        place = self._scene.store.param(node, param)
        if place is None:
            return False
        ctx = self.context(node, place.spec)
        if ctx.connected:
            return False
        self.focus(node, param)
        return place.field.edit(place.rect, ctx, self, text)

    def context(self, node: str, spec: ParamSpec) -> FieldContext:
        scene = self._scene
        return FieldContext.of(
            scene.document, node, spec, self.services, focused=self.focused == (node, spec.name)
        )

    # What fields ask for (fields.base.Host)

    def set_value(self, ctx: FieldContext, value: Any, merge: str = "", text: str = "") -> None:
        if ctx.cell:
            parent, index = ctx.cell
            rows = [dict(row) for row in parent.fresh().value]
            if index < len(rows):
                rows[index][ctx.spec.name] = value
                self.set_value(parent, rows, merge, text)
            return
        text = text or tr("Change {name}").format(name=label_of(ctx.spec))
        if merge.startswith("wheel:"):
            merge = f"{merge}{self._wheel}"
        try:
            ctx.document.do(SetParam(ctx.node, ctx.spec.name, value), text, merge)
        except GraphError:
            return  # the node is gone, or what was typed is no value at all

    def set_locked(self, ctx: FieldContext, locked: bool) -> None:
        before = ctx.document.looks(ctx.node).get("locked", ())
        names = [name for name in before if name != ctx.spec.name]
        if locked:
            names.append(ctx.spec.name)
        text = tr("Lock {name}") if locked else tr("Unlock {name}")
        ctx.document.do(
            SetView(("nodes", ctx.node, "locked"), names), text.format(name=label_of(ctx.spec))
        )

    def open_editor(self, ctx: FieldContext, editor: InPlaceEditor, rect: QRectF) -> None:
        """Show an editor over a field, until it is left."""
        name = (ctx.cell[0] if ctx.cell else ctx).spec.name
        self._editors.close()
        self._editing, self._editor = (ctx.node, name), editor
        editor.closed.connect(self._editor_closed)
        editor.tabbed.connect(lambda by: self._edit_next(ctx.node, name, by))
        self._editors.open(
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
        popup.open_at(self._view, self._view.from_scene_rect(rect).toAlignedRect())
        self._scene.store.damage_node(ctx.node)

    def close_popup(self) -> None:
        if self._popup is not None:
            self._popup.close_once()

    def repaint(self, ctx: FieldContext) -> None:
        self._scene.store.damage_node(ctx.node)

    def rect_of(self, ctx: FieldContext) -> QRectF:
        place = self._scene.store.param(ctx.node, ctx.spec.name)
        return place.rect if place else QRectF()

    def editor_of(self, ctx: FieldContext) -> TextSelection | None:
        here = self._editing == (ctx.node, ctx.spec.name)
        return self._editor if here and isinstance(self._editor, TextSelection) else None

    def write(self, ctx: FieldContext, start: int, end: int) -> None:
        if self.edit(ctx.node, ctx.spec.name) and (editor := self.editor_of(ctx)):
            editor.select(start, end)

    def show_tokens(self, ctx: FieldContext) -> None:
        self._scene.tokens_requested.emit(ctx.node)

    def make_loras(self, ctx: FieldContext) -> None:
        self._scene.loras_requested.emit(ctx.node)

    def prompt(self) -> FieldContext | None:
        """The prompt that is worked on: written, focused, or the first of the selected node."""
        if there := self._editing or self.focused:
            return self.prompt_of(*there)
        selected = self._scene.store.selected_nodes()
        return self.prompt_of(selected[0]) if len(selected) == 1 else None

    def prompt_of(self, node: str, param: str = "") -> FieldContext | None:
        """A prompt of a node, the first if none is named; None where it has none of its own."""
        for place in self._scene.store.params(node):
            ctx = self.context(node, place.spec)
            if place.spec.prompt and not ctx.connected and param in ("", place.spec.name):
                return ctx
        return None

    # Inside

    def _editor_closed(self) -> None:
        self._editing = self._editor = None
        self._editors.close()

    def _popup_closed(self) -> None:
        self._popup = None
        self._view.setFocus(Qt.FocusReason.OtherFocusReason)

    def _edit_next(self, node: str, name: str, by: int) -> None:
        """Tab out of an editor: on to the next param that can be typed into."""
        places = self._scene.store.params(node)
        names = [place.spec.name for place in places]
        if name not in names:
            return
        start = names.index(name)
        for step in range(1, len(places)):
            place = places[(start + by * step) % len(places)]
            if place.field.typed and self.edit(node, place.spec.name):
                return

    def _document_changed(self, change: Change) -> None:
        """The editor follows its field, and leaves with its node."""
        if self._editing is None or self._editor is None:
            return
        place = self._scene.store.param(*self._editing)
        if place is None:
            self._editors.close(commit=False)
        elif place.node in change.nodes | change.looks:
            self._editor.value_changed(self.context(place.node, place.spec).value)
            if self._editor is not None and self._editor.whole_field:
                self._editors.move_to(place.rect)
