"""The editor of prompts. What is typed goes into the document at once, a spell of typing as one
step of the undo stack; undo and redo are the document's."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from typing import Any, Protocol

from PySide6.QtCore import QEvent, QObject, QPoint, QPointF, QRectF, Qt, QTimer
from PySide6.QtGui import (
    QContextMenuEvent,
    QKeyEvent,
    QKeySequence,
    QPainter,
    QPaintEvent,
    QSyntaxHighlighter,
    QTextBlockFormat,
    QTextCharFormat,
    QTextCursor,
    QTextDocument,
    QTextOption,
)
from PySide6.QtWidgets import QTextEdit

from ponystudio.canvas.fields import field_menu as menus
from ponystudio.canvas.fields import prompt_layout, prompt_weights
from ponystudio.canvas.fields.base import Host
from ponystudio.canvas.fields.field_context import FieldContext
from ponystudio.canvas.fields.inplace_editor import InPlaceEditor, text_palette
from ponystudio.canvas.fields.prompt_layout import LINE
from ponystudio.diffusion.text.prompt_syntax import comments
from ponystudio.qt.i18n import tr
from ponystudio.studio.documents.editable_graph import gesture
from ponystudio.studio.models.token_counts import Count
from ponystudio.widgets import text_layout
from ponystudio.widgets.action import ActionSpec

LINES_AT_ONCE = 100
PAUSE_MS = 1500
WEIGHT_STEP = 0.1
_LINE_HEIGHT = QTextBlockFormat.LineHeightTypes.FixedHeight


class EditedField(Protocol):
    """What the editor asks of its field (prompt.PromptField)."""

    label: str
    prompt: bool

    def lines_in(self, height: float) -> int: ...

    def dialect(self, ctx: FieldContext) -> str: ...

    def count(self, ctx: FieldContext) -> Count | None: ...

    def actions(self, ctx: FieldContext, part: str, host: Host) -> list[ActionSpec]: ...


class PromptEditor(InPlaceEditor):
    """Esc and leaving keep what was typed: it can be undone, and nothing is lost by a slip."""

    def __init__(self, field: EditedField, ctx: FieldContext, host: Host) -> None:
        super().__init__(ctx.theme)
        self.field, self.ctx, self.host = field, ctx, host
        self.whole_field = ctx.cell is None
        self.merge = gesture(f"type {ctx.spec.name}")
        self.text = _Text(self)
        self.text.setAccessibleName(field.label)
        self.setFocusProxy(self.text)
        self._writing = False
        self._pause = QTimer(self)
        self._pause.setSingleShot(True)
        self._pause.setInterval(PAUSE_MS)
        self._pause.timeout.connect(self.begin_step)
        self.marks = _Marks(self.text.document(), self)
        self._fill(str(ctx.value))
        self.text.moveCursor(QTextCursor.MoveOperation.End)
        self.text.textChanged.connect(self._typed)
        self.text.installEventFilter(self)
        if field.prompt:
            ctx.services.counts.changed.connect(self._on_counts_changed)

    @property
    def plain(self) -> str:
        return self.text.toPlainText()

    @property
    def now(self) -> FieldContext:
        return self.ctx.fresh()

    def arrange(self) -> None:
        factor = self.zoom
        font = self.font_for("prompt")
        if self.text.font() != font:
            self.text.setFont(font)
        self._set_lines()
        room = self.field.lines_in(self.height() / factor) * LINE * factor
        # A line of fixed height has its text at the bottom, on the card it is in the middle.
        lift = (LINE - text_layout.metrics("prompt").height()) / 2
        left, top = prompt_layout.INSET * factor, (prompt_layout.TOP - lift) * factor
        width = self.width() - 2 * left
        self.text.setGeometry(round(left), round(top), round(width + 1), round(room) + 1)

    def click(self, at: QPointF, select: bool = False) -> None:
        """Put the cursor where a point of the field (px at 100 %) is."""
        if not select:
            self.text.verticalScrollBar().setValue(0)  # as it stood on the card
        place = QPoint(round(at.x() * self.zoom), round(at.y() * self.zoom))
        cursor = self.text.cursorForPosition(self.text.viewport().mapFrom(self, place))
        if select:
            kept = self.text.textCursor()
            kept.setPosition(cursor.position(), QTextCursor.MoveMode.KeepAnchor)
            cursor = kept
        self.text.setTextCursor(cursor)

    def value_changed(self, value: Any) -> None:
        """Undo, or someone else, changed the text: only the difference is put in."""
        text, now = str(value), self.plain
        if self._writing or text == now:
            return
        start = 0
        while start < min(len(text), len(now)) and text[start] == now[start]:
            start += 1
        tail = 0
        most = min(len(text), len(now)) - start
        while tail < most and text[-1 - tail] == now[-1 - tail]:
            tail += 1
        self._replace(start, len(now) - tail, text[start : len(text) - tail])
        self.begin_step()

    def weigh(self, by: float) -> None:
        """More or less attention for the selection, or for the word at the cursor."""
        cursor = self.text.textCursor()
        text, start, end = prompt_weights.adjusted(
            self.plain,
            cursor.selectionStart(),
            cursor.selectionEnd(),
            by,
            self.field.dialect(self.now),
        )
        if text == self.plain:
            return
        chosen = cursor.hasSelection()
        self.value_changed(text)
        self._typed()
        self.select(start if chosen else end, end)

    def selection(self) -> tuple[int, int]:
        """From where to where; both are the cursor's place where nothing is selected."""
        cursor = self.text.textCursor()
        return cursor.selectionStart(), cursor.selectionEnd()

    def select(self, start: int, end: int) -> None:
        cursor = self.text.textCursor()
        cursor.setPosition(start)
        cursor.setPosition(end, QTextCursor.MoveMode.KeepAnchor)
        self.text.setTextCursor(cursor)
        self.text.ensureCursorVisible()

    def cancel(self) -> None:
        self.commit()

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if isinstance(event, QKeyEvent):
            if event.type() == QEvent.Type.ShortcutOverride:
                if types(event):
                    event.accept()
                return False
            if event.type() == QEvent.Type.KeyPress and self._key(event):
                return True
        return super().eventFilter(watched, event)

    def _key(self, event: QKeyEvent) -> bool:
        key, control = Qt.Key(event.key()), Qt.KeyboardModifier.ControlModifier
        held = event.modifiers() & ~Qt.KeyboardModifier.KeypadModifier
        if key == Qt.Key.Key_Escape:
            self.commit()
        elif self.field.prompt and held == control and key in (Qt.Key.Key_Up, Qt.Key.Key_Down):
            self.weigh(WEIGHT_STEP if key == Qt.Key.Key_Up else -WEIGHT_STEP)
        elif event.matches(QKeySequence.StandardKey.Undo):
            self.ctx.document.undo()
        elif event.matches(QKeySequence.StandardKey.Redo) or (
            held == control and key == Qt.Key.Key_Y
        ):
            self.ctx.document.redo()
        elif key in (Qt.Key.Key_Tab, Qt.Key.Key_Backtab):
            self.commit()
            self.tabbed.emit(1 if key == Qt.Key.Key_Tab else -1)
        else:
            return False
        return True

    def _typed(self) -> None:
        if self._writing:
            return
        text = self.plain
        if text == str(self.now.value):
            return
        self._writing = True
        try:
            self.host.set_value(self.ctx, text, self.merge)
        finally:
            self._writing = False
        self._pause.start()
        self.update()

    def begin_step(self) -> None:
        self.merge = gesture(f"type {self.ctx.spec.name}")

    def _fill(self, text: str) -> None:
        self._writing = True
        self.text.setPlainText(text)
        self._writing = False

    def _replace(self, start: int, end: int, text: str) -> None:
        self._writing = True
        cursor = self.text.textCursor()
        cursor.setPosition(start)
        cursor.setPosition(end, QTextCursor.MoveMode.KeepAnchor)
        cursor.insertText(text)
        self.text.setTextCursor(cursor)
        self._writing = False
        self.update()

    def _set_lines(self) -> None:
        """Lines as tall as on the card."""
        wanted = LINE * self.zoom
        cursor = QTextCursor(self.text.document())
        if abs(cursor.blockFormat().lineHeight() - wanted) < 0.01:
            return
        cursor.select(QTextCursor.SelectionType.Document)
        form = QTextBlockFormat()
        form.setLineHeight(wanted, _LINE_HEIGHT.value)
        self._writing = True
        cursor.mergeBlockFormat(form)
        self._writing = False

    def _on_counts_changed(self) -> None:
        self.update()
        self.text.viewport().update()

    def paintEvent(self, event: QPaintEvent) -> None:
        del event
        painter = self.paint_box()
        if self.field.prompt:
            painter.scale(self.zoom, self.zoom)
            whole = QRectF(0, 0, self.width() / self.zoom, self.height() / self.zoom)
            count = self.field.count(self.now)
            prompt_layout.paint_counter(
                painter, prompt_layout.counter_rect(whole), self.look, count
            )
        painter.end()


class _Text(QTextEdit):
    """The text itself, with the marks where a chunk of 75 tokens ends."""

    def __init__(self, editor: PromptEditor) -> None:
        super().__init__(editor)
        self._editor = editor
        self.setAcceptRichText(False)
        self.setUndoRedoEnabled(False)
        self.setFrameShape(QTextEdit.Shape.NoFrame)
        self.setPalette(text_palette(editor.look))
        self.setStyleSheet(
            "QTextEdit, QTextEdit:focus { background: transparent; border: none; padding: 0; }"
        )
        self.viewport().setAutoFillBackground(False)
        self.document().setDocumentMargin(0)
        self.setWordWrapMode(QTextOption.WrapMode.WrapAtWordBoundaryOrAnywhere)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setVerticalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setTabChangesFocus(False)
        self.setPlaceholderText(tr("Type a prompt") if editor.field.prompt else editor.field.label)

    def contextMenuEvent(self, event: QContextMenuEvent) -> None:
        """As for any text, less undo, which is the document's; then what helps with prompts."""
        menu = self.createStandardContextMenu()
        for action in [*menu.actions()[:3]]:
            menu.removeAction(action)
        menu.aboutToHide.connect(menu.deleteLater)
        editor = self._editor
        if editor.field.prompt:
            menu.addSeparator()
            menus.fill(menu, editor.field.actions(editor.now, "", editor.host))
        menu.popup(event.globalPos())

    def paintEvent(self, event: QPaintEvent) -> None:
        super().paintEvent(event)
        if not self._editor.field.prompt:
            return
        count = self._editor.field.count(self._editor.now)
        if not count or not count.breaks:
            return
        painter = QPainter(self.viewport())
        text = self.toPlainText()
        corner = QPoint(self.viewport().width(), self.viewport().height())
        first, last = (self.cursorForPosition(at).position() for at in (QPoint(), corner))
        seen = slice(bisect_left(count.breaks, first), bisect_right(count.breaks, last) + 1)
        for place in count.breaks[seen]:
            cursor = QTextCursor(self.document())
            cursor.setPosition(min(prompt_layout.break_place(text, place), len(text)))
            where = QRectF(self.cursorRect(cursor))
            zoom = self._editor.zoom
            top = where.center().y() - LINE * zoom / 2
            at = QPointF(where.left(), top)
            prompt_layout.paint_tick(painter, at, self._editor.look.color("warn"), zoom)
        painter.end()


class _Marks(QSyntaxHighlighter):
    """Weighted words on tint, and comments dim.

    What is marked in which line is kept here, not as Qt's state of a line: where that changes Qt
    goes on to the next line at once, and so through all of them.
    """

    def __init__(self, document: QTextDocument, editor: PromptEditor) -> None:
        super().__init__(document)
        self._editor = editor
        self.spans: list[tuple[int, int]] = []
        self.comments: list[tuple[int, int]] = []
        self._read_at = -1
        self._refreshing = False
        self._lines: list[int] = [UNMARKED] * document.blockCount()
        self._look = QTextCharFormat()
        self._look.setForeground(editor.look.color("accent"))
        self._look.setBackground(editor.look.color("tint"))
        self._unread = QTextCharFormat()
        self._unread.setForeground(editor.look.color("text3"))
        self._later = QTimer(self, singleShot=True, interval=0)
        self._later.timeout.connect(self._refresh)
        document.contentsChange.connect(self._follow)
        document.contentsChanged.connect(self._refresh)

    def _refresh(self) -> None:
        """Brackets and comments may reach over lines: one typed here may mark words there. Lines
        that change are marked some at a time, as each lays out all below it anew."""
        if self._refreshing or not self._editor.field.prompt:
            return
        self._read()
        self._refreshing = True
        changed = 0
        block, number = self.document().begin(), 0
        while block.isValid() and block.position() < 2 * prompt_weights.LONGEST:
            marked = _state(self._marked(block.position(), block.length() - 1))
            if number < len(self._lines) and self._lines[number] != marked:
                if changed == LINES_AT_ONCE:
                    self._later.start()
                    break
                changed += 1
                self.rehighlightBlock(block)
            block, number = block.next(), number + 1
        self._refreshing = False

    def _follow(self, position: int, _removed: int, _added: int) -> None:
        """Lines came or went at a place of the text."""
        first = self.document().findBlock(position).blockNumber()
        more = self.document().blockCount() - len(self._lines)
        if more > 0:
            self._lines[first:first] = [UNMARKED] * more
        elif more < 0:
            del self._lines[first : first - more]

    def _read(self) -> None:
        if self._read_at == self.document().revision():
            return
        self._read_at = self.document().revision()
        dialect = self._editor.field.dialect(self._editor.now)
        text = self.document().toPlainText()[: prompt_weights.LONGEST]
        self.spans, self.comments = prompt_weights.spans(text, dialect), [*comments(text, dialect)]

    def _marked(self, start: int, length: int) -> list[tuple[int, int, bool]]:
        """What is marked in a line: from where in it, how many letters, and whether a comment."""
        found = []
        for spans in (self.spans, self.comments):
            # They are in order and lie apart.
            for i in range(bisect_right(spans, start, key=lambda span: span[1]), len(spans)):
                first, last = max(spans[i][0] - start, 0), min(spans[i][1] - start, length)
                if first >= length:
                    break
                if first < last:
                    found.append((first, last - first, spans is self.comments))
        return found

    def highlightBlock(self, text: str) -> None:
        if not self._editor.field.prompt:
            return
        self._read()
        marked = self._marked(self.currentBlock().position(), len(text))
        for first, letters, is_comment in marked:
            self.setFormat(first, letters, self._unread if is_comment else self._look)
        if (number := self.currentBlock().blockNumber()) < len(self._lines):
            self._lines[number] = _state(marked)


UNMARKED = -1


def _state(marked: list[tuple[int, int, bool]]) -> int:
    return hash(tuple(marked)) & 0x7FFFFFFF if marked else UNMARKED


def types(event: QKeyEvent) -> bool:
    """Whether a key belongs to the text, not to the window: Ctrl+Enter still runs the graph."""
    key, held = Qt.Key(event.key()), event.modifiers()
    if Qt.Key.Key_F1 <= key <= Qt.Key.Key_F35:
        return False
    if key in (Qt.Key.Key_Return, Qt.Key.Key_Enter):
        return not held & Qt.KeyboardModifier.ControlModifier
    if not held & (Qt.KeyboardModifier.ControlModifier | Qt.KeyboardModifier.MetaModifier):
        return True
    if held & Qt.KeyboardModifier.ShiftModifier and key in (Qt.Key.Key_P, Qt.Key.Key_S):
        return False
    return key in _TEXT_KEYS


_TEXT_KEYS = frozenset(
    {
        Qt.Key.Key_A, Qt.Key.Key_C, Qt.Key.Key_V, Qt.Key.Key_X, Qt.Key.Key_Z, Qt.Key.Key_Y,
        Qt.Key.Key_Up, Qt.Key.Key_Down, Qt.Key.Key_Left, Qt.Key.Key_Right, Qt.Key.Key_Home,
        Qt.Key.Key_End, Qt.Key.Key_Backspace, Qt.Key.Key_Delete, Qt.Key.Key_Insert,
    }
)  # fmt: skip
