"""What an empty canvas says."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, QPoint, Qt
from PySide6.QtGui import QPalette
from PySide6.QtWidgets import QLabel, QPushButton

from ponystudio.canvas import theme

if TYPE_CHECKING:
    from ponystudio.canvas.view import GraphView

_GAP = 12


class EmptyHint(QObject):
    """One sentence and one button in the middle of a view whose graph is empty."""

    def __init__(self, view: GraphView) -> None:
        super().__init__(view)
        self._view, self._scene = view, view.graph_scene
        text = self.tr("Start with a template, drop a picture, or press Tab.")
        self._label = QLabel(text, view.viewport())
        self._label.setProperty("role", "body")
        self._label.setAttribute(Qt.WidgetAttribute.WA_TransparentForMouseEvents)
        self._button = QPushButton(self.tr("Templates"), view.viewport())
        self._button.setProperty("kind", "plain")
        self._button.setCursor(Qt.CursorShape.ArrowCursor)
        self._button.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self._button.clicked.connect(view.templates_requested)
        self._scene.content_changed.connect(self.lay_out)
        theme.hub.changed.connect(self._dress)
        self._dress()

    def is_shown(self) -> bool:
        scene = self._scene
        return not (scene.node_items or scene.frame_items or scene.note_items)

    def lay_out(self) -> None:
        shown = self.is_shown()
        self._label.setVisible(shown)
        self._button.setVisible(shown)
        if not shown:
            return
        middle = self._view.viewport().rect().center()
        for widget, down in ((self._label, -1), (self._button, 1)):
            widget.adjustSize()
            size = widget.size()
            y = -size.height() - _GAP // 2 if down < 0 else _GAP // 2
            widget.move(middle + QPoint(-size.width() // 2, y))

    def _dress(self) -> None:
        palette = self._label.palette()
        palette.setColor(QPalette.ColorRole.WindowText, theme.current().color("text2"))
        self._label.setPalette(palette)
        self._label.setFont(theme.font("body"))
        self._button.setFont(theme.font("body"))
        self.lay_out()
