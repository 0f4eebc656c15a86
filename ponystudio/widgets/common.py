"""Small widgets that many rooms share: icon and text buttons, hairlines, lines of names and values,
columns that scroll, windows that fade in.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Literal

from PySide6.QtCore import (
    QAbstractAnimation,
    QEasingCurve,
    QEvent,
    QObject,
    QPropertyAnimation,
    QRect,
    QSize,
    Qt,
    QTimer,
    Signal,
)
from PySide6.QtGui import QColor, QPainter, QPainterPath, QPaintEvent, QPen, QWheelEvent
from PySide6.QtWidgets import (
    QComboBox,
    QDoubleSpinBox,
    QFrame,
    QGraphicsOpacityEffect,
    QGridLayout,
    QLabel,
    QLayout,
    QPushButton,
    QScrollArea,
    QSizePolicy,
    QVBoxLayout,
    QWidget,
)

from ponystudio.qt.plain_text import tip
from ponystudio.widgets import theme
from ponystudio.widgets.primitives import PaintedButton, px
from ponystudio.widgets.rich_text import PlainLabel, RichLabel, spanned

LABEL_WIDTH = 86  # px at 100 %, of the names in `Lines`


class IconButton(QPushButton):
    """A button with only an icon: its name is its tooltip, with the keys, and its accessible name.

    `on_icon_color` is the icon's colour while it is checked.
    """

    def __init__(
        self,
        icon: str,
        name: str,
        keys: str = "",
        run: Callable[[], object] | None = None,
        parent: QWidget | None = None,
        on_icon_color: str = "accent",
    ) -> None:
        super().__init__(parent)
        self.icon_name, self._on_color = icon, on_icon_color
        self._color = "text2"
        self.setProperty("kind", "icon")
        self.rename(name, keys)
        self._restyle()
        theme.hub.changed.connect(self._restyle)
        self.toggled.connect(self._restyle)
        if run is not None:
            self.clicked.connect(lambda: run())

    def rename(self, name: str, keys: str = "") -> None:
        self.setAccessibleName(name)
        self.setToolTip(tip(f"{name} ({keys})" if keys else name))

    def _restyle(self) -> None:
        on = self.isCheckable() and self.isChecked()
        self.setIcon(theme.icon(self.icon_name, self._on_color if on else self._color))
        self.setIconSize(QSize(px(16), px(16)))
        side = px(theme.density().button)
        self.setFixedSize(side, side)


class TextButton(PaintedButton):
    """A button with a text and, if named, an icon."""

    def __init__(
        self,
        text: str,
        icon: str = "",
        kind: Literal["primary", "plain"] = "plain",
        run: Callable[[], object] | None = None,
    ) -> None:
        super().__init__(kind, text, icon)
        if run is not None:
            self.clicked.connect(lambda: run())


class ChoiceBox(QComboBox):
    """A combo box that the wheel turns only while it has the keyboard: what is under the pointer
    while somebody scrolls must not change."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)  # Qt's own lets the wheel give it

    def wheelEvent(self, event: QWheelEvent) -> None:
        if self.hasFocus():
            super().wheelEvent(event)
        else:
            event.ignore()  # what it stands in scrolls


class NumberBox(QDoubleSpinBox):
    """A spin box that the wheel turns only while it has the keyboard, as ChoiceBox."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)

    def wheelEvent(self, event: QWheelEvent) -> None:
        if self.hasFocus():
            super().wheelEvent(event)
        else:
            event.ignore()


class Spacing(QObject):
    """Margins (left, top, right, bottom) and spacing of a layout, in px at 100 %, that follow the
    UI scale. Lives as long as the layout."""

    def __init__(
        self, layout: QLayout, margins: tuple[int, int, int, int] = (0, 0, 0, 0), spacing: int = 0
    ) -> None:
        super().__init__(layout)
        self._layout, self._margins, self._spacing = layout, margins, spacing
        theme.hub.changed.connect(self._apply)
        self._apply()

    def _apply(self) -> None:
        self._layout.setContentsMargins(*(px(margin) for margin in self._margins))
        self._layout.setSpacing(px(self._spacing))


def label(
    text: str = "", role: str = "body", tone: str = "", parent: QWidget | None = None
) -> QLabel:
    """One that shows a text as it is, whoever wrote it."""
    result = PlainLabel(text, parent)
    result.setProperty("role", role)
    if tone:
        result.setProperty("tone", tone)
    return result


class ElidedLabel(PlainLabel):
    """One line that is shortened to the width there is; the whole text is its tooltip."""

    def __init__(
        self,
        text: str = "",
        role: str = "body",
        mode: Qt.TextElideMode = Qt.TextElideMode.ElideRight,
        parent: QWidget | None = None,
    ) -> None:
        super().__init__("", parent)
        self._mode = mode
        self.setProperty("role", role)
        self.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)
        self.setText(text)

    def setText(self, text: str) -> None:
        super().setText(text)
        self.setAccessibleName(self.text())

    def paintEvent(self, _event: QPaintEvent) -> None:
        rect = self.contentsRect()
        shown = self.fontMetrics().elidedText(self.text(), self._mode, rect.width())
        whole = self.text() if shown != self.text() else ""
        if tip(whole) != self.toolTip():
            self.setToolTip(tip(whole))
        painter = QPainter(self)
        painter.setPen(self.palette().color(self.foregroundRole()))
        painter.drawText(rect, int(self.alignment()), shown)


class Lines(QWidget):
    """Names with their values, line by line."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._grid = QGridLayout(self)
        self._rows: list[tuple[QLabel, QLabel]] = []
        self._grid.setColumnStretch(1, 1)
        self._grid.setContentsMargins(0, 0, 0, 0)

    def show_lines(self, lines: Sequence[tuple[str, str]]) -> None:
        """Pairs of (name, value as rich text)."""
        self._grid.setHorizontalSpacing(px(8))
        self._grid.setVerticalSpacing(px(6))
        self._grid.setColumnMinimumWidth(0, px(LABEL_WIDTH) - px(8))
        while len(self._rows) < len(lines):
            self._add_row()
        # It takes no room, and puts a name on the line of a value in the other font.
        strut = spanned("\u2060", "text3", mono=True)
        family = theme.font("mono").family()
        for number, (name, value) in enumerate(self._rows):
            there = number < len(lines)
            name.setVisible(there)
            value.setVisible(there)
            if there:
                title, text = lines[number]
                name.setText((strut if family in text else "") + spanned(title, "text3"))
                value.setText(text)

    def _add_row(self) -> None:
        name, value = RichLabel(self), RichLabel(self)
        for part in (name, value):
            part.setProperty("role", "body")
        value.setWordWrap(True)
        # Seeds and hashes are there to be copied.
        value.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        row = len(self._rows)
        self._grid.addWidget(name, row, 0, Qt.AlignmentFlag.AlignTop)
        self._grid.addWidget(value, row, 1, Qt.AlignmentFlag.AlignTop)
        self._rows.append((name, value))


class Hairline(QFrame):
    """A hairline, across or down."""

    def __init__(self, parent: QWidget | None = None, vertical: bool = False) -> None:
        super().__init__(parent)
        if vertical:
            self.setFixedWidth(1)
        else:
            self.setFixedHeight(1)

    def paintEvent(self, _event: QPaintEvent) -> None:
        QPainter(self).fillRect(self.rect(), theme.current().color("line"))


class EmptyState(QWidget):
    """One sentence and one button."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.sentence = label("", "body", "text2")
        self.sentence.setWordWrap(True)
        self.sentence.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self.button = TextButton("")
        self._run: Callable[[], object] | None = None
        self.button.clicked.connect(self._clicked)
        box = QVBoxLayout(self)
        Spacing(box, (20, 20, 20, 20), 12)
        box.addStretch(2)
        box.addWidget(self.sentence)
        box.addWidget(self.button, 0, Qt.AlignmentFlag.AlignHCenter)
        box.addStretch(3)

    def show_message(self, sentence: str, button: str, run: Callable[[], object]) -> None:
        self.sentence.setText(sentence)
        self.button.set_look(button)
        self._run = run

    def _clicked(self) -> None:
        if self._run is not None:
            self._run()


def rounded(painter: QPainter, rect: QRect, radius: float, fill: QColor | None, edge: QPen) -> None:
    """A rounded rectangle with a crisp edge inside `rect`."""
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    path = QPainterPath()
    inset = edge.widthF() / 2 if edge.style() != Qt.PenStyle.NoPen else 0
    box = rect.toRectF().adjusted(inset, inset, -inset, -inset)
    path.addRoundedRect(box, radius, radius)
    if fill is not None:
        painter.fillPath(path, fill)
    if edge.style() != Qt.PenStyle.NoPen:
        painter.strokePath(path, edge)


POPUP_MS, TOAST_MS = 90, 140


def fade_in(widget: QWidget, ms: int = POPUP_MS) -> None:
    """Let a widget, which was just shown, appear."""
    if theme.reduced_motion():
        return
    effect = QGraphicsOpacityEffect(widget, opacity=0.0)
    widget.setGraphicsEffect(effect)
    animation = QPropertyAnimation(effect, b"opacity", widget)
    animation.setDuration(ms)
    animation.setStartValue(0.0)
    animation.setEndValue(1.0)
    animation.setEasingCurve(QEasingCurve.Type.OutCubic)
    # An effect that stays would paint everything twice.
    animation.finished.connect(lambda: widget.setGraphicsEffect(None))  # type: ignore[arg-type]
    animation.start(QAbstractAnimation.DeletionPolicy.DeleteWhenStopped)


class FirstPaint(QObject):
    """`seen` comes once, when a widget has been painted for the first time. Lives as long as it."""

    seen = Signal()

    def __init__(self, widget: QWidget) -> None:
        super().__init__(widget)
        widget.installEventFilter(self)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if event.type() == QEvent.Type.Paint:
            watched.removeEventFilter(self)
            QTimer.singleShot(0, self, self.seen.emit)  # once it is done
        return False


class ScrollColumn(QScrollArea):
    """`box` takes what stands in it."""

    def __init__(self, margin: int = 12, spacing: int = 8, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setWidgetResizable(True)
        page = QFrame()
        page.setProperty("surface", "panel")
        self.box = QVBoxLayout(page)
        Spacing(self.box, (margin, margin, margin, margin), spacing)
        self.setWidget(page)
