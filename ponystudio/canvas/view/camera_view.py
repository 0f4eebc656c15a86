"""A view as a place to look from: where on the scene it looks, and how that moves."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from PySide6.QtCore import QPoint, QPointF, QRectF, QSizeF, Qt, Signal
from PySide6.QtGui import QDropEvent, QResizeEvent, QSinglePointEvent, QTransform
from PySide6.QtWidgets import QGraphicsView, QWidget

from ponystudio.canvas.scene import hit_test
from ponystudio.canvas.scene.items import Hit
from ponystudio.canvas.scene.scene import GraphScene
from ponystudio.graph.model import position
from ponystudio.widgets import theme
from ponystudio.widgets.camera import CameraAnimation, fitting_zoom, zoom_between

MIN_ZOOM, MAX_ZOOM = 0.02, 4.0
# Steps of the zoom keys; the wheel is free.
STEPS = (
    *(0.02, 0.03, 0.05, 0.1, 0.15, 0.25, 0.33, 0.5, 0.67, 0.75),
    *(0.88, 1.0, 1.25, 1.5, 2.0, 3.0, 4.0),
)
FIT_MARGIN = 48.0  # px on screen


@dataclass(frozen=True)
class Camera:
    """The scene point in the middle of the view, and how large a scene px is shown."""

    center: QPointF
    zoom: float

    def to_json(self) -> dict[str, Any]:
        """As a graph's view keeps it."""
        at = [round(self.center.x(), 1), round(self.center.y(), 1)]
        return {"center": at, "zoom": round(self.zoom, 4)}

    @classmethod
    def from_json(cls, entry: object) -> Camera | None:
        """The inverse of `to_json`; None for anything else."""
        if not isinstance(entry, Mapping):
            return None
        center, zoom = position(entry.get("center")), entry.get("zoom")
        if center is None or isinstance(zoom, bool) or not isinstance(zoom, int | float):
            return None
        return cls(QPointF(*center), bounded(zoom)) if math.isfinite(zoom) else None

    def interpolate(self, other: Camera, share: float) -> Camera:
        """Between two cameras, so that the way on screen is even."""
        zoom = zoom_between(self.zoom, other.zoom, share)
        if abs(other.zoom - self.zoom) < 1e-6:
            moved = share
        else:
            moved = (1 / self.zoom - 1 / zoom) / (1 / self.zoom - 1 / other.zoom)
        return Camera(self.center + (other.center - self.center) * moved, zoom)


def bounded(zoom: float) -> float:
    return max(MIN_ZOOM, min(MAX_ZOOM, zoom))


def fitting(rect: QRectF, size: QSizeF, highest: float = 1.0) -> Camera:
    """The camera that shows all of a rect, not larger than `highest`."""
    one, margins = QSizeF(1, 1), QSizeF(2 * FIT_MARGIN, 2 * FIT_MARGIN)
    zoom = fitting_zoom(rect.size().expandedTo(one), (size - margins).expandedTo(one))
    return Camera(rect.center(), bounded(min(zoom, highest)))


def stepped(zoom: float, up: bool) -> float:
    """The next step of the zoom keys."""
    if up:
        return next((step for step in STEPS if step > zoom * 1.001), MAX_ZOOM)
    return next((step for step in reversed(STEPS) if step < zoom * 0.999), MIN_ZOOM)


# Half the width of the world, in scene px.
_WORLD = 1_000_000.0


class CameraView(QGraphicsView):
    """`camera_changed` comes with every move and zoom, and after `resized`."""

    camera_changed = Signal()
    resized = Signal()

    def __init__(self, scene: GraphScene, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.graph_scene = scene
        self.setTransformationAnchor(QGraphicsView.ViewportAnchor.NoAnchor)
        self.setResizeAnchor(QGraphicsView.ViewportAnchor.NoAnchor)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setVerticalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setScene(scene)
        self.setSceneRect(-_WORLD, -_WORLD, 2 * _WORLD, 2 * _WORLD)
        self._animation = CameraAnimation(self)
        self._animation.moved.connect(self._move_on)
        self._animation.arrived.connect(self._arrive)
        self._start = self._end = Camera(QPointF(), 1.0)

    @property
    def zoom(self) -> float:
        """1.0 at 100 %, whatever the UI scale is."""
        return self.transform().m11() / theme.scale()

    def camera(self) -> Camera:
        return Camera(self.to_scene(QPointF(self.viewport().rect().center())), self.zoom)

    def set_camera(self, to: Camera) -> None:
        """Look there at once."""
        factor = bounded(to.zoom) * theme.scale()
        if factor != self.transform().m11():
            self.setTransform(QTransform.fromScale(factor, factor))
        middle = QPointF(self.viewport().rect().center())
        self._scroll_to(to.center, middle)

    def jump(self, to: Camera) -> None:
        """Look there after a short animation, or at once where nothing may move."""
        if theme.reduced_motion() or not self.isVisible():
            self._animation.stop()
            self.set_camera(to)
        else:
            self._start, self._end = self.camera(), to
            self._animation.start()

    @property
    def target(self) -> Camera | None:
        """Where the animation under way leads, None when the view stands."""
        return self._end if self._animation.active else None

    def _move_on(self, share: float) -> None:
        self.set_camera(self._start.interpolate(self._end, share))

    def _arrive(self) -> None:
        self.set_camera(self._end)

    def stand_still(self) -> None:
        """End the animation under way, if there is one, where it is."""
        self._animation.stop()

    def zoom_at(self, factor: float, at: QPointF) -> None:
        """Zoom by a factor, keeping what is at this point of the viewport where it is."""
        self._animation.stop()
        fixed = self.to_scene(at)
        zoom = bounded(self.zoom * factor) * theme.scale()
        if zoom != self.transform().m11():
            self.setTransform(QTransform.fromScale(zoom, zoom))
            self._scroll_to(fixed, at)

    def pan(self, dx: float, dy: float) -> None:
        """Move the picture by so many px of the viewport."""
        self._animation.stop()
        self._scroll_by(round(dx), round(dy))

    def fit(self) -> None:
        self._fit(self.graph_scene.store.bounds())

    def fit_selection(self) -> None:
        """Show what is selected; all, if nothing is."""
        nodes = self.graph_scene.store.selected_nodes()
        self._fit(self.graph_scene.store.bounds(nodes or None))

    def show_node(self, node: str) -> None:
        """Bring a card into view, as large as is good to read."""
        self.graph_scene.sync.finish()
        rect = self.graph_scene.store.bounds([node])
        if rect.isNull():
            return
        seen = self.visible_rect()
        if not seen.contains(rect) or self.zoom < 0.5:
            self.jump(Camera(rect.center(), max(self.zoom, 0.75)))

    def visible_rect(self) -> QRectF:
        """What the viewport shows, in scene px."""
        return self.to_scene_rect(QRectF(self.viewport().rect()))

    def to_scene(self, pos: QPointF | QPoint) -> QPointF:
        """A viewport position in scene px, unrounded."""
        at = self.viewportTransform()
        return QPointF((pos.x() - at.dx()) / at.m11(), (pos.y() - at.dy()) / at.m22())

    def scene_pos(self, event: QSinglePointEvent | QDropEvent) -> QPointF:
        """Where a mouse or drop event is, in scene px."""
        return self.to_scene(event.position())

    def hit(self, event: QSinglePointEvent) -> Hit:
        """What is under the pointer."""
        return hit_test.hit(self.graph_scene.store, self.scene_pos(event))

    def from_scene(self, pos: QPointF) -> QPointF:
        return self.viewportTransform().map(pos)

    def to_scene_rect(self, rect: QRectF) -> QRectF:
        return QRectF(self.to_scene(rect.topLeft()), self.to_scene(rect.bottomRight()))

    def from_scene_rect(self, rect: QRectF) -> QRectF:
        return self.viewportTransform().mapRect(rect)

    def _fit(self, rect: QRectF) -> None:
        if not rect.isNull():
            size = QSizeF(self.viewport().size()) / theme.scale()
            self.jump(fitting(rect, size))

    def _scroll_to(self, scene: QPointF, at: QPointF) -> None:
        """Put a scene point at a point of the viewport, as near as whole px allow."""
        now = self.from_scene(scene)
        self._scroll_by(round(at.x() - now.x()), round(at.y() - now.y()))
        self.camera_changed.emit()

    def _scroll_by(self, dx: int, dy: int) -> None:
        across, down = self.horizontalScrollBar(), self.verticalScrollBar()
        across.setValue(across.value() - dx)
        down.setValue(down.value() - dy)

    def scrollContentsBy(self, dx: int, dy: int) -> None:
        super().scrollContentsBy(dx, dy)
        self.camera_changed.emit()

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self.resized.emit()
        self.camera_changed.emit()
