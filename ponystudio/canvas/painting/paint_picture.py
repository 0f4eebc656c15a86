"""The picture on a card: what the node made, or a preview of it."""

from __future__ import annotations

from collections import OrderedDict

from PySide6.QtCore import QPointF, QRectF, QSize, Qt
from PySide6.QtGui import QImage, QPainter, QPixmap

from ponystudio.canvas.painting.paint_context import PaintContext
from ponystudio.qt.i18n import tr
from ponystudio.studio.documents.editable_graph import NodeState
from ponystudio.widgets import metrics, text_layout, theme

# Pictures at the sizes they were last painted in.
_BYTES = 96 << 20
_kept: OrderedDict[tuple[int, int, int], QPixmap] = OrderedDict()


def paint(painter: QPainter, rect: QRectF, state: NodeState, brush: PaintContext) -> None:
    radius = metrics.PICTURE_RADIUS
    if state.picture is None or state.picture.isNull():
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(brush.color("field"))
        painter.drawRoundedRect(rect, radius, radius)
        _paint_empty(painter, rect, brush)
        return
    place = fitted(state.picture, rect)
    if place.width() < rect.width() - 1 or place.height() < rect.height() - 1:
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(brush.color("field"))
        painter.drawRoundedRect(rect, radius, radius)
    draw(painter, place, state.picture, radius)
    if state.stale:
        _paint_badge(painter, place, tr("last run"), brush)


def draw(painter: QPainter, place: QRectF, picture: QImage, radius: float = 0.0) -> None:
    """The picture in a rect, as sharp as the screen allows, its corners rounded."""
    scale = painter.deviceTransform().m11()
    size = QSize(max(1, round(place.width() * scale)), max(1, round(place.height() * scale)))
    pixmap = _scaled(picture, size, radius * scale)
    painter.drawPixmap(place, pixmap, QRectF(pixmap.rect()))


def fitted(picture: QImage, rect: QRectF) -> QRectF:
    """The whole picture in the middle of a rect, as large as it can be."""
    size = picture.size()
    share = min(rect.width() / max(1, size.width()), rect.height() / max(1, size.height()))
    w, h = size.width() * share, size.height() * share
    return QRectF(rect.center().x() - w / 2, rect.center().y() - h / 2, w, h)


def _scaled(picture: QImage, size: QSize, radius: float) -> QPixmap:
    key = (picture.cacheKey(), size.width(), size.height())
    found = _kept.get(key)
    if found is not None:
        _kept.move_to_end(key)
        return found
    smooth = Qt.TransformationMode.SmoothTransformation
    image = picture
    while image.width() > 4 * size.width() and image.height() > 4 * size.height():
        # Halving fast first: a smooth step over all of a large picture takes too long.
        image = image.scaled(image.size() / 2, Qt.AspectRatioMode.IgnoreAspectRatio)
    image = image.scaled(size, Qt.AspectRatioMode.IgnoreAspectRatio, smooth)
    pixmap = QPixmap(size)
    pixmap.fill(Qt.GlobalColor.transparent)
    painter = QPainter(pixmap)
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    painter.setPen(Qt.PenStyle.NoPen)
    painter.setBrush(image)
    painter.drawRoundedRect(QRectF(QPointF(), size), radius, radius)
    painter.end()
    _kept[key] = pixmap
    used = sum(4 * item.width() * item.height() for item in _kept.values())
    while used > _BYTES and len(_kept) > 1:
        _, gone = _kept.popitem(last=False)
        used -= 4 * gone.width() * gone.height()
    return pixmap


def _paint_empty(painter: QPainter, rect: QRectF, brush: PaintContext) -> None:
    middle = rect.center()
    painter.translate(middle.x() - 8, middle.y() - 8)
    painter.strokePath(theme.icon_path("image"), theme.icon_pen(brush.color("line2")))
    painter.translate(8 - middle.x(), 8 - middle.y())


def _paint_badge(painter: QPainter, rect: QRectF, text: str, brush: PaintContext) -> None:
    label = text_layout.label(text, "caption")
    badge = QRectF(rect.left() + 6, rect.top() + 6, label.width + 12, 18)
    painter.setPen(Qt.PenStyle.NoPen)
    painter.setBrush(brush.color("field"))
    painter.drawRoundedRect(badge, 4, 4)
    painter.setPen(brush.color("text"))
    text_layout.draw(painter, badge.left() + 6, badge.center().y(), text, "caption")
