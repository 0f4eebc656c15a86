"""Editors that stand on a card in place of a field, for as long as something is typed."""

from __future__ import annotations

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QWidget


class InPlaceEditor(QWidget):
    """Whoever shows one places it over `rect` of the scene, calls `set_zoom` whenever the view's
    zoom changes, and deletes it when `closed` fires, once, after `commit` or `cancel`.

    Enter (Ctrl+Enter where there are lines) and leaving commit, Esc cancels: the editor sees to
    that by itself.
    """

    closed = Signal()

    def set_zoom(self, factor: float) -> None:
        """Take the fonts and margins for this zoom; 1.0 where the view scales the editor itself."""

    def commit(self) -> None:
        """Keep what was typed, and close."""
        self.closed.emit()

    def cancel(self) -> None:
        """Put back what was there before, and close."""
        self.closed.emit()
