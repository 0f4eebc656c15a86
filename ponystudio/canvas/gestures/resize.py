"""Resizing cards, frames and notes by their edges."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from PySide6.QtCore import QPointF, QRectF, Qt

from ponystudio.canvas.gestures.base import Gesture, Pointer
from ponystudio.canvas.gestures.graph_operations import GraphOperations
from ponystudio.canvas.painting.paint_context import Viewport
from ponystudio.canvas.scene.item_store import ItemStore, Mode
from ponystudio.canvas.scene.items import Hit
from ponystudio.graph.editing.edits import REMOVED, Edit, SetView
from ponystudio.qt.i18n import tr
from ponystudio.studio.documents.editable_graph import gesture
from ponystudio.widgets import metrics

EDGE = 5.0  # px on screen
_LEAST = {"frame": (120.0, 80.0), "note": (120.0, 56.0)}


@dataclass(frozen=True)
class Edges:
    """Which edges of what are held: x and y are -1, 0 or 1."""

    kind: Literal["node", "frame", "note"]
    x: int
    y: int

    @property
    def cursor(self) -> Qt.CursorShape:
        if self.x and self.y:
            slash = self.x == self.y
            return Qt.CursorShape.SizeFDiagCursor if slash else Qt.CursorShape.SizeBDiagCursor
        return Qt.CursorShape.SizeHorCursor if self.x else Qt.CursorShape.SizeVerCursor


def edges_at(store: ItemStore, hit: Hit, at: QPointF, unit: float) -> Edges | None:
    """The edges near a point of what is under it, if it can be resized by them."""
    reach = EDGE * unit
    if hit.node and hit.part in ("body", "header", "status", "param", "picture"):
        if store.detail != "full":
            return None
        rect = store.node_items[hit.node].rect
        x = _side(at.x(), rect.left(), rect.right(), reach)
        return Edges("node", x, 0) if x else None
    if hit.part in ("frame_edge", "frame_title"):
        kind: Literal["frame", "note"] = "frame"
        rect = store.frame_items[hit.index].rect
    elif hit.part == "note":
        kind, rect = "note", store.note_items[hit.index].rect
    else:
        return None
    x = _side(at.x(), rect.left(), rect.right(), reach * 1.4)
    y = _side(at.y(), rect.top(), rect.bottom(), reach * 1.4)
    return Edges(kind, x, y) if x or y else None


def _side(at: float, low: float, high: float, reach: float) -> int:
    if at <= low + reach:
        return -1
    return 1 if at >= high - reach else 0


class Resize(Gesture):
    """By the edges that are held; what it is resized to is on the grid."""

    def __init__(
        self, ops: GraphOperations, view: Viewport, hit: Hit, press: Pointer, edges: Edges
    ) -> None:
        super().__init__(ops, view, hit, press)
        self.edges = edges
        self.cursor = edges.cursor

    def click(self, at: Pointer) -> None:
        mode: Mode = "toggle" if at.ctrl else ("add" if at.shift else "set")
        if self.edges.kind == "node":
            self.store.select([self.hit.node], mode=mode)
        elif self.edges.kind == "frame":
            self.store.select(frames=[self.hit.index], mode=mode)
        else:
            self.store.select(notes=[self.hit.index], mode=mode)

    def start(self) -> None:
        self._merge = gesture("resize")
        self._done = False
        items = {"frame": self.store.frame_items, "note": self.store.note_items}
        if self.edges.kind == "node":
            self._rect = QRectF(self.store.node_items[self.hit.node].rect)
        else:
            self._rect = QRectF(items[self.edges.kind][self.hit.index].rect)  # type: ignore[index]

    def move(self, at: Pointer) -> None:
        by = at.scene - self.press.scene
        if self.edges.kind == "node":
            edits, text = self._node(by.x()), tr("Resize {0}").format(self.ops.title(self.hit.node))
        else:
            edits = self._box(by)
            text = tr("Resize frame") if self.edges.kind == "frame" else tr("Resize note")
        if self.ops.do(edits, text, self._merge):
            self._done = True

    def _node(self, dx: float) -> list[Edit]:
        """Cards have a width only; by the left edge the right one stays."""
        node = self.hit.node
        width = metrics.card_width(self._rect.width() + dx * self.edges.x)
        entry = REMOVED if width == metrics.WIDTH else width
        looks = self.ops.document.looks(node)
        edits: list[Edit] = []
        if entry is not REMOVED or "width" in looks:
            edits.append(SetView(("nodes", node, "width"), entry))
        if self.edges.x < 0:
            x = self._rect.right() - width
            edits.append(SetView(("nodes", node, "pos"), [x, self._rect.y()]))
        return edits

    def _box(self, by: QPointF) -> list[Edit]:
        least_w, least_h = _LEAST[self.edges.kind]
        rect = QRectF(self._rect)
        if self.edges.x > 0:
            rect.setRight(max(rect.left() + least_w, _snap(rect.right() + by.x())))
        elif self.edges.x < 0:
            rect.setLeft(min(rect.right() - least_w, _snap(rect.left() + by.x())))
        if self.edges.y > 0:
            rect.setBottom(max(rect.top() + least_h, _snap(rect.bottom() + by.y())))
        elif self.edges.y < 0:
            rect.setTop(min(rect.bottom() - least_h, _snap(rect.top() + by.y())))
        kind = "frames" if self.edges.kind == "frame" else "notes"
        return [
            SetView((kind, self.hit.index, "pos"), [rect.x(), rect.y()]),
            SetView((kind, self.hit.index, "size"), [rect.width(), rect.height()]),
        ]

    def cancel(self) -> None:
        if self._done:
            self.ops.document.undo()


def _snap(value: float) -> float:
    return float(metrics.snapped(value))
