"""Texts of several lines; prompts with their weights, their count of tokens and its limits."""

# ruff: noqa: ARG002 - the signatures are Field's
from __future__ import annotations

from itertools import takewhile
from typing import Any

from PySide6.QtCore import QPointF, QRectF, Qt
from PySide6.QtGui import QPainter

from ponystudio.api.spec import ParamSpec
from ponystudio.canvas.fields.base import Drag, Field, FieldPart, Host, Touch
from ponystudio.canvas.fields.field_context import FieldContext, dialect_of, model_family
from ponystudio.canvas.fields.file import loras_behind
from ponystudio.canvas.fields.prompt_layout import (
    COUNTER,
    INSET,
    LINE,
    LONGEST,
    PLAIN_FOOT,
    TOP,
    PromptLayout,
    break_place,
    counter_rect,
    lay_out,
    line_count,
    paint_counter,
    paint_tick,
)
from ponystudio.qt.i18n import tr
from ponystudio.studio.models.token_counts import Count, PromptState
from ponystudio.widgets import text_layout
from ponystudio.widgets.action import ActionSpec

FEWEST, MOST = 3, 12


def prompt_in(ctx: FieldContext) -> PromptState:
    """A prompt with all that its tokens depend on."""
    loras, family = loras_behind(ctx.document, ctx.node), model_family(ctx)
    return PromptState(str(ctx.value), dialect_of(ctx), loras, family)


class PromptField(Field):
    """`prompt`: weighted words are marked and tokens counted; otherwise it is plain text."""

    typed = True

    def __init__(self, spec: ParamSpec) -> None:
        super().__init__(spec)
        self.prompt = spec.prompt
        self.fewest = min(FEWEST, spec.lines)
        self.most = max(MOST, spec.lines)

    # Geometry

    def height(self, width: float, value: Any) -> float:
        lines = line_count(str(value), width - 2 * INSET)
        shown = max(self.fewest, min(self.most, lines))
        return TOP + LINE * shown + (COUNTER if self.prompt else PLAIN_FOOT)

    def lines_in(self, height: float) -> int:
        """How many lines a field of this height shows."""
        return round((height - TOP - (COUNTER if self.prompt else PLAIN_FOOT)) / LINE)

    def parts(self, rect: QRectF, ctx: FieldContext) -> tuple[FieldPart, ...]:
        return (FieldPart("value", rect, cursor=Qt.CursorShape.IBeamCursor),)

    # Looks

    def paint_content(self, painter: QPainter, rect: QRectF, ctx: FieldContext) -> None:
        text, dialect = str(ctx.value), self.dialect(ctx)
        origin = rect.topLeft() + QPointF(INSET, TOP)
        if not text:
            painter.setPen(ctx.theme.color("text3"))
            hint = tr("Type a prompt") if self.prompt else self.label
            text_layout.draw(painter, origin.x(), origin.y() + LINE / 2, hint, "prompt")
        else:
            found = lay_out(text, round(rect.width() - 2 * INSET), dialect, ctx.theme.name)
            self._paint_text(painter, origin, rect, ctx, found)
        if self.prompt:
            count = self.count(ctx)
            if text and count:
                self._paint_breaks(painter, origin, rect, ctx, count)
            paint_counter(painter, counter_rect(rect), ctx.theme, count)

    def _paint_text(
        self,
        painter: QPainter,
        origin: QPointF,
        rect: QRectF,
        ctx: FieldContext,
        found: PromptLayout,
    ) -> None:
        room = self.lines_in(rect.height())
        whole = found.lines <= room
        shown = found.lines if whole else room - 1
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(ctx.theme.color("tint"))
        for line, box in found.boxes:
            if line < shown:
                painter.drawRoundedRect(box.translated(origin), 3, 3)
        painter.setPen(ctx.theme.color("text"))
        found.draw(painter, origin, shown)
        if not whole:
            rest = text_layout.elided(
                found.rest(shown)[:200] + "…", "prompt", int(rect.width() - 18)
            )
            y = origin.y() + (shown + 0.5) * LINE
            painter.setPen(ctx.theme.color("text2"))
            text_layout.draw(painter, origin.x(), y, rest, "prompt")

    def _paint_breaks(
        self, painter: QPainter, origin: QPointF, rect: QRectF, ctx: FieldContext, count: Count
    ) -> None:
        text = str(ctx.value)
        found = lay_out(text, round(rect.width() - 2 * INSET), self.dialect(ctx), ctx.theme.name)
        room = self.lines_in(rect.height())
        for place in takewhile(LONGEST.__gt__, count.breaks):
            line, x = found.place(break_place(text, place))
            if line < room and place <= len(text):
                at = origin + QPointF(x, line * LINE)
                paint_tick(painter, at, ctx.theme.color("warn"))

    # Values

    def dialect(self, ctx: FieldContext) -> str:
        """By whose rules the text is read; "" where it is no prompt."""
        return dialect_of(ctx) if self.prompt else ""

    def count(self, ctx: FieldContext) -> Count | None:
        """The count of tokens; the one before while it is worked out anew."""
        place = (id(ctx.document), ctx.node, ctx.spec.name)
        return ctx.services.counts.get(prompt_in(ctx), place)

    def shown(self, ctx: FieldContext) -> str:
        return str(ctx.value)

    def accessible_text(self, ctx: FieldContext) -> str:
        count = self.count(ctx) if self.prompt else None
        text = f"{self.label}, {ctx.value}"
        return f"{text}, {count_text(count)}" if count else text

    def tooltip(self, ctx: FieldContext, part: str = "") -> str:
        lines = [super().tooltip(ctx, part)]
        count = self.count(ctx) if self.prompt else None
        if count:
            lines[:0] = [count.problem, *count.notes]
        if self.prompt:
            lines.append(tr("Ctrl+Up and Ctrl+Down weigh the word or the selection"))
        return "\n".join(line for line in lines if line)

    # Events

    def actions(self, ctx: FieldContext, part: str, host: Host) -> list[ActionSpec]:
        from ponystudio.canvas.fields import prompt_help

        return prompt_help.actions(ctx.fresh, host) if self.prompt and ctx.cell is None else []

    def press(self, touch: Touch, ctx: FieldContext, host: Host) -> Drag | bool:
        editor = self._editor(touch.rect, ctx, host)
        at = touch.pos - touch.rect.topLeft()
        editor.click(at)
        return _Selecting(editor, touch.rect)

    def double_click(self, touch: Touch, ctx: FieldContext, host: Host) -> bool:
        return self.edit(touch.rect, ctx, host)

    def edit(self, rect: QRectF, ctx: FieldContext, host: Host, text: str | None = None) -> bool:
        editor = self._editor(rect, ctx, host)
        if text:
            editor.text.insertPlainText(text)
        return True

    def _editor(self, rect: QRectF, ctx: FieldContext, host: Host) -> Any:
        from ponystudio.canvas.fields.prompt_editor import PromptEditor

        editor = PromptEditor(self, ctx, host)
        host.open_editor(ctx, editor, rect)
        return editor


class _Selecting:
    """The press that opened the editor selects while it is dragged."""

    def __init__(self, editor: Any, rect: QRectF) -> None:
        self.editor, self.rect = editor, rect

    def move(self, pos: QPointF, modifiers: Qt.KeyboardModifier) -> None:
        if not self.editor.done:
            self.editor.click(pos - self.rect.topLeft(), select=True)

    def release(self, pos: QPointF) -> None: ...

    def cancel(self) -> None: ...


def count_text(count: Count) -> str:
    return tr("{tokens} of {room} tokens").format(tokens=count.tokens, room=count.room)
