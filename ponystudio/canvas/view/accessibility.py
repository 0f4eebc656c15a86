"""The graph as screen readers meet it: a canvas with cards, cards with sockets and params.

Nothing here is made before somebody listens.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast
from weakref import ref

import shiboken6
from PySide6.QtCore import QObject, QPoint, QRect
from PySide6.QtGui import QAccessible, QAccessibleEvent, QAccessibleInterface
from PySide6.QtWidgets import QAccessibleWidget

from ponystudio.canvas.scene import hit_test, keyboard_focus, screen_reader_texts
from ponystudio.canvas.scene.items import FocusRef
from ponystudio.canvas.scene.scene import GraphScene
from ponystudio.canvas.view.camera_view import CameraView

# An interface or None, which the stubs of PySide do not allow.
_Maybe = Any
_Role = QAccessible.Role
_ROLES = {
    "node": _Role.Grouping,
    "input": _Role.Button,
    "output": _Role.Button,
    "wire": _Role.Link,
}


def announce(view: CameraView, focus: FocusRef | None) -> None:
    """Tell who listens that the keyboard is somewhere else now."""
    if not QAccessible.isActive():
        return
    graph = QAccessible.queryAccessibleInterface(view)
    part = graph.part(focus) if focus and isinstance(graph, GraphInterface) else graph
    QAccessible.updateAccessibility(QAccessibleEvent(part, QAccessible.Event.Focus))


class GraphInterface(QAccessibleWidget):
    """A view: its children are what lies on its viewport, then the cards in their order."""

    def __init__(self, view: CameraView) -> None:
        super().__init__(view, _Role.Canvas, view.accessibleName())
        # Python keeps this for as long as Qt may ask for it, and must not keep the view so.
        self._view = ref(view)
        self._parts: dict[FocusRef, PartInterface] = {}
        view.graph_scene.document.changed.connect(self._prune)
        view.destroyed.connect(self._forget)

    @property
    def view(self) -> CameraView | None:
        view = self._view()
        return view if view is not None and shiboken6.isValid(view) else None

    def part(self, focus: FocusRef) -> PartInterface:
        found = self._parts.get(focus)
        if found is None:
            found = self._parts[focus] = PartInterface(self, focus)
            QAccessible.registerAccessibleInterface(found)
        return found

    def childCount(self) -> int:
        return 1 + len(self.view.graph_scene.store.node_items) if self.view else 0

    def child(self, index: int) -> _Maybe:
        if self.view is None or not 0 <= index < self.childCount():
            return None
        if index == 0:
            return QAccessible.queryAccessibleInterface(self.view.viewport())
        ids = list(self.view.graph_scene.store.node_items)
        return self.part(FocusRef("node", ids[index - 1]))

    def indexOfChild(self, child: QAccessibleInterface) -> int:
        if not isinstance(child, PartInterface) or self.view is None:
            return 0
        ids = list(self.view.graph_scene.store.node_items)
        return 1 + ids.index(child.focus.node) if child.focus.node in ids else -1

    def childAt(self, x: int, y: int) -> _Maybe:
        if self.view is None:
            return None
        inside = self.view.viewport().mapFromGlobal(QPoint(x, y))
        over = self.view.viewport().childAt(inside)
        if over is not None:
            return QAccessible.queryAccessibleInterface(over)
        node = hit_test.node_at(self.view.graph_scene.store, self.view.to_scene(inside))
        return self.part(FocusRef("node", node)) if node else None

    def focusChild(self) -> _Maybe:
        focus = self.view.graph_scene.focus if self.view and self.view.hasFocus() else None
        return self.part(focus) if focus else None

    def _prune(self, _change: object = None) -> None:
        self._drop(lambda part: not part.isValid())

    def _forget(self, _view: QObject | None = None) -> None:
        self._drop(lambda _: True)

    def _drop(self, gone: Callable[[PartInterface], bool]) -> None:
        for focus, part in list(self._parts.items()):
            if gone(part):
                del self._parts[focus]
                QAccessible.deleteAccessibleInterface(QAccessible.uniqueId(part))


class PartInterface(QAccessibleInterface):
    """A card, or one of its sockets or params; a wire."""

    def __init__(self, graph: GraphInterface, focus: FocusRef) -> None:
        super().__init__()
        self.graph, self.focus = graph, focus

    @property
    def scene(self) -> GraphScene | None:
        return self.graph.view.graph_scene if self.graph.view else None

    def isValid(self) -> bool:
        return (
            self.scene is not None
            and keyboard_focus.place(self.scene.store, self.focus) is not None
        )

    def object(self) -> _Maybe:
        return None

    def window(self) -> _Maybe:
        return self.graph.window()

    def relations(self, match: Any = None) -> list[Any]:
        del match
        return []

    def parent(self) -> QAccessibleInterface:
        if self.focus.kind in ("node", "wire"):
            return self.graph
        return self.graph.part(FocusRef("node", self.focus.node))

    def childCount(self) -> int:
        return len(self._rows())

    def child(self, index: int) -> _Maybe:
        rows = self._rows()
        return self.graph.part(rows[index]) if 0 <= index < len(rows) else None

    def indexOfChild(self, child: QAccessibleInterface) -> int:
        rows = self._rows()
        mine = isinstance(child, PartInterface) and child.focus in rows
        return rows.index(cast(PartInterface, child).focus) if mine else -1

    def childAt(self, x: int, y: int) -> _Maybe:
        parts = (self.graph.part(row) for row in self._rows())
        return next((part for part in parts if part.rect().contains(x, y)), None)

    def focusChild(self) -> _Maybe:
        focused = self.graph.focusChild()
        return focused if focused is not None and self.indexOfChild(focused) >= 0 else None

    def rect(self) -> QRect:
        """On the screen."""
        view = self.graph.view
        if view is None or not self.isValid():
            return QRect()
        rect = view.from_scene_rect(
            keyboard_focus.area(view.graph_scene.store, self.focus)
        ).toAlignedRect()
        return QRect(view.viewport().mapToGlobal(rect.topLeft()), rect.size())

    def role(self) -> QAccessible.Role:
        if self.focus.kind != "param":
            return _ROLES[self.focus.kind]
        row = keyboard_focus.param(self.scene.store, self.focus) if self.scene else None
        return row.field.role if row else _Role.EditableText

    def state(self) -> QAccessible.State:
        state = QAccessible.State()
        scene, view = self.scene, self.graph.view
        if scene is None or view is None or not self.isValid():
            state.invalid = True
            return state
        state.focusable = True
        state.focused = scene.focus == self.focus and view.hasFocus()
        shown = view.from_scene_rect(keyboard_focus.area(scene.store, self.focus))
        state.offscreen = not shown.intersects(view.viewport().rect().toRectF())
        if self.focus.kind == "node":
            item = scene.store.node_items[self.focus.node]
            state.selectable, state.selected = True, item.selected
            state.expandable, state.collapsed = True, item.layout.collapsed
            state.expanded = not item.layout.collapsed
            state.busy = item.state.phase == "running"
        elif self.role() == _Role.CheckBox:
            state.checkable = True
            value = scene.document.graph.nodes[self.focus.node].params.get(self.focus.name)
            row = keyboard_focus.param(scene.store, self.focus)
            state.checked = bool(row.spec.default if value is None and row else value)
        return state

    def text(self, kind: QAccessible.Text) -> str:
        if self.scene is None or not self.isValid():
            return ""
        if kind == QAccessible.Text.Name:
            return screen_reader_texts.focused(self.scene, self.focus)
        if kind == QAccessible.Text.Help and self.focus.kind == "node":
            spec = self.scene.store.node_items[self.focus.node].spec
            return spec.help if spec else ""
        return ""

    def setText(self, kind: QAccessible.Text, text: str) -> None:
        """Values are changed by the keys that are on the canvas."""

    def _rows(self) -> list[FocusRef]:
        if self.scene is None or self.focus.kind != "node" or not self.isValid():
            return []
        return keyboard_focus.rows(self.scene.store, self.focus.node)


def _interface(name: str, of: QObject) -> QAccessibleInterface | None:
    return GraphInterface(of) if name == "GraphView" and isinstance(of, CameraView) else None


QAccessible.installFactory(_interface)
