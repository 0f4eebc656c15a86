"""Texts of one line."""

# ruff: noqa: ARG002 - the signatures are Field's
from __future__ import annotations

from PySide6.QtCore import QRectF, Qt
from PySide6.QtGui import QPainter

from ponystudio.canvas.fields import field_painting
from ponystudio.canvas.fields.base import Drag, Field, FieldPart, Host, Touch
from ponystudio.canvas.fields.field_context import FieldContext
from ponystudio.canvas.fields.inplace_editor import LineEditor
from ponystudio.errors import GraphError
from ponystudio.graph.coercion import coerce


class TextField(Field):
    """A name or a few words."""

    typed = True

    def parts(self, rect: QRectF, ctx: FieldContext) -> tuple[FieldPart, ...]:
        return (FieldPart("value", rect, cursor=Qt.CursorShape.IBeamCursor),)

    def paint_content(self, painter: QPainter, rect: QRectF, ctx: FieldContext) -> None:
        field_painting.labelled(painter, rect, ctx, self.label, self.shown(ctx), "body")

    def paint_cell(self, painter: QPainter, rect: QRectF, ctx: FieldContext) -> None:
        field_painting.box(painter, rect, ctx)
        field_painting.value_only(painter, rect, ctx, self.shown(ctx), "body")

    def shown(self, ctx: FieldContext) -> str:
        return " ".join(str(ctx.value).split())

    def press(self, touch: Touch, ctx: FieldContext, host: Host) -> Drag | bool:
        return self.edit(touch.rect, ctx, host)

    def double_click(self, touch: Touch, ctx: FieldContext, host: Host) -> bool:
        return self.edit(touch.rect, ctx, host)

    def edit(self, rect: QRectF, ctx: FieldContext, host: Host, text: str | None = None) -> bool:
        editor = LineEditor(
            str(ctx.value) if text is None else text,
            ctx.theme,
            read=self.read,
            write=lambda value: host.set_value(ctx, value),
            label=self.label,
            typed=text is not None,
            whole_field=ctx.cell is None,
            mono=False,
        )
        host.open_editor(ctx, editor, rect)
        return True

    def read(self, typed: str) -> str:
        """The text as the param takes it. Raises ValueError with a sentence for the person."""
        try:
            text: str = coerce(self.spec, typed)
        except GraphError as error:
            raise ValueError(f"{error.what} {error.remedy}".strip()) from None
        return text
