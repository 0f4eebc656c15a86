"""How frames and notes look."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import QCoreApplication, QPointF, QRectF, Qt
from PySide6.QtGui import QAbstractTextDocumentLayout, QPainter, QPalette, QPen, QTextDocument

from ponystudio.canvas import metrics, texts, theme
from ponystudio.canvas.items import FrameItem, NoteItem

if TYPE_CHECKING:
    from ponystudio.canvas.paint_card import Brush

_FAR_TITLE_PX = 16.0
_NOTE_PAD = 12.0


def paint_frame(painter: QPainter, item: FrameItem, brush: Brush) -> None:
    group = brush.theme.group(item.hue)
    far = brush.detail != "full"
    pen = QPen(brush.color("accent") if item.selected else group.frame_line,
               2 if item.selected else 1)  # fmt: skip
    pen.setCosmetic(far)
    painter.setPen(pen)
    painter.setBrush(group.frame_fill)
    radius = metrics.FRAME_RADIUS
    painter.drawRoundedRect(item.rect, radius, radius)
    if not item.title:
        return
    if far:
        _paint_far_title(painter, item, brush)
        return
    painter.setPen(brush.color("text"))
    room = int(item.rect.width() - 28)
    title = texts.elided(item.title, "title", room)
    middle = item.rect.top() + metrics.FRAME_TITLE / 2
    texts.draw(painter, item.rect.left() + 14, middle, title, "title")


def _paint_far_title(painter: QPainter, item: FrameItem, brush: Brush) -> None:
    """At a constant size on screen, with how many cards are inside."""
    scale = painter.transform().m11()
    painter.save()
    painter.translate(item.rect.topLeft())
    painter.scale(1 / scale, 1 / scale)
    factor = theme.scale() * _FAR_TITLE_PX / 14
    painter.scale(factor, factor)
    room = int(item.rect.width() * scale / factor - 24)
    title = texts.elided(item.title, "title", room)
    painter.setPen(brush.color("text"))
    wide = texts.draw(painter, 12, 14, title, "title")
    if title == item.title and room - wide > 60:
        painter.setPen(brush.color("text3"))
        texts.draw(painter, 12 + wide + 8, 14, _counted(item, brush), "caption")
    painter.restore()


def _counted(item: FrameItem, brush: Brush) -> str:
    scene = brush.scene
    if item.counted < 0:
        item.counted = len(scene.frame_contents(item.index))
    tr = QCoreApplication.translate
    text = tr("Frame", "1 node") if item.counted == 1 else tr("Frame", "%1 nodes")
    return text.replace("%1", str(item.counted))


def paint_note(painter: QPainter, item: NoteItem, brush: Brush) -> None:
    far = brush.detail == "far"
    if not far:
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(brush.color("shadow"))
        painter.drawRoundedRect(item.rect.translated(0, metrics.SHADOW), 8, 8)
    painter.setPen(QPen(brush.color("accent" if item.selected else "line"),
                        2 if item.selected else 1))  # fmt: skip
    painter.setBrush(brush.color("note"))
    painter.drawRoundedRect(item.rect, 8, 8)
    if far:
        return
    document = _laid_out(item)
    painter.save()
    inner = item.rect.adjusted(_NOTE_PAD, 8, -_NOTE_PAD, -8)
    painter.setClipRect(inner, Qt.ClipOperation.IntersectClip)
    painter.translate(inner.topLeft())
    context = QAbstractTextDocumentLayout.PaintContext()
    palette = QPalette()
    palette.setColor(QPalette.ColorRole.Text, brush.color("text2"))
    palette.setColor(QPalette.ColorRole.Link, brush.color("accent"))
    context.palette = palette
    context.clip = QRectF(QPointF(), inner.size())
    document.documentLayout().draw(painter, context)
    painter.restore()


def _laid_out(item: NoteItem) -> QTextDocument:
    if item.document is None:
        document = QTextDocument()
        document.setDocumentMargin(0)
        document.setDefaultFont(theme.current().font("body"))
        document.setMarkdown(item.text)
        document.setTextWidth(item.rect.width() - 2 * _NOTE_PAD)
        item.document = document
    found: QTextDocument = item.document
    return found
