"""A view as a place to look from: where on the scene it looks, and how that moves."""

from __future__ import annotations

from PySide6.QtCore import QPoint, QPointF, QRectF, QSizeF, Qt, Signal
from PySide6.QtGui import QDropEvent, QSinglePointEvent, QTransform
from PySide6.QtWidgets import QGraphicsView, QWidget

from ponystudio.canvas.scene.scene import GraphScene
from ponystudio.canvas.view import camera
from ponystudio.canvas.view.camera import Camera
from ponystudio.canvas.view.camera_animation import CameraAnimation
from ponystudio.widgets import theme

# Half the width of the world, in scene px.
_WORLD = 1_000_000.0


class CameraView(QGraphicsView):
    """`camera_changed` comes with every move and zoom."""

    camera_changed = Signal()

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

    @property
    def zoom(self) -> float:
        """1.0 at 100 %, whatever the UI scale is."""
        return self.transform().m11() / theme.scale()

    def camera(self) -> Camera:
        return Camera(self.to_scene(QPointF(self.viewport().rect().center())), self.zoom)

    def set_camera(self, to: Camera) -> None:
        """Look there at once."""
        factor = camera.bounded(to.zoom) * theme.scale()
        if factor != self.transform().m11():
            self.setTransform(QTransform.fromScale(factor, factor))
        middle = QPointF(self.viewport().rect().center())
        self._scroll_to(to.center, middle)

    def jump(self, to: Camera) -> None:
        """Glide there."""
        self._animation.start(to)

    def zoom_at(self, factor: float, at: QPointF) -> None:
        """Zoom by a factor, keeping what is at this point of the viewport where it is."""
        self._animation.stop()
        fixed = self.to_scene(at)
        zoom = camera.bounded(self.zoom * factor) * theme.scale()
        if zoom != self.transform().m11():
            self.setTransform(QTransform.fromScale(zoom, zoom))
            self._scroll_to(fixed, at)

    def pan(self, dx: float, dy: float) -> None:
        """Move the picture by so many px of the viewport."""
        self._animation.stop()
        self._scroll_by(round(dx), round(dy))

    def fit(self) -> None:
        self._fit(self.graph_scene.bounds())

    def fit_selection(self) -> None:
        """Show what is selected; all, if nothing is."""
        nodes = self.graph_scene.selected_nodes()
        self._fit(self.graph_scene.bounds(nodes or None))

    def show_node(self, node: str) -> None:
        """Bring a card into view, as large as is good to read."""
        rect = self.graph_scene.bounds([node])
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

    def from_scene(self, pos: QPointF) -> QPointF:
        return self.viewportTransform().map(pos)

    def to_scene_rect(self, rect: QRectF) -> QRectF:
        return QRectF(self.to_scene(rect.topLeft()), self.to_scene(rect.bottomRight()))

    def from_scene_rect(self, rect: QRectF) -> QRectF:
        return self.viewportTransform().mapRect(rect)

    def _fit(self, rect: QRectF) -> None:
        if not rect.isNull():
            size = QSizeF(self.viewport().size()) / theme.scale()
            self.jump(camera.fitting(rect, size))

    def _scroll_to(self, scene: QPointF, at: QPointF) -> None:
        """Put a scene point at a point of the viewport, as near as whole px allow."""
        now = self.from_scene(scene)
        self._scroll_by(round(at.x() - now.x()), round(at.y() - now.y()))
        self._camera_moved()

    def _scroll_by(self, dx: int, dy: int) -> None:
        across, down = self.horizontalScrollBar(), self.verticalScrollBar()
        across.setValue(across.value() - dx)
        down.setValue(down.value() - dy)

    def scrollContentsBy(self, dx: int, dy: int) -> None:
        super().scrollContentsBy(dx, dy)
        self._camera_moved()

    def _camera_moved(self) -> None:
        """It looks elsewhere now."""
        self.camera_changed.emit()
