"""Editors that stand on a card in place of a field, for as long as something is typed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from PySide6.QtCore import QEvent, QObject, QPoint, QRectF, Qt, Signal
from PySide6.QtGui import (
    QFont,
    QFontMetricsF,
    QKeyEvent,
    QPainter,
    QPaintEvent,
    QPalette,
    QPen,
    QResizeEvent,
)
from PySide6.QtWidgets import QApplication, QLabel, QLineEdit, QWidget

from ponystudio.canvas.fields import field_painting
from ponystudio.widgets import metrics, text_layout, theme
from ponystudio.widgets.rich_text import PlainLabel
from ponystudio.widgets.theme import Theme

PX_PER_POINT = 72.0
_SAMPLE = "The quick brown fox jumps over the lazy dog, (a1111:1.25), 0123456789"


class InPlaceEditor(QWidget):
    """Whoever shows one places it over the field, calls `set_zoom` whenever the view's zoom
    changes, `commit` when the keyboard goes elsewhere, and deletes it when `closed` fires, once.

    Enter commits and Esc cancels: the editor sees to that. `tabbed` comes after `closed`, with 1 or
    -1, for who left by Tab or Shift+Tab.
    """

    closed = Signal()
    tabbed = Signal(int)
    whole_field = True
    """Whether it covers its param's whole field, and grows with it."""

    def __init__(self, look: Theme) -> None:
        super().__init__()
        self.look = look
        self.zoom = 1.0
        self.done = False

    def set_zoom(self, factor: float) -> None:
        """Take the fonts and margins for this zoom; 1.0 where the view scales the editor itself."""
        self.zoom = factor
        self.arrange()
        self.update()

    def arrange(self) -> None:
        """Put fonts and parts right for `zoom` and size."""

    def commit(self) -> None:
        """Keep what was typed, and close."""
        self.close_once()

    def cancel(self) -> None:
        """Put back what was there before, and close."""
        self.close_once()

    def value_changed(self, value: Any) -> None:
        """The param's value changed while this is open, perhaps by undo."""

    def close_once(self) -> None:
        if not self.done:
            self.done = True
            self.closed.emit()

    def font_for(self, role: str) -> QFont:
        """A font at the zoom, in fractions of a pixel, so that lines break as on the card."""
        font = QFont(self.look.font(role))
        px = font.pixelSize() * self.zoom
        screen = QApplication.primaryScreen()
        dpi = screen.logicalDotsPerInchY() if screen else 96.0
        font.setPointSizeF(max(1.0, px * PX_PER_POINT / dpi))
        # Some sizes come out wider or narrower than asked for, and lines would break elsewhere.
        wanted = text_layout.width(_SAMPLE, role) * self.zoom
        got = QFontMetricsF(font).horizontalAdvance(_SAMPLE)
        if got > 0 and abs(wanted / got - 1) > 0.001:
            font.setLetterSpacing(QFont.SpacingType.PercentageSpacing, 100 * wanted / got)
        return font

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self.arrange()

    def paint_box(self, edge: str = "accent") -> QPainter:
        """Paint the ground, and go on."""
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        radius = metrics.FIELD_RADIUS * self.zoom
        painter.fillRect(self.rect(), self.look.color("card"))
        width = max(1.0, 1.5 * min(self.zoom, 1.5))
        painter.setPen(QPen(self.look.color(edge), width))
        painter.setBrush(self.look.color("field"))
        inset = width / 2
        painter.drawRoundedRect(
            QRectF(self.rect()).adjusted(inset, inset, -inset, -inset), radius, radius
        )
        return painter


# Without what the app's style sheet gives to all lines: size and place are the field's.
BARE = (
    "QLineEdit, QLineEdit:focus { background: transparent; border: none; padding: 0; margin: 0;"
    " min-height: 0px; max-height: 16777215px; min-width: 0px; }"
)


def text_palette(look: Theme) -> QPalette:
    """Colours for a text being typed."""
    palette = QPalette()
    roles = QPalette.ColorRole
    for role, token in (
        (roles.Text, "text"),
        (roles.PlaceholderText, "text3"),
        (roles.Base, "field"),
        (roles.Window, "field"),
        (roles.Highlight, "fill"),
        (roles.HighlightedText, "onfill"),
    ):
        palette.setColor(role, look.color(token))
    return palette


@dataclass(frozen=True)
class Stepper:
    """How the arrow keys change a number that is being typed."""

    stepped: Callable[[Any, float, Qt.KeyboardModifier], Any]
    text: Callable[[Any], str]


class LineEditor(InPlaceEditor):
    """One line. `read` makes a value of it or raises ValueError with a sentence; `write` keeps it.

    `typed`: the text is what was typed to begin with, so the cursor goes behind it; otherwise all
    is selected, or the cursor goes to `cursor`.
    """

    def __init__(
        self,
        text: str,
        look: Theme,
        *,
        read: Callable[[str], Any],
        write: Callable[[Any], object],
        label: str,
        typed: bool = False,
        mono: bool = True,
        step: Stepper | None = None,
        whole_field: bool = True,
    ) -> None:
        super().__init__(look)
        self.whole_field, self._label = whole_field, label if whole_field else ""
        self.problem = ""
        """Why the text is no value, shown below the field."""
        self._balloon: QLabel | None = None
        self._read, self._write, self._step, self._mono = read, write, step, mono
        self._before = text if not typed else None
        self.line = QLineEdit(text, self)
        self.line.setFrame(False)
        self.line.setPalette(text_palette(look))
        self.line.setStyleSheet(BARE)
        self.line.setAccessibleName(label)
        self.line.setContextMenuPolicy(Qt.ContextMenuPolicy.DefaultContextMenu)
        self.line.setAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
        if not typed:
            self.line.selectAll()
        self.line.installEventFilter(self)
        self.line.textEdited.connect(self._edited)
        self.setFocusProxy(self.line)

    def arrange(self) -> None:
        self.line.setFont(self.font_for("mono" if self._mono else "body"))
        inset = round((field_painting.TEXT_INSET - 2) * self.zoom)
        left = inset + round(self._label_width() * self.zoom)
        self.line.setGeometry(self.rect().adjusted(left, 1, -inset, -1))
        self._place_balloon()

    def _label_width(self) -> float:
        """The label stays while there is ample room for what is typed."""
        width = text_layout.width(self._label, "body") + field_painting.GAP if self._label else 0.0
        return width if width < self.width() / self.zoom * 0.5 else 0.0

    def paintEvent(self, event: QPaintEvent) -> None:
        del event
        painter = self.paint_box("err" if self.problem else "accent")
        if self._label_width():
            painter.scale(self.zoom, self.zoom)
            painter.setPen(self.look.color("text3"))
            middle = self.height() / self.zoom / 2
            text_layout.draw(painter, field_painting.TEXT_INSET, middle, self._label, "body")
        painter.end()

    def commit(self) -> None:
        """Keep the value; what makes none is let go."""
        if not self.done:
            self._accept()
            self.close_once()

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if event.type() == QEvent.Type.ShortcutOverride and isinstance(event, QKeyEvent):
            if runs(event):
                self._accept()  # Ctrl+Enter runs the graph, with what was typed
            elif not Qt.Key.Key_F1 <= event.key() <= Qt.Key.Key_F35:
                event.accept()  # keys type, and are no shortcuts of the window
            return False
        if event.type() == QEvent.Type.KeyPress and isinstance(event, QKeyEvent):
            return self._key(event)
        return super().eventFilter(watched, event)

    def _key(self, event: QKeyEvent) -> bool:
        key = Qt.Key(event.key())
        if key in (Qt.Key.Key_Return, Qt.Key.Key_Enter):
            if self._accept():
                self.close_once()
        elif key == Qt.Key.Key_Escape:
            self.cancel()
        elif key in (Qt.Key.Key_Tab, Qt.Key.Key_Backtab):
            if self._accept():
                self.close_once()
                self.tabbed.emit(1 if key == Qt.Key.Key_Tab else -1)
        elif self._step and key in (Qt.Key.Key_Up, Qt.Key.Key_Down):
            self._stepped(1 if key == Qt.Key.Key_Up else -1, event.modifiers())
        else:
            return False
        return True

    def _stepped(self, by: int, modifiers: Qt.KeyboardModifier) -> None:
        assert self._step
        try:
            now = self._read(self.line.text())
        except ValueError:
            return
        self.line.setText(self._step.text(self._step.stepped(now, by, modifiers)))
        self.line.selectAll()

    def _accept(self) -> bool:
        """Hand the value over; False, with the reason shown, if the text makes none."""
        text = self.line.text()
        if text == self._before:
            return True
        try:
            value = self._read(text)
        except ValueError as error:
            self._show_problem(str(error))
            return False
        self._write(value)
        return True

    def _edited(self) -> None:
        if self.problem:
            self._show_problem("")

    def _show_problem(self, reason: str) -> None:
        """Tell below the field why this is no value."""
        self.problem = reason
        if self._balloon is None and self.parentWidget() is not None:
            self._balloon = balloon(self)
        if self._balloon is not None:
            self._balloon.setText(reason)
            self._balloon.setVisible(bool(reason))
            self._place_balloon()
        self.update()

    def _place_balloon(self) -> None:
        parent = self.parentWidget()
        if self._balloon is not None and parent is not None:
            self._balloon.adjustSize()
            at = self.geometry().bottomLeft() + QPoint(0, 4)
            x = max(4, min(at.x(), parent.width() - self._balloon.width() - 4))
            self._balloon.move(x, at.y())
            self._balloon.raise_()

    def close_once(self) -> None:
        if self._balloon is not None:
            self._balloon.deleteLater()
            self._balloon = None
        super().close_once()


def balloon(editor: InPlaceEditor) -> QLabel:
    """A line of text below an editor that says what is wrong."""
    label = PlainLabel(parent=editor.parentWidget())
    look = editor.look
    ground, edge, text = (look.color(token).name() for token in ("errbg", "err", "text"))
    label.setStyleSheet(
        f"QLabel {{ background: {ground}; border: 1px solid {edge}; color: {text};"
        " border-radius: 5px; padding: 3px 8px; }"
    )
    label.setFont(theme.font("body"))
    return label


def runs(event: QKeyEvent) -> bool:
    """Whether this is Ctrl+Enter, which is the window's."""
    enter = event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter)
    return enter and bool(event.modifiers() & Qt.KeyboardModifier.ControlModifier)
