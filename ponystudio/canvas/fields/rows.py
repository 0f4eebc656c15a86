"""Several rows of the same columns, each with a tick: for stacks."""

# ruff: noqa: ARG002 - the signatures are Field's
from __future__ import annotations

from collections.abc import Callable
from typing import Any

from PySide6.QtCore import QPointF, QRectF, Qt
from PySide6.QtGui import QAccessible, QKeyEvent, QPainter, QPen

from ponystudio.api.spec import ParamSpec
from ponystudio.canvas.fields import field_painting
from ponystudio.canvas.fields.base import Drag, Field, FieldPart, Host, Touch, row_height
from ponystudio.canvas.fields.field_context import FieldContext, parent_cell
from ponystudio.qt.i18n import tr
from ponystudio.studio.documents.editable_graph import gesture
from ponystudio.widgets import text_layout
from ponystudio.widgets.action import ActionSpec

GAP = 4.0
_TICK = 20.0
_REMOVE = 20.0
_NUMBER = 52.0
_SPACE = 4.0


class RowsField(Field):
    """Each row: a tick that turns it off, its columns, and a cross; below, a button for more.

    Parts are "add" and, for each row, "0.on", "0.file", ..., "0.remove".
    """

    role = QAccessible.Role.List

    def __init__(self, spec: ParamSpec, field_of: Callable[[ParamSpec], Field]) -> None:
        super().__init__(spec)
        self.columns = {column.name: field_of(column) for column in spec.fields}

    # Geometry

    def height(self, width: float, value: Any) -> float:
        return len(_rows(value)) * _pitch() + row_height()

    def parts(self, rect: QRectF, ctx: FieldContext) -> tuple[FieldPart, ...]:
        found: list[FieldPart] = []
        hand = Qt.CursorShape.PointingHandCursor
        rows = _rows(ctx.value)
        for i in range(len(rows)):
            top = rect.top() + i * _pitch()
            found.append(
                FieldPart(f"{i}.on", QRectF(rect.left(), top, _TICK, row_height()), cursor=hand)
            )
            for name, place in self._cells(rect, top):
                cell = self._cell(ctx, i, name)
                part = self.columns[name].parts(place, cell)[-1]
                found.append(FieldPart(f"{i}.{name}", place, cursor=part.cursor))
            place = QRectF(rect.right() - _REMOVE, top, _REMOVE, row_height())
            found.append(FieldPart(f"{i}.remove", place, tr("Remove"), hand))
        bottom = rect.top() + len(rows) * _pitch()
        found.append(
            FieldPart("add", QRectF(rect.left(), bottom, rect.width(), row_height()), cursor=hand)
        )
        return tuple(found)

    def _cells(self, rect: QRectF, top: float) -> list[tuple[str, QRectF]]:
        """Numbers are narrow; the rest shares what is left."""
        left, right = rect.left() + _TICK, rect.right() - _REMOVE
        narrow = [name for name, field in self.columns.items() if field.narrow]
        wide = len(self.spec.fields) - len(narrow)
        free = right - left - len(narrow) * _NUMBER - (len(self.spec.fields) - 1) * _SPACE
        result, x = [], left
        for column in self.spec.fields:
            width = _NUMBER if column.name in narrow else free / max(1, wide)
            result.append((column.name, QRectF(x, top, width, row_height())))
            x += width + _SPACE
        return result

    # Looks

    def paint(self, painter: QPainter, rect: QRectF, ctx: FieldContext) -> None:
        if ctx.connected:
            top = QRectF(rect.left(), rect.top(), rect.width(), row_height())
            field_painting.box(painter, top, ctx)
            self.paint_connected(painter, top, ctx)
            return
        rows = _rows(ctx.value)
        for i, row in enumerate(rows):
            self._paint_row(painter, rect, ctx, i, row)
        self._paint_add(painter, rect, ctx, len(rows))
        if ctx.hovered == "drop":
            field_painting.drop_ring(painter, rect.adjusted(-3, -3, 3, 3), ctx)

    def _paint_row(
        self, painter: QPainter, rect: QRectF, ctx: FieldContext, i: int, row: dict[str, Any]
    ) -> None:
        top = rect.top() + i * _pitch()
        on = row.get("on", True) is True
        tick = QRectF(rect.left(), top + (row_height() - 14) / 2, 14, 14)
        field_painting.tick_box(painter, tick, ctx, on)
        painter.save()
        if not on:
            painter.setOpacity(painter.opacity() * 0.5)
        for name, place in self._cells(rect, top):
            cell = self._cell(ctx, i, name)
            self.columns[name].paint_cell(painter, place, cell)
        painter.restore()
        cross = QRectF(rect.right() - _REMOVE + 4, top, _REMOVE, row_height())
        color = "text" if ctx.hovered == f"{i}.remove" else "text3"
        field_painting.icon(painter, cross, "x", ctx.theme.color(color), 12)

    def _paint_add(self, painter: QPainter, rect: QRectF, ctx: FieldContext, count: int) -> None:
        place = QRectF(rect.left(), rect.top() + count * _pitch(), rect.width(), row_height())
        hovered = ctx.hovered == "add" or (ctx.focused and not count)
        pen = QPen(ctx.theme.color("line2" if hovered else "line"), 1.0)
        pen.setDashPattern([3, 3])
        painter.setPen(pen)
        painter.setBrush(Qt.BrushStyle.NoBrush)
        painter.drawRoundedRect(place.adjusted(0.5, 0.5, -0.5, -0.5), 4.5, 4.5)
        text = self._add_text()
        width = text_layout.width(text, "body")
        x = place.center().x() - (width + 20) / 2
        color = ctx.theme.color("text" if hovered else "text2")
        field_painting.icon(painter, QRectF(x, place.top(), 14, row_height()), "plus", color, 12)
        painter.setPen(color)
        text_layout.draw(painter, x + 20, place.center().y(), text, "body")

    def _add_text(self) -> str:
        kinds = {"loras": "LoRA", "embeddings": tr("embedding"), "controlnet": "ControlNet"}
        first = next((column for column in self.spec.fields if column.type == "file"), None)
        kind = kinds.get(first.kind) if first else None
        return tr("Add {kind}").format(kind=kind) if kind else tr("Add row")

    def shown(self, ctx: FieldContext) -> str:
        rows = _rows(ctx.value)
        on = sum(row.get("on", True) is True for row in rows)
        return tr("{on} of {all} on").format(on=on, all=len(rows))

    def tooltip(self, ctx: FieldContext, part: str = "") -> str:
        index, name = _split(part)
        if name in self.columns:
            return self.columns[name].tooltip(self._cell(ctx, index, name))
        if name == "on":
            return tr("Use this row, or leave it out; drag to move it")
        return tr("Remove this row") if name == "remove" else super().tooltip(ctx, part)

    # Events

    def press(self, touch: Touch, ctx: FieldContext, host: Host) -> Drag | bool:
        index, name = _split(touch.part)
        if name == "add":
            return self.edit(touch.rect, ctx, host)
        if name == "remove":
            self.remove(index, ctx, host)
            return True
        if name == "on":
            return RowDrag(self, index, touch, ctx, host)
        if name in self.columns:
            field, inner = self.columns[name], self._touch(touch, index, name)
            return field.press(inner, self._cell(ctx, index, name), host)
        return False

    def double_click(self, touch: Touch, ctx: FieldContext, host: Host) -> bool:
        index, name = _split(touch.part)
        if name not in self.columns:
            return False
        field, inner = self.columns[name], self._touch(touch, index, name)
        return field.double_click(inner, self._cell(ctx, index, name), host)

    def key(self, event: QKeyEvent, rect: QRectF, ctx: FieldContext, host: Host) -> bool:
        return event.text() == "+" and self.edit(rect, ctx, host)

    def edit(self, rect: QRectF, ctx: FieldContext, host: Host, text: str | None = None) -> bool:
        """A new row at the end."""
        row = {column.name: column.default for column in self.spec.fields}
        host.set_value(ctx, [*_rows(ctx.value), {"on": True, **row}], text=self._add_text())
        return True

    def remove(self, index: int, ctx: FieldContext, host: Host) -> None:
        rows = _rows(ctx.value)
        host.set_value(ctx, rows[:index] + rows[index + 1 :], text=tr("Remove row"))

    def move(self, index: int, by: int, ctx: FieldContext, host: Host, merge: str = "") -> bool:
        rows = list(_rows(ctx.value))
        to = index + by
        if not 0 <= to < len(rows):
            return False
        rows.insert(to, rows.pop(index))
        host.set_value(ctx, rows, merge, tr("Move row"))
        return True

    def turn(self, index: int, ctx: FieldContext, host: Host) -> None:
        """On, or off without being lost."""
        rows = [dict(row) for row in _rows(ctx.value)]
        on = rows[index].get("on", True) is not True
        rows[index]["on"] = on
        host.set_value(ctx, rows, text=tr("Turn row on") if on else tr("Turn row off"))

    def actions(self, ctx: FieldContext, part: str, host: Host) -> list[ActionSpec]:
        index, name = _split(part)
        if not name or name == "add":
            return []
        last = len(_rows(ctx.value)) - 1
        return [
            ActionSpec(
                "rows.up",
                tr("Move up"),
                lambda: self.move(index, -1, ctx, host),
                enabled=lambda: index > 0,
            ),
            ActionSpec(
                "rows.down",
                tr("Move down"),
                lambda: self.move(index, 1, ctx, host),
                enabled=lambda: index < last,
            ),
            ActionSpec(
                "rows.remove",
                tr("Remove row"),
                lambda: self.remove(index, ctx, host),
                icon="delete",
            ),
        ]

    def accepts_drop(self, paths: tuple[str, ...], ctx: FieldContext) -> bool:
        return self._file_column(paths, ctx) is not None

    def drop(self, paths: tuple[str, ...], ctx: FieldContext, host: Host) -> bool:
        """Each file that is dropped becomes a row."""
        from pathlib import Path

        column = self._file_column(paths, ctx)
        if column is None:
            return False
        rows = list(_rows(ctx.value))
        for path in paths:
            name = ctx.services.facts.name_for(column.kind, Path(path))
            row = {other.name: other.default for other in self.spec.fields}
            rows.append({"on": True, **row, column.name: name})
        host.set_value(ctx, rows, gesture("drop"), self._add_text())
        return True

    # Inside

    def _file_column(self, paths: tuple[str, ...], ctx: FieldContext) -> ParamSpec | None:
        for column in self.spec.fields:
            field = self.columns[column.name]
            if column.type == "file" and all(field.accepts_drop((path,), ctx) for path in paths):
                return column
        return None

    def _cell(self, ctx: FieldContext, index: int, name: str) -> FieldContext:
        return parent_cell(ctx, index, self.columns[name].spec)

    def _touch(self, touch: Touch, index: int, name: str) -> Touch:
        top = touch.rect.top() + index * _pitch()
        place = dict(self._cells(touch.rect, top))[name]
        return Touch("value", QPointF(touch.pos), place, touch.modifiers)


class RowDrag:
    """A press on a row's tick: let go there it turns the row on or off, dragged up or down it
    takes the row along."""

    def __init__(
        self, field: RowsField, index: int, touch: Touch, ctx: FieldContext, host: Host
    ) -> None:
        self.field, self.index, self.ctx, self.host = field, index, ctx, host
        self.y = touch.pos.y()
        self.merge = gesture("move row")
        self.moved = False

    def move(self, pos: QPointF, modifiers: Qt.KeyboardModifier) -> None:
        del modifiers
        by = round((pos.y() - self.y) / _pitch())
        if by and self.field.move(self.index, by, self.ctx.fresh(), self.host, self.merge):
            self.index += by
            self.y += by * _pitch()
            self.moved = True

    def release(self, pos: QPointF) -> None:
        del pos
        if not self.moved:
            self.field.turn(self.index, self.ctx.fresh(), self.host)

    def cancel(self) -> None:
        if self.moved:
            self.host.set_value(self.ctx, self.ctx.value, self.merge)


def _pitch() -> float:
    """From one row to the next."""
    return row_height() + GAP


def _rows(value: Any) -> list[dict[str, Any]]:
    if not isinstance(value, list | tuple):
        return []
    return [row for row in value if isinstance(row, dict)]


def _split(part: str) -> tuple[int, str]:
    index, dot, name = part.partition(".")
    return (int(index), name) if dot and index.isdigit() else (-1, part)
