"""The canvas's commands: everything that menus, keys and the command palette may ask of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, cast

from PySide6.QtCore import QObject, QPointF
from PySide6.QtGui import QGuiApplication, QKeyEvent, QKeySequence

from ponystudio.canvas.commands import command_table
from ponystudio.canvas.commands.context_menus import ContextMenus
from ponystudio.canvas.commands.inplace_text import InPlaceText
from ponystudio.canvas.commands.keyboard_commands import KeyboardCommands
from ponystudio.canvas.commands.palette_chooser import PaletteChooser
from ponystudio.canvas.commands.selection_commands import SelectionCommands
from ponystudio.canvas.gestures.controller import GestureController
from ponystudio.canvas.gestures.graph_operations import GraphOperations
from ponystudio.canvas.palette.palette_entries import PaletteEntry
from ponystudio.canvas.scene import keyboard_focus
from ponystudio.canvas.scene.items import FocusRef, WireKey
from ponystudio.canvas.view.status_hint import StatusHint
from ponystudio.graph.editing import wiring
from ponystudio.graph.editing.edits import REMOVED, SetView
from ponystudio.studio.documents.editable_graph import EditableGraph, gesture
from ponystudio.widgets.action import ActionSpec
from ponystudio.widgets.metrics import snapped

if TYPE_CHECKING:
    from ponystudio.canvas.view.view import GraphView


class CanvasCommands(QObject):
    """All that edits a view's document: commands, gestures, keyboard, palette, menus.

    Making one gives the view its gestures. The keys of `actions`, and of the view's own, work while
    the canvas has the keyboard.
    """

    def __init__(self, view: GraphView, document: EditableGraph | None = None) -> None:
        super().__init__(view)
        self.view, self.scene = view, view.graph_scene
        self.document = document or self.scene.document
        self.keys_of: Callable[[ActionSpec], tuple[str, ...]] = lambda spec: spec.keys
        """The keys of a command, where they can be bound anew."""
        self.ops = GraphOperations(view)
        self.selection = SelectionCommands(self.ops)
        self.chooser = PaletteChooser(self.ops)
        self.in_place = InPlaceText(self.ops)
        self.hint = StatusHint(view)
        self.keyboard = KeyboardCommands(self)
        self.menus = ContextMenus(self)
        self.gestures = GestureController(self)
        view.set_gestures(self.gestures)
        self.chooser.extras = [
            PaletteEntry(
                self.tr("Note"),
                self.tr("Text on the canvas, in Markdown."),
                self.tr("Utility"),
                self.add_note,
                "note",
                ("markdown", "comment", "sticky"),
            ),
            PaletteEntry(
                self.tr("Frame"),
                self.tr("A titled area around nodes that moves with them."),
                self.tr("Utility"),
                self.add_frame,
                "grid",
                ("group", "box"),
            ),
        ]
        self.scene.more_requested.connect(self._more)
        self._actions = command_table.actions(self)
        self._by_id = {action.id: action for action in self._actions}

    def actions(self) -> list[ActionSpec]:
        return list(self._actions)

    def named(self, *ids: str) -> list[ActionSpec]:
        """Some of the actions, the view's included, by id."""
        known = {**{spec.id: spec for spec in self.view.canvas_actions()}, **self._by_id}
        found = (known[id] for id in ids if id in known)
        return [replace(spec, keys=self.keys_of(spec)) for spec in found]

    def handle_key(self, event: QKeyEvent) -> bool:
        """Run the action that a key stands for."""
        pressed = QKeySequence(event.keyCombination())
        for spec in (*self._actions, *self.view.canvas_actions()):
            if any(QKeySequence(keys) == pressed for keys in self.keys_of(spec)):
                if event.isAutoRepeat() and not spec.repeats:
                    return True
                if spec.enabled is None or spec.enabled():
                    spec.run()
                    return True
        return False

    # What needs more than one part

    def add_at_pointer(self) -> None:
        """The palette beside what has the keyboard's focus, filtered if that is a socket; else
        under the pointer, or in the middle."""
        if (focus := self.scene.focus) and focus.node in self.scene.node_items:
            self._add_beside(focus)
            return
        place = self.pointer()
        self.chooser.add(place if place is not None else self.view.visible_rect().center())

    def _add_beside(self, focus: FocusRef) -> None:
        rect = self.scene.node_items[focus.node].rect
        socket = keyboard_focus.socket(self.scene, focus)
        if socket is None:
            self.chooser.add(QPointF(rect.right() + 184, rect.top() + 16))
            return
        at = self.scene.socket_pos(socket)
        self.chooser.connect_from(at + QPointF(64 if socket.is_output else -64, 0), [socket])

    def pointer(self) -> QPointF | None:
        """Where the pointer was last over the canvas, in scene px, if that is in sight."""
        at = cast("QPointF | None", self.view.property("pointer"))
        seen = at is not None and self.view.underMouse() and self.view.visible_rect().contains(at)
        return at if seen else None

    def add_dot(self, wire: WireKey, index: int, at: QPointF) -> None:
        place = snapped(at.x()), snapped(at.y())
        edits = wiring.with_dot(self.ops.graph, wire, index, place)
        self.ops.do(edits, self.tr("Add a dot"))

    def add_note(self, at: QPointF | None = None) -> None:
        step = gesture("note")  # to add it and to write it is one step
        if (index := self.selection.note(at, step)) is not None:
            self.in_place.edit_note(index, step)

    def add_frame(self, at: QPointF | None = None) -> None:
        step = gesture("frame")
        if (index := self.selection.frame(at, step)) is not None:
            self.in_place.retitle_frame(index, step)

    def paste(self) -> None:
        """Nodes on the clipboard; files and pictures there are as if they were dropped."""
        data = QGuiApplication.clipboard().mimeData()
        if not self.selection.paste() and data and (data.hasImage() or data.hasUrls()):
            place = self.pointer()
            at = place if place is not None else self.view.visible_rect().center()
            self.gestures.dropped.emit(data, at)

    def can_paste(self) -> bool:
        data = QGuiApplication.clipboard().mimeData()
        return self.selection.can_paste() or bool(data and (data.hasImage() or data.hasUrls()))

    def hide_socket(self, node: str, param: str) -> None:
        edits = wiring.hide_socket(self.ops.graph, node, param)
        self.ops.do(edits, self.tr("Turn {0} back into a value").format(param))

    def show_socket(self, node: str, param: str) -> None:
        edits = wiring.show_socket(self.ops.graph, node, param)
        self.ops.do(edits, self.tr("Turn {0} into a socket").format(param))

    def toggle_picture(self, node: str) -> None:
        hidden = self.document.looks(node).get("preview") is False
        edit = SetView(("nodes", node, "preview"), REMOVED if hidden else False)
        text = self.tr("Show the picture of {0}") if hidden else self.tr("Hide the picture of {0}")
        self.ops.do([edit], text.format(self.ops.title(node)))

    def view_output(self, node: str) -> None:
        """Preview what a node gives, and run to there."""
        if preview := self.selection.view_output(node):
            self.scene.run_to_requested.emit(preview)

    def swap(self) -> None:
        self.chooser.swap(self.ops.targets()[0])

    def rename(self) -> None:
        if nodes := self.ops.targets():
            self.in_place.rename_node(nodes[0])
        elif frames := self.scene.selected_frames():
            self.in_place.retitle_frame(frames[0])
        elif notes := self.scene.selected_notes():
            self.in_place.edit_note(notes[0])

    def _more(self, node: str, at: QPointF) -> None:
        if not self.scene.node_items[node].selected:
            self.scene.select([node])
        where = self.view.viewport().mapToGlobal(self.view.from_scene(at).toPoint())
        self.menus.popup(self.menus.for_node(node), where)
