"""What can be pressed on a card besides its params: its header, its picture, its message."""

from __future__ import annotations

from PySide6.QtCore import Qt
from PySide6.QtGui import QGuiApplication, QMouseEvent

from ponystudio.canvas.scene.items import NOTHING, Hit
from ponystudio.canvas.view.camera_view import CameraView
from ponystudio.canvas.view.event_handler import EventHandler
from ponystudio.studio.documents.editable_graph import Problem


class CardButtons(EventHandler):
    """Pressed where the mouse went down and up on the same one. The fields, which come after it,
    are told to leave where the pointer is on one of these."""

    def __init__(self, view: CameraView, fields: EventHandler) -> None:
        self._view, self._scene, self._fields = view, view.graph_scene, fields
        self._down = NOTHING

    def mouse_press(self, event: QMouseEvent) -> bool:
        if event.button() != Qt.MouseButton.LeftButton or event.modifiers():
            return False
        hit = self._view.hit(event)
        self._down = hit
        return hit.part in ("run", "more", "message")

    def mouse_move(self, event: QMouseEvent) -> bool:
        if event.buttons() == Qt.MouseButton.NoButton:
            hit = self._view.hit(event)
            pressable = hit.part in ("run", "more") or (hit.part == "message" and hit.button)
            if pressable:
                self._fields.leave()
                self._view.viewport().setCursor(Qt.CursorShape.PointingHandCursor)
                return True
            self._view.viewport().unsetCursor()
        return False

    def mouse_release(self, event: QMouseEvent) -> bool:
        down, self._down = self._down, NOTHING
        hit = self._view.hit(event)
        if (hit.part, hit.node, hit.button) == (down.part, down.node, down.button):
            self._press(hit)
        return down.part in ("run", "more", "message")

    def double_click(self, event: QMouseEvent) -> bool:
        hit = self._view.hit(event)
        if hit.part == "message":
            self._press(hit)
        if hit.part in ("run", "more", "message"):
            return True  # the first click of the two already pressed it
        if hit.part == "picture" and self._scene.document.states[hit.node].picture:
            self._scene.picture_activated.emit(hit.node)
            return True
        return False

    def _press(self, hit: Hit) -> None:
        if hit.part == "run":
            self._scene.run_to_requested.emit(hit.node)
        elif hit.part == "more":
            item = self._scene.store.node_items[hit.node]
            self._scene.more_requested.emit(hit.node, item.rect.topRight())
        elif hit.part == "message" and hit.button:
            self.press_message(hit.node, hit.button)

    def press_message(self, node: str, button: str) -> None:
        """Do what a button of a node's message says, or ask for it."""
        if button in ("accept", "dismiss"):
            self._scene.offer_answered.emit(node, button == "accept")
            return
        problem = self._scene.document.states[node].problem
        if problem is None:
            return
        if button == "details":
            self._scene.sync.toggle_details(node)
        elif button == "copy":
            QGuiApplication.clipboard().setText(as_text(node, problem))
        else:
            self._scene.remedy_requested.emit(node, problem, button)


def as_text(node: str, problem: Problem) -> str:
    """A problem as one would paste it into a message."""
    parts = [f"{node}: {problem.what}", problem.remedy, problem.details]
    return "\n".join(part for part in parts if part)
