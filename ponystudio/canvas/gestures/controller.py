"""Which gesture a press begins, and how it ends."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import QEvent, QObject, QPoint, QPointF, QRect, Qt, QTimer, Signal
from PySide6.QtGui import (
    QContextMenuEvent,
    QDragMoveEvent,
    QDropEvent,
    QKeyEvent,
    QMouseEvent,
)

from ponystudio.canvas.gestures.base import SLACK, Gesture, Pointer
from ponystudio.canvas.gestures.connect import ConnectGesture, DragDot, PullDot, dot_index
from ponystudio.canvas.gestures.graph_operations import GraphOperations
from ponystudio.canvas.gestures.move import Move
from ponystudio.canvas.gestures.resize import Resize, edges_at
from ponystudio.canvas.gestures.stroke_gestures import BoxSelect, CutGesture, LazyConnect, Reroute
from ponystudio.canvas.painting.paint_overlay import refusal_rects
from ponystudio.canvas.scene import hit_test
from ponystudio.canvas.scene.items import Hit
from ponystudio.canvas.view.camera_view import CameraView
from ponystudio.canvas.view.event_handler import EventHandler
from ponystudio.graph.editing.wiring import Bridge, Pair

# What a node panel drags: the text is the id of a kind of node.
NODE_MIME = "application/x-ponystudio-node"
_EDGE, _STEP = 28, 18  # px: where a drag scrolls the view, and how far at a time
_ON_CARD = ("header", "body", "status", "picture", "param")
_LEFT, _RIGHT = Qt.MouseButton.LeftButton, Qt.MouseButton.RightButton


class GestureController(QObject, EventHandler):
    """Takes what the view, its buttons and the fields left.

    What it wants done besides it says: `add_requested` (scene position) of a node,
    `text_requested` (Hit) to write the text of a node's title, a frame or a note,
    `output_requested` (node) to be viewed, `menu_requested` (Hit, scene position, position on the
    screen). `hint_changed` is what the gesture in hand does, "" for none. `dropped` carries what
    was dropped besides nodes: its QMimeData and the scene position.
    """

    add_requested = Signal(QPointF)
    text_requested = Signal(object)
    output_requested = Signal(str)
    menu_requested = Signal(object, QPointF, QPoint)
    hint_changed = Signal(str)
    dropped = Signal(object, object)

    def __init__(
        self, view: CameraView, ops: GraphOperations, is_choosing: Callable[[], bool]
    ) -> None:
        """`is_choosing`: whether the palette asks now what to make where a wire was dropped."""
        super().__init__(view)
        self.view, self.ops, self._is_choosing = view, ops, is_choosing
        self.scene, self.store = ops.scene, ops.store
        self.active: Gesture | None = None
        self._started = False
        self._button = Qt.MouseButton.NoButton
        self._last: Pointer | None = None
        self._no_menu = False
        self._remedy: tuple[Bridge, Pair] | None = None
        self._scroller = QTimer(self)
        self._scroller.setInterval(30)
        self._scroller.timeout.connect(self._scroll)
        self.ops.document.changed.connect(self._drop_refusal)

    # Mouse

    def mouse_press(self, event: QMouseEvent) -> bool:
        if self.active:
            self._no_menu = event.button() == _RIGHT
            self.cancel()
            return True
        if self._pressed_refusal(event):
            return True
        hit, at = self.view.hit(event), Pointer.of(self.view, event)
        self._no_menu = event.button() == _RIGHT and bool(
            event.modifiers() & ~Qt.KeyboardModifier.KeypadModifier
        )
        if event.button() == _LEFT and at.ctrl and at.shift and hit.node and not hit.socket:
            self.output_requested.emit(hit.node)
            return True
        self.active = self._choose(event.button(), hit, at)
        self._button, self._started, self._last = event.button(), False, at
        self.scene.set_focus(None)
        return self.active is not None

    def _choose(self, button: Qt.MouseButton, hit: Hit, at: Pointer) -> Gesture | None:
        if button == _RIGHT:
            if at.ctrl and at.alt:
                return None
            if at.ctrl:
                return CutGesture(self.ops, self.view, hit, at)
            if at.shift:
                return Reroute(self.ops, self.view, hit, at)
            return LazyConnect(self.ops, self.view, hit, at) if at.alt and hit.node else None
        if button != _LEFT:
            return None
        if hit.part == "socket":
            return ConnectGesture.from_socket(self.ops, self.view, hit, at)
        edges = edges_at(self.store, hit, at.scene, 1 / self.view.transform().m11())
        if edges and not (edges.kind == "node" and self.ops.pinned(hit.node)):
            return Resize(self.ops, self.view, hit, at, edges)
        if hit.part in (*_ON_CARD, "note", "frame_title"):
            return Move(self.ops, self.view, hit, at)
        if hit.part == "dot":
            return DragDot(self.ops, self.view, hit, at)
        if hit.part == "wire":
            return PullDot(self.ops, self.view, hit, at)
        return BoxSelect(self.ops, self.view, hit, at)

    def mouse_move(self, event: QMouseEvent) -> bool:
        at = Pointer.of(self.view, event)
        if self.active is None:
            self._show_cursor(event, at)
            return False
        self._last = at
        if not self._started:
            gone = (at.screen - self.active.press.screen).manhattanLength()
            if gone < SLACK:
                return True
            self._started = True
            self.active.start()
            if self.active.cursor is not None:
                self.view.viewport().setCursor(self.active.cursor)
        self.active.move(at)
        self.hint_changed.emit(self.active.hint())
        self._scroll_near_edges(at)
        return True

    def mouse_release(self, event: QMouseEvent) -> bool:
        gesture = self.active
        if gesture is None or event.button() != self._button:
            return False
        at = Pointer.of(self.view, event)
        self._end()
        if not self._started:
            gesture.click(at)
            return True
        gesture.move(at)
        kept = gesture.remedy() if isinstance(gesture, ConnectGesture) else None
        choosing_before = self._is_choosing()
        # Its overlay goes first: what it asks by the palette brings its own.
        drag = self.scene.drag
        gesture.over()
        if drag and isinstance(gesture, ConnectGesture):
            self.scene.set_drag(drag)
        gesture.finish(at)
        if not self._is_choosing() or choosing_before:
            self.scene.set_drag(None)
        if kept:
            refusal, bridge, pair = kept
            self._remedy = bridge, pair
            self.scene.set_overlay(refusal=refusal)
        return True

    def double_click(self, event: QMouseEvent) -> bool:
        if event.button() != _LEFT:
            return False
        hit, at = self.view.hit(event), self.view.scene_pos(event)
        if hit.part in ("empty", "frame"):
            self.add_requested.emit(at)
        elif hit.part == "wire" and hit.wire:
            self.ops.add_dot(hit.wire, dot_index(self.store, hit.wire, at), at)
        elif hit.part == "dot" and hit.wire:
            self.ops.remove_dot(hit.wire, hit.dot, self.tr("Remove a dot"))
        elif hit.part in ("note", "frame_title", "frame_edge", "header"):
            self.text_requested.emit(hit)
        else:
            return self.mouse_press(event)
        return True

    def cancel(self) -> bool:
        """Take back the gesture that is under way."""
        gesture = self.active
        if gesture is None:
            return self._drop_refusal()
        self._end()
        if self._started:
            gesture.cancel()
            gesture.over()
        return True

    def _end(self) -> None:
        self.active = None
        self.hint_changed.emit("")
        self._scroller.stop()
        self.view.viewport().unsetCursor()

    # A refused drop stays in sight, for its remedy to be pressed

    def _pressed_refusal(self, event: QMouseEvent) -> bool:
        shown, remedy = self.scene.overlay.refusal, self._remedy
        if shown is None or remedy is None:
            return False
        box, link = refusal_rects(self.view, shown)
        self._drop_refusal()
        if link.contains(event.position()):
            self.ops.insert_bridge(*remedy)
        return bool(box.contains(event.position()))

    def _drop_refusal(self, _: object = None) -> bool:
        if self._remedy is None:
            return False
        self._remedy = None
        self.scene.set_overlay(refusal=None)
        return True

    def accept_remedy(self) -> bool:
        """Do what the refusal in sight offers; by keyboard Enter."""
        remedy = self._remedy
        self._drop_refusal()
        return bool(remedy and self.ops.insert_bridge(*remedy))

    # Scrolling while something is dragged past the edge

    def _scroll_near_edges(self, at: Pointer) -> None:
        inner = self.view.viewport().rect().adjusted(_EDGE, _EDGE, -_EDGE, -_EDGE)
        if inner.contains(at.screen.toPoint()):
            self._scroller.stop()
        elif not self._scroller.isActive():
            self._scroller.start()

    def _scroll(self) -> None:
        if self.active is None or self._last is None:
            self._scroller.stop()
            return
        area: QRect = self.view.viewport().rect()
        at = self._last.screen
        dx = _STEP * ((at.x() < _EDGE) - (at.x() > area.width() - _EDGE))
        dy = _STEP * ((at.y() < _EDGE) - (at.y() > area.height() - _EDGE))
        self.view.pan(dx, dy)
        self._last = Pointer(self.view.to_scene(at), at, self._last.modifiers)
        self.active.move(self._last)

    def _show_cursor(self, event: QMouseEvent, at: Pointer) -> None:
        if event.buttons() != Qt.MouseButton.NoButton:
            return
        hit = self.scene.hover
        viewport = self.view.viewport()
        shown = self.scene.overlay.refusal
        if self._remedy and shown and refusal_rects(self.view, shown)[1].contains(at.screen):
            viewport.setCursor(Qt.CursorShape.PointingHandCursor)
            return
        edges = edges_at(self.store, hit, at.scene, 1 / self.view.transform().m11())
        pinned = edges and edges.kind == "node" and self.ops.pinned(hit.node)
        if edges and not pinned:
            viewport.setCursor(edges.cursor)
        elif hit.part == "socket":
            viewport.setCursor(Qt.CursorShape.CrossCursor)
        elif hit.part == "dot":
            viewport.setCursor(Qt.CursorShape.SizeAllCursor)
        elif hit.part not in ("param", "run", "more", "message"):  # those have shown theirs
            viewport.unsetCursor()

    # Keys, menus, drops

    def key_press(self, event: QKeyEvent) -> bool:
        if event.key() == Qt.Key.Key_Escape and self.cancel():
            return True
        if self._remedy and event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter):
            return self.accept_remedy()
        return self.active is not None  # other keys wait until it is over

    def focus_out(self, event: QEvent) -> bool:
        del event
        if self.active and not self._is_choosing():
            self.cancel()
        return False

    def context_menu(self, event: QContextMenuEvent) -> bool:
        if self._no_menu or self.active:
            self._no_menu = False
            return True
        if event.reason() == QContextMenuEvent.Reason.Keyboard:
            return False
        at = self.view.to_scene(event.pos())
        self.menu_requested.emit(hit_test.hit(self.store, at), at, event.globalPos())
        return True

    def drag_enter(self, event: QDragMoveEvent) -> bool:
        return self.drag_move(event)

    def drag_move(self, event: QDragMoveEvent) -> bool:
        data = event.mimeData()
        if data.hasFormat(NODE_MIME):
            key = hit_test.wire_at(self.store, self.view.scene_pos(event), 10)
            self.scene.set_overlay(insert=key)
            event.setDropAction(Qt.DropAction.CopyAction)
            return True
        return data.hasUrls() or data.hasImage() or data.hasText()

    def drag_leave(self, event: QEvent) -> bool:
        del event
        self.scene.set_overlay(insert=None)
        return False

    def drop(self, event: QDropEvent) -> bool:
        data, at = event.mimeData(), self.view.scene_pos(event)
        self.scene.set_overlay(insert=None)
        if not data.hasFormat(NODE_MIME):
            self.dropped.emit(data, at)
            return True
        spec = self.ops.catalog.get(bytes(data.data(NODE_MIME).data()).decode())
        if spec is None:
            return False
        self.ops.add_node(spec, at, hit_test.wire_at(self.store, at, 10))
        self.view.setFocus()
        return True
