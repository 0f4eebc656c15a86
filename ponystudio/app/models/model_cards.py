"""Model files as cards: what is shown, and how."""

from __future__ import annotations

from typing import Any

from PySide6.QtCore import (
    QPoint,
    QPointF,
    QRectF,
    QSize,
    QSizeF,
    Qt,
    Signal,
)
from PySide6.QtGui import (
    QColor,
    QContextMenuEvent,
    QDrag,
    QFontMetricsF,
    QImage,
    QKeyEvent,
    QKeySequence,
    QPainter,
    QPainterPath,
    QResizeEvent,
)
from PySide6.QtWidgets import QListView, QStyle, QStyledItemDelegate, QWidget

from ponystudio.qt.i18n import tr
from ponystudio.studio.models.model_files import PreviewPictureCache
from ponystudio.studio.models.model_list import AUTOV2, ENTRY, FACT, ModelEntry, ModelListContext
from ponystudio.studio.models.model_summary import ModelSummary, family_title, mismatch, size_text
from ponystudio.widgets import theme
from ponystudio.widgets.primitives import draw_box, draw_icon, draw_ring, px

# Kinds of folders, and the icon of a file in one.
KINDS = {
    "checkpoints": "models",
    "loras": "models",
    "vae": "latent",
    "upscale_models": "upscale",
    "embeddings": "text",
    "diffusion_models": "models",
    "text_encoders": "text",
    "controlnet": "wave",
    "hypernetworks": "models",
    "clip_vision": "image",
    "style_models": "models",
    "gligen": "models",
    "aesthetic_models": "models",
}
CARD, GAP = (212, 204), 12
PICTURE = 130
RING = 4  # around a card, for the ring of the keyboard
DRAGGED = 120
_COPY = QKeySequence.StandardKey.Copy


def kind_titles() -> dict[str, tuple[str, str]]:
    """By kind of folder: what its files are called, and one of them."""
    return {
        "checkpoints": (tr("Checkpoints"), tr("Checkpoint")),
        "loras": (tr("LoRAs"), tr("LoRA")),
        "vae": (tr("VAEs"), tr("VAE")),
        "upscale_models": (tr("Upscalers"), tr("Upscaler")),
        "embeddings": (tr("Embeddings"), tr("Embedding")),
        "diffusion_models": (tr("Denoisers"), tr("Denoiser")),
        "text_encoders": (tr("Text encoders"), tr("Text encoder")),
        "controlnet": (tr("ControlNets"), tr("ControlNet")),
        "hypernetworks": (tr("Hypernetworks"), tr("Hypernetwork")),
        "clip_vision": (tr("Image encoders"), tr("Image encoder")),
        "style_models": (tr("Style models"), tr("Style model")),
        "gligen": (tr("GLIGEN models"), tr("GLIGEN model")),
        "aesthetic_models": (tr("Aesthetic heads"), tr("Aesthetic head")),
    }


class ModelCardList(QListView):
    """`drag_began` while a card is in the air; `drag_ended` carries whether it was taken.
    `menu_requested` (place on the screen) for the card that is chosen."""

    drag_began = Signal()
    drag_ended = Signal(bool)
    menu_requested = Signal(object)

    def __init__(self) -> None:
        super().__init__()
        self.setViewMode(QListView.ViewMode.IconMode)
        self.setResizeMode(QListView.ResizeMode.Adjust)
        self.setMovement(QListView.Movement.Static)
        self.setUniformItemSizes(True)
        self.setDragEnabled(True)
        self.setMouseTracking(True)
        self.setVerticalScrollMode(QListView.ScrollMode.ScrollPerPixel)
        self.setAccessibleName(self.tr("Model files"))
        self.setProperty("plain", True)
        theme.hub.changed.connect(self._fit)

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._fit()

    def startDrag(self, _actions: Qt.DropAction) -> None:
        index = self.currentIndex()
        mime = self.model().mimeData([index])
        if not mime.urls():
            return
        drag = QDrag(self)
        drag.setMimeData(mime)
        ring, gap = px(RING), px(GAP) - px(RING)
        card = self.visualRect(index).adjusted(ring, ring, -gap, -gap)
        drag.setPixmap(self.viewport().grab(card).scaledToWidth(px(DRAGGED)))
        drag.setHotSpot(QPoint(px(12), px(12)))
        self.drag_began.emit()
        done = drag.exec(Qt.DropAction.CopyAction)
        self.drag_ended.emit(done != Qt.DropAction.IgnoreAction)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Letters are the page's: names are found by its search field."""
        if (event.text().isprintable() and event.text()) or event.matches(_COPY):
            event.ignore()
        else:
            super().keyPressEvent(event)

    def contextMenuEvent(self, event: QContextMenuEvent) -> None:
        place = event.globalPos()
        if event.reason() == QContextMenuEvent.Reason.Keyboard:
            place = self.viewport().mapToGlobal(self.visualRect(self.currentIndex()).center())
        elif not self.indexAt(event.pos()).isValid():
            return
        if self.currentIndex().isValid():
            self.menu_requested.emit(place)

    def _fit(self) -> None:
        """As many cards in a row as there is room for, and they share all of it."""
        room = self.width() - px(12)
        columns = max(1, room // px(CARD[0] + GAP))
        self.setGridSize(QSize(room // columns, px(CARD[1] + GAP)))


class ModelCard(QStyledItemDelegate):
    """Picture, name, kind, size and hash; what does not fit is grey and says why."""

    def __init__(self, pictures: PreviewPictureCache, parent: QWidget) -> None:
        super().__init__(parent)
        self._pictures = pictures
        self._kinds = kind_titles()

    def sizeHint(self, option: Any, _index: Any) -> QSize:
        size: QSize = option.widget.gridSize()
        return size

    def paint(self, painter: QPainter, option: Any, index: Any) -> None:
        look = theme.current()
        entry, fact, context = index.data(ENTRY), index.data(FACT), index.model().context
        width = option.widget.gridSize().width() - px(GAP)
        corner = QPointF(option.rect.topLeft()) + QPointF(px(RING), px(RING))
        rect = QRectF(corner, QSizeF(width, px(CARD[1])))
        picture = QRectF(rect.left(), rect.top(), rect.width(), px(PICTURE))
        state = option.state
        painter.save()
        selected = bool(state & QStyle.StateFlag.State_Selected)
        hovered = bool(state & QStyle.StateFlag.State_MouseOver)
        edge = look.color("accent" if selected else "line2" if hovered else "line")
        draw_box(painter, rect, px(8), look.color("card"), edge)
        why = mismatch(entry.kind, fact, context.family) if fact else ""
        self._picture(painter, picture, entry, fact, why)
        self._badges(painter, picture, entry, fact, context)
        self._words(painter, rect, entry, fact, why)
        if selected:
            draw_box(painter, rect.adjusted(1, 1, -1, -1), px(7), None, edge)
        if selected and option.widget.hasFocus():
            draw_ring(painter, rect.adjusted(-RING, -RING, RING, RING), px(10))
        painter.restore()

    def _picture(
        self,
        painter: QPainter,
        rect: QRectF,
        entry: ModelEntry,
        fact: ModelSummary | None,
        why: str,
    ) -> None:
        look = theme.current()
        clip = QPainterPath()
        clip.addRoundedRect(rect.adjusted(1, 1, -1, px(8)), px(7), px(7))
        painter.save()
        painter.setClipPath(clip)
        painter.setClipRect(rect, Qt.ClipOperation.IntersectClip)
        painter.fillRect(rect, look.color("field"))
        image = self._pictures.get(fact, round(rect.width() * painter.device().devicePixelRatio()))
        if image is not None:
            painter.setOpacity(0.35 if why else 1.0)
            draw_filling(painter, rect, image)
        else:
            draw_icon(painter, KINDS[entry.kind], rect.center(), look.color("line2"), 32)
        painter.restore()

    def _badges(
        self,
        painter: QPainter,
        rect: QRectF,
        entry: ModelEntry,
        fact: ModelSummary | None,
        context: ModelListContext,
    ) -> None:
        """Family on the left; on the right that it is in use, and its star."""
        if fact is not None and fact.family:
            draw_badge(painter, rect.topLeft() + QPointF(px(8), px(8)), family_title(fact.family))
        right = rect.topRight() + QPointF(-px(8), px(8))
        if entry.key in context.stars:
            right.setX(right.x() - px(20))
            place = QRectF(right.x(), right.y(), px(20), px(18))
            look = theme.current()
            draw_box(painter, place, px(4), look.color("panel"), look.color("line"))
            draw_icon(painter, "star", place.center(), look.color("warn"), 12)
            right.setX(right.x() - px(4))
        if entry.key in context.in_use:
            draw_badge(painter, right, self.tr("In use"), "ok", from_right=True)

    def _words(
        self,
        painter: QPainter,
        rect: QRectF,
        entry: ModelEntry,
        fact: ModelSummary | None,
        why: str,
    ) -> None:
        look = theme.current()
        left, right = rect.left() + px(10), rect.right() - px(10)
        top = rect.top() + px(PICTURE) + px(8)
        ink = look.color("text3" if why else "text")
        icon = QPointF(left + px(8), top + px(9))
        draw_icon(painter, KINDS[entry.kind], icon, look.color("text3" if why else "text2"), 14)
        title = fact.title if fact else entry.name
        middle = Qt.TextElideMode.ElideMiddle
        self._line(painter, left + px(22), right, top, title, "node", ink, middle)
        second, third = top + px(24), top + px(43)
        size = size_text(fact.size) if fact and fact.size else ""
        taken = self._number(painter, left, right, second, size)
        kind = ", ".join(filter(None, (self._kinds[entry.kind][1], fact.detail if fact else "")))
        self._line(painter, left, taken, second, kind, "caption", look.color("text2"))
        sha256 = fact.sha256[:AUTOV2] if fact and not why else ""
        taken = self._number(painter, left, right, third, sha256)
        if why:
            warn = look.color("warn" if fact and fact.problem else "text2")
            sign = QPointF(left + px(7), third + px(8))
            draw_icon(painter, "alert" if fact and fact.problem else "info", sign, warn, 13)
            self._line(painter, left + px(19), taken, third, why, "caption", warn)
        else:
            said = fact.dtype if fact else self.tr("Looking into it")
            self._line(painter, left, taken, third, said, "caption", look.color("text3"))

    @staticmethod
    def _number(painter: QPainter, left: float, right: float, top: float, text: str) -> float:
        """At the right; how far what stands on its left may go."""
        font = theme.font("mono_caption")
        painter.setFont(font)
        painter.setPen(theme.current().color("text2"))
        place = QRectF(left, top, right - left, px(18))
        painter.drawText(place, Qt.AlignmentFlag.AlignRight, text)
        return right - QFontMetricsF(font).horizontalAdvance(text) - (px(8) if text else 0)

    def _line(
        self,
        painter: QPainter,
        left: float,
        right: float,
        top: float,
        text: str,
        role: str,
        color: QColor,
        mode: Qt.TextElideMode = Qt.TextElideMode.ElideRight,
    ) -> None:
        font = theme.font(role)
        painter.setFont(font)
        painter.setPen(color)
        shown = QFontMetricsF(font).elidedText(text, mode, right - left)
        painter.drawText(QRectF(left, top, right - left, px(18)), Qt.AlignmentFlag.AlignLeft, shown)


def draw_filling(painter: QPainter, rect: QRectF, image: QImage) -> None:
    """As much of the image's middle as fills the rectangle."""
    painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform)
    factor = max(rect.width() / image.width(), rect.height() / image.height())
    part = QRectF(0, 0, rect.width() / factor, rect.height() / factor)
    part.moveCenter(QRectF(image.rect()).center())
    painter.drawImage(rect, image, part)


def draw_badge(
    painter: QPainter, at: QPointF, text: str, tone: str = "text", *, from_right: bool = False
) -> None:
    """A word on its own ground over a picture; `at` is its upper left corner, or upper right."""
    look, font = theme.current(), theme.font("caption")
    painter.setFont(font)
    width = QFontMetricsF(font).horizontalAdvance(text) + px(10)
    place = QRectF(at.x() - (width if from_right else 0), at.y(), width, px(18))
    draw_box(painter, place, px(4), look.color("panel"), look.color("line"))
    painter.setPen(look.color(tone))
    painter.drawText(place, Qt.AlignmentFlag.AlignCenter, text)
