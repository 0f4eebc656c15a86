"""What painting needs of the view that it is for."""

from __future__ import annotations

from typing import Protocol

from PySide6.QtCore import QPointF, QRectF
from PySide6.QtGui import QTransform
from PySide6.QtWidgets import QWidget


class Viewport(Protocol):
    """A widget that shows a part of the scene."""

    @property
    def zoom(self) -> float:
        """1.0 at 100 %, whatever the UI scale is."""

    def viewport(self) -> QWidget:
        """The widget that is painted on."""

    def viewportTransform(self) -> QTransform:
        """From scene px to those of the widget."""

    def visible_rect(self) -> QRectF:
        """What it shows, in scene px."""

    def from_scene(self, pos: QPointF) -> QPointF: ...

    def from_scene_rect(self, rect: QRectF) -> QRectF: ...

    def hasFocus(self) -> bool: ...
