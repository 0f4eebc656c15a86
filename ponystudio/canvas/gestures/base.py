"""What all gestures share: each is an object that starts, moves, and is finished or cancelled."""

from __future__ import annotations

from dataclasses import dataclass

from PySide6.QtCore import QPointF, Qt
from PySide6.QtGui import QMouseEvent

from ponystudio.canvas.gestures.graph_operations import GraphOperations
from ponystudio.canvas.painting.paint_context import Viewport
from ponystudio.canvas.scene.items import Hit
from ponystudio.canvas.view.camera_view import CameraView

# How far, in px on screen, a press must travel before it is a drag.
SLACK = 4.0


@dataclass(frozen=True)
class Pointer:
    """Where the mouse is, in scene px and in px of the viewport, and the keys that are held."""

    scene: QPointF
    screen: QPointF
    modifiers: Qt.KeyboardModifier

    @classmethod
    def of(cls, view: CameraView, event: QMouseEvent) -> Pointer:
        return cls(view.scene_pos(event), event.position(), event.modifiers())

    @property
    def shift(self) -> bool:
        return bool(self.modifiers & Qt.KeyboardModifier.ShiftModifier)

    @property
    def ctrl(self) -> bool:
        return bool(self.modifiers & Qt.KeyboardModifier.ControlModifier)

    @property
    def alt(self) -> bool:
        return bool(self.modifiers & Qt.KeyboardModifier.AltModifier)


class Gesture:
    """One drag. `start` is called once the press has travelled far enough, then `move` with each
    step, then `finish` or `cancel`; a press that goes nowhere is a `click`.

    What it shows while it lasts it sets on the scene and takes back in `over`.
    """

    cursor: Qt.CursorShape | None = None

    def __init__(self, ops: GraphOperations, view: Viewport, hit: Hit, press: Pointer) -> None:
        self.ops, self.view, self.hit, self.press = ops, view, hit, press
        self.scene, self.store = ops.scene, ops.store

    def click(self, at: Pointer) -> None:
        """Pressed and released in place."""

    def start(self) -> None: ...

    def move(self, at: Pointer) -> None: ...

    def finish(self, at: Pointer) -> None: ...

    def cancel(self) -> None: ...

    def over(self) -> None:
        self.scene.clear_overlay()
        self.scene.set_drag(None)

    def hint(self) -> str:
        """What a line at the view's foot says meanwhile; *stars* mark what is semibold."""
        return ""

    @property
    def unit(self) -> float:
        """The length in scene px of one px on screen."""
        return 1 / self.view.viewportTransform().m11()
