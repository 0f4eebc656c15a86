"""One of a set of words: a list that opens below the field."""

# ruff: noqa: ARG002 - the signatures are Field's
from __future__ import annotations

from typing import Any

from PySide6.QtCore import QRectF, Qt
from PySide6.QtGui import QAccessible, QKeyEvent, QPainter

from ponystudio.canvas.fields import field_painting
from ponystudio.canvas.fields.base import TURNS, Drag, Field, Host, Touch
from ponystudio.canvas.fields.field_context import FieldContext
from ponystudio.canvas.fields.list_popup import ListPopup
from ponystudio.widgets import text_layout

_CHEVRON = 27.0


class ChoiceField(Field):
    """A combo box."""

    role = QAccessible.Role.ComboBox

    def paint_content(self, painter: QPainter, rect: QRectF, ctx: FieldContext) -> None:
        field_painting.labelled(painter, rect, ctx, self.label, self.shown(ctx), "body", _CHEVRON)
        field_painting.chevron(painter, rect, ctx)

    def paint_cell(self, painter: QPainter, rect: QRectF, ctx: FieldContext) -> None:
        field_painting.box(painter, rect, ctx)
        field_painting.value_only(painter, rect, ctx, self.shown(ctx), "body", right=22)
        field_painting.chevron(painter, rect.adjusted(0, 0, 3, 0), ctx)

    def press(self, touch: Touch, ctx: FieldContext, host: Host) -> Drag | bool:
        return self.edit(touch.rect, ctx, host)

    def double_click(self, touch: Touch, ctx: FieldContext, host: Host) -> bool:
        return True  # the first click has opened the list

    def wheel(
        self, steps: float, modifiers: Qt.KeyboardModifier, ctx: FieldContext, host: Host
    ) -> bool:
        choices = self.spec.choices
        if not choices:
            return False
        by = -1 if steps > 0 else 1
        now = choices.index(ctx.value) if ctx.value in choices else -1
        to = max(0, min(len(choices) - 1, now + by))
        host.set_value(ctx, choices[to], f"wheel:{ctx.node}.{ctx.spec.name}")
        return True

    def key(self, event: QKeyEvent, rect: QRectF, ctx: FieldContext, host: Host) -> bool:
        turn = TURNS.get(Qt.Key(event.key()))
        if turn and not event.modifiers():
            return self.wheel(turn, event.modifiers(), ctx, host)
        return False

    def edit(self, rect: QRectF, ctx: FieldContext, host: Host, text: str | None = None) -> bool:
        popup = ChoicePopup(self.spec.choices, ctx.value, self.label)
        popup.chosen.connect(lambda value: host.set_value(ctx, value))
        if text:
            popup.type_in(text)
        host.open_popup(ctx, popup, rect)
        return True


class ChoicePopup(ListPopup):
    """Words, the present one with a tick."""

    def __init__(self, choices: tuple[str, ...], current: Any, label: str) -> None:
        super().__init__(choices, current)
        self.setAccessibleName(label)

    def paint_row(self, painter: QPainter, rect: QRectF, entry: Any, current: bool) -> None:
        chosen = entry == self.current
        if chosen:
            place = QRectF(rect.left() + 6, rect.top(), 16, rect.height())
            field_painting.icon(painter, place, "check", self.look.color("accent"))
        painter.setPen(self.look.color("text" if current or chosen else "text2"))
        shown = text_layout.elided(str(entry), "body", int(rect.width() - 36))
        text_layout.draw(painter, rect.left() + 28, rect.center().y() - 0.5, shown, "body")
