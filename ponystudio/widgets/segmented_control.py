"""One of a few, in a row of joined buttons."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import QRectF, QSize, Qt, Signal
from PySide6.QtGui import QFontMetrics, QKeyEvent, QPainter, QPainterPath, QPaintEvent, QPen
from PySide6.QtWidgets import QAbstractButton, QButtonGroup, QHBoxLayout, QWidget

from ponystudio.widgets import theme
from ponystudio.widgets.primitives import draw_icon, px

_HEIGHT, _RADIUS = 28, 6


class SegmentedControl(QWidget):
    """`chosen` carries the name of the one clicked. Left and right arrows go through them."""

    chosen = Signal(str)

    def __init__(
        self, entries: Sequence[tuple[str, str, str]], name: str, parent: QWidget | None = None
    ) -> None:
        """`entries` are (name, text, icon)."""
        super().__init__(parent)
        self.setAccessibleName(name)
        self._buttons: dict[str, _Segment] = {}
        self._group = QButtonGroup(self)
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(0)
        for place, (key, text, icon) in enumerate(entries):
            button = _Segment(text, icon, place == 0, place == len(entries) - 1, self)
            button.setProperty("segment", key)
            self._buttons[key] = button
            self._group.addButton(button)
            row.addWidget(button)
        self._group.buttonClicked.connect(self._clicked)

    def choose(self, name: str) -> None:
        """Show this one as chosen; `chosen` is not emitted."""
        self._buttons[name].setChecked(True)

    def button(self, name: str) -> QAbstractButton:
        return self._buttons[name]

    def keyPressEvent(self, event: QKeyEvent) -> None:
        steps = {Qt.Key.Key_Left: -1, Qt.Key.Key_Right: 1}
        step = steps.get(Qt.Key(event.key()))
        buttons = [button for button in self._buttons.values() if button.isEnabled()]
        on = next((row for row, button in enumerate(buttons) if button.isChecked()), -1)
        if step is None:
            event.ignore()
        elif 0 <= on + step < len(buttons):
            buttons[on + step].setFocus(Qt.FocusReason.TabFocusReason)
            buttons[on + step].click()

    def _clicked(self, button: QAbstractButton) -> None:
        self.chosen.emit(button.property("segment"))


class _Segment(QAbstractButton):
    def __init__(self, text: str, icon: str, first: bool, last: bool, parent: QWidget) -> None:
        super().__init__(parent)
        self._icon_name, self._first, self._last = icon, first, last
        self.setText(text)
        self.setAccessibleName(text)
        self.setCheckable(True)
        self.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self.setAttribute(Qt.WidgetAttribute.WA_Hover)
        theme.hub.changed.connect(self._restyled)

    def _restyled(self) -> None:
        self.updateGeometry()
        self.update()

    def sizeHint(self) -> QSize:
        text = QFontMetrics(theme.font("body")).horizontalAdvance(self.text())
        return QSize(px(10) + px(16) + px(6) + text + px(12), px(_HEIGHT))

    def minimumSizeHint(self) -> QSize:
        return self.sizeHint()

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.key() in (Qt.Key.Key_Left, Qt.Key.Key_Right):
            event.ignore()  # the row knows the neighbours
        else:
            super().keyPressEvent(event)

    def paintEvent(self, _event: QPaintEvent) -> None:
        painter, look = QPainter(self), theme.current()
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        on, hovered = self.isChecked(), self.underMouse() and self.isEnabled()
        ground = look.color("tint" if on else "hover" if hovered else "card")
        outline = self._outline()
        painter.fillPath(outline, ground)
        painter.strokePath(outline, QPen(look.color("accent" if on else "line"), 1))
        ink = look.color("accent" if on else "text" if self.isEnabled() else "text3")
        icon = self.rect().adjusted(px(10), 0, 0, 0)
        icon.setWidth(px(16))
        draw_icon(painter, self._icon_name, icon.toRectF().center(), ink)
        painter.setFont(theme.font("body"))
        painter.setPen(ink)
        flags = Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignLeft
        painter.drawText(self.rect().adjusted(px(32), 0, 0, 0), flags, self.text())
        if self.hasFocus():
            painter.setPen(QPen(look.color("text"), 1, Qt.PenStyle.DotLine))
            painter.drawRoundedRect(self.rect().adjusted(3, 3, -4, -4), px(4), px(4))

    def _outline(self) -> QPainterPath:
        """Round only at the row's ends; neighbours share a line."""
        radius = px(_RADIUS)
        box = QRectF(self.rect()).adjusted(
            0.5, 0.5, -0.5 if self._last or self.isChecked() else 0.5, -0.5
        )
        path = QPainterPath()
        path.addRoundedRect(box, radius, radius)
        square = QPainterPath()
        if not self._first:
            square.addRect(QRectF(box.left(), box.top(), radius, box.height()))
        if not self._last:
            square.addRect(QRectF(box.right() - radius, box.top(), radius, box.height()))
        return path.united(square).simplified()
