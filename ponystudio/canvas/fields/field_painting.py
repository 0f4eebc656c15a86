"""How fields look: boxes, labels, values, icons."""

from __future__ import annotations

import math
from functools import lru_cache
from typing import Any

from PySide6.QtCore import QPointF, QRectF, Qt
from PySide6.QtGui import QColor, QImage, QPainter, QPainterPath, QPen, QTransform

from ponystudio.api.spec import ParamSpec
from ponystudio.canvas.fields.field_context import FieldContext
from ponystudio.qt.i18n import tr
from ponystudio.widgets import metrics, text_layout, theme

TEXT_INSET = 9.0
GAP = 8.0  # at least, between a label and a value
ICON = 14.0
LINE = 2.0


def label_of(spec: ParamSpec) -> str:
    """The label in lower case, as params are called everywhere; "DDIM end" keeps its capitals."""
    text = (spec.title or spec.name).replace("_", " ")
    return text if text[1:2].isupper() else text[:1].lower() + text[1:]


def text_of(value: Any) -> str:
    """Any value as a person would write it."""
    if isinstance(value, bool):
        return tr("on") if value else tr("off")
    if isinstance(value, float):
        return str(int(value)) if value.is_integer() else number(value)
    return str(value)


def number(value: float, decimals: int | None = None) -> str:
    """A number with so many decimals if they are enough, else with up to six."""
    if not math.isfinite(value):
        return str(value)
    if decimals is not None and round(value, decimals) == value:
        return f"{value:.{decimals}f}"
    text = f"{value:.6f}".rstrip("0")
    return text + "0" if text.endswith(".") else text


def box(painter: QPainter, rect: QRectF, ctx: FieldContext, bad: bool = False) -> None:
    """The ground of a field: its edge tells hover, keyboard and trouble."""
    look = ctx.theme
    if ctx.connected:
        edge, ground = look.color("line"), look.color("card")
    elif bad or ctx.problem is not None:
        edge, ground = look.color("err"), look.color("field")
    elif ctx.focused:
        edge, ground = look.color("accent"), look.color("field")
    else:
        edge, ground = look.color("line2" if ctx.hovered else "line"), look.color("field")
    painter.setPen(QPen(edge, 1.0))
    painter.setBrush(ground)
    radius = metrics.FIELD_RADIUS - 0.5
    painter.drawRoundedRect(rect.adjusted(0.5, 0.5, -0.5, -0.5), radius, radius)


def labelled(
    painter: QPainter,
    rect: QRectF,
    ctx: FieldContext,
    label: str,
    value: str,
    role: str = "mono",
    right: float = TEXT_INSET,
) -> None:
    """A label on the left and a value on the right; both shorten when room is short."""
    middle = rect.center().y()
    room = rect.width() - TEXT_INSET - right
    wanted = text_layout.width(label, "body")
    value_width = text_layout.width(value, role)
    gap = GAP if label else 0.0
    label_room = max(room - value_width - gap, min(wanted, room * 0.45))
    if wanted > label_room:
        label = text_layout.elided(label, "body", int(label_room))
        wanted = text_layout.width(label, "body")
    if value_width > room - wanted - gap:
        value = text_layout.elided(value, role, int(room - wanted - gap))
    if label:
        painter.setPen(ctx.theme.color("text3"))
        text_layout.draw(painter, rect.left() + TEXT_INSET, middle, label, "body")
    painter.setPen(ctx.theme.color("text"))
    text_layout.draw_right(painter, rect.right() - right, middle, value, role)


def value_only(
    painter: QPainter,
    rect: QRectF,
    ctx: FieldContext,
    value: str,
    role: str = "mono",
    middle_elided: bool = False,
    right: float = 7.0,
) -> None:
    """A value without a label, in the middle where it is a number."""
    room = int(rect.width() - 7 - right)
    painter.setPen(ctx.theme.color("text"))
    value = text_layout.elided(value, role, room, middle_elided)
    if role == "mono":
        x = rect.left() + max(7.0, (rect.width() - text_layout.width(value, role)) / 2)
    else:
        x = rect.left() + 7
    text_layout.draw(painter, x, rect.center().y(), value, role)


def value_line(painter: QPainter, rect: QRectF, ctx: FieldContext, share: float) -> None:
    """The line at a field's bottom that tells how far along its span the value is."""
    # It starts where the corner's curve leaves it room.
    left, right = rect.left() + 2.0, rect.right() - 2.0
    width = max(1.5, (right - left) * share)
    bar = QRectF(left, rect.bottom() - LINE - 0.5, width, LINE)
    painter.fillRect(bar, ctx.theme.color("accent"))


def from_wire(painter: QPainter, rect: QRectF, ctx: FieldContext, label: str) -> None:
    """A param that a wire feeds: where its value comes from, in place of it."""
    nodes = ctx.document.graph.nodes
    link = nodes[ctx.node].inputs.get(ctx.spec.name)
    source = nodes.get(link.source) if link else None
    spec = ctx.document.catalog.get(source.type) if source else None
    title = (source.title or (spec.title if spec else source.id)) if source else ""
    middle = rect.center().y()
    room = rect.width() - 2 * TEXT_INSET
    label = text_layout.elided(label, "body", int(room * 0.55))
    painter.setPen(ctx.theme.color("text2"))
    used = text_layout.draw(painter, rect.left() + TEXT_INSET, middle, label, "body")
    text = tr("from {node}").format(node=title)
    shown = text_layout.elided(text, "caption", int(room - used - GAP))
    painter.setPen(ctx.theme.color("text3"))
    text_layout.draw_right(painter, rect.right() - TEXT_INSET, middle, shown, "caption")


def icon(painter: QPainter, rect: QRectF, name: str, color: QColor, size: float = ICON) -> None:
    """An icon in the middle of a rect."""
    x, y = rect.center().x() - size / 2, rect.center().y() - size / 2
    painter.translate(x, y)
    painter.strokePath(_icon_path(name, size), _icon_pen(color.rgb()))
    painter.translate(-x, -y)


@lru_cache(maxsize=128)
def _icon_path(name: str, size: float) -> QPainterPath:
    return QTransform.fromScale(size / 16, size / 16).map(theme.icon_path(name))


@lru_cache(maxsize=64)
def _icon_pen(rgb: int) -> QPen:
    return theme.icon_pen(QColor(rgb), 1.4)


def drop_ring(painter: QPainter, rect: QRectF, ctx: FieldContext) -> None:
    """What is dragged here may be dropped."""
    painter.setPen(QPen(ctx.theme.color("accent"), 2.0))
    painter.setBrush(Qt.BrushStyle.NoBrush)
    painter.drawRoundedRect(rect.adjusted(1, 1, -1, -1), 4, 4)


def chevron(painter: QPainter, rect: QRectF, ctx: FieldContext) -> None:
    """The mark at a field's right end: there is a list to choose from."""
    place = QRectF(rect.right() - 23, rect.top(), 16, rect.height())
    icon(painter, place, "down", ctx.theme.color("text2"))


def rounded(rect: QRectF, radius: float) -> QPainterPath:
    path = QPainterPath()
    path.addRoundedRect(rect, radius, radius)
    return path


def switch(painter: QPainter, rect: QRectF, ctx: FieldContext, on: bool) -> None:
    """A switch: a knob on the left or right, filled when on."""
    look = ctx.theme
    radius = rect.height() / 2
    painter.setPen(QPen(look.color("fill" if on else "text3"), 1.0))
    painter.setBrush(look.color("fill") if on else Qt.BrushStyle.NoBrush)
    painter.drawRoundedRect(rect.adjusted(0.5, 0.5, -0.5, -0.5), radius - 0.5, radius - 0.5)
    x = rect.right() - radius if on else rect.left() + radius
    painter.setPen(Qt.PenStyle.NoPen)
    painter.setBrush(look.color("onfill" if on else "text3"))
    painter.drawEllipse(QPointF(x, rect.center().y()), radius - 3.5, radius - 3.5)


def tick_box(painter: QPainter, rect: QRectF, ctx: FieldContext, on: bool) -> None:
    """A small box with a tick in it, or without."""
    look = ctx.theme
    painter.setPen(QPen(look.color("fill" if on else "text3"), 1.0))
    painter.setBrush(look.color("fill") if on else Qt.BrushStyle.NoBrush)
    painter.drawRoundedRect(rect.adjusted(0.5, 0.5, -0.5, -0.5), 3.5, 3.5)
    if on:
        icon(painter, rect, "check", look.color("onfill"), 12)


def thumb(painter: QPainter, place: QRectF, image: QImage, opacity: float = 1.0) -> None:
    """A small picture with round corners."""
    painter.save()
    painter.setClipPath(rounded(place, 4), Qt.ClipOperation.IntersectClip)
    painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform)
    painter.setOpacity(painter.opacity() * opacity)
    painter.drawImage(place, image)
    painter.restore()


def tooltip(ctx: FieldContext) -> str:
    """What is wrong, then help, then the range."""
    spec, lines = ctx.spec, []
    if ctx.problem is not None:
        lines.append(f"{ctx.problem.what} {ctx.problem.remedy}".strip())
    if spec.help:
        lines.append(spec.help)
    if spec.type in ("int", "float") and spec.low is not None and spec.high is not None:
        text = tr("{low} to {high}, usually {default}")
        lines.append(
            text.format(
                low=text_of(spec.low), high=text_of(spec.high), default=text_of(spec.default)
            )
        )
    return "\n".join(lines)
