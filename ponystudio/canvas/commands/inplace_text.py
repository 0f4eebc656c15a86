"""Texts written where they stand: a note, a frame's title, a node's title."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import QObject, QRectF, Qt, Signal
from PySide6.QtGui import QKeyEvent
from PySide6.QtWidgets import QLineEdit, QPlainTextEdit

from ponystudio.canvas.gestures.graph_operations import GraphOperations
from ponystudio.canvas.scene.items import Hit
from ponystudio.canvas.view.editor_overlay import EditorOverlay
from ponystudio.graph.editing.edits import SetView
from ponystudio.studio.documents.editable_graph import gesture
from ponystudio.widgets import metrics, theme


class InPlaceText(QObject):
    """Opens editors over the scene; leaving one keeps what was written. Esc gives a title up, but
    keeps a note, as it keeps a prompt: long texts are not lost by a slip."""

    def __init__(self, ops: GraphOperations, editors: EditorOverlay) -> None:
        super().__init__(ops)
        self.ops, self.store, self._editors = ops, ops.store, editors

    def edit(self, hit: Hit) -> None:
        """The text of what was hit: a note, a frame or a card."""
        if hit.part == "note":
            self.edit_note(hit.index)
        elif hit.node:
            self.rename_node(hit.node)
        else:
            self.retitle_frame(hit.index)

    def rename_node(self, node: str) -> None:
        item = self.store.node_items[node]
        rect = QRectF(item.x + 30, item.y + 3, item.rect.width() - 38, metrics.HEADER - 6)
        edit = self._line(item.title, self.tr("Title of the node"))
        self._open(edit, rect, lambda: self.ops.rename(node, edit.text()))

    def retitle_frame(self, index: int, step: str = "") -> None:
        item = self.store.frame_items[index]
        title = item.title_rect.adjusted(8, 3, -8, -3)
        edit = self._line(item.title, self.tr("Title of the frame"))

        def write() -> None:
            if edit.text() != item.title and index < len(self.store.frame_items):
                edits = [SetView(("frames", index, "title"), edit.text().strip())]
                self.ops.do(edits, self.tr("Retitle frame"), step)

        self._open(edit, title, write)

    def edit_note(self, index: int, step: str = "") -> None:
        """Write a note. With the `step` of undo that added it: as part of that; one in which
        nothing was written goes again."""
        item = self.store.note_items[index]
        edit = _NoteEdit(item.text)
        edit.setFont(theme.current().font("prompt"))
        edit.setPlaceholderText(self.tr("Write in Markdown"))
        edit.setAccessibleName(self.tr("Text of the note"))
        edit.setStyleSheet(self._style("QPlainTextEdit", "note", "border: 0; padding: 4px"))
        edit.document().setDocumentMargin(0)
        merge = step or gesture("note")
        at_opening = self.ops.document.undo_index

        def write() -> None:  # at each letter, so that the journal has it
            text, items = edit.toPlainText(), self.store.note_items
            if index < len(items) and text != items[index].text:
                edits = [SetView(("notes", index, "text"), text)]
                self.ops.do(edits, self.tr("Write a note"), merge)

        def leave() -> None:
            write()
            nothing = step and not edit.toPlainText().strip()
            if nothing and self.ops.document.undo_index == at_opening:
                self.ops.document.undo()

        edit.textChanged.connect(write)
        self._editors.open(edit, item.rect.adjusted(8, 4, -8, -4), committed=leave, cancelled=leave)
        edit.finished.connect(self._editors.close)
        edit.selectAll() if not item.text else edit.moveCursor(edit.textCursor().MoveOperation.End)

    def _line(self, text: str, name: str) -> QLineEdit:
        edit = QLineEdit(text)
        edit.setFont(theme.current().font("node"))
        edit.setAccessibleName(name)
        edge = f"border: 1px solid {theme.current().color('accent').name()}; padding: 0 4px"
        edit.setStyleSheet(self._style("QLineEdit", "field", edge))
        return edit

    def _open(self, edit: QLineEdit, rect: QRectF, write: Callable[[], object]) -> None:
        self._editors.open(edit, rect, committed=write)
        edit.returnPressed.connect(self._editors.close)
        edit.selectAll()

    def _style(self, kind: str, ground: str, edge: str) -> str:
        look = theme.current()
        return (
            f"{kind} {{ background: {look.color(ground).name()}; "
            f"color: {look.color('text').name()}; {edge}; border-radius: 4px; "
            f"selection-background-color: {look.color('fill').name()}; "
            f"selection-color: {look.color('onfill').name()}; }}"
        )


class _NoteEdit(QPlainTextEdit):
    """Ctrl+Enter is done; Tab is written."""

    finished = Signal()

    def keyPressEvent(self, event: QKeyEvent) -> None:
        enter = event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter)
        if enter and event.modifiers() & Qt.KeyboardModifier.ControlModifier:
            self.finished.emit()
            return
        super().keyPressEvent(event)
