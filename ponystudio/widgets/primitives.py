"""Small painted parts of bars, and the background that popups share."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from PySide6.QtCore import QEvent, QPointF, QRectF, QSize, Qt
from PySide6.QtGui import QColor, QFontMetricsF, QPainter, QPainterPath, QPaintEvent, QPen
from PySide6.QtWidgets import QAbstractButton, QFrame, QSizePolicy, QWidget

from ponystudio.widgets import theme

ButtonKind = Literal["primary", "danger", "plain", "icon"]


def px(length: float) -> int:
    """A length at the UI scale."""
    return round(length * theme.scale())


def draw_icon(painter: QPainter, name: str, centre: QPointF, color: QColor, size: int = 16) -> None:
    """An icon around a point, `size` px at 100 %."""
    scale = size * theme.scale() / 16
    painter.save()
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    painter.translate(centre - QPointF(8, 8) * scale)
    painter.scale(scale, scale)
    painter.strokePath(theme.icon_path(name), theme.icon_pen(color))
    painter.restore()


def draw_box(
    painter: QPainter, rect: QRectF, radius: float, fill: QColor | None, line: QColor | None
) -> None:
    """A rounded box with its 1 px line inside the rect."""
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    painter.setPen(QPen(line, 1) if line is not None else Qt.PenStyle.NoPen)
    painter.setBrush(fill if fill is not None else Qt.BrushStyle.NoBrush)
    painter.drawRoundedRect(rect.adjusted(0.5, 0.5, -0.5, -0.5), radius, radius)


def draw_ring(painter: QPainter, rect: QRectF, radius: float) -> None:
    """What shows that the keys go here."""
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    painter.setPen(QPen(theme.current().color("text"), 2))
    painter.setBrush(Qt.BrushStyle.NoBrush)
    painter.drawRoundedRect(rect.adjusted(1, 1, -1, -1), radius, radius)


def draw_bar(painter: QPainter, rect: QRectF, parts: Sequence[tuple[float, QColor]]) -> None:
    """A rounded bar, filled from the left with parts (share, colour) that stand 1 px apart."""
    look = theme.current()
    radius = rect.height() / 2
    draw_box(painter, rect, radius, look.color("field"), look.color("line"))
    inner = rect.adjusted(1, 1, -1, -1)
    clip = QPainterPath()
    clip.addRoundedRect(inner, radius - 1, radius - 1)
    painter.save()
    painter.setClipPath(clip, Qt.ClipOperation.IntersectClip)
    left = inner.left()
    for share, color in parts:
        width = inner.width() * max(0.0, min(1.0, share))
        if width >= 0.5:
            gap = 1.0 if left > inner.left() else 0.0
            painter.fillRect(QRectF(left + gap, inner.top(), width - gap, inner.height()), color)
        left += width
    painter.restore()


class PaintedButton(QAbstractButton):
    """A button of the look: an icon, a text, and a key as a hint."""

    def __init__(
        self,
        kind: ButtonKind,
        text: str = "",
        icon: str = "",
        *,
        hint: str = "",
        name: str = "",
        reserve: Sequence[str] = (),
        parent: QWidget | None = None,
    ) -> None:
        """`name` is what screen readers say; it is needed where there is no text. `reserve` are
        other texts that it may have, for which there is room from the start."""
        super().__init__(parent)
        self._reserve = (text, *reserve)
        self._kind, self._icon, self._hint = kind, icon, hint
        self.setText(text)
        self.setAccessibleName(name or text)
        self.setAttribute(Qt.WidgetAttribute.WA_Hover)
        self.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self.setSizePolicy(QSizePolicy.Policy.Fixed, QSizePolicy.Policy.Fixed)
        theme.hub.changed.connect(self._restyle)

    def set_look(self, text: str, icon: str = "", hint: str = "") -> None:
        if (text, icon or self._icon, hint) == (self.text(), self._icon, self._hint):
            return
        self._icon, self._hint = icon or self._icon, hint
        self.setText(text)
        if text:
            self.setAccessibleName(text)
        self.updateGeometry()
        self.update()

    def sizeHint(self) -> QSize:
        height = px(theme.density().button)
        if self._kind == "icon":
            return QSize(height, height)
        widest = max(self._content_width(text) for text in (self.text(), *self._reserve))
        return QSize(round(widest) + 2 * px(12), height)

    def minimumSizeHint(self) -> QSize:
        return self.sizeHint()

    def paintEvent(self, _event: QPaintEvent) -> None:
        painter = QPainter(self)
        look, rect = theme.current(), QRectF(self.rect())
        fill, line, ink = self._colors()
        if fill is not None or line is not None:
            draw_box(painter, rect, px(6), fill, line)
        if self.hasFocus():
            draw_ring(painter, rect, px(6))
        if not self.isEnabled():
            ink = look.color("line2")
        if self._kind == "icon":
            draw_icon(painter, self._icon, rect.center(), ink)
            return
        left = (rect.width() - self._content_width(self.text())) / 2
        if self._icon:
            draw_icon(painter, self._icon, QPointF(left + px(8), rect.center().y()), ink)
            left += px(16 + 6)
        painter.setPen(ink)
        left = self._draw_text(painter, left, self.text(), strong=True)
        if self._hint:
            self._draw_text(painter, left + px(6), self._hint, strong=False)

    def event(self, event: QEvent) -> bool:
        if event.type() in (QEvent.Type.HoverEnter, QEvent.Type.HoverLeave):
            self.update()
        return super().event(event)

    def _colors(self) -> tuple[QColor | None, QColor | None, QColor]:
        """(ground, line, ink)."""
        look, hover = theme.current(), self.underMouse() and self.isEnabled()
        if self._kind == "primary":
            fill = look.color("fill") if self.isEnabled() else look.color("card")
            if hover:
                fill = theme.mixed(fill, look.color("onfill"), 0.2 if self.isDown() else 0.1)
            return fill, None, look.color("onfill")
        ground = look.color("hover" if hover else "card")
        if self.isDown():
            ground = look.color("tint")
        if self._kind == "danger":
            return ground, look.color("err"), look.color("err")
        if self._kind == "icon":
            return (ground if hover else None), None, look.color("text" if hover else "text2")
        return ground, look.color("line"), look.color("text")

    def _draw_text(self, painter: QPainter, left: float, text: str, *, strong: bool) -> float:
        font = theme.font("group" if strong else "body")
        font.setPixelSize(theme.font("body").pixelSize())
        painter.setFont(font)
        width = QFontMetricsF(font).horizontalAdvance(text)
        place = QRectF(left, 0, width + 2, self.height())
        painter.drawText(place, Qt.AlignmentFlag.AlignVCenter, text)
        return left + width

    def _content_width(self, text: str) -> float:
        strong = theme.font("group")
        strong.setPixelSize(theme.font("body").pixelSize())
        width = QFontMetricsF(strong).horizontalAdvance(text)
        if self._icon:
            width += px(16 + 6)
        if self._hint:
            width += px(6) + QFontMetricsF(theme.font("body")).horizontalAdvance(self._hint)
        return width

    def _restyle(self) -> None:
        self.updateGeometry()
        self.update()


class Separator(QFrame):
    """An upright hairline between the parts of a bar."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setSizePolicy(QSizePolicy.Policy.Fixed, QSizePolicy.Policy.Fixed)

    def sizeHint(self) -> QSize:
        return QSize(1, px(24))

    def paintEvent(self, _event: QPaintEvent) -> None:
        QPainter(self).fillRect(self.rect(), theme.current().color("line"))


def paint_ground(
    painter: QPainter, widget: QWidget, ground: str = "panel", line: str = "line", radius: int = 7
) -> None:
    """Fill a widget, with a line around and round corners; tokens of the look."""
    look = theme.current()
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    painter.setPen(QPen(look.color(line), 1))
    painter.setBrush(look.color(ground))
    rect = QRectF(widget.rect()).adjusted(0.5, 0.5, -0.5, -0.5)
    painter.drawRoundedRect(rect, radius, radius)
