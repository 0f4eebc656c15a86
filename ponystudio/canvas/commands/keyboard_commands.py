"""Editing by keyboard alone: a focus that walks from node to socket, param and wire.

Arrows walk along the wires and up and down; Enter goes into a node, opens a param, and on a socket
takes a wire in hand: arrows then go through what it fits, Enter connects, Esc lets go.
"""

from __future__ import annotations

from PySide6.QtCore import QEvent, QObject, QPoint, QPointF, Qt, Signal
from PySide6.QtGui import QContextMenuEvent, QKeyEvent
from PySide6.QtWidgets import QWidget

from ponystudio.canvas.gestures.connect import FittingSockets
from ponystudio.canvas.gestures.graph_operations import GraphOperations
from ponystudio.canvas.scene import keyboard_focus
from ponystudio.canvas.scene.items import FocusRef, SocketRef, WireDrag
from ponystudio.canvas.view.event_handler import EventHandler
from ponystudio.canvas.view.view import GraphView

Key = Qt.Key
_ARROWS = {
    Key.Key_Left: (-1, 0),
    Key.Key_Right: (1, 0),
    Key.Key_Up: (0, -1),
    Key.Key_Down: (0, 1),
}
_NONE, _SHIFT, _CTRL = (
    Qt.KeyboardModifier.NoModifier,
    Qt.KeyboardModifier.ShiftModifier,
    Qt.KeyboardModifier.ControlModifier,
)
_KEYPAD = Qt.KeyboardModifier.KeypadModifier
_NUDGE = 8


class KeyboardCommands(QObject, EventHandler):
    """Keys that are no commands: those that move the focus and act on it. `nudge_requested` of
    what is selected, by so many px; `menu_requested` as of GestureController."""

    nudge_requested = Signal(int, int)
    menu_requested = Signal(object, QPointF, QPoint)
    hint_changed = Signal(str)

    def __init__(self, view: GraphView, ops: GraphOperations) -> None:
        super().__init__(view)
        self.ops, self.view = ops, view
        self.scene, self.store = ops.scene, ops.store
        self._ends: list[SocketRef] = []
        self._in_hand: SocketRef | None = None
        self.view.installEventFilter(self)
        self.ops.document.changed.connect(self._check)

    # Keys

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        """Keys that mean something to the focus are not for shortcuts: typing into a param is no
        command."""
        if (
            event.type() == QEvent.Type.ShortcutOverride
            and isinstance(event, QKeyEvent)
            and watched is self.view
            and self._wants(event)
        ):
            event.accept()
            return True
        return False

    def _wants(self, event: QKeyEvent) -> bool:
        focus = self.scene.focus
        plain = not event.modifiers() & ~(_SHIFT | _KEYPAD)
        if not plain:
            return False
        if self._in_hand and event.key() in (Key.Key_Tab, Key.Key_Backtab):
            return True
        return bool(focus and focus.kind == "param" and _typed(event))

    def key_press(self, event: QKeyEvent) -> bool:
        key = Key(event.key())
        modifiers = event.modifiers() & ~_KEYPAD
        if self._in_hand:
            return self._key_with_wire(key)
        if key in _ARROWS and modifiers == _NONE:
            return self._walk(*_ARROWS[key])
        if key in _ARROWS and modifiers in (_SHIFT, _SHIFT | _CTRL):
            far = _NUDGE * (8 if modifiers & _CTRL else 1)
            dx, dy = _ARROWS[key]
            self.nudge_requested.emit(dx * far, dy * far)
            return True
        if key in (Key.Key_Return, Key.Key_Enter) and modifiers == _NONE:
            return self._enter()
        if key == Key.Key_Escape:
            return self._escape()
        if key in (Key.Key_Backtab, Key.Key_F6):
            # Tab opens the palette, so these lead out of the canvas: back, and on.
            return QWidget.focusNextPrevChild(self.view, key == Key.Key_F6)
        if key == Key.Key_Space and modifiers in (_CTRL, _SHIFT):
            return self._toggle()
        if key == Key.Key_Menu or (key == Key.Key_F10 and modifiers == _SHIFT):
            return self.open_menu()
        focus = self.scene.focus
        if focus and focus.kind == "param" and modifiers in (_NONE, _SHIFT) and _typed(event):
            return self._edit(focus, event.text())
        return False

    def context_menu(self, event: QContextMenuEvent) -> bool:
        by_keyboard = event.reason() == QContextMenuEvent.Reason.Keyboard
        return by_keyboard and self.open_menu()

    def _walk(self, dx: int, dy: int) -> bool:
        focus = self.scene.focus or self._first()
        if focus is None:
            return False
        if self.scene.focus is None:
            self.set(focus)
            return True
        if found := keyboard_focus.step(self.store, focus, dx, dy):
            self.set(found)
        return True

    def _first(self) -> FocusRef | None:
        """Where walking begins: at what is selected, else at what is nearest to the middle."""
        if nodes := self.store.selected_nodes():
            return FocusRef("node", nodes[0])
        if wires := self.store.selected_wires():
            return FocusRef("wire", wire=wires[0])
        middle = self.view.visible_rect().center()
        items = list(self.store.node_items.values())
        if not items:
            return None
        near = min(items, key=lambda item: (item.rect.center() - middle).manhattanLength())
        return FocusRef("node", near.id)

    def set(self, focus: FocusRef | None) -> None:
        """Put the focus somewhere and bring it into view."""
        self.scene.set_focus(focus)
        if focus is None:
            return
        if focus.kind == "param":
            self.view.field_host.focus(focus.node, focus.name)
        else:
            self.view.field_host.focus("")
        at = keyboard_focus.place(self.store, focus)
        if at is not None and not self.view.visible_rect().adjusted(40, 40, -40, -40).contains(at):
            self._reveal(at)

    def _reveal(self, at: QPointF) -> None:
        """Pan just so far that a place is well in sight."""
        seen = self.view.visible_rect()
        edge = min(120.0, seen.width() / 4, seen.height() / 4)
        inner = seen.adjusted(edge, edge, -edge, -edge)
        dx = min(0.0, at.x() - inner.left()) + max(0.0, at.x() - inner.right())
        dy = min(0.0, at.y() - inner.top()) + max(0.0, at.y() - inner.bottom())
        unit = self.view.transform().m11()
        self.view.pan(-dx * unit, -dy * unit)

    def _enter(self) -> bool:
        focus = self.scene.focus or (self._first() if self.store.selected_nodes() else None)
        if focus is None:
            return False
        if focus.kind == "node":
            rows = keyboard_focus.rows(self.store, focus.node)
            if rows:
                self.set(rows[0])
        elif focus.kind == "param":
            return self._edit(focus, None)
        elif focus.kind in ("input", "output"):
            self._take_wire(focus)
        elif focus.wire:
            self.store.select(wires=[focus.wire])
        return True

    def _edit(self, focus: FocusRef, text: str | None) -> bool:
        return self.view.field_host.edit(focus.node, focus.name, text)

    def _escape(self) -> bool:
        """One step out: from a socket to its node, from there to nothing."""
        focus = self.scene.focus
        if focus and focus.kind != "node" and focus.node:
            self.set(FocusRef("node", focus.node))
        elif focus:
            self.set(None)
            self.view.field_host.focus("")
        elif self.store.selected_nodes() or self.store.selected_wires():
            self.store.clear_selection()
        else:
            return False
        return True

    def _toggle(self) -> bool:
        focus = self.scene.focus
        if focus is None:
            return False
        if focus.wire:
            self.store.select(wires=[focus.wire], mode="toggle")
        else:
            self.store.select([focus.node], mode="toggle")
        return True

    def open_menu(self) -> bool:
        """The context menu of what has the focus, or of what is selected."""
        focus = self.scene.focus or (self._first() if self.store.selected_nodes() else None)
        at = keyboard_focus.place(self.store, focus) if focus else None
        if at is None:
            at = self.view.visible_rect().center()
        where = self.view.viewport().mapToGlobal(self.view.from_scene(at).toPoint())
        self.menu_requested.emit(keyboard_focus.hit(self.store, focus), at, where)
        return True

    # A wire in hand

    def _take_wire(self, focus: FocusRef) -> None:
        ref = keyboard_focus.socket(self.store, focus)
        if ref is None:
            return
        fits = FittingSockets(self.ops, (ref,))
        ends = [r for id in self.store.node_items for r in self.store.sockets(id) if fits(r)]
        start = self.store.socket_pos(ref)
        ends.sort(key=lambda r: (self.store.socket_pos(r) - start).manhattanLength())
        if not ends:
            self.ops.request_node(start + QPointF(80 if ref.is_output else -320, 0), [ref])
            return
        self._in_hand, self._ends = ref, ends
        self._aim(ends[0])

    def _aim(self, end: SocketRef) -> None:
        assert self._in_hand is not None
        self.set(FocusRef("output" if end.is_output else "input", end.node, end.name))
        fits = FittingSockets(self.ops, (self._in_hand,))
        at = self.store.socket_pos(end)
        self.hint_changed.emit(
            self.tr("Arrows choose a socket, *Enter* connects, *Tab* adds a node, *Esc* cancels.")
        )
        self.scene.set_drag(WireDrag((self._in_hand,), at, fits, end))

    def _key_with_wire(self, key: Qt.Key) -> bool:
        assert self._in_hand is not None
        focus = self.scene.focus
        end = keyboard_focus.socket(self.store, focus) if focus else None
        if key == Key.Key_Escape or end is None:
            self._let_go(back=True)
        elif key in (Key.Key_Return, Key.Key_Enter):
            pair = self.ops.pair(self._in_hand, end)
            self._let_go(back=False)
            self.ops.wire(pair)
        elif key in _ARROWS:
            if found := keyboard_focus.nearest(self.store, end, self._ends, *_ARROWS[key]):
                self._aim(found)
        elif key in (Key.Key_Tab, Key.Key_Backtab):
            ref, at = self._in_hand, self.store.socket_pos(self._in_hand)
            self._let_go(back=True)
            self.ops.request_node(at + QPointF(80 if ref.is_output else -320, 0), [ref])
        return True

    def _let_go(self, back: bool) -> None:
        ref, self._in_hand, self._ends = self._in_hand, None, []
        self.scene.set_drag(None)
        self.hint_changed.emit("")
        if back and ref:
            self.set(FocusRef("output" if ref.is_output else "input", ref.node, ref.name))

    # Following

    def _check(self, _: object) -> None:
        """A focus on what is gone moves to what is left of it."""
        focus = self.scene.focus
        if self._in_hand and self._in_hand.node not in self.store.node_items:
            self._let_go(back=False)
        if focus is None:
            return
        if focus.kind == "wire" and focus.wire not in self.store.wire_items:
            target = focus.wire[0] if focus.wire else ""
            alive = target in self.store.node_items
            self.scene.set_focus(FocusRef("node", target) if alive else None)
        elif focus.kind != "wire" and focus.node not in self.store.node_items:
            self.scene.set_focus(None)


def _typed(event: QKeyEvent) -> bool:
    return bool(event.text()) and event.text().isprintable() and not event.text().isspace()
