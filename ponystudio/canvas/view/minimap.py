"""The whole graph, small, at a view's lower left; a press or drag moves the view there."""

from __future__ import annotations

from collections import defaultdict

from PySide6.QtCore import QPointF, QRectF, Qt, QTimer, Signal
from PySide6.QtGui import (
    QColor,
    QMouseEvent,
    QPainter,
    QPaintEvent,
    QPen,
    QPixmap,
    QWheelEvent,
)
from PySide6.QtWidgets import QWidget

from ponystudio.canvas.painting.paint_overview import overview_rgb
from ponystudio.canvas.view.camera_view import Camera, CameraView
from ponystudio.widgets import theme
from ponystudio.widgets.primitives import paint_ground

_SIZE = (196, 118)
_MARGIN = 12
_REDRAW_MS = 120
# A view is so many times as wide and high as its minimap at least.
_LEAST = 3
# More frames are not drawn: only a file has them.
_MOST_FRAMES = 1000


class Minimap(QWidget):
    """`toggled` when it is switched on or off. Off or on, it does not show where there is nothing
    to show, nor in a view so small that it would cover much of it."""

    toggled = Signal(bool)

    def __init__(self, view: CameraView) -> None:
        super().__init__(view.viewport())
        self._view, self._store = view, view.graph_scene.store
        self._on = True
        self._picture = QPixmap()
        self._world = QRectF()
        self._grip = QPointF()
        """From the pointer to the middle of what the view shows, while that is dragged."""
        self._timer = QTimer(self, singleShot=True, interval=_REDRAW_MS)
        self._timer.timeout.connect(self._redraw)
        self.setAccessibleName(self.tr("Minimap"))
        self.setCursor(Qt.CursorShape.ArrowCursor)
        view.graph_scene.sync.content_changed.connect(self._schedule_redraw)
        self._store.selection_changed.connect(self._schedule_redraw)
        view.graph_scene.document.states.changed.connect(self._schedule_redraw)
        theme.hub.changed.connect(self.lay_out)
        view.camera_changed.connect(self._moved)
        view.resized.connect(self.lay_out)

    def is_on(self) -> bool:
        return self._on

    def toggle(self) -> None:
        self.set_on(not self._on)

    def set_on(self, on: bool) -> None:
        if on != self._on:
            self._on = on
            self._redraw()
            self.toggled.emit(on)

    def lay_out(self) -> None:
        unit = theme.scale()
        width, height = round(_SIZE[0] * unit), round(_SIZE[1] * unit)
        above = 2 * _MARGIN + theme.density().button + 4  # the zoom bar is there
        bottom = self._view.viewport().height() - round(above * unit)
        self.setGeometry(round(_MARGIN * unit), bottom - height, width, height)
        self._redraw() if self._world.isNull() else self._schedule_redraw()

    def paintEvent(self, event: QPaintEvent) -> None:
        del event
        look = theme.current()
        painter = QPainter(self)
        paint_ground(painter, self)
        painter.drawPixmap(4, 4, self._picture)
        seen = self._seen() & QRectF(self.rect()).adjusted(5, 5, -5, -5)
        painter.setPen(QPen(look.color("accent"), 1.5))
        painter.setBrush(Qt.BrushStyle.NoBrush)
        painter.drawRoundedRect(seen, 3, 3)
        painter.end()

    def mousePressEvent(self, event: QMouseEvent) -> None:
        seen = self._seen()
        inside = seen.contains(event.position()) and not seen.contains(QRectF(self.rect()))
        self._grip = seen.center() - event.position() if inside else QPointF()
        self._go(event.position())

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        if event.buttons() & Qt.MouseButton.LeftButton:
            self._go(event.position())

    def wheelEvent(self, event: QWheelEvent) -> None:
        factor = 1.15 ** (event.angleDelta().y() / 120)
        self._view.zoom_at(factor, QPointF(self._view.viewport().rect().center()))

    def _go(self, pos: QPointF) -> None:
        if not self._world.isNull():
            self._view.set_camera(Camera(self._from_map(pos + self._grip), self._view.zoom))

    def _schedule_redraw(self) -> None:
        if self._on and not self._timer.isActive():
            self._timer.start()

    def _moved(self) -> None:
        if self._on:
            self.update()

    def _redraw(self) -> None:
        bounds = self._store.bounds()
        room = self._view.viewport().size()
        fits = room.width() >= _LEAST * self.width() and room.height() >= _LEAST * self.height()
        self.setVisible(self._on and fits and not bounds.isNull())
        if self.isHidden():
            return
        ratio = self.devicePixelRatioF()
        width, height = self.width() - 8, self.height() - 8
        self._world = bounds.adjusted(-80, -80, 80, 80)
        self._picture = QPixmap(round(width * ratio), round(height * ratio))
        self._picture.setDevicePixelRatio(ratio)
        look = theme.current()
        self._picture.fill(look.color("canvas"))
        painter = QPainter(self._picture)
        painter.translate(-4, -4)
        painter.setPen(Qt.PenStyle.NoPen)
        for color, found in (*self._frames(), *self._cards()):
            painter.setBrush(color)
            painter.drawRects(self._all_to_map(found))
        painter.end()
        self.update()

    def _frames(self) -> list[tuple[QColor, list[QRectF]]]:
        look = theme.current()
        rects: dict[str, list[QRectF]] = defaultdict(list)
        for frame in self._store.frame_items[:_MOST_FRAMES]:
            rects[frame.hue].append(frame.rect)
        return [(look.group(hue).frame_fill, found) for hue, found in rects.items()]

    def _cards(self) -> list[tuple[QColor, list[QRectF]]]:
        """By colour: thousands of them are drawn at a time. What is told of lies on top."""
        look = theme.current()
        rects: dict[int, list[QRectF]] = defaultdict(list)
        marked: dict[str, list[QRectF]] = {"accent": [], "fill": [], "err": []}
        for item in self._store.node_items.values():
            phase = item.state.phase
            if phase in ("running", "failed"):
                marked["fill" if phase == "running" else "err"].append(item.rect)
            elif item.selected:
                marked["accent"].append(item.rect)
            else:
                rects[overview_rgb(item, look)].append(item.rect)
        return [
            *((QColor(rgb), found) for rgb, found in rects.items()),
            *((look.color(name), found) for name, found in marked.items()),
        ]

    def _all_to_map(self, rects: list[QRectF]) -> list[QRectF]:
        """Where they are on the map, none too small to be seen."""
        share, at = self._scale(), self._to_map(QRectF())
        dx, dy = at.x(), at.y()
        return [
            QRectF(
                rect.x() * share + dx, rect.y() * share + dy,
                rect.width() * share + 0.5, rect.height() * share + 0.5,
            )
            for rect in rects
        ]  # fmt: skip

    def _seen(self) -> QRectF:
        return self._to_map(self._view.visible_rect())

    def _scale(self) -> float:
        if self._world.isEmpty():
            return 1.0
        return min(
            (self.width() - 8) / self._world.width(), (self.height() - 8) / self._world.height()
        )

    def _to_map(self, rect: QRectF) -> QRectF:
        share, middle = self._scale(), QRectF(self.rect()).center()
        at = (rect.topLeft() - self._world.center()) * share + middle
        return QRectF(at.x(), at.y(), rect.width() * share, rect.height() * share)

    def _from_map(self, pos: QPointF) -> QPointF:
        middle = QRectF(self.rect()).center()
        return (pos - middle) / self._scale() + self._world.center()
