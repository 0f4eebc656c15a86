"""How frames and notes look."""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache

from PySide6.QtCore import QPointF, QRectF, Qt
from PySide6.QtGui import (
    QAbstractTextDocumentLayout,
    QPainter,
    QPalette,
    QPen,
    QTextBlockFormat,
    QTextCharFormat,
    QTextCursor,
    QTextDocument,
)

from ponystudio.canvas.painting.paint_context import PaintContext
from ponystudio.canvas.scene.items import FrameItem, NoteItem
from ponystudio.qt.i18n import tr
from ponystudio.qt.plain_text import MOST_LETTERS, cut
from ponystudio.widgets import metrics, text_layout, theme
from ponystudio.widgets.rich_text import markdown

_FAR_TITLE_PX = 16.0
_NOTE_PAD = 12.0
_INDENT = 16.0  # of lists
_LETTER = 30.0  # px² that a letter takes at least: the smallest ones, and their marks of Markdown
# Frames that are smaller on screen show no title.
_LEAST_WIDTH, _LEAST_HEIGHT = 64.0, 44.0


def paint_frame(painter: QPainter, item: FrameItem, brush: PaintContext) -> None:
    group = brush.theme.group(item.hue)
    far = brush.detail != "full"
    pen = QPen(brush.color("accent") if item.selected else group.frame_line,
               2 if item.selected else 1)  # fmt: skip
    pen.setCosmetic(far)
    painter.setPen(pen)
    painter.setBrush(group.frame_fill)
    radius = metrics.FRAME_RADIUS
    painter.drawRoundedRect(item.rect, radius, radius)
    if far or not item.title:
        return
    # Never less than 16 px on screen.
    factor = max(1.0, _FAR_TITLE_PX / 14 / brush.zoom)
    painter.setPen(brush.color("text"))
    title = text_layout.elided(item.title, "title", int((item.rect.width() - 28) / factor))
    painter.save()
    painter.translate(item.rect.left() + 14, item.rect.top() + metrics.FRAME_TITLE / 2)
    painter.scale(factor, factor)
    text_layout.draw(painter, 0, 0, title, "title")
    painter.restore()


def paint_far_titles(painter: QPainter, items: Iterable[FrameItem], brush: PaintContext) -> None:
    """At a constant size on screen, with how many cards are inside; on a ground of their own, as
    the cards that lie below are nearer than the title is high."""
    at = painter.transform()
    unit = theme.scale() * _FAR_TITLE_PX / 14
    painter.save()
    painter.resetTransform()
    painter.scale(unit, unit)
    for item in items:
        place = at.mapRect(item.rect)
        rect = QRectF(place.topLeft() / unit, place.size() / unit)
        if item.title and rect.width() > _LEAST_WIDTH and rect.height() > _LEAST_HEIGHT:
            _paint_far_title(painter, item, rect, brush)
    painter.restore()


def _paint_far_title(painter: QPainter, item: FrameItem, rect: QRectF, brush: PaintContext) -> None:
    room = int(rect.width() - 20)
    title = text_layout.whole_words(item.title, "title", room)
    if not title:
        return
    wide = text_layout.width(title, "title")
    counted = _counted(item, brush)
    more = text_layout.width(counted, "caption") + 8
    if wide + more > room:
        counted, more = "", 0.0
    painter.setPen(Qt.PenStyle.NoPen)
    painter.setBrush(brush.theme.group(item.hue).frame_fill)
    painter.drawRoundedRect(QRectF(rect.left() + 3, rect.top() + 2, wide + more + 14, 20), 5, 5)
    middle = rect.top() + 12
    painter.setPen(brush.color("text"))
    text_layout.draw(painter, rect.left() + 10, middle, title, "title")
    if counted:
        painter.setPen(brush.color("text3"))
        text_layout.draw(painter, rect.left() + 10 + wide + 8, middle, counted, "caption")


def _counted(item: FrameItem, brush: PaintContext) -> str:
    count = brush.store.card_count(item)
    text = tr("1 node") if count == 1 else tr("%1 nodes")
    return text.replace("%1", str(count))


def paint_note(painter: QPainter, item: NoteItem, brush: PaintContext) -> None:
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
    painter.save()
    inner = item.rect.adjusted(_NOTE_PAD, 8, -_NOTE_PAD, -8)
    # No more than there can be room for is worked on.
    room = min(MOST_LETTERS, 200 + int(inner.width() * inner.height() / _LETTER))
    text = cut(item.text, room)
    document = _note_document(text, inner.width(), brush.theme.name)
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


@lru_cache(maxsize=256)
def _note_document(text: str, width: float, theme_name: str) -> QTextDocument:
    """A note's Markdown, laid out as notes are shown in a theme."""
    del theme_name
    look = theme.current()
    document = markdown(text)
    document.setDocumentMargin(0)
    document.setIndentWidth(_INDENT)
    document.setDefaultFont(look.font("body"))
    document.setTextWidth(width)
    cursor = QTextCursor(document)
    block = document.begin()
    while block.isValid():
        cursor.setPosition(block.position())
        cursor.movePosition(QTextCursor.MoveOperation.EndOfBlock, QTextCursor.MoveMode.KeepAnchor)
        spacing = block.blockFormat()
        spacing.setTopMargin(0)
        spacing.setBottomMargin(4)
        spacing.setLineHeight(16, QTextBlockFormat.LineHeightTypes.MinimumHeight.value)
        if spacing.headingLevel():
            letters = QTextCharFormat()
            letters.setFont(look.font("node"))
            letters.setForeground(look.color("text"))
            cursor.setCharFormat(letters)
        cursor.setBlockFormat(spacing)
        block = block.next()
    return document
