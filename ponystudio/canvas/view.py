"""The view: shows a scene, moves over it, and hands events to those whose turn it is.

An event goes to the view's own buttons, then to the params under it, then to the gestures; the
first that takes it keeps it.
"""

from __future__ import annotations

from typing import Any, Protocol

from PySide6.QtCore import QEvent, QPoint, QPointF, QRectF, QSizeF, Qt, Signal
from PySide6.QtGui import (
    QContextMenuEvent,
    QDragEnterEvent,
    QDragLeaveEvent,
    QDragMoveEvent,
    QDropEvent,
    QFocusEvent,
    QHelpEvent,
    QInputMethodEvent,
    QKeyEvent,
    QMouseEvent,
    QNativeGestureEvent,
    QPaintEvent,
    QResizeEvent,
    QTransform,
    QWheelEvent,
)
from PySide6.QtWidgets import QFrame, QGraphicsView, QToolTip, QWidget

from ponystudio.canvas import camera, spoken, theme
from ponystudio.canvas.action import ActionSpec
from ponystudio.canvas.buttons import CardButtons
from ponystudio.canvas.camera import Camera
from ponystudio.canvas.drift import Drift
from ponystudio.canvas.editors import Editors
from ponystudio.canvas.frame_store import FrameStore
from ponystudio.canvas.glide import Glide
from ponystudio.canvas.items import NOTHING, Hit
from ponystudio.canvas.minimap import Minimap
from ponystudio.canvas.panning import Panning
from ponystudio.canvas.scene import GraphScene
from ponystudio.canvas.zoom_bar import ZoomBar

# Half the width of the world, in scene px.
_WORLD = 1_000_000.0


class Handler(Protocol):
    """Who may take events: the params' and the gestures' controllers. Each call tells whether it
    did. All but `mouse_press` may be missing."""

    def mouse_press(self, event: QMouseEvent) -> bool: ...


class GraphView(QGraphicsView):
    """`camera_changed` comes with every move and zoom. `gestures` and `params` are Handlers."""

    camera_changed = Signal()

    def __init__(self, scene: GraphScene, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.graph_scene = scene
        self.gestures: Any = None
        self.params: Any = None
        self._grabber: Any = None
        self._set_up()
        self.setScene(scene)
        self.setSceneRect(-_WORLD, -_WORLD, 2 * _WORLD, 2 * _WORLD)
        self.frame_store = FrameStore(self)
        self.editors = Editors(self)
        self.panning = Panning(self)
        self.buttons = CardButtons(self)
        self.drift = Drift(self)
        self._glide = Glide(self)
        self.minimap = Minimap(self)
        self.zoom_bar = ZoomBar(self)
        scene.overlay_changed.connect(self._show_overlay)
        scene.drag_changed.connect(self._show_overlay)
        scene.focus_changed.connect(self._say_focus)
        theme.hub.changed.connect(self._theme_changed)
        self.set_camera(Camera(QPointF(), 1.0))
        self._make_param_controller()

    def _set_up(self) -> None:
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setViewportUpdateMode(QGraphicsView.ViewportUpdateMode.NoViewportUpdate)
        self.setTransformationAnchor(QGraphicsView.ViewportAnchor.NoAnchor)
        self.setResizeAnchor(QGraphicsView.ViewportAnchor.NoAnchor)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setVerticalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setAcceptDrops(True)
        self.setMouseTracking(True)
        self.viewport().setMouseTracking(True)
        self.viewport().setAttribute(Qt.WidgetAttribute.WA_OpaquePaintEvent)
        self.viewport().setAutoFillBackground(False)
        self.viewport().grabGesture(Qt.GestureType.PinchGesture)
        self.setAccessibleName(self.tr("Graph"))

    def _make_param_controller(self) -> None:
        try:
            from ponystudio.canvas.params.controller import ParamController
        except ImportError:
            return
        self.params = ParamController(self)

    def set_gestures(self, controller: Any) -> None:
        self.gestures = controller

    # Where it looks

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
        self._glide.start(to)

    def zoom_at(self, factor: float, at: QPointF) -> None:
        """Zoom by a factor, keeping what is at this point of the viewport where it is."""
        self._glide.stop()
        fixed = self.to_scene(at)
        zoom = camera.bounded(self.zoom * factor) * theme.scale()
        if zoom != self.transform().m11():
            self.setTransform(QTransform.fromScale(zoom, zoom))
            self._scroll_to(fixed, at)

    def pan(self, dx: float, dy: float) -> None:
        """Move the picture by so many px of the viewport."""
        self._glide.stop()
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
        if not hasattr(self, "zoom_bar"):
            return
        self.frame_store.camera_moved()
        self.editors.follow()
        self.viewport().update()
        self.camera_changed.emit()

    # Painting

    def paintEvent(self, event: QPaintEvent) -> None:
        self.frame_store.paint(event.rect())

    def _show_overlay(self) -> None:
        self.viewport().update()

    def _say_focus(self) -> None:
        """Tell screen readers what the keyboard is on."""
        text = spoken.focused(self.graph_scene, self.graph_scene.focus)
        if text != self.accessibleDescription():
            self.setAccessibleDescription(text)

    def _theme_changed(self) -> None:
        self.frame_store.damage(None)
        self.viewport().update()

    # In-place editors

    def open_editor(self, widget: QWidget, scene_rect: QRectF, **options: Any) -> None:
        """Show a widget over a part of a card; see `Editors.open`."""
        self.editors.open(widget, scene_rect, **options)

    def close_editor(self, commit: bool = True) -> None:
        self.editors.close(commit)

    # Events

    def scene_pos(self, event: Any) -> QPointF:
        """Where a mouse or drop event is, in scene px."""
        return self.to_scene(event.position())

    def hit(self, event: Any) -> Hit:
        return self.graph_scene.hit(self.scene_pos(event))

    def mousePressEvent(self, event: QMouseEvent) -> None:
        self._glide.stop()
        self.setFocus(Qt.FocusReason.MouseFocusReason)
        self._grabber = None
        for handler in self._handlers():
            if _ask(handler, "mouse_press", event):
                self._grabber = handler
                break
        event.accept()

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        if self._grabber:
            _ask(self._grabber, "mouse_move", event)
        else:
            self._hover(event)
            for handler in self._handlers():
                if _ask(handler, "mouse_move", event):
                    break
        event.accept()

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        grabber, self._grabber = self._grabber, None
        for handler in [grabber] if grabber else self._handlers():
            if _ask(handler, "mouse_release", event):
                break
        self._hover(event)
        event.accept()

    def mouseDoubleClickEvent(self, event: QMouseEvent) -> None:
        for handler in self._handlers():
            if _ask(handler, "double_click", event):
                self._grabber = handler
                break
        event.accept()

    def contextMenuEvent(self, event: QContextMenuEvent) -> None:
        for handler in self._handlers():
            if _ask(handler, "context_menu", event):
                break
        event.accept()

    def keyPressEvent(self, event: QKeyEvent) -> None:
        event.setAccepted(self._first("key_press", event))

    def keyReleaseEvent(self, event: QKeyEvent) -> None:
        event.setAccepted(self._first("key_release", event))

    def inputMethodEvent(self, event: QInputMethodEvent) -> None:
        event.setAccepted(self._first("input_method", event))

    def focusInEvent(self, event: QFocusEvent) -> None:
        self._first("focus_in", event)
        self.viewport().update()

    def focusOutEvent(self, event: QFocusEvent) -> None:
        self._first("focus_out", event)
        self.viewport().update()

    def focusNextPrevChild(self, next: bool) -> bool:
        """Tab opens the palette; Ctrl+Tab and the panels' keys leave the canvas."""
        del next
        return False

    def wheelEvent(self, event: QWheelEvent) -> None:
        if not self._first("wheel", event):
            self.panning.wheel_moves(event)
        event.accept()

    def dragEnterEvent(self, event: QDragEnterEvent) -> None:
        event.setAccepted(self._first("drag_enter", event))

    def dragMoveEvent(self, event: QDragMoveEvent) -> None:
        event.setAccepted(self._first("drag_move", event))

    def dragLeaveEvent(self, event: QDragLeaveEvent) -> None:
        self._first("drag_leave", event)

    def dropEvent(self, event: QDropEvent) -> None:
        event.setAccepted(self._first("drop", event))

    def leaveEvent(self, event: QEvent) -> None:
        self._leave()
        super().leaveEvent(event)

    def viewportEvent(self, event: QEvent) -> bool:
        if isinstance(event, QNativeGestureEvent):
            return self.panning.native_gesture(event)
        if event.type() == QEvent.Type.Gesture:
            return self.panning.gesture(event)
        if event.type() == QEvent.Type.ToolTip and isinstance(event, QHelpEvent):
            return self._show_tip(event)
        if event.type() == QEvent.Type.Leave:
            self._leave()
        return bool(super().viewportEvent(event))

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        if not hasattr(self, "zoom_bar"):
            return
        self.minimap.lay_out()
        self.zoom_bar.lay_out()
        self._camera_moved()

    def _show_tip(self, event: QHelpEvent) -> bool:
        pos = self.to_scene(event.pos())
        tip = getattr(self.params, "tooltip", None)
        text = (tip(pos) if tip else "") or spoken.tooltip(
            self.graph_scene, self.graph_scene.hit(pos)
        )
        if text:
            QToolTip.showText(event.globalPos(), text, self.viewport())
        else:
            QToolTip.hideText()
        return True

    def _leave(self) -> None:
        self.graph_scene.set_hover(NOTHING)
        for handler in self._handlers():
            if method := getattr(handler, "leave", None):
                method()

    def _handlers(self) -> list[Any]:
        """In the order in which they may take an event."""
        known = (self.panning, self.buttons, self.params, self.gestures)
        return [handler for handler in known if handler is not None]

    def _first(self, name: str, event: Any) -> bool:
        return any(_ask(handler, name, event) for handler in self._handlers())

    def _hover(self, event: QMouseEvent) -> None:
        inside = self.viewport().rect().contains(event.position().toPoint())
        self.graph_scene.set_hover(self.hit(event) if inside else NOTHING)

    # Actions

    def canvas_actions(self) -> list[ActionSpec]:
        from ponystudio.canvas.view_actions import actions

        return actions(self)


def _ask(handler: Any, name: str, event: Any) -> bool:
    method = getattr(handler, name, None)
    return bool(method and method(event))
