"""Paints a part of a scene: what is in it, in what detail, in what order."""

from __future__ import annotations

import math

from PySide6.QtCore import QObject, QPointF, QRect, QRectF
from PySide6.QtGui import QPainter, QPixmap, QRegion, QTransform

from ponystudio.canvas.painting import paint_card, paint_frame, paint_overview, paint_wire
from ponystudio.canvas.painting.paint_card import BadgeFades
from ponystudio.canvas.painting.paint_context import PaintContext
from ponystudio.canvas.painting.paint_overview import OverviewPicture
from ponystudio.canvas.scene.item_store import Detail, ItemStore
from ponystudio.canvas.scene.items import NodeItem, NoteItem
from ponystudio.canvas.scene.scene import GraphScene
from ponystudio.widgets import metrics, theme

# Card widths on screen, in px, over which there is more to see.
FULL, MIDDLE = 120.0, 60.0
_GRID_ZOOM = 0.5  # and more shows the grid
# What things cost to paint, measured on this class of machine.
_CARD_MS = {"full": 0.45, "middle": 0.02, "far": 0.003}
_WIRE_MS = {"full": 0.06, "middle": 0.03, "far": 0.001}


def detail(zoom: float) -> Detail:
    width = metrics.WIDTH * zoom
    return "full" if width > FULL else "middle" if width > MIDDLE else "far"


# Of cards in full detail and of notes, those on top; of frames, the largest: more lie over each
# other, as only a file puts them.
MOST_PAINTED = 1000


class ScenePainter(QObject):
    """Paints parts of a scene. The overview picture and the fades of badges are its own."""

    def __init__(self, scene: GraphScene, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._scene, self._store = scene, scene.store
        self.badge_fades = BadgeFades(scene.store, self)
        self._overview = OverviewPicture(scene.store, self)
        scene.sync.state_changed.connect(self.badge_fades.begin)
        scene.sync.content_changed.connect(self._overview.clear)

    def cost_ms(self, rect: QRectF, zoom: float) -> float:
        """About how long a rect (scene px) takes to paint."""
        level = detail(zoom)
        cards = len(self._store.node_index.near(rect))
        wires = len(self._store.wire_index.near(rect))
        return cards * _CARD_MS[level] + wires * _WIRE_MS[level]

    def paint(self, painter: QPainter, at: QTransform, rects: list[QRect], zoom: float) -> None:
        """Paint some rects of a viewport whose transform is `at`: everything in them once."""
        brush = PaintContext(self._scene, zoom, detail(zoom))
        self._paint(painter, at, rects, brush, grid=zoom >= _GRID_ZOOM)

    def paint_rough(self, painter: QPainter, at: QTransform, rects: list[QRect]) -> None:
        """As from far away, whatever the zoom: what is shown while a zoom lasts."""
        brush = PaintContext(self._scene, at.m11(), "far")
        self._paint(painter, at, rects, brush, grid=False)

    def _paint(
        self,
        painter: QPainter,
        at: QTransform,
        rects: list[QRect],
        brush: PaintContext,
        grid: bool,
    ) -> None:
        region = QRegion()
        for area in rects:
            region += area
        painter.setClipRegion(region)
        for area in rects:
            painter.fillRect(area, brush.color("canvas"))
            if grid:
                _paint_grid(painter, at, QRectF(area))
        back, _ = at.inverted()
        painter.setTransform(at, True)
        self._paint_parts(painter, [back.mapRect(QRectF(area)) for area in rects], brush)

    def _paint_parts(self, painter: QPainter, parts: list[QRectF], brush: PaintContext) -> None:
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        around = [part.adjusted(-4, -6, 4, 4) for part in parts]
        frames = [item for item in self._store.frame_items if _touches(item.rect, around)]
        # A frame in another one lies above it.
        frames.sort(key=lambda item: -item.rect.width() * item.rect.height())
        del frames[MOST_PAINTED:]
        for frame in frames:
            paint_frame.paint_frame(painter, frame, brush)
        notes = [note for note in self._store.note_items if _touches(note.rect, around)]
        if brush.detail != "full":
            self._paint_notes(painter, notes, brush)
            paint_overview.paint(painter, self._overview, parts, brush)
            paint_frame.paint_far_titles(painter, frames, brush)
            return
        paint_wire.paint_wires(painter, parts, brush)
        self._paint_notes(painter, notes, brush)  # no wire runs over their text
        cards = cards_in(self._store, parts)[-MOST_PAINTED:]
        for item in cards:
            paint_card.paint(painter, item, brush, self.badge_fades)
        paint_card.paint_messages(painter, cards, brush)

    @staticmethod
    def _paint_notes(painter: QPainter, notes: list[NoteItem], brush: PaintContext) -> None:
        for note in notes[-MOST_PAINTED:]:
            paint_frame.paint_note(painter, note, brush)


def cards_in(store: ItemStore, parts: list[QRectF]) -> list[NodeItem]:
    """The cards that show in one of these rects, bottom up."""
    ids = set().union(*(store.node_index.near(part.adjusted(-40, -40, 40, 40)) for part in parts))
    near = (store.node_items[id] for id in ids)
    found = [item for item in near if _touches(store.card_bounds(item), parts)]
    found.sort(key=lambda item: item.z)
    return found


def _touches(rect: QRectF, parts: list[QRectF]) -> bool:
    return any(rect.intersects(part) for part in parts)


def _paint_grid(painter: QPainter, at: QTransform, area: QRectF) -> None:
    """A dot of 2 px every 24 scene px: one row of them is painted, and copied."""
    step = metrics.DOTS * at.m11()
    left = math.floor((area.left() - at.dx()) / step)
    top = math.floor((area.top() - at.dy()) / step)
    look = theme.current()
    ratio = painter.device().devicePixelRatioF()
    row = QPixmap(math.ceil(area.width() * ratio), math.ceil(2 * ratio))
    row.setDevicePixelRatio(ratio)
    row.fill(look.color("canvas"))
    dots = QPainter(row)
    for i in range(math.ceil(area.width() / step) + 2):
        x = round(at.dx() + (left + i) * step) - 1 - area.left()
        dots.fillRect(QRectF(x, 0, 2, 2), look.color("grid"))
    dots.end()
    for j in range(math.ceil(area.height() / step) + 2):
        painter.drawPixmap(QPointF(area.left(), round(at.dy() + (top + j) * step) - 1), row)
