"""What fields ask of the view that they are on: edits, editors, popups, the keyboard."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from PySide6.QtCore import QObject, QRectF, Qt

from ponystudio.api.spec import ParamSpec
from ponystudio.canvas.fields.base import Field, FieldContext, FieldServices
from ponystudio.canvas.fields.field_painting import label_of
from ponystudio.errors import GraphError
from ponystudio.graph.editing.edits import SetParam, SetView
from ponystudio.qt.i18n import tr
from ponystudio.studio.documents.editable_graph import Change, gesture

if TYPE_CHECKING:
    from ponystudio.canvas.fields.inplace_editor import InPlaceEditor
    from ponystudio.canvas.fields.popup_base import Popup
    from ponystudio.canvas.fields.prompt_editor import PromptEditor
    from ponystudio.canvas.view.view import GraphView

_TYPED = ("int", "float", "seed", "text")


class FieldHost(QObject):
    """The `field.Host` of a view's params. One editor and one popup are open at a time."""

    def __init__(
        self, view: GraphView, services: FieldServices | None = None, parent: QObject | None = None
    ) -> None:
        super().__init__(parent if parent is not None else view)
        self.view = view
        self._editing: tuple[str, str] | None = None
        self._editor: InPlaceEditor | None = None
        self._popup: Popup | None = None
        self._heard: FieldServices | None = None
        self._wheel = gesture("wheel")
        self.set_services(services or view.graph_scene.services)
        view.graph_scene.document.changed.connect(self._document_changed)

    @property
    def services(self) -> FieldServices:
        found = self.view.graph_scene.services
        if found is not self._heard:
            self.set_services(found)
        return found

    def set_services(self, services: FieldServices) -> None:
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

    # The keyboard

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

    def rect_of(self, ctx: FieldContext) -> QRectF:
        found = self._row(ctx.node, ctx.spec.name)
        return found[1] if found else QRectF()

    def editor_of(self, ctx: FieldContext) -> PromptEditor | None:
        from ponystudio.canvas.fields.prompt_editor import PromptEditor

        here = self._editing == (ctx.node, ctx.spec.name)
        return self._editor if here and isinstance(self._editor, PromptEditor) else None

    def write(self, ctx: FieldContext, start: int, end: int) -> None:
        if self.edit(ctx.node, ctx.spec.name) and (editor := self.editor_of(ctx)):
            editor.select(start, end)

    def show_tokens(self, ctx: FieldContext) -> None:
        self.view.graph_scene.tokens_requested.emit(ctx.node)

    def make_loras(self, ctx: FieldContext) -> None:
        self.view.graph_scene.loras_requested.emit(ctx.node)

    def prompt(self) -> FieldContext | None:
        """The prompt that is worked on: written, focused, or the first of the selected node."""
        if there := self._editing or self.focused:
            return self.prompt_of(*there)
        selected = self.view.graph_scene.selected_nodes()
        return self.prompt_of(selected[0]) if len(selected) == 1 else None

    def prompt_of(self, node: str, param: str = "") -> FieldContext | None:
        """A prompt of a node, the first if none is named; None where it has none of its own."""
        item = self.view.graph_scene.node_items.get(node)
        for row in item.layout.params if item else ():
            ctx = self.context(node, row.spec)
            if row.spec.prompt and not ctx.connected and param in ("", row.spec.name):
                return ctx
        return None

    # Inside

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
            typed = found is not None and found[0].type in _TYPED
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

    def _field(self, spec: ParamSpec) -> Field:
        field: Any = self.view.graph_scene.field(spec)
        return field if isinstance(field, Field) else Field(spec)

    def _row(self, node: str, name: str) -> tuple[ParamSpec, QRectF] | None:
        """A param's spec and where its field is now."""
        item = self.view.graph_scene.node_items.get(node)
        if item is not None:
            for row in item.layout.params:
                if row.spec.name == name:
                    return row.spec, row.rect.translated(item.x, item.y)
        return None

    def _facts_changed(self) -> None:
        self.view.graph_scene.damage()
