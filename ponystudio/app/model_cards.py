"""Model files as cards: what is shown, and how."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from PySide6.QtCore import (
    QAbstractListModel,
    QMimeData,
    QModelIndex,
    QPersistentModelIndex,
    QPointF,
    QRectF,
    QSize,
    Qt,
    QUrl,
)
from PySide6.QtGui import QColor, QFontMetricsF, QPainter, QPainterPath, QResizeEvent
from PySide6.QtWidgets import QListView, QStyle, QStyledItemDelegate, QWidget

from ponystudio.app.painted import draw_box, draw_icon, px
from ponystudio.canvas import theme
from ponystudio.canvas.params.file_facts import Fact, FileFacts, family_title, mismatch, size_text

# Kind of folder: (title, one of them, icon).
KINDS: dict[str, tuple[str, str, str]] = {
    "checkpoints": ("Checkpoints", "Checkpoint", "models"),
    "loras": ("LoRAs", "LoRA", "models"),
    "vae": ("VAEs", "VAE", "latent"),
    "upscale_models": ("Upscalers", "Upscaler", "upscale"),
    "embeddings": ("Embeddings", "Embedding", "text"),
    "diffusion_models": ("Denoisers", "Denoiser", "models"),
    "text_encoders": ("Text encoders", "Text encoder", "text"),
    "controlnet": ("ControlNets", "ControlNet", "wave"),
}
CARD, GAP = (212, 196), 12
PICTURE = 116
_Index = QModelIndex | QPersistentModelIndex


@dataclass(frozen=True)
class Entry:
    """One file: the kind of folder it lies in, and its name there."""

    kind: str
    name: str


class ModelFiles(QAbstractListModel):
    def __init__(self, facts: FileFacts, parent: QWidget) -> None:
        super().__init__(parent)
        self._facts = facts
        self._entries: list[Entry] = []
        self.family = ""

    def show(self, entries: list[Entry], family: str) -> None:
        if entries == self._entries and family == self.family:
            if entries:  # what is known of them may have changed
                self.dataChanged.emit(self.index(0), self.index(len(entries) - 1))
            return
        self.beginResetModel()
        self._entries, self.family = entries, family
        self.endResetModel()

    def rowCount(self, parent: _Index = QModelIndex()) -> int:  # noqa: B008
        return 0 if parent.isValid() else len(self._entries)

    def data(self, index: _Index, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        if not index.isValid():
            return None
        entry = self._entries[index.row()]
        if role == Qt.ItemDataRole.UserRole:
            return entry
        if role == Qt.ItemDataRole.UserRole + 1:
            return self._facts.get(entry.kind, entry.name)
        if role in (Qt.ItemDataRole.DisplayRole, Qt.ItemDataRole.AccessibleTextRole):
            return entry.name
        if role == Qt.ItemDataRole.ToolTipRole:
            fact = self._facts.get(entry.kind, entry.name)
            return "\n".join(filter(None, (entry.name, fact.line if fact else "")))
        return None

    def flags(self, index: _Index) -> Qt.ItemFlag:
        return super().flags(index) | Qt.ItemFlag.ItemIsDragEnabled

    def mimeData(self, indexes: Any) -> QMimeData:
        """The file itself, so that the canvas makes its loader."""
        mime = QMimeData()
        facts = [index.data(Qt.ItemDataRole.UserRole + 1) for index in indexes]
        paths = [fact.path for fact in facts if fact is not None and fact.path is not None]
        mime.setUrls([QUrl.fromLocalFile(str(path)) for path in paths])
        return mime


class ModelList(QListView):
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

    def _fit(self) -> None:
        """As many cards in a row as there is room for, and they share all of it."""
        room = self.width() - px(12)
        columns = max(1, room // px(CARD[0] + GAP))
        self.setGridSize(QSize(room // columns, px(CARD[1] + GAP)))


class ModelCard(QStyledItemDelegate):
    """Picture, name, kind and size; what does not fit is grey and says why."""

    def sizeHint(self, option: Any, _index: Any) -> QSize:
        size: QSize = option.widget.gridSize()
        return size

    def paint(self, painter: QPainter, option: Any, index: Any) -> None:
        look = theme.current()
        entry: Entry = index.data(Qt.ItemDataRole.UserRole)
        fact: Fact | None = index.data(Qt.ItemDataRole.UserRole + 1)
        family = index.model().family
        width = option.widget.gridSize().width() - px(GAP)
        rect = QRectF(option.rect.left(), option.rect.top(), width, px(CARD[1]))
        painter.save()
        selected = bool(option.state & QStyle.StateFlag.State_Selected)
        edge = look.color("accent" if selected else "line")
        draw_box(painter, rect, px(8), look.color("card"), edge)
        why = mismatch(entry.kind, fact, family) if fact else ""
        self._picture(
            painter, QRectF(rect.left(), rect.top(), rect.width(), px(PICTURE)), fact, why
        )
        self._words(painter, rect, entry, fact, why)
        if selected:
            draw_box(painter, rect.adjusted(1, 1, -1, -1), px(7), None, edge)
        painter.restore()

    def _picture(self, painter: QPainter, rect: QRectF, fact: Fact | None, why: str) -> None:
        look = theme.current()
        clip = QPainterPath()
        clip.addRoundedRect(rect.adjusted(1, 1, -1, px(8)), px(7), px(7))
        painter.save()
        painter.setClipPath(clip)
        painter.setClipRect(rect, Qt.ClipOperation.IntersectClip)
        painter.fillRect(rect, look.color("field"))
        if fact is not None and fact.thumb is not None:
            painter.setOpacity(0.35 if why else 1.0)
            side = max(rect.width(), rect.height())
            place = QRectF(rect.center() - QPointF(side / 2, side / 2), QSize(int(side), int(side)))
            painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform)
            painter.drawImage(place, fact.thumb)
        else:
            draw_icon(painter, "models", rect.center(), look.color("line2"), 32)
        painter.restore()
        if fact is not None and fact.family:
            self._badge(painter, rect, family_title(fact.family))

    def _badge(self, painter: QPainter, rect: QRectF, text: str) -> None:
        look, font = theme.current(), theme.font("caption")
        painter.setFont(font)
        width = QFontMetricsF(font).horizontalAdvance(text) + px(10)
        place = QRectF(rect.left() + px(8), rect.top() + px(8), width, px(18))
        draw_box(painter, place, px(4), look.color("panel"), look.color("line"))
        painter.setPen(look.color("text"))
        painter.drawText(place, Qt.AlignmentFlag.AlignCenter, text)

    def _words(
        self, painter: QPainter, rect: QRectF, entry: Entry, fact: Fact | None, why: str
    ) -> None:
        look = theme.current()
        left, right = rect.left() + px(10), rect.right() - px(10)
        top = rect.top() + px(PICTURE) + px(8)
        ink = look.color("text3" if why else "text")
        title = fact.title if fact else entry.name
        self._line(painter, left, right, top, title, "node", ink, Qt.TextElideMode.ElideMiddle)
        size = size_text(fact.size) if fact and fact.size else ""
        kind = self.tr(KINDS[entry.kind][1])
        second = fact.detail if fact and fact.detail else kind
        self._line(
            painter, left, right - px(60), top + px(22), second, "caption", look.color("text2")
        )
        painter.setPen(look.color("text2"))
        painter.setFont(theme.font("mono_caption"))
        place = QRectF(left, top + px(22), right - left, px(16))
        painter.drawText(place, Qt.AlignmentFlag.AlignRight, size)
        if why:
            warn = look.color("warn" if fact and fact.problem else "text3")
            self._line(painter, left, right, top + px(42), why, "caption", warn)
        elif fact is None:
            looking = self.tr("Looking into it")
            self._line(painter, left, right, top + px(42), looking, "caption", look.color("text3"))
        elif fact.dtype:
            self._line(
                painter, left, right, top + px(42), fact.dtype, "caption", look.color("text3")
            )

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
