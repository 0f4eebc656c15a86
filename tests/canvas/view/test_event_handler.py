"""Who takes an event of the view."""

from __future__ import annotations

from PySide6.QtCore import QPoint, Qt
from PySide6.QtTest import QTest

from ponystudio.canvas.view.event_handler import EventHandler
from ponystudio.canvas.view.view import GraphView


def test_events_go_to_the_first_that_takes_them(view: GraphView) -> None:
    asked: list[str] = []

    class Asked(EventHandler):
        def __init__(self, name: str, takes: bool) -> None:
            self.name, self.takes = name, takes

        def mouse_press(self, event) -> bool:
            asked.append(self.name)
            return self.takes

        def mouse_release(self, event) -> bool:
            asked.append(f"{self.name} up")
            return True

    view.set_handlers(Asked("first", False), Asked("second", True), Asked("third", True))
    QTest.mouseClick(view.viewport(), Qt.MouseButton.LeftButton, pos=QPoint(5, 5))
    assert asked == ["first", "second", "second up"]
