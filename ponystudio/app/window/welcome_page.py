"""The first start: a picture with one click, or the models that one already has."""

from __future__ import annotations

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QKeyEvent
from PySide6.QtWidgets import QFrame, QHBoxLayout, QVBoxLayout, QWidget

from ponystudio.widgets.common import label
from ponystudio.widgets.primitives import PaintedButton, px

WIDTH = 560


class WelcomePage(QFrame):
    """Stands in the place of the canvas until something is chosen. `picture_requested`: make one
    with the starter model; `models_requested`: another tool's models are to be used; `left`:
    neither."""

    picture_requested = Signal()
    models_requested = Signal()
    left = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setProperty("surface", "canvas")
        self.setAccessibleName(self.tr("Welcome"))
        self.make = PaintedButton("primary", self.tr("Make a picture"), "run")
        self.models = PaintedButton("plain", self.tr("Choose the folder"), "folder")
        self.empty = PaintedButton("plain", self.tr("Begin with an empty canvas"), "add")
        self.make.clicked.connect(self.picture_requested)
        self.models.clicked.connect(self.models_requested)
        self.empty.clicked.connect(self.left)
        middle = QWidget()
        middle.setFixedWidth(px(WIDTH))
        box = QVBoxLayout(middle)
        box.setSpacing(px(8))
        box.addWidget(label(self.tr("Welcome to PonyStudio"), "page"))
        intro = self.tr(
            "Wire nodes into a graph, and it makes pictures on your own machine. Nothing is sent"
            " anywhere, and nothing you do here is lost."
        )
        box.addWidget(_text(intro))
        box.addSpacing(px(16))
        for title, text, button in (
            (
                self.tr("See it work"),
                self.tr("A unicorn from words, with the small model that ships here."),
                self.make,
            ),
            (
                self.tr("I already have ComfyUI or A1111"),
                self.tr(
                    "Its models are read where they are, nothing is copied. Choose its folder, or"
                    " the one with extra_model_paths.yaml."
                ),
                self.models,
            ),
            (
                self.tr("Look around first"),
                self.tr("Tab adds nodes, Ctrl+Shift+P finds every command, F1 explains."),
                self.empty,
            ),
        ):
            box.addWidget(_choice(title, text, button))
        row = QHBoxLayout()  # an alignment would take no notice of heights for widths
        row.addStretch(1)
        row.addWidget(middle)
        row.addStretch(1)
        outer = QVBoxLayout(self)
        outer.addStretch(2)
        outer.addLayout(row)
        outer.addStretch(3)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.key() == Qt.Key.Key_Escape:
            self.left.emit()
        else:
            super().keyPressEvent(event)


def _choice(title: str, text: str, button: PaintedButton) -> QWidget:
    card = QFrame()
    card.setProperty("surface", "popup")  # on a card, buttons would not stand out
    row = QHBoxLayout(card)
    row.setContentsMargins(px(16), px(12), px(16), px(12))
    row.setSpacing(px(16))
    words = QVBoxLayout()
    words.setSpacing(px(2))
    words.addWidget(label(title, "title"))
    words.addWidget(_text(text))
    row.addLayout(words, 1)
    row.addWidget(button)
    return card


def _text(text: str) -> QWidget:
    made = label(text, "body", "text2")
    made.setWordWrap(True)
    return made
