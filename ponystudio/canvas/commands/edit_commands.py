"""Commands that need more than one of a canvas's parts."""

from __future__ import annotations

from PySide6.QtCore import QMimeData, QObject, QPointF, Signal
from PySide6.QtGui import QGuiApplication

from ponystudio.canvas.commands.inplace_text import InPlaceText
from ponystudio.canvas.commands.palette_chooser import PaletteChooser
from ponystudio.canvas.commands.selection_commands import SelectionCommands
from ponystudio.canvas.gestures.graph_operations import GraphOperations
from ponystudio.canvas.palette.palette_entries import PaletteEntry
from ponystudio.canvas.scene import keyboard_focus
from ponystudio.canvas.scene.items import FocusRef
from ponystudio.canvas.view.view import GraphView
from ponystudio.studio.documents.editable_graph import gesture

# Letters of nodes that are not read and pasted while the window waits: some thousand nodes.
LONG_TEXT = 500_000


class EditCommands(QObject):
    """What is added, pasted, renamed, swapped and viewed. `pasted` carries what was on the
    clipboard besides nodes, or more of them than are read in no time: its QMimeData and the scene
    position."""

    pasted = Signal(object, object)

    def __init__(self, view: GraphView, ops: GraphOperations) -> None:
        super().__init__(ops)
        self._view, self.ops = view, ops
        self.scene, self.store = ops.scene, ops.store
        self.selection = SelectionCommands(ops, self._place)
        self.chooser = PaletteChooser(ops, view, self._extras())
        self.in_place = InPlaceText(ops, view.editors)

    def _extras(self) -> list[PaletteEntry]:
        """What can be added besides nodes."""
        return [
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

    def _place(self) -> QPointF:
        """Under the pointer if that is over the view, else the middle of what is shown."""
        at = self._view.pointer
        return at if at is not None else self._view.visible_rect().center()

    def add_at_pointer(self) -> None:
        """The palette beside what has the keyboard's focus, filtered if that is a socket; else
        under the pointer, or in the middle."""
        if (focus := self.scene.focus) and focus.node in self.store.node_items:
            self._add_beside(focus)
        else:
            self.chooser.add(self._place())

    def _add_beside(self, focus: FocusRef) -> None:
        rect = self.store.node_items[focus.node].rect
        socket = keyboard_focus.socket(self.store, focus)
        if socket is None:
            self.chooser.add(QPointF(rect.right() + 184, rect.top() + 16))
            return
        at = self.store.socket_pos(socket)
        self.chooser.connect_from(at + QPointF(64 if socket.is_output else -64, 0), [socket])

    def add_note(self, at: QPointF | None = None) -> None:
        """At a place, else under the pointer."""
        step = gesture("note")  # to add it and to write it is one step
        if (index := self.selection.note(at, step)) is not None:
            self.in_place.edit_note(index, step)

    def add_frame(self, at: QPointF | None = None) -> None:
        """Around what is selected, else at a place or under the pointer."""
        step = gesture("frame")
        if (index := self.selection.frame(at, step)) is not None:
            self.in_place.retitle_frame(index, step)

    def paste(self, at: QPointF | None = None) -> None:
        """Nodes on the clipboard, at a place, else under the pointer or in the middle; files,
        pictures and other programs' graphs there, and thousands of nodes, are as if they were
        dropped."""
        data = QGuiApplication.clipboard().mimeData()
        is_long = self.selection.can_paste() and len(data.text()) > LONG_TEXT
        if is_long or (not self.selection.paste(at=at) and _is_droppable(data)):
            self.pasted.emit(data, self._place() if at is None else at)

    def can_paste(self) -> bool:
        return self.selection.can_paste() or _is_droppable(QGuiApplication.clipboard().mimeData())

    def view_output(self, node: str) -> None:
        """Preview what a node gives, and run to there."""
        if preview := self.selection.view_output(node):
            self.scene.run_to_requested.emit(preview)

    def swap(self) -> None:
        self.chooser.swap(self.ops.targets()[0])

    def rename(self) -> None:
        if nodes := self.ops.targets():
            self.in_place.rename_node(nodes[0])
        elif frames := self.store.selected_frames():
            self.in_place.retitle_frame(frames[0])
        elif notes := self.store.selected_notes():
            self.in_place.edit_note(notes[0])


def _is_droppable(data: QMimeData | None) -> bool:
    if data is None:
        return False
    return data.hasImage() or data.hasUrls() or _may_be_a_graph(data.text())


def _may_be_a_graph(text: str) -> bool:
    """Whether a text may be another program's graph or say how a picture was made: those of A1111
    have steps, the others are JSON. Other words are for prompts, and not for the canvas."""
    return text[:100].lstrip()[:1] in ("{", "[") or "Steps: " in text[-LONG_TEXT:]
