"""Yes or no: a switch that a click anywhere on the field turns."""

# ruff: noqa: ARG002 - the signatures are Field's
from __future__ import annotations

from PySide6.QtCore import QRectF, Qt
from PySide6.QtGui import QAccessible, QPainter

from ponystudio.canvas.fields import field_painting
from ponystudio.canvas.fields.base import Drag, Field, FieldPart, Host, Touch
from ponystudio.canvas.fields.field_context import FieldContext
from ponystudio.widgets import text_layout

_WIDTH, _HEIGHT = 26.0, 14.0


class ToggleField(Field):
    """A bool."""

    role = QAccessible.Role.CheckBox
    narrow = True

    def parts(self, rect: QRectF, ctx: FieldContext) -> tuple[FieldPart, ...]:
        return (FieldPart("value", rect, cursor=Qt.CursorShape.PointingHandCursor),)

    def paint_content(self, painter: QPainter, rect: QRectF, ctx: FieldContext) -> None:
        room = int(rect.width() - 3 * field_painting.TEXT_INSET - _WIDTH)
        painter.setPen(ctx.theme.color("text3"))
        label = text_layout.elided(self.label, "body", room)
        text_layout.draw(
            painter, rect.left() + field_painting.TEXT_INSET, rect.center().y(), label, "body"
        )
        x = rect.right() - field_painting.TEXT_INSET - _WIDTH
        place = QRectF(x, rect.center().y() - _HEIGHT / 2, _WIDTH, _HEIGHT)
        field_painting.switch(painter, place, ctx, ctx.value is True)

    def paint_cell(self, painter: QPainter, rect: QRectF, ctx: FieldContext) -> None:
        place = QRectF(0, 0, 14, 14)
        place.moveCenter(rect.center())
        field_painting.tick_box(painter, place, ctx, ctx.value is True)

    def press(self, touch: Touch, ctx: FieldContext, host: Host) -> Drag | bool:
        return self.edit(touch.rect, ctx, host)

    def edit(self, rect: QRectF, ctx: FieldContext, host: Host, text: str | None = None) -> bool:
        host.set_value(ctx, ctx.value is not True)
        return True
