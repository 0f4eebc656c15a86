"""How sockets look: shape and colour for the type, filling for what is wired."""

from __future__ import annotations

from functools import lru_cache

from PySide6.QtCore import QPointF, Qt
from PySide6.QtGui import QColor, QPainter, QPen

from ponystudio.canvas.painting.paint_context import PaintContext
from ponystudio.canvas.scene.card_layout import SocketKind, SocketRow
from ponystudio.canvas.scene.item_store import ItemStore
from ponystudio.canvas.scene.items import NodeItem, SocketRef
from ponystudio.studio.documents.editable_graph import NodeState
from ponystudio.widgets import metrics, text_layout

_RIM = 3.0  # a rim of 1.5 px on either side of the outline
_NO_PEN = Qt.PenStyle.NoPen
_NO_BRUSH = Qt.BrushStyle.NoBrush


def paint_sockets(painter: QPainter, item: NodeItem, state: NodeState, brush: PaintContext) -> None:
    layout = item.layout
    rows = (*layout.inputs, *layout.outputs)
    if not layout.collapsed:
        _paint_names(painter, item, rows, brush)
    blamed = _blamed(state)
    drag = brush.scene.drag
    for row in rows:
        kind: SocketKind = row.kind
        if row.is_output:
            kind = "connected" if row.name in item.used else "optional"
        x, y = row.centre.x(), row.centre.y()
        painter.translate(x, y)
        if drag is None:
            type = row.type if item.spec else _wired_type(brush.store, item, row)
            paint_shape(painter, type, kind, brush, row.is_list, row.is_output)
        else:
            ref = SocketRef(item.id, row.name, row.is_output, row.type)
            _paint_in_drag(painter, ref, kind, row, brush)
        if row.name in blamed and not row.is_output:
            painter.setPen(_pen(brush.color("err").rgb(), 2.0))
            painter.setBrush(_NO_BRUSH)
            painter.drawEllipse(QPointF(), 10.5, 10.5)
        painter.translate(-x, -y)


def _wired_type(store: ItemStore, item: NodeItem, row: SocketRow) -> str:
    """What runs through a socket of an unknown node, as far as its wires tell."""
    keys = store.wires_of.get(item.id, ()) if row.is_output else ((item.id, row.name),)
    found = (store.wire_items[key] for key in keys if key in store.wire_items)
    end = (item.id, row.name)
    types = (w.type for w in found if end in (w.key, (w.source, w.output)))
    return next(types, row.type)


def paint_shape(
    painter: QPainter,
    type: str,
    kind: SocketKind,
    brush: PaintContext,
    is_list: bool = False,
    is_output: bool = False,
) -> None:
    """A socket's shape around (0, 0)."""
    look, canvas = brush.theme.socket(type), brush.color("canvas")
    color = look.color
    if is_list:
        out = 4.0 if is_output else -4.0
        painter.translate(out, 0)
        painter.strokePath(look.path, _pen(canvas.rgb(), _RIM + 1.5))
        painter.strokePath(look.path, _pen(color.rgb(), 1.5))
        painter.translate(-out, 0)
    painter.strokePath(look.path, _pen(canvas.rgb(), _RIM))
    if kind == "connected":
        painter.fillPath(look.path, color)
        return
    painter.fillPath(look.path, canvas)
    painter.strokePath(look.path, _pen(color.rgb(), 1.6 if look.big else 1.2))
    if kind == "required":
        painter.setPen(_NO_PEN)
        painter.setBrush(color)
        painter.drawEllipse(_heart(type), 1.8, 1.8)


def _heart(type: str) -> QPointF:
    """Where the dot of a required socket stands: shapes are not all heaviest at their middle."""
    return {
        "conditioning": QPointF(-1.6, 0),
        "mask": QPointF(-0.6, 0),
        "upscaler": QPointF(0, 1.6),
        "sigmas": QPointF(0.8, 0),
    }.get(type, QPointF())


def _paint_names(
    painter: QPainter, item: NodeItem, rows: tuple[SocketRow, ...], brush: PaintContext
) -> None:
    painter.setPen(brush.color("text2"))
    width = item.layout.size.width()
    opposite = {row.centre.y(): text_layout.width(row.title, "body") for row in item.layout.outputs}
    for row in rows:
        if row.param:
            continue
        y = row.centre.y()
        if row.is_output:
            text_layout.draw_right(painter, width - metrics.SOCKET_TEXT, y, row.title, "body")
            continue
        room = width - 2 * metrics.SOCKET_TEXT
        if y in opposite:
            room -= opposite[y] + 8
        title = row.title
        if text_layout.width(title, "body") > room:
            title = text_layout.elided(title, "body", int(room))
        text_layout.draw(painter, metrics.SOCKET_TEXT, y, title, "body")


def _paint_in_drag(
    painter: QPainter, ref: SocketRef, kind: SocketKind, row: SocketRow, brush: PaintContext
) -> None:
    """While a wire is dragged: what fits has a halo, what does not fades."""
    drag = brush.scene.drag
    if drag is None or ref in drag.fixed:
        paint_shape(painter, row.type, kind, brush, row.is_list, row.is_output)
        return
    if drag.fits(ref):
        color = brush.theme.socket(row.type).color
        glow = QColor(color)
        glow.setAlphaF(0.22)
        painter.setPen(_pen(color.rgb(), 1.5))
        painter.setBrush(glow)
        painter.drawEllipse(QPointF(), 12.0, 12.0)
        paint_shape(painter, row.type, kind, brush, row.is_list, row.is_output)
        return
    before = painter.opacity()
    painter.setOpacity(before * 0.3)
    paint_shape(painter, row.type, kind, brush, row.is_list, row.is_output)
    painter.setOpacity(before)


def _blamed(state: NodeState) -> frozenset[str]:
    """The sockets that something is wrong with, other than that they want a wire."""
    problems = [state.problem] if state.problem and state.phase == "failed" else []
    problems += [fault for fault in state.faults if fault.reason != "MissingInput"]
    return frozenset(problem.socket for problem in problems if problem and problem.socket)


@lru_cache(maxsize=256)
def _pen(rgb: int, width: float) -> QPen:
    return QPen(QColor(rgb), width, Qt.PenStyle.SolidLine, Qt.PenCapStyle.RoundCap,
                Qt.PenJoinStyle.RoundJoin)  # fmt: skip
