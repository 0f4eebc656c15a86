"""What every param's field on a card can do: be measured, painted, pressed, dragged and typed into.

A field belongs to a ParamSpec and keeps nothing of a node: all it needs comes in a FieldContext, so
one field serves all nodes of a kind. `registry.for_spec(spec)` gives the field of a spec. Rects and
points are in one coordinate system of the caller's choice (the card's while painting, the scene's
in events), in px at 100 %.
"""

# ruff: noqa: ARG002 - what follows is for others to override
from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

from PySide6.QtCore import QPointF, QRectF, Qt
from PySide6.QtGui import QAccessible, QKeyEvent, QPainter

from ponystudio.api.spec import ParamSpec
from ponystudio.canvas.fields import field_painting
from ponystudio.canvas.fields.field_context import FieldContext
from ponystudio.canvas.fields.inplace_editor import InPlaceEditor
from ponystudio.canvas.fields.popup_base import Popup
from ponystudio.widgets import theme
from ponystudio.widgets.action import ActionSpec

# Keys that change a value by a step.
TURNS = {
    Qt.Key.Key_Up: 1,
    Qt.Key.Key_Down: -1,
    Qt.Key.Key_PageUp: 1,
    Qt.Key.Key_PageDown: -1,
}
NO_MODIFIER = Qt.KeyboardModifier.NoModifier


def row_height() -> float:
    """How tall a field of one row is."""
    return float(theme.density().row)


@dataclass(frozen=True, slots=True)
class FieldPart:
    """A place in a field that reacts of its own: "value", "dice", "0.on", ..."""

    name: str
    rect: QRectF
    label: str = ""
    cursor: Qt.CursorShape = Qt.CursorShape.ArrowCursor


@dataclass(frozen=True, slots=True)
class Touch:
    """Where the pointer is: which part of the field, the point, the field's rect."""

    part: str
    pos: QPointF
    rect: QRectF
    modifiers: Qt.KeyboardModifier = NO_MODIFIER


@runtime_checkable
class TextSelection(Protocol):
    """An editor of a text, of which a part may be selected."""

    def selection(self) -> tuple[int, int]:
        """From where to where; both are the cursor's place where nothing is selected."""

    def select(self, start: int, end: int) -> None: ...


class Host(Protocol):
    """What fields may ask of the view that they are on (view.field_host.FieldHost)."""

    def set_value(self, ctx: FieldContext, value: Any, merge: str = "", text: str = "") -> None:
        """Change the value, as one undo step with those of the same `merge`."""

    def set_locked(self, ctx: FieldContext, locked: bool) -> None: ...

    def open_editor(self, ctx: FieldContext, editor: InPlaceEditor, rect: QRectF) -> None:
        """Show an editor in place of the field; `rect` as in the event."""

    def open_popup(self, ctx: FieldContext, popup: Popup, rect: QRectF) -> None:
        """Show a popup at this rect."""

    def repaint(self, ctx: FieldContext) -> None: ...

    def rect_of(self, ctx: FieldContext) -> QRectF:
        """Where the field is on the scene."""

    def editor_of(self, ctx: FieldContext) -> TextSelection | None:
        """The editor in which this prompt is being written."""

    def write(self, ctx: FieldContext, start: int, end: int) -> None:
        """Open the editor of a prompt with this selected."""

    def show_tokens(self, ctx: FieldContext) -> None: ...

    def make_loras(self, ctx: FieldContext) -> None:
        """Put the node that applies them in the place of a prompt's `<lora:…>`."""


class Drag(Protocol):
    """What a press began. It is told of every move until the release."""

    def move(self, pos: QPointF, modifiers: Qt.KeyboardModifier) -> None: ...

    def release(self, pos: QPointF) -> None: ...

    def cancel(self) -> None:
        """Put everything back as it was."""


class Field:
    """A field of one row that shows its value and cannot be edited; others build on it.

    The methods that take events return True (or a Drag) when they took them.
    """

    role = QAccessible.Role.EditableText
    typed = False
    """Whether Tab in another param's editor goes on to it."""
    narrow = False
    """Whether a column of it needs no more room than a number."""

    def __init__(self, spec: ParamSpec) -> None:
        self.spec = spec
        self.label = field_painting.label_of(spec)

    # Geometry

    def height(self, width: float, value: Any) -> float:
        """How tall the field is at this width."""
        return row_height()

    def parts(self, rect: QRectF, ctx: FieldContext) -> tuple[FieldPart, ...]:
        """What reacts of its own, from the top down."""
        return (FieldPart("value", rect),)

    def part_at(self, pos: QPointF, rect: QRectF, ctx: FieldContext) -> str:
        """The name of the part at a point, "" for none."""
        part = self.find_part(pos, rect, ctx)
        return part.name if part else ""

    def find_part(self, pos: QPointF, rect: QRectF, ctx: FieldContext) -> FieldPart | None:
        return next((part for part in self.parts(rect, ctx) if part.rect.contains(pos)), None)

    # Looks

    def paint(self, painter: QPainter, rect: QRectF, ctx: FieldContext) -> None:
        field_painting.box(painter, rect, ctx)
        if ctx.connected:
            self.paint_connected(painter, rect, ctx)
        else:
            self.paint_content(painter, rect, ctx)

    def paint_cell(self, painter: QPainter, rect: QRectF, ctx: FieldContext) -> None:
        """The value alone, as a column of a rows param."""
        field_painting.box(painter, rect, ctx)
        field_painting.value_only(painter, rect, ctx, self.shown(ctx))

    def paint_content(self, painter: QPainter, rect: QRectF, ctx: FieldContext) -> None:
        """All but the box, for a field that no wire feeds."""
        field_painting.labelled(painter, rect, ctx, self.label, self.shown(ctx))

    def paint_connected(self, painter: QPainter, rect: QRectF, ctx: FieldContext) -> None:
        """The label, and where the value comes from."""
        top = QRectF(rect.left(), rect.top(), rect.width(), row_height())
        field_painting.from_wire(painter, top, ctx, self.label)

    def shown(self, ctx: FieldContext) -> str:
        """The value as text, e.g. "7.0"."""
        return field_painting.text_of(ctx.value)

    def tooltip(self, ctx: FieldContext, part: str = "") -> str:
        return field_painting.tooltip(ctx)

    def accessible_text(self, ctx: FieldContext) -> str:
        """What a screen reader says: "steps, 20"."""
        return f"{self.label}, {self.shown(ctx)}"

    # Events

    def press(self, touch: Touch, ctx: FieldContext, host: Host) -> Drag | bool:
        """The left button went down; a Drag follows the pointer until the release."""
        return False

    def double_click(self, touch: Touch, ctx: FieldContext, host: Host) -> bool:
        return False

    def wheel(
        self, steps: float, modifiers: Qt.KeyboardModifier, ctx: FieldContext, host: Host
    ) -> bool:
        """Asked only while the field has the keyboard; `steps` up are positive."""
        return False

    def key(self, event: QKeyEvent, rect: QRectF, ctx: FieldContext, host: Host) -> bool:
        """A key while the field has the keyboard."""
        return False

    def edit(self, rect: QRectF, ctx: FieldContext, host: Host, text: str | None = None) -> bool:
        """Begin to edit, by keyboard: `text` is what was typed to begin with."""
        return False

    def actions(self, ctx: FieldContext, part: str, host: Host) -> list[ActionSpec]:
        """What the context menu offers besides what all params share."""
        return []

    def accepts_drop(self, paths: tuple[str, ...], ctx: FieldContext) -> bool:
        """Whether files dropped here would become the value."""
        return False

    def drop(self, paths: tuple[str, ...], ctx: FieldContext, host: Host) -> bool:
        return False
