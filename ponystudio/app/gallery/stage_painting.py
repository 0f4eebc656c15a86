"""What the viewer paints: a picture in the size that suffices, chips on their own ground, the
divider that shows on any picture."""

from __future__ import annotations

from functools import lru_cache

from PySide6.QtCore import QPointF, QRect, QRectF, QSizeF, Qt
from PySide6.QtGui import QBrush, QColor, QFontMetrics, QImage, QPainter, QPen, QPixmap

from ponystudio.app.gallery.filmstrip import paint_mark
from ponystudio.studio.results.image_loader import Pyramid
from ponystudio.widgets import theme
from ponystudio.widgets.common import rounded
from ponystudio.widgets.primitives import draw_icon, px

# Above this, pixels are looked at one by one, and smoothing would invent some.
_SQUARE_FROM = 3.0
_HANDLE = 34


def paint_picture(
    painter: QPainter, pyramid: Pyramid, target: QRectF, clip: QRectF, ratio: float
) -> None:
    """The part of the picture in `clip`; `target` is where the whole of it would lie."""
    visible = target.intersected(clip)
    if visible.isEmpty() or target.isEmpty():
        return
    # Whole device px, so that two pictures beside each other leave no seam.
    scale = target.width() * ratio / pyramid.size.width()
    image, _ = pyramid.level(scale)
    part = QRectF(
        (visible.x() - target.x()) / target.width(),
        (visible.y() - target.y()) / target.height(),
        visible.width() / target.width(),
        visible.height() / target.height(),
    )
    if image.hasAlphaChannel():
        painter.fillRect(visible, _chequered(theme.current().name))
    painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform, scale < _SQUARE_FROM)
    painter.drawImage(visible, image, pyramid.source(image, part))


def paint_preview(painter: QPainter, thumbnail: QPixmap, target: QRectF, clip: QRectF) -> None:
    """The thumbnail in place of a picture that is still being decoded."""
    painter.save()
    painter.setClipRect(clip)
    painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform)
    painter.drawPixmap(target, thumbnail, QRectF(thumbnail.rect()))
    painter.restore()


def paint_chip(
    painter: QPainter, mark: str, text: str, at: QPointF, right: bool, room: int
) -> None:
    """A label over a picture: its mark and a text, which ends in … where there is no room.

    `at` is its upper left corner, or the upper right one."""
    look, font = theme.current(), theme.font("body")
    metrics = QFontMetrics(font)
    height, inset = px(28), px(4)
    badge = px(20) if mark else 0
    space = room - badge - inset - px(16)
    shown = metrics.elidedText(text, Qt.TextElideMode.ElideRight, max(0, space))
    width = inset + badge + (px(16) + metrics.horizontalAdvance(shown) if shown else inset)
    left = round(at.x()) - (width if right else 0)
    box = QRect(left, round(at.y()), width, height)
    rounded(painter, box, px(6), look.color("panel"), QPen(look.color("line"), 1))
    if mark:
        paint_mark(painter, QRect(left + inset, box.top() + inset, badge, badge), mark)
    painter.setFont(font)
    painter.setPen(look.color("text"))
    place = box.adjusted(inset + badge + px(8), 0, 0, 0)
    painter.drawText(place, Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignLeft, shown)


def paint_divider(painter: QPainter, x: float, rect: QRectF, focused: bool) -> None:
    """White in the middle, black on both sides; the handle has an icon for what it does."""
    white, black, left = QColor("white"), QColor("#111111"), round(x)
    top, height = round(rect.top()), round(rect.height())
    painter.fillRect(QRect(left - px(2), top, px(4), height), black)
    painter.fillRect(QRect(left - px(1), top, px(2), height), white)
    handle = handle_rect(x, rect)
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    if focused:
        painter.setPen(QPen(theme.current().color("accent"), px(2)))
        painter.setBrush(Qt.BrushStyle.NoBrush)
        painter.drawEllipse(handle.adjusted(-px(3), -px(3), px(3), px(3)))
    painter.setPen(QPen(black, px(2)))
    painter.setBrush(white)
    painter.drawEllipse(handle)
    draw_icon(painter, "compare", handle.toAlignedRect().toRectF().center(), black)


def handle_rect(x: float, rect: QRectF) -> QRectF:
    side = px(_HANDLE)
    return QRectF(round(x) - side / 2, round(rect.center().y()) - side / 2, side, side)


def paint_words(painter: QPainter, text: str, pane: QRectF) -> None:
    """A sentence in place of a picture."""
    painter.setFont(theme.font("body"))
    painter.setPen(theme.current().color("text2"))
    margin = px(40)
    flags = Qt.AlignmentFlag.AlignCenter | Qt.TextFlag.TextWordWrap
    painter.drawText(pane.adjusted(margin, margin, -margin, -margin), flags, text)


@lru_cache(maxsize=4)
def _chequered(name: str) -> QBrush:
    """The ground of what is transparent."""
    side = 8
    dark = name == "dark"
    image = QImage(2 * side, 2 * side, QImage.Format.Format_RGB32)
    image.fill(QColor("#3A3D44" if dark else "#FFFFFF"))
    painter = QPainter(image)
    for x, y in ((0, 0), (side, side)):
        painter.fillRect(x, y, side, side, QColor("#2A2D33" if dark else "#DDE0E4"))
    painter.end()
    return QBrush(image)


def size_of(pyramid: Pyramid | None) -> QSizeF:
    return QSizeF(pyramid.size) if pyramid is not None else QSizeF()
