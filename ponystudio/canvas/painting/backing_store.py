"""The picture of the graph that a view shows, kept between frames.

Painting is on damage only: a pan moves the picture and paints what came into view; hover, drag
and progress paint the cards and the stretches of wire that changed. While a zoom lasts, a picture
that takes long to paint is shown scaled, and painted anew when the zoom rests.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import cast

from PySide6.QtCore import QObject, QPoint, QRect, QRectF, QTimer
from PySide6.QtGui import QPainter, QPixmap, QRegion, QTransform

from ponystudio.canvas.painting import paint_scene
from ponystudio.canvas.painting.paint_context import Viewport
from ponystudio.canvas.scene.scene import GraphScene

# How long a zoom must rest before its picture is painted sharp.
REST_MS = 90
# A frame that would cost more than this is not painted while a zoom lasts.
BUDGET_MS = 14.0
# More rects than this are painted as one.
_MAX_RECTS = 24
# More damage than a few rects is gathered in squares of so many px.
_FEW, _TILE = 6, 64


class BackingStore(QObject):
    """The picture of one view, and what of it is out of date."""

    def __init__(self, view: Viewport, scene: GraphScene) -> None:
        super().__init__(view.viewport())
        self._view, self._store = view, scene.store
        self.painter = paint_scene.ScenePainter(scene, self)
        self._pixmap = QPixmap()
        self._at = QTransform()
        """The viewport transform for which the picture is right."""
        self._dirty = QRegion()
        self._damaged: list[QRectF] = []
        """In scene px, until the next frame."""
        self._all = self._update_pending = False
        self._rest = QTimer(self, singleShot=True, interval=REST_MS)
        self._rest.timeout.connect(self._rested)
        self._store.damaged.connect(self.damage)

    def damage(self, rects: Sequence[QRectF] | None) -> None:
        """Parts of the scene look different now; None: all of it."""
        if rects is None:
            self._all = True
        else:
            self._damaged += rects
        if not self._update_pending:
            self._update_pending = True
            self._view.viewport().update()

    def camera_moved(self) -> None:
        self._store.set_detail(paint_scene.detail(self._view.zoom))

    def settle(self) -> None:
        """Paint what is still shown scaled."""
        self._rest.stop()
        self._rested()

    @property
    def is_sharp(self) -> bool:
        return self._at.m11() == self._view.viewportTransform().m11()

    def paint(self, painter: QPainter, area: QRect) -> None:
        """Paint an area of the viewport; what is new to see there goes into the picture first."""
        self._update_pending = False
        now = self._view.viewportTransform()
        self._bring_up_to_date(now)
        if self._at == now:
            ratio = self._pixmap.devicePixelRatio()
            source = QRectF(area.x() * ratio, area.y() * ratio, area.width() * ratio,
                            area.height() * ratio)  # fmt: skip
            painter.drawPixmap(QRectF(area), self._pixmap, source)
        else:
            self._paint_scaled(painter, now)

    def _bring_up_to_date(self, now: QTransform) -> None:
        viewport = self._view.viewport()
        ratio = viewport.devicePixelRatioF()
        wanted = viewport.size() * ratio
        if self._pixmap.size() != wanted or self._pixmap.devicePixelRatio() != ratio:
            self._renew(ratio, now)
        elif now.m11() != self._at.m11():
            cost = self.painter.cost_ms(self._view.visible_rect(), self._view.zoom)
            if cost > BUDGET_MS and not self._resting_now:
                self._rest.start()
                return
            self._at = now
            self._dirty = QRegion(viewport.rect())
        elif now != self._at:
            self._shift(now, ratio)
        self._take_damage()
        if not self._dirty.isEmpty():
            self._paint_dirty()

    _resting_now = False

    def _rested(self) -> None:
        self._resting_now = True
        try:
            self._bring_up_to_date(self._view.viewportTransform())
        finally:
            self._resting_now = False
        self._view.viewport().update()

    def _renew(self, ratio: float, now: QTransform) -> None:
        self._pixmap = QPixmap(self._view.viewport().size() * ratio)
        self._pixmap.setDevicePixelRatio(ratio)
        self._at = now
        self._dirty = QRegion(self._view.viewport().rect())

    def _shift(self, now: QTransform, ratio: float) -> None:
        """Move the picture with the scene; what comes into view is dirty."""
        rect = self._view.viewport().rect()
        dx, dy = round(now.dx() - self._at.dx()), round(now.dy() - self._at.dy())
        self._at = now
        whole = (dx * ratio).is_integer() and (dy * ratio).is_integer()
        if not whole or abs(dx) >= rect.width() or abs(dy) >= rect.height():
            self._dirty = QRegion(rect)
            return
        pixels = QRect(QPoint(), self._pixmap.size())
        self._pixmap.scroll(round(dx * ratio), round(dy * ratio), pixels)
        self._dirty = self._dirty.translated(dx, dy) & rect
        self._dirty += QRegion(rect) - QRegion(rect.translated(dx, dy))

    def _take_damage(self) -> None:
        """Turn damage into dirty tiles: neighbours that overlap are painted once."""
        rect = self._view.viewport().rect()
        damaged, self._damaged = self._damaged, []
        if self._all:
            self._all = False
            self._dirty = QRegion(rect)
            return
        if not damaged:
            return
        zoom, dx, dy = self._at.m11(), self._at.dx(), self._at.dy()
        if len(damaged) <= _FEW:
            for part in damaged:
                area = self._at.mapRect(part).toAlignedRect().adjusted(-2, -2, 2, 2)
                self._dirty += area & rect
            return
        last_column, last_row = (rect.width() - 1) // _TILE, (rect.height() - 1) // _TILE
        tiles: set[tuple[int, int]] = set()
        for part in damaged:
            left = max(0, int((part.left() * zoom + dx - 2) // _TILE))
            right = min(last_column, int((part.right() * zoom + dx + 2) // _TILE))
            top = max(0, int((part.top() * zoom + dy - 2) // _TILE))
            bottom = min(last_row, int((part.bottom() * zoom + dy + 2) // _TILE))
            tiles.update((j, i) for j in range(top, bottom + 1) for i in range(left, right + 1))
        for area in _runs(tiles):
            self._dirty += area & rect

    def _paint_dirty(self) -> None:
        region, self._dirty = self._dirty, QRegion()
        rects = list(cast("Iterable[QRect]", region))  # the stubs do not know that it is one
        if len(rects) > _MAX_RECTS:
            rects = [region.boundingRect()]
        painter = QPainter(self._pixmap)
        self.painter.paint(painter, self._at, rects, self._view.zoom)
        painter.end()

    def _paint_scaled(self, painter: QPainter, now: QTransform) -> None:
        """The last picture where it would be now; around it what is cheap to paint."""
        rect = self._view.viewport().rect()
        back, _ = self._at.inverted()
        place = (back * now).mapRect(QRectF(rect))
        outside = QRegion(rect) - QRegion(place.toAlignedRect().adjusted(1, 1, -1, -1))
        if not outside.isEmpty():
            painter.save()
            rects = list(cast("Iterable[QRect]", outside))
            self.painter.paint_rough(painter, now, rects)
            painter.restore()
        painter.drawPixmap(place, self._pixmap, QRectF(self._pixmap.rect()))


def _runs(tiles: set[tuple[int, int]]) -> list[QRect]:
    """The tiles of each row that lie side by side, as one rect."""
    result: list[QRect] = []
    row = start = end = -2
    for j, i in sorted(tiles):
        if j == row and i == end + 1:
            end = i
            continue
        if row >= 0:
            result.append(_tiles_rect(row, start, end))
        row, start, end = j, i, i
    if row >= 0:
        result.append(_tiles_rect(row, start, end))
    return result


def _tiles_rect(row: int, start: int, end: int) -> QRect:
    return QRect(start * _TILE, row * _TILE, (end - start + 1) * _TILE, _TILE)
