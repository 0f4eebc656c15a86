"""The rail at the left edge: which panel is open, and what else there is."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import QPointF, QRectF, QSize, Qt, Signal
from PySide6.QtGui import QPainter, QPaintEvent
from PySide6.QtWidgets import QAbstractButton, QSizePolicy, QVBoxLayout, QWidget

from ponystudio.app.window.panel_registry import PanelSpec
from ponystudio.qt.plain_text import tip
from ponystudio.widgets import theme
from ponystudio.widgets.primitives import draw_box, draw_icon, draw_ring, px

WIDTH = 48


class RailButton(QAbstractButton):
    """One of them; `badge` is a number that asks for attention."""

    def __init__(self, icon: str, title: str, keys: str = "") -> None:
        super().__init__()
        self._icon, self._badge = icon, 0
        self.setCheckable(True)
        self.setAccessibleName(title)
        self.setToolTip(tip(f"{title} ({keys})" if keys else title))
        self.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self.setAttribute(Qt.WidgetAttribute.WA_Hover)
        self.setSizePolicy(QSizePolicy.Policy.Fixed, QSizePolicy.Policy.Fixed)

    def set_badge(self, number: int) -> None:
        if number != self._badge:
            self._badge = number
            self.update()

    def sizeHint(self) -> QSize:
        return QSize(px(36), px(36))

    def paintEvent(self, _event: QPaintEvent) -> None:
        painter, look, rect = QPainter(self), theme.current(), QRectF(self.rect())
        if self.isChecked():
            draw_box(painter, rect, px(6), look.color("tint"), None)
        elif self.underMouse():
            draw_box(painter, rect, px(6), look.color("hover"), None)
        if self.hasFocus():
            draw_ring(painter, rect, px(6))
        draw_icon(
            painter,
            self._icon,
            rect.center(),
            look.color("accent" if self.isChecked() else "text2"),
        )
        if self._badge:
            self._paint_badge(painter)

    def _paint_badge(self, painter: QPainter) -> None:
        look, size = theme.current(), px(16)
        text = str(self._badge) if self._badge < 100 else "99+"
        width = max(size, painter.fontMetrics().horizontalAdvance(text) + px(8))
        place = QRectF(self.width() - width, 0, width, size)
        draw_box(painter, place, size / 2, look.color("fill"), look.color("panel"))
        painter.setFont(theme.font("mono_caption"))
        painter.setPen(look.color("onfill"))
        painter.drawText(place, Qt.AlignmentFlag.AlignCenter, text)


class NavigationRail(QWidget):
    """A button for each panel and page that wants one, in their order. `chosen` carries the id of
    one that was pressed."""

    chosen = Signal(str)

    def __init__(self, specs: Sequence[PanelSpec]) -> None:
        super().__init__()
        self.setAccessibleName(self.tr("Panels"))
        self.buttons: dict[str, RailButton] = {}
        self._box = QVBoxLayout(self)
        for end in ("upper", "lower"):
            if end == "lower":
                self._box.addStretch(1)
            for spec in specs:
                if spec.rail == end:
                    self._add(spec)
        self.refresh()
        theme.hub.changed.connect(self.refresh)

    def refresh(self) -> None:
        self.setFixedWidth(px(WIDTH))
        self._box.setContentsMargins(px(6), px(8), px(6), px(8))
        self._box.setSpacing(px(4))
        self.update()

    def show_open(self, names: set[str]) -> None:
        for name, button in self.buttons.items():
            button.setChecked(name in names)

    def paintEvent(self, _event: QPaintEvent) -> None:
        painter, look = QPainter(self), theme.current()
        painter.fillRect(self.rect(), look.color("panel"))
        painter.setPen(look.color("line"))
        right = self.width() - 0.5
        painter.drawLine(QPointF(right, 0), QPointF(right, self.height()))

    def _add(self, spec: PanelSpec) -> None:
        button = RailButton(spec.icon, spec.title, spec.keys[0] if spec.keys else "")
        button.clicked.connect(lambda: self.chosen.emit(spec.id))
        self.buttons[spec.id] = button
        self._box.addWidget(button)
