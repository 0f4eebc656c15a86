"""What painters need besides the painter, and what they know of the view."""

from __future__ import annotations

from typing import Protocol

from PySide6.QtCore import QPointF, QRectF
from PySide6.QtGui import QColor, QTransform
from PySide6.QtWidgets import QWidget

from ponystudio.canvas.scene.item_store import Detail, ItemStore
from ponystudio.canvas.scene.scene import GraphScene
from ponystudio.widgets import theme


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


class PaintContext:
    """A scene, how large and in what detail it is painted; made for each time something is."""

    def __init__(self, scene: GraphScene, zoom: float, detail: Detail) -> None:
        self.scene, self.zoom, self.detail = scene, zoom, detail
        self.theme = theme.current()

    @property
    def store(self) -> ItemStore:
        return self.scene.store

    def color(self, token: str) -> QColor:
        return self.theme.color(token)
