"""The tokens of a prompt as its model reads them: pieces of words, weights, and chunks of 75 where
the model has any."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

from PySide6.QtCore import QEvent, QPointF, QRectF, QSize, Qt, Signal
from PySide6.QtGui import (
    QColor,
    QFontMetricsF,
    QHelpEvent,
    QMouseEvent,
    QPainter,
    QPaintEvent,
    QPen,
)
from PySide6.QtWidgets import QSizePolicy, QToolTip, QWidget

from ponystudio.canvas.fields.prompt_weights import shown
from ponystudio.qt.plain_text import tip
from ponystudio.studio.models.token_counter import Counts
from ponystudio.studio.models.token_counts import CHUNK, PromptState, Tokens
from ponystudio.studio.models.token_pieces import Piece
from ponystudio.widgets import theme
from ponystudio.widgets.primitives import draw_box, px

HEAD, ROW, GAP = 22, 20, 3
BETWEEN_WORDS = 8
# Chunks that are shown, or as many tokens; of a pasted book the beginning tells enough.
MOST = 12
# At this much above or below 1 a weight has its full colour.
FULL = 0.6


@dataclass(frozen=True)
class Box:
    """A place in the view: of a piece, of the weight that ends here, or the line before a chunk."""

    rect: QRectF
    text: str
    piece: Piece | None = None
    place: int = 0
    line: bool = False


class TokenView(QWidget):
    """`show_prompt` fills it, later. `chosen`: from where to where a piece that was clicked stands
    in the prompt."""

    chosen = Signal(int, int)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.tokens = Tokens()
        self._requested = self.shown_prompt = PromptState("", "")
        self.boxes: list[Box] = []
        self._height = px(HEAD)
        policy = QSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Fixed)
        policy.setHeightForWidth(True)
        self.setSizePolicy(policy)
        self.setMouseTracking(True)
        self.setAccessibleName(self.tr("Tokens"))
        theme.hub.changed.connect(self._lay_out)

    def show_prompt(self, counts: Counts, prompt: PromptState) -> None:
        """What is shown stays until the tokens of this prompt are known."""
        if prompt != self._requested:
            self._requested = prompt
            counts.pieces(prompt, self, lambda tokens: self._show_tokens(prompt, tokens))

    def _show_tokens(self, prompt: PromptState, tokens: Tokens) -> None:
        if prompt == self._requested:
            self.shown_prompt, self.tokens = prompt, tokens
            self._lay_out()

    # Layout

    def sizeHint(self) -> QSize:
        return QSize(px(200), self._height)

    def hasHeightForWidth(self) -> bool:
        return True

    def heightForWidth(self, width: int) -> int:
        boxes = self.boxes if width == self.width() else list(self._flow(width))
        return round(boxes[-1].rect.bottom()) + px(2) if boxes else px(HEAD)

    def resizeEvent(self, event: QEvent) -> None:
        del event
        self.boxes = list(self._flow(self.width()))

    def _lay_out(self) -> None:
        self.boxes = list(self._flow(self.width()))
        self._height = self.heightForWidth(self.width())
        self.setAccessibleDescription(" ".join(box.text for box in self.boxes))
        self.updateGeometry()
        self.update()

    def _flow(self, width: int) -> Iterator[Box]:
        """Pieces from left to right and from line to line."""
        metrics, small = (QFontMetricsF(theme.font(role)) for role in ("body", "mono_caption"))
        x, y, row, gap = 0.0, float(px(HEAD)), px(ROW), px(GAP)

        def place(wide: float) -> QRectF:
            nonlocal x, y
            if x and x + wide > width:
                x, y = 0.0, y + row + gap
            return QRectF(x, y, min(wide, width), row)

        chunks = [chunk[: MOST * CHUNK] for chunk in self.tokens.chunks[:MOST]]
        for number, chunk in enumerate(chunks):
            if number:
                y += row + gap
                yield Box(
                    QRectF(0, y, width, row),
                    f"{_count(chunks[number - 1])} / {CHUNK}",
                    line=True,
                )
                x, y = 0.0, y + row + gap
            at, before = 1, None
            for piece, following in zip(chunk, [*chunk[1:], None], strict=False):
                text = "·" if piece.span == before else self._text_of(piece)
                before = piece.span
                rect = place(metrics.horizontalAdvance(text) + 2 * px(4))
                yield Box(rect, text, piece, at)
                apart = following is not None and following.span[0] > piece.span[1]
                x = rect.right() + px(BETWEEN_WORDS if apart else 3 if piece.ends else 1)
                at += piece.count
                if piece.weight != 1 and (not following or following.weight != piece.weight):
                    said = f"×{shown(piece.weight)}"
                    rect = place(small.horizontalAdvance(said) + px(2))
                    yield Box(rect, said)
                    x = rect.right() + px(BETWEEN_WORDS)
        if rest := sum(map(_count, self.tokens.chunks)) - sum(map(_count, chunks)):
            y += row + gap
            yield Box(QRectF(0, y, width, row), self.tr("and {0} more").format(rest))
        if not self.tokens.exact:
            y += row + gap
            yield Box(QRectF(0, y, width, row), self.tr("By T5; the model's own is like it"))

    def _text_of(self, piece: Piece) -> str:
        if piece.name:
            vectors = f" ×{piece.count}" if piece.count > 1 else ""
            return f"{PurePosixPath(piece.name).stem}{vectors}"
        return " ".join(self.shown_prompt.text[slice(*piece.span)].split()) or "␣"

    # Looks

    def paintEvent(self, event: QPaintEvent) -> None:
        look, painter = theme.current(), QPainter(self)
        self._paint_head(painter)
        for box in self.boxes:
            if not box.rect.intersects(QRectF(event.rect())):
                continue
            if box.piece is not None:
                self._paint_piece(painter, box, box.piece)
            elif box.line:
                self._paint_line(painter, box)
            else:
                painter.setFont(theme.font("mono_caption"))
                painter.setPen(look.color("text2"))
                painter.drawText(box.rect, Qt.AlignmentFlag.AlignVCenter, box.text)
        painter.end()

    def _paint_head(self, painter: QPainter) -> None:
        look, rect = theme.current(), QRectF(0, 0, self.width(), px(16))
        painter.setFont(theme.font("group"))
        painter.setPen(look.color("text3"))
        painter.drawText(rect, Qt.AlignmentFlag.AlignVCenter, self.tr("Tokens"))
        painter.setFont(theme.font("mono_caption"))
        right = Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignRight
        count, room = (
            sum(map(_count, self.tokens.chunks)),
            self.tokens.size * len(self.tokens.chunks),
        )
        about = "" if self.tokens.exact else "≈ "
        painter.drawText(rect, right, f"{about}{count} / {room}")

    def _paint_piece(self, painter: QPainter, box: Box, piece: Piece) -> None:
        look = theme.current()
        edge = look.color("accent") if piece.name else None
        draw_box(painter, box.rect, px(3), _weight_color(piece.weight), edge)
        painter.setFont(theme.font("body"))
        painter.setPen(look.color("text" if piece.weight >= 1 else "text2"))
        inside, text = box.rect.adjusted(px(4), 0, -px(4), 0), box.text
        if box.rect.width() >= self.width():
            middle = Qt.TextElideMode.ElideMiddle
            text = QFontMetricsF(painter.font()).elidedText(text, middle, inside.width())
        painter.drawText(inside, Qt.AlignmentFlag.AlignVCenter, text)

    def _paint_line(self, painter: QPainter, box: Box) -> None:
        """Where a chunk is full and the next begins, dashed and amber as in the prompt."""
        painter.setFont(theme.font("mono_caption"))
        amber, middle = theme.current().color("warn"), box.rect.center().y()
        painter.setPen(amber)
        right = Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignRight
        painter.drawText(box.rect, right, box.text)
        wide = QFontMetricsF(painter.font()).horizontalAdvance(box.text)
        pen = QPen(amber, px(1.5))
        pen.setDashPattern([2.0, 1.6])
        painter.setPen(pen)
        painter.drawLine(QPointF(0, middle), QPointF(box.rect.right() - wide - px(6), middle))

    # Events

    def box_at(self, at: QPointF) -> Box | None:
        """The piece at a point."""
        return next((box for box in self.boxes if box.piece and box.rect.contains(at)), None)

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        over = self.box_at(event.position()) is not None
        self.setCursor(Qt.CursorShape.PointingHandCursor if over else Qt.CursorShape.ArrowCursor)

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        box = self.box_at(event.position())
        if box and box.piece and event.button() == Qt.MouseButton.LeftButton:
            self.chosen.emit(*box.piece.span)

    def event(self, event: QEvent) -> bool:
        if event.type() == QEvent.Type.ToolTip and isinstance(event, QHelpEvent):
            box = self.box_at(QPointF(event.pos()))
            QToolTip.showText(event.globalPos(), tip(self.tooltip_of(box) if box else ""), self)
            return True
        return bool(super().event(event))

    def tooltip_of(self, box: Box) -> str:
        assert box.piece is not None
        piece = box.piece
        what = (
            self.tr("{0}: {1} vectors in the place of tokens").format(piece.name, piece.count)
            if piece.name
            else self.tr("Token {0}").format(piece.id)
        )
        where = self.tr("Place {0} of {1}").format(box.place, self.tokens.size)
        return f"{what}\n{where}\n" + self.tr("Weight {0}").format(shown(piece.weight) or "0")


def _count(chunk: Sequence[Piece]) -> int:
    return sum(piece.count for piece in chunk)


def _weight_color(weight: float) -> QColor:
    """From quiet to tint with the weight; paler below 1."""
    look = theme.current()
    plain = look.color("hover")
    share = min(1.0, abs(weight - 1) / FULL)
    if weight > 1:
        return theme.mixed(look.color("tint"), look.color("accent"), 0.4 * share)
    return theme.mixed(plain, look.color("panel"), 0.9 * share)
