"""Selecting with a box."""

from __future__ import annotations

from typing import TypeVar

from PySide6.QtCore import QRectF

from ponystudio.canvas.gestures.base import Gesture, Pointer

Thing = TypeVar("Thing")


class BoxSelect(Gesture):
    """Cards and notes that the box touches, frames that lie in it. Shift adds, Ctrl toggles."""

    def click(self, at: Pointer) -> None:
        if not (at.shift or at.ctrl):
            self.store.clear_selection()
        self.scene.set_focus(None)

    def start(self) -> None:
        store = self.store
        self._before = (
            set(store.selected_nodes()),
            set(store.selected_frames()),
            set(store.selected_notes()),
        )

    def move(self, at: Pointer) -> None:
        rect = QRectF(self.press.scene, at.scene).normalized()
        self.scene.set_overlay(rubber=rect)
        store = self.store
        found = (
            set(store.nodes_in(rect)),
            {item.index for item in store.frame_items if rect.contains(item.rect)},
            {item.index for item in store.note_items if rect.intersects(item.rect)},
        )
        before = self._before
        store.select(
            _joined(before[0], found[0], at),
            frames=_joined(before[1], found[1], at),
            notes=_joined(before[2], found[2], at),
        )

    def cancel(self) -> None:
        nodes, frames, notes = self._before
        self.store.select(nodes, frames=frames, notes=notes)


def _joined(before: set[Thing], found: set[Thing], at: Pointer) -> set[Thing]:
    if at.ctrl:
        return before ^ found
    return before | found if at.shift else found
