"""Numbers: dragged anywhere, typed with arithmetic, stepped by wheel and arrows with focus."""

# ruff: noqa: ARG002 - the signatures are Field's
from __future__ import annotations

import ast
import math
import operator
import re
from collections.abc import Callable
from typing import Any

from PySide6.QtCore import QPointF, QRectF, Qt
from PySide6.QtGui import QAccessible, QKeyEvent, QPainter

from ponystudio.api.spec import ParamSpec
from ponystudio.canvas.fields import field_painting
from ponystudio.canvas.fields.base import TURNS, Drag, Field, FieldPart, Host, Touch
from ponystudio.canvas.fields.field_context import FieldContext
from ponystudio.canvas.fields.inplace_editor import LineEditor, Stepper
from ponystudio.qt.i18n import tr
from ponystudio.studio.documents.editable_graph import gesture

_BINARY: dict[type[ast.operator], Callable[[Any, Any], Any]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.FloorDiv: operator.floordiv,
    ast.Mod: operator.mod,
    ast.Pow: operator.pow,
}
_LONGEST = 200
_LARGEST_POWER = 128
_RELATIVE = re.compile(r"^\s*([*/]|\+=|-=)\s*(?=\S)")


def evaluate(text: str, now: float = 0) -> int | float:
    """The number that a text means; whole numbers stay exact at any size.

    "*2" and "/2" begin with the present value `now`, and so do "+=8" and "-=8". A comma between
    digits is a decimal point. Raises ValueError for what is no number.
    """
    if len(text) > _LONGEST:
        raise ValueError(text)
    text = re.sub(r"(?<=\d),(?=\d)", ".", text.strip().rstrip("×x%")).replace("×", "*")
    if match := _RELATIVE.match(text):
        text = f"({now!r}) {match[1][0]} ({text[match.end() :]})"
    text = text.replace("^", "**").removeprefix("=")
    try:
        result = _value(ast.parse(text.strip(), mode="eval").body)
    except (SyntaxError, ArithmeticError, RecursionError, MemoryError, TypeError) as error:
        raise ValueError(text) from error
    if isinstance(result, float) and not math.isfinite(result):
        raise ValueError(text)
    return result


def _value(node: ast.expr) -> int | float:
    match node:
        case ast.Constant(value=int() | float() as value) if not isinstance(value, bool):
            return value
        case ast.UnaryOp(op=ast.USub(), operand=operand):
            return -_value(operand)
        case ast.UnaryOp(op=ast.UAdd(), operand=operand):
            return _value(operand)
        case ast.BinOp(left=left, op=op, right=right) if type(op) in _BINARY:
            a, b = _value(left), _value(right)
            if isinstance(op, ast.Pow) and (abs(a) > 1e9 or abs(b) > _LARGEST_POWER):
                raise ValueError("too large")
            result = _BINARY[type(op)](a, b)
            if isinstance(result, complex):
                raise ValueError("no real number")
            found: int | float = result
            return found
    raise ValueError("no arithmetic")


FINE, COARSE = Qt.KeyboardModifier.ShiftModifier, Qt.KeyboardModifier.ControlModifier
FINE_SPEED = 0.1
THRESHOLD = 3.0  # px before a press becomes a drag
# Without a range, so many px of a drag are one step.
STEP_PX = 4.0
_TYPED = frozenset("0123456789-+=*/")


class NumberField(Field):
    """An int or a float."""

    role = QAccessible.Role.SpinBox
    typed = True
    narrow = True

    def __init__(self, spec: ParamSpec) -> None:
        super().__init__(spec)
        self.whole = spec.type == "int"
        self.step = _step(spec)
        self.decimals = 0 if self.whole else _decimals(self.step, spec.default)

    # Values

    def span(self) -> tuple[float, float] | None:
        """What the value line and a drag across the field stand for."""
        if self.spec.soft:
            return self.spec.soft
        if self.spec.low is None or self.spec.high is None:
            return None
        return float(self.spec.low), float(self.spec.high)

    def clamped(self, value: float) -> int | float:
        """The nearest value that the param may have."""
        if self.spec.low is not None:
            value = max(self.spec.low, value)
        if self.spec.high is not None:
            value = min(self.spec.high, value)
        # Through a text: 0.1 * 3 is 0.3 to a person.
        return round(value) if self.whole else float(f"{value:.10g}")

    def step_for(self, modifiers: Qt.KeyboardModifier) -> float:
        if modifiers & FINE:
            return 1.0 if self.whole else self.step / 10
        if modifiers & COARSE:
            return self.step * (8 if self.whole and self.step % 8 == 0 else 10)
        return self.step

    def stepped(self, value: Any, steps: float, modifiers: Qt.KeyboardModifier) -> int | float:
        """The value some steps on, on the grid of the step."""
        step = self.step_for(modifiers)
        return self.clamped(snapped(_numeric(value, self.spec.default) + steps * step, step))

    # Looks

    def shown(self, ctx: FieldContext) -> str:
        return self.text(ctx.value)

    def text(self, value: Any) -> str:
        if isinstance(value, bool) or not isinstance(value, int | float):
            return str(value)
        return str(value) if self.whole else field_painting.number(float(value), self.decimals)

    def paint_content(self, painter: QPainter, rect: QRectF, ctx: FieldContext) -> None:
        field_painting.labelled(painter, rect, ctx, self.label, self.shown(ctx))
        self._paint_line(painter, rect, ctx)

    def paint_cell(self, painter: QPainter, rect: QRectF, ctx: FieldContext) -> None:
        field_painting.box(painter, rect, ctx)
        field_painting.value_only(painter, rect, ctx, self.shown(ctx))
        self._paint_line(painter, rect, ctx)

    def _paint_line(self, painter: QPainter, rect: QRectF, ctx: FieldContext) -> None:
        share = self.share(ctx.value)
        if share is not None:
            field_painting.value_line(painter, rect, ctx, share)

    def share(self, value: Any) -> float | None:
        """How far along its span the value is, 0 to 1."""
        span = self.span()
        if span is None or span[1] <= span[0] or not isinstance(value, int | float):
            return None
        return max(0.0, min(1.0, (value - span[0]) / (span[1] - span[0])))

    def parts(self, rect: QRectF, ctx: FieldContext) -> tuple[FieldPart, ...]:
        return (FieldPart("value", rect, cursor=Qt.CursorShape.SizeHorCursor),)

    # Events

    def press(self, touch: Touch, ctx: FieldContext, host: Host) -> Drag | bool:
        return NumberDrag(self, touch, ctx, host)

    def double_click(self, touch: Touch, ctx: FieldContext, host: Host) -> bool:
        return self.edit(touch.rect, ctx, host)

    def wheel(
        self, steps: float, modifiers: Qt.KeyboardModifier, ctx: FieldContext, host: Host
    ) -> bool:
        # Turns that follow each other within one focus are one step of the undo stack.
        merge = f"wheel:{ctx.node}.{ctx.spec.name}"
        host.set_value(ctx, self.stepped(ctx.value, steps, modifiers), merge)
        return True

    def key(self, event: QKeyEvent, rect: QRectF, ctx: FieldContext, host: Host) -> bool:
        turn = TURNS.get(Qt.Key(event.key()))
        if turn and not event.modifiers() & Qt.KeyboardModifier.AltModifier:
            return self.wheel(turn, event.modifiers(), ctx, host)
        if event.text() and event.text() in _TYPED and not event.modifiers() & COARSE:
            return self.edit(rect, ctx, host, event.text())
        return False

    def edit(self, rect: QRectF, ctx: FieldContext, host: Host, text: str | None = None) -> bool:
        editor = LineEditor(
            self.text(ctx.value) if text is None else text,
            ctx.theme,
            read=lambda typed: self.read(typed, ctx.value),
            write=lambda value: host.set_value(ctx, value),
            label=self.label,
            typed=text is not None,
            whole_field=ctx.cell is None,
            step=Stepper(self.stepped, self.text),
        )
        host.open_editor(ctx, editor, rect)
        return True

    def read(self, typed: str, now: Any) -> int | float:
        """The value that a text means. Raises ValueError with a sentence for the person."""
        try:
            value = evaluate(typed, _numeric(now, self.spec.default))
        except ValueError:
            raise ValueError(tr("This is no number. Try 512 or 512*1.5")) from None
        low, high = self.spec.low, self.spec.high
        if (low is not None and value < low) or (high is not None and value > high):
            text = tr("Use {low} to {high}")
            raise ValueError(
                text.format(low=field_painting.text_of(low), high=field_painting.text_of(high))
                if low is not None and high is not None
                else tr("Use at least {low}").format(low=field_painting.text_of(low))
                if low is not None
                else tr("Use at most {high}").format(high=field_painting.text_of(high))
            )
        return self.clamped(value)


class NumberDrag:
    """Changes a number while the pointer moves sideways."""

    def __init__(self, field: NumberField, touch: Touch, ctx: FieldContext, host: Host) -> None:
        self.field, self.ctx, self.host = field, ctx, host
        self.start = self.raw = float(_numeric(ctx.value, field.spec.default))
        self.origin = self.last = touch.pos
        span = field.span()
        width = max(40.0, touch.rect.width())
        self.speed = (span[1] - span[0]) / width if span else field.step / STEP_PX
        self.low, self.high = span or (-math.inf, math.inf)
        self.low, self.high = min(self.low, self.start), max(self.high, self.start)
        self.merge = gesture(f"drag {ctx.spec.name}")
        self.moving = False

    def move(self, pos: QPointF, modifiers: Qt.KeyboardModifier) -> None:
        if not self.moving:
            if abs(pos.x() - self.origin.x()) < THRESHOLD:
                return
            self.moving, self.last = True, pos
            return
        by = (pos.x() - self.last.x()) * self.speed * (FINE_SPEED if modifiers & FINE else 1.0)
        self.raw = max(self.low, min(self.high, self.raw + by))
        self.last = pos
        step = self.field.step_for(modifiers)
        # The ends of the span can be reached even where they are off the step's grid.
        ends = (self.low, self.high)
        value = self.raw if self.raw in ends else snapped(self.raw, step)
        self.host.set_value(self.ctx, self.field.clamped(value), self.merge)

    def release(self, pos: QPointF) -> None: ...

    def cancel(self) -> None:
        if self.moving:
            self.host.set_value(self.ctx, self.ctx.value, self.merge)


def snapped(value: float, step: float) -> float:
    """The multiple of a step that is nearest."""
    return round(value / step) * step if step > 0 else value


def _step(spec: ParamSpec) -> float:
    if spec.step:
        return float(spec.step)
    if spec.type == "int":
        return 1.0
    if spec.soft or (spec.low is not None and spec.high is not None):
        low, high = spec.soft or (spec.low or 0.0, spec.high or 0.0)
        return 0.1 if high - low > 2 else 0.01
    return 0.1


def _decimals(step: float, default: Any) -> int:
    """As many as the step needs, from one to three."""
    needed = max(len(f"{number:.6f}".rstrip("0").partition(".")[2]) for number in (step, default))
    return max(1, min(3, needed))


def _numeric(value: Any, default: Any) -> float:
    """The value, or the default where a file holds something else."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return default if isinstance(default, int | float) else 0
    return value
