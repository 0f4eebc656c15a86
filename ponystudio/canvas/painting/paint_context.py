"""What painters need besides the painter."""

from __future__ import annotations

from PySide6.QtGui import QColor

from ponystudio.canvas.scene.item_store import Detail, ItemStore
from ponystudio.canvas.scene.scene import GraphScene
from ponystudio.widgets import theme


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
