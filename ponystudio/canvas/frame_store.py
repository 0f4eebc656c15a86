"""The picture of the graph that a view shows, kept between frames.

Painting is on damage only: a pan moves the picture and paints what came into view; hover, drag
and progress paint the cards and the stretches of wire that changed. While a zoom lasts, a picture
that takes long to paint is shown scaled, and painted anew when the zoom rests.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, QPoint, QRect, QRectF, Qt, QTimer
from PySide6.QtGui import QPainter, QPixmap, QRegion, QTransform

from ponystudio.canvas import paint_overlay, painting, theme

if TYPE_CHECKING:
    from ponystudio.canvas.view import GraphView

# How long a zoom must rest before its picture is painted sharp.
REST_MS = 90
# A frame that would cost more than this is not painted while a zoom lasts.
BUDGET_MS = 10.0
# More rects than this are painted as one.
_MAX_RECTS = 24


class FrameStore(QObject):
    def __init__(self, view: GraphView) -> None:
        super().__init__(view)
        self._view = view
        self._scene = view.graph_scene
        self._pixmap = QPixmap()
        self._at = QTransform()
        """The viewport transform for which the picture is right."""
        self._dirty = QRegion()
        self._rest = QTimer(self, singleShot=True, interval=REST_MS)
        self._rest.timeout.connect(self._rested)
        self._scene.on_damage(self.damage)

    def damage(self, rect: QRectF | None) -> None:
        """A part of the scene looks different now; None: all of it."""
        if rect is None:
            self._dirty = QRegion(self._view.viewport().rect())
            self._view.viewport().update()
            return
        # In the picture's own place: it may be moved before it is painted.
        area = self._at.mapRect(rect).toAlignedRect().adjusted(-2, -2, 2, 2)
        now = self._view.viewportTransform().mapRect(rect).toAlignedRect().adjusted(-2, -2, 2, 2)
        size = QRect(QPoint(), self._view.viewport().size())
        if area.intersects(size):
            self._dirty += area & size
            if self._dirty.rectCount() > _MAX_RECTS:
                self._dirty = QRegion(self._dirty.boundingRect())
        if now.intersects(size):
            self._view.viewport().update(now & size)

    def camera_moved(self) -> None:
        self._scene.detail = painting.detail(self._view.zoom)

    def settle(self) -> None:
        """Paint what is still shown scaled."""
        self._rest.stop()
        self._rested()

    @property
    def is_sharp(self) -> bool:
        return self._at.m11() == self._view.viewportTransform().m11()

    def paint(self, area: QRect) -> None:
        now = self._view.viewportTransform()
        self._bring_up_to_date(now)
        painter = QPainter(self._view.viewport())
        if self._at == now:
            ratio = self._pixmap.devicePixelRatio()
            source = QRectF(area.x() * ratio, area.y() * ratio, area.width() * ratio,
                            area.height() * ratio)  # fmt: skip
            painter.drawPixmap(QRectF(area), self._pixmap, source)
        else:
            self._paint_scaled(painter, now)
        paint_overlay.paint(painter, self._view)
        painter.end()

    def _bring_up_to_date(self, now: QTransform) -> None:
        viewport = self._view.viewport()
        ratio = viewport.devicePixelRatioF()
        wanted = viewport.size() * ratio
        if self._pixmap.size() != wanted or self._pixmap.devicePixelRatio() != ratio:
            self._renew(wanted, ratio, now)
        elif now.m11() != self._at.m11():
            cost = painting.cost_ms(self._scene, self._view.visible_rect(), self._view.zoom)
            if cost > BUDGET_MS and not self._resting_now:
                self._rest.start()
                return
            self._at = now
            self._dirty = QRegion(viewport.rect())
        elif now != self._at:
            self._shift(now, ratio)
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

    def _renew(self, size: object, ratio: float, now: QTransform) -> None:
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

    def _paint_dirty(self) -> None:
        region, self._dirty = self._dirty, QRegion()
        painter = QPainter(self._pixmap)
        painter.setClipRegion(region)
        painting.paint(painter, self._scene, self._at, region, self._view.zoom)
        painter.end()

    def _paint_scaled(self, painter: QPainter, now: QTransform) -> None:
        """The last picture where it would be now; around it what is cheap to paint."""
        rect = self._view.viewport().rect()
        back, _ = self._at.inverted()
        place = (back * now).mapRect(QRectF(rect))
        outside = QRegion(rect) - QRegion(place.toAlignedRect().adjusted(1, 1, -1, -1))
        if not outside.isEmpty():
            painter.save()
            painter.setClipRegion(outside)
            painting.paint_rough(painter, self._scene, now, outside)
            painter.restore()
        painter.setRenderHint(
            QPainter.RenderHint.SmoothPixmapTransform, place.width() < rect.width() * 2
        )
        painter.drawPixmap(place, self._pixmap, QRectF(self._pixmap.rect()))


__all__ = ["FrameStore", "Qt", "theme"]
