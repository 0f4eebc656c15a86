"""A column that scrolls up and down when there is no room for all of it."""

from __future__ import annotations

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QFrame, QScrollArea, QVBoxLayout, QWidget

from ponystudio.widgets.common import Spacing


class ScrollColumn(QScrollArea):
    """`box` takes what stands in it."""

    def __init__(self, margin: int = 12, spacing: int = 8, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setWidgetResizable(True)
        page = QFrame()
        page.setProperty("surface", "panel")
        self.box = QVBoxLayout(page)
        Spacing(self.box, (margin, margin, margin, margin), spacing)
        self.setWidget(page)
