"""Seeds: a number of up to 64 bits, dice, the last one used, and a lock.

They are Python ints throughout: Qt's integers are too small.
"""

# ruff: noqa: ARG002 - the signatures are Field's
from __future__ import annotations

import secrets
from typing import Any

from PySide6.QtCore import QPointF, QRectF, Qt
from PySide6.QtGui import QAccessible, QColor, QKeyEvent, QPainter, QPen

from ponystudio.api.spec import SEED_MAX
from ponystudio.canvas.fields import field_painting
from ponystudio.canvas.fields.base import TURNS, Drag, Field, FieldPart, Host, Touch
from ponystudio.canvas.fields.field_context import FieldContext
from ponystudio.canvas.fields.inplace_editor import LineEditor, Stepper
from ponystudio.canvas.fields.number import evaluate
from ponystudio.qt.i18n import tr
from ponystudio.widgets import text_layout
from ponystudio.widgets.action import ActionSpec

_BUTTON = 20.0
# Narrower fields show the dice alone; the menu has the rest.
_WIDE = 190.0
# Rolled seeds have at most so many digits: they can be read, said and compared.
_ROLLED = 10**10


class SeedField(Field):
    """A seed; the wheel and the arrows with focus count by one."""

    role = QAccessible.Role.SpinBox
    typed = True

    def parts(self, rect: QRectF, ctx: FieldContext) -> tuple[FieldPart, ...]:
        hand = Qt.CursorShape.PointingHandCursor
        labels = {
            "dice": tr("Roll a new seed"),
            "last": tr("Use the seed of the last run"),
            "lock": _lock_label(ctx),
        }
        names = list(labels)[: 3 if rect.width() >= _WIDE else 1]
        x = rect.right() - _buttons_width(rect)
        return (
            *(
                FieldPart(
                    name,
                    QRectF(x + i * _BUTTON, rect.top(), _BUTTON, rect.height()),
                    labels[name],
                    hand,
                )
                for i, name in enumerate(names)
            ),
            FieldPart("value", rect, cursor=Qt.CursorShape.IBeamCursor),
        )

    def paint_content(self, painter: QPainter, rect: QRectF, ctx: FieldContext) -> None:
        label, shown, role = self.label, self.shown(ctx), "mono"
        room = rect.width() - _buttons_width(rect) - 2 * field_painting.TEXT_INSET
        if (
            text_layout.width(shown, role) + text_layout.width(label, "body") + field_painting.GAP
            > room
        ):
            # All twenty digits matter more than the word.
            label, role = "", "mono_caption"
        right = _buttons_width(rect) + field_painting.TEXT_INSET
        field_painting.labelled(painter, rect, ctx, label, shown, role, right)
        painter.setPen(QPen(ctx.theme.color("line"), 1.0))
        x = rect.right() - _buttons_width(rect) - 2.5
        painter.drawLine(QPointF(x, rect.top() + 6), QPointF(x, rect.bottom() - 6))
        lock = "lock" if ctx.locked else "unlock"
        icons = {"dice": "dice", "last": "last", "lock": lock}
        for part in self.parts(rect, ctx)[:-1]:
            field_painting.icon(painter, part.rect, icons[part.name], self._color(part.name, ctx))

    def _color(self, part: str, ctx: FieldContext) -> QColor:
        if part == "lock" and ctx.locked:
            return ctx.theme.color("accent")
        if part == "last" and self._last(ctx) in (None, ctx.value):
            return ctx.theme.color("line2")
        return ctx.theme.color("text" if ctx.hovered == part else "text2")

    def tooltip(self, ctx: FieldContext, part: str = "") -> str:
        if part == "last":
            last = self._last(ctx)
            if last is None:
                return tr("This node has not run yet")
            return tr("Use the seed of the last run: {seed}").format(seed=last)
        labels = {"dice": tr("Roll a new seed"), "lock": _lock_label(ctx)}
        return labels.get(part) or super().tooltip(ctx, part)

    def press(self, touch: Touch, ctx: FieldContext, host: Host) -> Drag | bool:
        actions = {
            "dice": lambda: self.roll(ctx, host),
            "last": lambda: self.use_last(ctx, host),
            "lock": lambda: host.set_locked(ctx, not ctx.locked),
        }
        if touch.part in actions:
            actions[touch.part]()
        return True

    def double_click(self, touch: Touch, ctx: FieldContext, host: Host) -> bool:
        return touch.part == "value" and self.edit(touch.rect, ctx, host)

    def roll(self, ctx: FieldContext, host: Host) -> None:
        host.set_value(ctx, secrets.randbelow(_ROLLED), text=tr("Roll the seed"))

    def use_last(self, ctx: FieldContext, host: Host) -> None:
        last = self._last(ctx)
        if last is not None:
            host.set_value(ctx, last, text=tr("Use the last seed"))

    def wheel(
        self, steps: float, modifiers: Qt.KeyboardModifier, ctx: FieldContext, host: Host
    ) -> bool:
        by = 1 if steps > 0 else -1
        host.set_value(ctx, self._stepped(ctx.value, by), f"wheel:{ctx.node}.{ctx.spec.name}")
        return True

    def key(self, event: QKeyEvent, rect: QRectF, ctx: FieldContext, host: Host) -> bool:
        turn = TURNS.get(Qt.Key(event.key()))
        if turn and not event.modifiers():
            return self.wheel(turn, event.modifiers(), ctx, host)
        if event.text().isdigit():
            return self.edit(rect, ctx, host, event.text())
        return False

    def edit(self, rect: QRectF, ctx: FieldContext, host: Host, text: str | None = None) -> bool:
        editor = LineEditor(
            str(ctx.value) if text is None else text,
            ctx.theme,
            read=lambda typed: self.read(typed, ctx.value),
            write=lambda value: host.set_value(ctx, value),
            label=self.label,
            typed=text is not None,
            whole_field=ctx.cell is None,
            step=Stepper(lambda value, by, _: self._stepped(value, by), str),
        )
        host.open_editor(ctx, editor, rect)
        return True

    def read(self, typed: str, now: Any) -> int:
        """The seed that a text means. Raises ValueError with a sentence for the person."""
        text = typed.replace(" ", "").replace("_", "")
        try:
            value = int(text, 16) if text.lower().startswith("0x") else evaluate(text, _whole(now))
        except ValueError:
            raise ValueError(tr("This is no whole number")) from None
        if isinstance(value, float) and not value.is_integer():
            raise ValueError(tr("A seed is a whole number"))
        if not 0 <= value <= SEED_MAX:
            raise ValueError(tr("Use 0 to 18446744073709551615"))
        return int(value)

    def actions(self, ctx: FieldContext, part: str, host: Host) -> list[ActionSpec]:
        return [
            ActionSpec("seed.roll", tr("Roll"), lambda: self.roll(ctx, host), icon="dice"),
            ActionSpec(
                "seed.last",
                tr("Use the last seed"),
                lambda: self.use_last(ctx, host),
                icon="last",
                enabled=lambda: self._last(ctx) is not None,
            ),
            ActionSpec(
                "seed.lock",
                tr("Keep this seed in runs"),
                lambda: host.set_locked(ctx, not ctx.locked),
                icon="lock",
                checked=lambda: ctx.locked,
            ),
        ]

    def _last(self, ctx: FieldContext) -> int | None:
        return ctx.services.last_seed(ctx.node, ctx.spec.name)

    def _stepped(self, value: Any, by: float) -> int:
        return max(0, min(SEED_MAX, _whole(value) + int(by)))


def _whole(value: Any) -> int:
    return value if isinstance(value, int) and not isinstance(value, bool) else 0


def _buttons_width(rect: QRectF) -> float:
    """How much of a field its buttons take."""
    return (3 if rect.width() >= _WIDE else 1) * _BUTTON + 4


def _lock_label(ctx: FieldContext) -> str:
    return tr("Let runs change this seed") if ctx.locked else tr("Keep this seed in runs")
