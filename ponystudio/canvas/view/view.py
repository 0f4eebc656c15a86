"""The view: shows a scene and hands events to those whose turn it is.

An event goes to panning, to the buttons on cards, to the fields, then to the gestures and keys; the
first that takes it keeps it.
"""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import QEvent, QPointF, Qt
from PySide6.QtGui import (
    QContextMenuEvent,
    QDragEnterEvent,
    QDragLeaveEvent,
    QDragMoveEvent,
    QDropEvent,
    QFocusEvent,
    QHelpEvent,
    QKeyEvent,
    QMouseEvent,
    QNativeGestureEvent,
    QPainter,
    QPaintEvent,
    QWheelEvent,
)
from PySide6.QtWidgets import QFrame, QGraphicsView, QToolTip, QWidget

from ponystudio.canvas.painting import paint_overlay
from ponystudio.canvas.painting.backing_store import BackingStore
from ponystudio.canvas.painting.paint_wire import WireAnimation
from ponystudio.canvas.scene import hit_test, screen_reader_texts
from ponystudio.canvas.scene.items import NOTHING
from ponystudio.canvas.scene.scene import GraphScene
from ponystudio.canvas.view import accessibility, camera_view
from ponystudio.canvas.view.camera_view import Camera, CameraView
from ponystudio.canvas.view.card_buttons import CardButtons
from ponystudio.canvas.view.editor_overlay import EditorOverlay
from ponystudio.canvas.view.event_handler import EventHandler
from ponystudio.canvas.view.field_host import FieldHost
from ponystudio.canvas.view.field_input import FieldInput
from ponystudio.canvas.view.minimap import Minimap
from ponystudio.canvas.view.panning import Panning
from ponystudio.canvas.view.zoom_bar import ZoomBar
from ponystudio.qt.i18n import tr
from ponystudio.qt.plain_text import tip
from ponystudio.widgets import theme
from ponystudio.widgets.action import ActionSpec


def view_actions(view: CameraView, minimap: Minimap) -> list[ActionSpec]:
    scene = view.graph_scene

    def zoom_to(zoom: float) -> None:
        view.jump(Camera(view.camera().center, zoom))

    def zoom_step(up: bool) -> None:
        view.zoom_at(camera_view.stepped(view.zoom, up) / view.zoom, _middle(view))

    group = tr("View")
    return [
        ActionSpec(
            "canvas.fit",
            tr("Show everything"),
            view.fit,
            ("F", ".", "Home"),
            group,
            "fit",
        ),
        ActionSpec(
            "canvas.fit_selection",
            tr("Show selection"),
            view.fit_selection,
            ("Shift+Home", "Num+."),
            group,
            "zoom",
        ),
        ActionSpec(
            "canvas.zoom_100",
            tr("Zoom to 100 %"),
            lambda: zoom_to(1.0),
            ("Ctrl+0",),
            group,
            "zoom",
        ),
        ActionSpec(
            "canvas.zoom_in",
            tr("Zoom in"),
            lambda: zoom_step(True),
            ("Ctrl++", "Ctrl+="),
            group,
            "plus",
            repeats=True,
        ),
        ActionSpec(
            "canvas.zoom_out",
            tr("Zoom out"),
            lambda: zoom_step(False),
            ("Ctrl+-",),
            group,
            "zoom",
            repeats=True,
        ),
        ActionSpec(
            "canvas.minimap",
            tr("Minimap"),
            minimap.toggle,
            ("Alt+M",),
            group,
            "mapi",
            checked=minimap.is_on,
        ),
        ActionSpec(
            "canvas.shapes_on_wires",
            tr("Shapes on wires"),
            lambda: scene.set_shapes_on_wires(not scene.shapes_on_wires),
            (),
            group,
            "link",
            checked=lambda: scene.shapes_on_wires,
        ),
    ]


def _middle(view: CameraView) -> QPointF:
    return QPointF(view.viewport().rect().center())


class GraphView(CameraView):
    """One view of a scene, with the parts that lie over it."""

    def __init__(self, scene: GraphScene, parent: QWidget | None = None) -> None:
        super().__init__(scene, parent)
        self._grabber: EventHandler | None = None
        self._handlers: tuple[EventHandler, ...] = ()
        self._pointer: QPointF | None = None
        self._set_up()
        self.backing_store = BackingStore(self, scene)
        self.wire_animation = WireAnimation(self, scene.store, scene.document.states)
        self.camera_changed.connect(self._on_camera_changed)
        self.editors = EditorOverlay(self)
        self.field_host = FieldHost(self, self.editors)
        self.field_input = FieldInput(self, self.field_host)
        self.panning = Panning(self)
        self.buttons = CardButtons(self, self.field_input)
        self.minimap = Minimap(self)
        self.zoom_bar = ZoomBar(self, self.minimap)
        self.set_handlers()
        scene.overlay_changed.connect(self._show_overlay)
        scene.drag_changed.connect(self._show_overlay)
        scene.focus_changed.connect(self._announce_focus)
        theme.hub.changed.connect(self._theme_changed)
        self.set_camera(Camera(QPointF(), 1.0))

    def _set_up(self) -> None:
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setViewportUpdateMode(QGraphicsView.ViewportUpdateMode.NoViewportUpdate)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setAcceptDrops(True)
        self.setMouseTracking(True)
        self.viewport().setMouseTracking(True)
        self.viewport().setAttribute(Qt.WidgetAttribute.WA_OpaquePaintEvent)
        self.viewport().setAutoFillBackground(False)
        self.viewport().grabGesture(Qt.GestureType.PinchGesture)
        self.setAccessibleName(self.tr("Graph"))

    def set_handlers(self, *handlers: EventHandler) -> None:
        """Who may take, in this order, the events that its own parts leave."""
        self._handlers = (self.panning, self.buttons, self.field_input, *handlers)

    @property
    def pointer(self) -> QPointF | None:
        """Where the mouse is over the canvas, in scene px; None where it is elsewhere."""
        at = self._pointer
        seen = at is not None and self.underMouse() and self.visible_rect().contains(at)
        return at if seen else None

    # Painting

    def _on_camera_changed(self) -> None:
        self.backing_store.camera_moved()
        self.viewport().update()

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self.viewport())
        self.backing_store.paint(painter, event.rect())
        paint_overlay.paint(painter, self, self.graph_scene, self.wire_animation)
        painter.end()

    def _show_overlay(self) -> None:
        self.viewport().update()

    def _announce_focus(self) -> None:
        """Tell screen readers what the keyboard is on."""
        focus = self.graph_scene.focus
        self.setAccessibleDescription(screen_reader_texts.focused(self.graph_scene, focus))
        accessibility.announce(self, focus)

    def _theme_changed(self) -> None:
        self.backing_store.damage(None)
        self.viewport().update()

    # Events

    def mousePressEvent(self, event: QMouseEvent) -> None:
        self.stand_still()
        self.setFocus(Qt.FocusReason.MouseFocusReason)
        self._grabber = self._taker(lambda handler: handler.mouse_press(event))
        event.accept()

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        self._pointer = self.scene_pos(event)
        if self._grabber:
            self._grabber.mouse_move(event)
        else:
            self._hover(event)
            self._first(lambda handler: handler.mouse_move(event))
        event.accept()

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        grabber, self._grabber = self._grabber, None
        if grabber:
            grabber.mouse_release(event)
        else:
            self._first(lambda handler: handler.mouse_release(event))
        self._hover(event)
        event.accept()

    def mouseDoubleClickEvent(self, event: QMouseEvent) -> None:
        self._grabber = self._taker(lambda handler: handler.double_click(event)) or self._grabber
        event.accept()

    def contextMenuEvent(self, event: QContextMenuEvent) -> None:
        self._first(lambda handler: handler.context_menu(event))
        event.accept()

    def keyPressEvent(self, event: QKeyEvent) -> None:
        event.setAccepted(self._first(lambda handler: handler.key_press(event)))

    def keyReleaseEvent(self, event: QKeyEvent) -> None:
        event.setAccepted(self._first(lambda handler: handler.key_release(event)))

    def focusInEvent(self, event: QFocusEvent) -> None:
        super().focusInEvent(event)
        self.viewport().update()

    def focusOutEvent(self, event: QFocusEvent) -> None:
        self._first(lambda handler: handler.focus_out(event))
        self.viewport().update()

    def focusNextPrevChild(self, next: bool) -> bool:
        """Tab opens the palette; Ctrl+Tab and the panels' keys leave the canvas."""
        del next
        return False

    def wheelEvent(self, event: QWheelEvent) -> None:
        if not self._first(lambda handler: handler.wheel(event)):
            self.panning.wheel_moves(event)
        event.accept()

    def dragEnterEvent(self, event: QDragEnterEvent) -> None:
        event.setAccepted(self._first(lambda handler: handler.drag_enter(event)))

    def dragMoveEvent(self, event: QDragMoveEvent) -> None:
        event.setAccepted(self._first(lambda handler: handler.drag_move(event)))

    def dragLeaveEvent(self, event: QDragLeaveEvent) -> None:
        self._first(lambda handler: handler.drag_leave(event))

    def dropEvent(self, event: QDropEvent) -> None:
        event.setAccepted(self._first(lambda handler: handler.drop(event)))

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

    def _show_tip(self, event: QHelpEvent) -> bool:
        pos = self.to_scene(event.pos())
        scene = self.graph_scene
        text = self.field_input.tooltip(pos)
        if text := text or screen_reader_texts.tooltip(scene, hit_test.hit(scene.store, pos)):
            QToolTip.showText(event.globalPos(), tip(text), self.viewport())
        else:
            QToolTip.hideText()
        return True

    def _leave(self) -> None:
        self.graph_scene.set_hover(NOTHING)
        for handler in self._handlers:
            handler.leave()

    def _taker(self, ask: Callable[[EventHandler], bool]) -> EventHandler | None:
        return next((handler for handler in self._handlers if ask(handler)), None)

    def _first(self, ask: Callable[[EventHandler], bool]) -> bool:
        return self._taker(ask) is not None

    def _hover(self, event: QMouseEvent) -> None:
        inside = self.viewport().rect().contains(event.position().toPoint())
        self.graph_scene.set_hover(self.hit(event) if inside else NOTHING)

    # Actions

    def canvas_actions(self) -> list[ActionSpec]:
        return view_actions(self, self.minimap)
