"""A person's hands on a canvas: mouse and keyboard through real events, in scene px."""

from __future__ import annotations

from PySide6.QtCore import QPoint, QPointF, Qt
from PySide6.QtTest import QTest

LEFT, RIGHT = Qt.MouseButton.LeftButton, Qt.MouseButton.RightButton
NONE = Qt.KeyboardModifier.NoModifier
SHIFT, CTRL = Qt.KeyboardModifier.ShiftModifier, Qt.KeyboardModifier.ControlModifier
ALT = Qt.KeyboardModifier.AltModifier


class Hands:
    def __init__(self, view) -> None:
        self.view, self.scene = view, view.graph_scene

    def at(self, place) -> QPoint:
        """A scene position in px of the viewport."""
        x, y = (place.x(), place.y()) if isinstance(place, QPointF) else place
        return self.view.from_scene(QPointF(x, y)).toPoint()

    def out(self, node: str, name: str) -> QPointF:
        return self.scene.store.output_pos(node, name)

    def into(self, node: str, name: str) -> QPointF:
        return self.scene.store.input_pos(node, name)

    def header(self, node: str) -> QPointF:
        return self.scene.store.node_items[node].rect.topLeft() + QPointF(80, 16)

    def body(self, node: str) -> QPointF:
        """A place on a card that is no param and no socket."""
        rect = self.scene.store.node_items[node].rect
        return QPointF(rect.center().x(), rect.bottom() - 8)

    def press(self, place, keys=NONE, button=LEFT) -> None:
        QTest.mousePress(self.view.viewport(), button, keys, self.at(place))

    def move(self, place, keys=NONE, button=LEFT) -> None:
        """Moves with a button down."""
        from PySide6.QtGui import QMouseEvent
        from PySide6.QtWidgets import QApplication

        at = QPointF(self.at(place))
        viewport = self.view.viewport()
        event = QMouseEvent(
            QMouseEvent.Type.MouseMove,
            at,
            QPointF(viewport.mapToGlobal(at.toPoint())),
            Qt.MouseButton.NoButton,
            button,
            keys,
        )
        QApplication.sendEvent(viewport, event)

    def release(self, place, keys=NONE, button=LEFT) -> None:
        QTest.mouseRelease(self.view.viewport(), button, keys, self.at(place))

    def drag(self, *places, keys=NONE, button=LEFT) -> None:
        """Press at the first, over the others, release at the last."""
        self.press(places[0], keys, button)
        last = self.at(places[0])
        for place in places[1:]:
            goal = self.at(place)
            for share in (0.25, 0.5, 0.75, 1.0):
                step = QPointF(last) + QPointF(goal - last) * share
                self.move(self.view.to_scene(step), keys, button)
            last = goal
        self.release(places[-1], keys, button)

    def click(self, place, keys=NONE, button=LEFT) -> None:
        QTest.mouseClick(self.view.viewport(), button, keys, self.at(place))

    def double_click(self, place, keys=NONE) -> None:
        QTest.mouseDClick(self.view.viewport(), LEFT, keys, self.at(place))
        QTest.mouseRelease(self.view.viewport(), LEFT, keys, self.at(place))

    def keys(self, *keys) -> None:
        for key in keys:
            self.key(key)

    def key(self, key, keys=NONE, widget=None) -> None:
        QTest.keyClick(widget or self.view, key, keys)

    def write(self, text: str, widget=None) -> None:
        QTest.keyClicks(widget or self.view, text)
