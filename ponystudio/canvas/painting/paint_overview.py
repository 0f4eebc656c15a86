"""How the graph looks from far away: blocks and lines, in batches by colour."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from functools import lru_cache

from PySide6.QtCore import QLineF, QObject, QRectF, Qt
from PySide6.QtGui import QColor, QPainter, QPen

from ponystudio.canvas.painting import paint_picture
from ponystudio.canvas.painting.paint_context import PaintContext
from ponystudio.canvas.scene.item_store import ItemStore
from ponystudio.canvas.scene.items import NodeItem
from ponystudio.widgets import metrics, text_layout, theme


class OverviewPicture(QObject):
    """Lines and blocks of all items by colour, kept until something comes, goes or moves."""

    def __init__(self, store: ItemStore, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._store = store
        self._lines: dict[int, dict[str, list[QLineF]]] = {}
        self._blocks: dict[int, list[QRectF]] = {}
        theme.hub.changed.connect(self.clear)

    def clear(self) -> None:
        self._lines, self._blocks = {}, {}

    def lines(self, steps: int) -> dict[str, list[QLineF]]:
        if steps not in self._lines:
            found: dict[str, list[QLineF]] = defaultdict(list)
            for item in self._store.wire_items.values():
                found[item.type] += item.lines(steps)
            self._lines[steps] = found
        return self._lines[steps]

    def blocks(self) -> dict[int, list[QRectF]]:
        if not self._blocks:
            self._blocks = _by_color(self._store.node_items.values())
        return self._blocks


def paint(
    painter: QPainter, picture: OverviewPicture, parts: list[QRectF], brush: PaintContext
) -> None:
    store = brush.store
    painter.setRenderHint(QPainter.RenderHint.Antialiasing, False)
    ids = set().union(*(store.node_index.near(part) for part in parts))
    # Where most of the graph shows, painting it whole is cheaper than asking what does.
    whole = brush.detail == "far" and len(ids) > len(store.node_items) / 3
    near = [store.node_items[id] for id in ids]
    if whole:
        _paint_lines(painter, picture.lines(_steps(brush)), brush)
        _paint_blocks(painter, picture.blocks())
        _paint_states(painter, near, brush)
        return
    shown = [item for item in near if any(item.rect.intersects(part) for part in parts)]
    if brush.detail == "middle":
        _paint_smooth_wires(painter, parts, brush)
        _paint_plain(painter, shown, brush)
    else:
        _paint_lines(painter, _lines_in(parts, picture, brush), brush)
        _paint_blocks(painter, _by_color(shown))
    _paint_states(painter, shown, brush)


def _steps(brush: PaintContext) -> int:
    """Into how many straight lines a curve is cut."""
    return 6 if brush.zoom > 0.2 else 3 if brush.zoom > 0.12 else 1


def _lines_in(
    parts: list[QRectF], picture: OverviewPicture, brush: PaintContext
) -> dict[str, list[QLineF]]:
    store = brush.store
    lines: dict[str, list[QLineF]] = defaultdict(list)
    steps = _steps(brush)
    near = set().union(*(store.wire_index.near(part) for part in parts))
    if len(near) > len(store.wire_items) / 3:
        return picture.lines(steps)
    for key in near:
        item = store.wire_items[key]
        if any(item.hull.intersects(part) for part in parts):
            lines[item.type] += item.lines(steps)
    return lines


def _paint_lines(painter: QPainter, lines: dict[str, list[QLineF]], brush: PaintContext) -> None:
    for type, found in lines.items():
        pen = QPen(theme.mixed(brush.color("canvas"), brush.theme.socket(type).color, 0.8), 1.0)
        pen.setCosmetic(True)
        painter.setPen(pen)
        painter.drawLines(found)


def _paint_smooth_wires(painter: QPainter, parts: list[QRectF], brush: PaintContext) -> None:
    store = brush.store
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    keys = set().union(*(store.wire_index.near(part) for part in parts))
    pens: dict[str, QPen] = {}
    for key in sorted(keys):
        item = store.wire_items[key]
        if not item.runs_through(parts):
            continue
        pen = pens.get(item.type)
        if pen is None:
            color = theme.mixed(brush.color("canvas"), brush.theme.socket(item.type).color, 0.85)
            pen = pens[item.type] = QPen(color, 1.25)
            pen.setCosmetic(True)
        painter.strokePath(item.path, pen)
    painter.setRenderHint(QPainter.RenderHint.Antialiasing, False)


def _by_color(items: Iterable[NodeItem]) -> dict[int, list[QRectF]]:
    look = theme.current()
    rects: dict[int, list[QRectF]] = defaultdict(list)
    for item in items:
        rects[overview_rgb(item, look)].append(item.rect)
    return rects


def _paint_blocks(painter: QPainter, rects: dict[int, list[QRectF]]) -> None:
    painter.setPen(Qt.PenStyle.NoPen)
    for rgb, found in rects.items():
        painter.setBrush(QColor(rgb))
        painter.drawRects(found)


def _paint_plain(painter: QPainter, shown: list[NodeItem], brush: PaintContext) -> None:
    """Bodies, headers, titles and pictures."""
    painter.setPen(Qt.PenStyle.NoPen)
    painter.setBrush(brush.color("card"))
    painter.drawRects([item.rect for item in shown if not item.layout.collapsed])
    rects: dict[int, list[QRectF]] = defaultdict(list)
    tall = header_height(brush.zoom)
    for item in shown:
        header = QRectF(item.rect.left(), item.rect.top(), item.rect.width(), tall)
        rects[overview_rgb(item, brush.theme)].append(header)
    for rgb, found in rects.items():
        painter.setBrush(QColor(rgb))
        painter.drawRects(found)
    for item in shown:
        state = brush.scene.document.states[item.id]
        if item.layout.picture and state.picture and not state.picture.isNull():
            place = paint_picture.fitted(
                state.picture, item.layout.picture.translated(item.x, item.y)
            )
            paint_picture.draw(painter, place, state.picture)
    _paint_titles(painter, shown, tall, brush)


def header_height(zoom: float) -> float:
    """A header's height in scene px: never lower than a title of 11 px on screen needs."""
    return max(float(metrics.HEADER), 15 / zoom)


def _paint_titles(
    painter: QPainter, shown: list[NodeItem], tall: float, brush: PaintContext
) -> None:
    at = painter.transform()
    scale = at.m11()
    unit = theme.scale()
    painter.save()
    painter.resetTransform()
    painter.scale(unit, unit)
    painter.setPen(brush.color("text"))
    painter.setFont(brush.theme.font("caption"))
    for item in shown:
        place = at.map(item.rect.topLeft()) / unit
        room = int(item.rect.width() * scale / unit - 10)
        title = text_layout.whole_words(item.title, "caption", room)
        if title:
            text_layout.draw(
                painter, round(place.x()) + 5, place.y() + tall * scale / unit / 2, title, "caption"
            )
    painter.restore()


def _paint_states(painter: QPainter, shown: list[NodeItem], brush: PaintContext) -> None:
    """What survives to the smallest size: running, failed, selected."""
    tall = header_height(brush.zoom) if brush.detail == "middle" else 0.0
    for item in shown:
        state = item.state
        phase = state.phase
        if phase == "running":
            rect = QRectF(item.rect)
            if tall:
                rect.setHeight(tall)
            painter.fillRect(rect, brush.color("fill"))
            if tall:
                _paint_titles(painter, [item], tall, brush)
            share = state.step / state.steps if state.steps else 0.0
            bar = max(metrics.PROGRESS, 2 / brush.zoom)
            painter.fillRect(
                QRectF(rect.left(), item.rect.bottom() - bar, rect.width() * share, bar),
                brush.color("accent"),
            )
        if phase == "failed":
            rect = QRectF(item.rect)
            if tall:
                rect.setHeight(tall)
            painter.fillRect(rect, theme.mixed(brush.color("card"), brush.color("err"), 0.5))
            if tall:
                _paint_titles(painter, [item], tall, brush)
        if phase == "failed" or item.selected:
            pen = QPen(brush.color("err" if phase == "failed" else "accent"), 2)
            pen.setCosmetic(True)
            painter.setPen(pen)
            painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.drawRect(item.rect)


def overview_rgb(item: NodeItem, look: theme.Theme) -> int:
    """The colour of a card's block from afar, and of its header."""
    return _overview_rgb(item.hue, item.node.mode, look)


@lru_cache(maxsize=256)
def _overview_rgb(group: str, mode: str, look: theme.Theme) -> int:
    if not group:
        return look.color("warnbg").rgb()
    if mode != "normal":
        return look.group("util").far.rgb()
    return look.group(group).far.rgb()
