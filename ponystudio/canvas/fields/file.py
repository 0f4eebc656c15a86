"""Files: what they are and how they look, chosen from a list, dropped or browsed for."""

# ruff: noqa: ARG002 - the signatures are Field's
from __future__ import annotations

from pathlib import Path

from PySide6.QtCore import QRectF, Qt
from PySide6.QtGui import QAccessible, QPainter

from ponystudio.canvas.fields import field_painting
from ponystudio.canvas.fields.base import Drag, Field, FieldPart, Host, Touch
from ponystudio.canvas.fields.family import model_family
from ponystudio.canvas.fields.field_context import FieldContext
from ponystudio.library.file_checks import files_of
from ponystudio.library.model_folders import SUFFIXES, WEIGHTS
from ponystudio.qt.file_manager import show_in_folder
from ponystudio.qt.i18n import tr
from ponystudio.studio.documents.editable_graph import EditableGraph
from ponystudio.studio.models.model_summary import ModelSummary, mismatch, title_of
from ponystudio.widgets import text_layout
from ponystudio.widgets.action import ActionSpec

HEIGHT = 44.0
PREVIEW = 34.0
_RIGHT = 28.0


class FileField(Field):
    """One file of a kind."""

    role = QAccessible.Role.ComboBox

    def height(self, width: float, value: object) -> float:
        return HEIGHT

    # Looks

    def paint(self, painter: QPainter, rect: QRectF, ctx: FieldContext) -> None:
        field_painting.box(painter, rect, ctx, bad=not ctx.connected and bool(self.trouble(ctx)))
        if ctx.connected:
            self.paint_connected(painter, rect, ctx)
        else:
            self.paint_content(painter, rect, ctx)
        if ctx.hovered == "drop":
            field_painting.drop_ring(painter, rect, ctx)

    def paint_content(self, painter: QPainter, rect: QRectF, ctx: FieldContext) -> None:
        summary = self.summary(ctx)
        x = rect.left() + field_painting.TEXT_INSET
        if summary is not None and summary.thumb is not None:
            place = QRectF(rect.left() + 5, rect.top() + 5, PREVIEW, PREVIEW)
            field_painting.thumb(painter, place, summary.thumb)
            x = place.right() + 8
        room = int(rect.right() - _RIGHT - x)
        painter.setPen(ctx.theme.color("text"))
        title = text_layout.elided(self.title(ctx), "body", room, True)
        text_layout.draw(painter, x, rect.top() + 14, title, "body")
        trouble = self.trouble(ctx)
        line = trouble or (summary.line if summary is not None else "…")
        painter.setPen(ctx.theme.color("err" if trouble else "text3"))
        text_layout.draw(
            painter, x, rect.top() + 30.5, text_layout.elided(line, "caption", room), "caption"
        )
        field_painting.chevron(painter, rect, ctx)

    def paint_cell(self, painter: QPainter, rect: QRectF, ctx: FieldContext) -> None:
        field_painting.box(painter, rect, ctx, bad=bool(self.trouble(ctx)))
        shown = self.title(ctx)
        field_painting.value_only(painter, rect, ctx, shown, "body", middle_elided=True, right=20)
        field_painting.chevron(painter, rect.adjusted(0, 0, 4, 0), ctx)

    def title(self, ctx: FieldContext) -> str:
        return title_of(str(ctx.value)) if ctx.value else tr("Choose a file")

    def shown(self, ctx: FieldContext) -> str:
        return str(ctx.value)

    def accessible_text(self, ctx: FieldContext) -> str:
        summary = self.summary(ctx)
        line = self.trouble(ctx) or (summary.line if summary is not None else "")
        return ", ".join(word for word in (self.label, self.title(ctx), line) if word)

    def tooltip(self, ctx: FieldContext, part: str = "") -> str:
        summary = self.summary(ctx)
        lines = [str(summary.path) if summary and summary.path else str(ctx.value)]
        if summary and (trouble := mismatch(self.spec.kind, summary, model_family(ctx))):
            lines.insert(0, f"{trouble}. {summary.remedy}".strip())
        lines.append(super().tooltip(ctx, part))
        return "\n".join(line for line in lines if line)

    # Values

    def summary(self, ctx: FieldContext) -> ModelSummary | None:
        """What is known of the chosen file; None while it is found out."""
        return ctx.services.facts.get(self.spec.kind, str(ctx.value))

    def trouble(self, ctx: FieldContext) -> str:
        """Why the chosen file does not serve, in two or three words."""
        summary = self.summary(ctx)
        return mismatch(self.spec.kind, summary, model_family(ctx), short=True) if summary else ""

    # Events

    def parts(self, rect: QRectF, ctx: FieldContext) -> tuple[FieldPart, ...]:
        return (FieldPart("value", rect, cursor=Qt.CursorShape.PointingHandCursor),)

    def press(self, touch: Touch, ctx: FieldContext, host: Host) -> Drag | bool:
        return self.edit(touch.rect, ctx, host)

    def double_click(self, touch: Touch, ctx: FieldContext, host: Host) -> bool:
        return True  # the first click has opened the list

    def edit(self, rect: QRectF, ctx: FieldContext, host: Host, text: str | None = None) -> bool:
        from ponystudio.canvas.fields.file_popup import FilePopup

        popup = FilePopup(self.spec.kind, str(ctx.value), ctx.services.facts, model_family(ctx))
        popup.chosen.connect(lambda name: host.set_value(ctx, name))
        popup.browsed.connect(lambda path: self._take(path, ctx, host))
        if text:
            popup.type_in(text)
        host.open_popup(ctx, popup, rect)
        return True

    def accepts_drop(self, paths: tuple[str, ...], ctx: FieldContext) -> bool:
        suffixes = SUFFIXES.get(self.spec.kind, WEIGHTS)
        return len(paths) == 1 and paths[0].lower().endswith(tuple(suffixes))

    def drop(self, paths: tuple[str, ...], ctx: FieldContext, host: Host) -> bool:
        if not self.accepts_drop(paths, ctx):
            return False
        self._take(paths[0], ctx, host)
        return True

    def actions(self, ctx: FieldContext, part: str, host: Host) -> list[ActionSpec]:
        summary = self.summary(ctx)
        path = summary.path if summary else None
        return [
            ActionSpec(
                "file.show",
                tr("Show in folder"),
                lambda: show_in_folder(path) if path else None,
                icon="folder",
                enabled=lambda: path is not None,
            )
        ]

    def _take(self, path: str, ctx: FieldContext, host: Host) -> None:
        """A file from anywhere, by the name that a graph has for it."""
        host.set_value(ctx, ctx.services.facts.name_for(self.spec.kind, Path(path)))


def loras_behind(document: EditableGraph, id: str) -> tuple[str, ...]:
    """The names of the LoRA files on the way of a node's text encoder: they may bring textual
    inversions that its prompt can name."""
    found: list[str] = []
    seen: set[str] = set()
    pending = [id]
    while pending:
        id = pending.pop()
        node = document.graph.nodes.get(id)
        if node is None or id in seen or (spec := document.spec(id)) is None:
            continue
        seen.add(id)
        if node.mode == "normal":
            found += [name for _, kind, name in files_of(node, spec) if kind == "loras" and name]
        clips = [item.name for item in spec.inputs if item.type == "clip"]
        pending += [node.inputs[name].source for name in clips if name in node.inputs]
    return tuple(dict.fromkeys(found))
