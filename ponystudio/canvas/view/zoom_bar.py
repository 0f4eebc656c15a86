"""What lies in a view's lower left corner: fit, zoom and minimap, and the line that says what a key
would do.
"""

from __future__ import annotations

from PySide6.QtCore import QPointF, QRectF, QSize, Qt, QTimer
from PySide6.QtGui import QFont, QFontMetricsF, QPainter, QPaintEvent
from PySide6.QtWidgets import QHBoxLayout, QToolButton, QWidget

from ponystudio.canvas.view.camera_view import Camera, CameraView
from ponystudio.canvas.view.minimap import Minimap
from ponystudio.qt.plain_text import tip
from ponystudio.widgets import theme
from ponystudio.widgets.primitives import draw_icon, paint_ground

MARGIN = 12


class ZoomBar(QWidget):
    def __init__(self, view: CameraView, minimap: Minimap) -> None:
        super().__init__(view.viewport())
        self._view = view
        self._fit = self._button(self.tr("Show everything"), "F")
        self._zoom = self._button(self.tr("Zoom to 100 %"), "Ctrl+0")
        self._map = self._button(self.tr("Minimap"), "Alt+M")
        self._map.setCheckable(True)
        self._fit.clicked.connect(view.fit)
        self._zoom.clicked.connect(lambda: view.jump(Camera(view.camera().center, 1.0)))
        self._map.setChecked(minimap.is_on())
        self._map.clicked.connect(minimap.toggle)
        minimap.toggled.connect(self._map.setChecked)
        row = QHBoxLayout(self)
        row.setContentsMargins(4, 0, 4, 0)
        row.setSpacing(2)
        for button in (self._fit, self._zoom, self._map):
            row.addWidget(button)
        view.camera_changed.connect(self._show_zoom)
        view.resized.connect(self.lay_out)
        theme.hub.changed.connect(self._restyle)
        self.setCursor(Qt.CursorShape.ArrowCursor)
        self._restyle()

    def lay_out(self) -> None:
        margin = round(MARGIN * theme.scale())
        self.adjustSize()
        self.move(margin, self._view.viewport().height() - self.height() - margin)

    def paintEvent(self, event: QPaintEvent) -> None:
        del event
        painter = QPainter(self)
        paint_ground(painter, self)
        painter.end()

    def _button(self, title: str, keys: str) -> QToolButton:
        button = QToolButton(self)
        button.setToolTip(tip(f"{title} ({keys})"))
        button.setAccessibleName(title)
        button.setAutoRaise(True)
        button.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        return button

    def _restyle(self) -> None:
        unit, look = theme.scale(), theme.current()
        colors = tuple(look.color(name).name() for name in ("text2", "hover", "tint"))
        self.setStyleSheet(
            "QToolButton {{ border: none; border-radius: 5px; color: {}; background: transparent;"
            " padding: 0; }} QToolButton:hover {{ background: {}; }}"
            " QToolButton:checked {{ background: {}; }}".format(*colors)
        )
        size = round((theme.density().button - 2) * unit)
        for button, name in ((self._fit, "fit"), (self._map, "mapi")):
            button.setIcon(theme.icon(name))
            button.setIconSize(QSize(round(16 * unit), round(16 * unit)))
            button.setFixedSize(size, size)
        self._zoom.setFont(theme.font("mono"))
        self._zoom.setFixedSize(round(52 * unit), size)
        self.setFixedHeight(size + round(6 * unit))
        self._show_zoom()
        self.lay_out()

    def _show_zoom(self) -> None:
        self._zoom.setText(f"{round(self._view.zoom * 100)} %")


_HIGH, _FOOT = 34, 16
SAID = 2500
"""Milliseconds."""


class StatusHint(QWidget):
    """`show_text` shows one line, in which *stars* mark what is semibold; "" hides it. `say` shows
    one for some seconds, unless there is another to be shown."""

    def __init__(self, viewport: QWidget) -> None:
        super().__init__(viewport)
        self._viewport = viewport
        self._parts: list[tuple[str, bool]] = []
        self._passing = QTimer(self, singleShot=True, interval=SAID)
        self._passing.timeout.connect(lambda: self.show_text(""))
        self.setAttribute(Qt.WidgetAttribute.WA_TransparentForMouseEvents)
        self.hide()

    def say(self, text: str) -> None:
        if self._passing.isActive() or not self._parts:
            self.show_text(text.replace("*", ""))
            self._passing.start()

    def show_text(self, text: str) -> None:
        if not text and self._passing.isActive():
            return  # who has nothing to say need not hide what was said
        self._passing.stop()
        parts = [(part, i % 2 == 1) for i, part in enumerate(text.split("*")) if part]
        if parts == self._parts:
            return
        self._parts = parts
        self.setAccessibleName(text.replace("*", ""))
        self.setVisible(bool(parts))
        if parts:
            self._lay_out()
            self.update()

    def _lay_out(self) -> None:
        unit = theme.scale()
        wide = sum(QFontMetricsF(_font(bold)).horizontalAdvance(part) for part, bold in self._parts)
        area = self._viewport.rect()
        width, height = round(wide + 52 * unit), round(_HIGH * unit)
        bottom = area.height() - round(_FOOT * unit)
        self.setGeometry((area.width() - width) // 2, bottom - height, width, height)
        self.raise_()

    def paintEvent(self, event: QPaintEvent) -> None:
        del event
        look, unit = theme.current(), theme.scale()
        painter = QPainter(self)
        paint_ground(painter, self, "card", "line2")
        draw_icon(painter, "info", QPointF(20 * unit, self.height() / 2), look.color("text2"))
        x = 38 * unit
        for part, bold in self._parts:
            font = _font(bold)
            painter.setFont(font)
            painter.setPen(look.color("text" if bold else "text2"))
            wide = QFontMetricsF(font).horizontalAdvance(part)
            area = QRectF(x, 0, wide + 2, self.height())
            painter.drawText(area, Qt.AlignmentFlag.AlignVCenter, part)
            x += wide
        painter.end()


def _font(bold: bool) -> QFont:
    font = QFont(theme.font("body"))
    if bold:
        font.setWeight(QFont.Weight.DemiBold)
    return font
