"""How fields look: boxes, labels, values, icons."""

from __future__ import annotations

import math
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import QCoreApplication, QPointF, QRectF, Qt
from PySide6.QtGui import QFontMetricsF, QPainter, QPen

from ponystudio.api.spec import ParamSpec
from ponystudio.canvas import metrics, theme

if TYPE_CHECKING:
    from ponystudio.canvas.params.field import Field, FieldContext

TEXT_INSET = 9.0
ICON = 16.0
MID = Qt.TextElideMode.ElideMiddle
END = Qt.TextElideMode.ElideRight


def tr(text: str) -> str:
    return QCoreApplication.translate("Params", text)


def label_of(spec: ParamSpec) -> str:
    """The label in lower case, as params are called everywhere; "DDIM end" keeps its capitals."""
    text = (spec.title or spec.name).replace("_", " ")
    return text if text[1:2].isupper() else text[:1].lower() + text[1:]


def text_of(value: Any) -> str:
    """Any value as a person would write it."""
    if isinstance(value, bool):
        return tr("on") if value else tr("off")
    if isinstance(value, float):
        return number(value)
    return str(value)


def number(value: float, decimals: int | None = None) -> str:
    """A number with at least one and at most six decimals, without idle zeros."""
    if not math.isfinite(value):
        return str(value)
    if decimals is not None and round(value, decimals) == value:
        return f"{value:.{decimals}f}"
    text = f"{value:.6f}".rstrip("0")
    return text + "0" if text.endswith(".") else text


def box(painter: QPainter, rect: QRectF, ctx: FieldContext) -> None:
    """The ground of a field: its edge tells hover, keyboard and trouble."""
    look = ctx.theme
    if ctx.problem is not None and not ctx.connected:
        edge = look.color("err")
    elif ctx.focused:
        edge = look.color("accent")
    elif ctx.hovered:
        edge = look.color("line2")
    else:
        edge = look.color("line")
    painter.setPen(QPen(edge, 1.0))
    painter.setBrush(Qt.BrushStyle.NoBrush if ctx.connected else look.color("field"))
    painter.drawRoundedRect(
        rect.adjusted(0.5, 0.5, -0.5, -0.5), metrics.FIELD_RADIUS, metrics.FIELD_RADIUS
    )


def labelled(
    painter: QPainter,
    rect: QRectF,
    ctx: FieldContext,
    label: str,
    value: str,
    value_role: str = "mono",
    right: float = TEXT_INSET,
    elide: Qt.TextElideMode = END,
) -> None:
    """A label on the left and a value on the right, which goes first when room is short."""
    room = rect.width() - TEXT_INSET - right
    label_width = min(width(label, "body"), room * 0.6)
    text(
        painter,
        rect,
        "body",
        elided(label, "body", label_width + 0.5),
        ctx.theme.color("text3"),
        TEXT_INSET,
    )
    left_over = room - label_width - 8
    value = elided(value, value_role, max(0.0, left_over), elide)
    x = rect.width() - right - width(value, value_role)
    text(painter, rect, value_role, value, ctx.theme.color("text"), x)


def from_wire(painter: QPainter, rect: QRectF, ctx: FieldContext, label: str) -> None:
    """A param that a wire feeds: where its value comes from, in place of it."""
    link = ctx.document.graph.nodes[ctx.node].inputs.get(ctx.spec.name)
    source = ctx.document.graph.nodes.get(link.source) if link else None
    spec = ctx.document.catalog.get(source.type) if source else None
    title = (source.title or (spec.title if spec else source.id)) if source else ""
    room = rect.width() - 2 * TEXT_INSET
    label_width = min(width(label, "body"), room * 0.6)
    color = ctx.theme.color("text2")
    text(painter, rect, "body", elided(label, "body", label_width + 0.5), color, TEXT_INSET)
    shown = elided(tr("from {node}").format(node=title), "caption", room - label_width - 10)
    x = rect.width() - TEXT_INSET - width(shown, "caption")
    text(painter, rect, "caption", shown, ctx.theme.color("text3"), x)


def text(painter: QPainter, rect: QRectF, role: str, words: str, color: Any, x: float) -> None:
    """One line, vertically in the middle of the rect, `x` px from its left edge."""
    if not words:
        return
    painter.setFont(theme.current().font(role))
    painter.setPen(color)
    painter.drawText(QPointF(rect.left() + x, rect.center().y() + _below_middle(role)), words)


def icon(painter: QPainter, rect: QRectF, name: str, color: Any, size: float = ICON) -> None:
    """An icon in the middle of a rect."""
    painter.save()
    painter.translate(rect.center().x() - size / 2, rect.center().y() - size / 2)
    painter.scale(size / 16, size / 16)
    painter.strokePath(theme.icon_path(name), theme.icon_pen(color, 1.5 * 16 / size * size / 16))
    painter.restore()


@lru_cache(maxsize=64)
def font_metrics(role: str) -> QFontMetricsF:
    return QFontMetricsF(theme.current().font(role))


@lru_cache(maxsize=64)
def _below_middle(role: str) -> float:
    """From the middle of a line down to its baseline."""
    found = font_metrics(role)
    return (found.ascent() - found.descent()) / 2


@lru_cache(maxsize=8192)
def width(words: str, role: str) -> float:
    return font_metrics(role).horizontalAdvance(words)


@lru_cache(maxsize=4096)
def elided(words: str, role: str, room: float, mode: Qt.TextElideMode = END) -> str:
    return font_metrics(role).elidedText(words, mode, room)


def tooltip(field: Field, ctx: FieldContext, part: str) -> str:
    """Help, then what is wrong, then what the default is."""
    spec, lines = ctx.spec, []
    if ctx.problem is not None:
        lines.append(f"{ctx.problem.what} {ctx.problem.remedy}".strip())
    if spec.help:
        lines.append(spec.help)
    if spec.low is not None and spec.high is not None and spec.type in ("int", "float"):
        span = f"{text_of(spec.low)} – {text_of(spec.high)}"
        lines.append(
            tr("{span}, usually {default}").format(span=span, default=text_of(spec.default))
        )
    return "\n".join(lines)
