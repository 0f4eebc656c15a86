"""A prompt broken into lines, as it stands on the card."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from PySide6.QtCore import QPointF, QRectF, Qt
from PySide6.QtGui import (
    QColor,
    QPainter,
    QPen,
    QTextCharFormat,
    QTextLayout,
    QTextLine,
    QTextOption,
)

from ponystudio.canvas.fields import field_painting, prompt_weights
from ponystudio.diffusion.text.prompt_syntax import comments
from ponystudio.studio.models.token_counts import CHUNK, Count
from ponystudio.widgets import text_layout, theme
from ponystudio.widgets.theme import Theme

# Letters that are laid out: far above what a card has room for, and what work there is with them.
LONGEST = 4000
LINE = 18.0
ROLE = "prompt"
_SEPARATOR = "\u2028"


@dataclass(frozen=True, eq=False)
class PromptLayout:
    """The text's beginning; `boxes` are the grounds behind weighted words: rects from its top left
    corner."""

    layout: QTextLayout
    lines: int
    boxes: tuple[tuple[int, QRectF], ...]

    def place(self, index: int) -> tuple[int, float]:
        """The line and the x of a character; one beyond those laid out is on a line below them."""
        if index > len(self.layout.text()):
            return self.lines, 0.0
        line = self.layout.lineForTextPosition(index)
        if not line.isValid():
            return 0, 0.0
        return line.lineNumber(), _x(line, index)

    def draw(self, painter: QPainter, origin: QPointF, lines: int) -> None:
        """Paint the first lines in the painter's pen."""
        for i in range(min(lines, self.lines)):
            self.layout.lineAt(i).draw(painter, origin)

    def rest(self, line: int) -> str:
        """The text from a line on."""
        start = self.layout.lineAt(line).textStart()
        return self.layout.text()[start:].replace(_SEPARATOR, " ")


def line_count(text: str, width: float) -> int:
    """How many lines a text takes, counted only where it may be more than three."""
    if "\n" not in text and len(text) < 400 and text_layout.width(text, ROLE) <= 2 * width:
        # A line and the next one's first word are wider than the room: four lines would take
        # more than twice the width.
        return 1
    return _count_lines(text[:LONGEST], round(width))


@lru_cache(maxsize=4096)
def _count_lines(text: str, width: int) -> int:
    # A line that is begun counts: the cursor stands there.
    return _break_lines(text, width).lineCount() + text.endswith("\n")


def lay_out(text: str, width: int, dialect: str, theme_name: str) -> PromptLayout:
    """The lines of a text; `dialect` "" for one without weights."""
    return _lay_out(text[: prompt_weights.LONGEST], width, dialect, theme_name)


@lru_cache(maxsize=256)
def _lay_out(text: str, width: int, dialect: str, theme_name: str) -> PromptLayout:
    layout = _break_lines(text[:LONGEST], width)
    weighted = _shown(prompt_weights.spans(text, dialect) if dialect else ())
    unread = _shown(comments(text, dialect))
    ranges = []
    for spans, token in ((weighted, "accent"), (unread, "text3")):
        look = QTextCharFormat()
        look.setForeground(theme.current().color(token))
        for start, end in spans:
            found = QTextLayout.FormatRange()
            found.start, found.length, found.format = start, end - start, look
            ranges.append(found)
    del theme_name
    if ranges:
        layout.setFormats(ranges)
        layout = _lines(layout, width)
    boxes = tuple(box for span in weighted for box in _boxes(layout, *span))
    return PromptLayout(layout, layout.lineCount(), boxes)


def _shown(spans: Iterable[tuple[int, int]]) -> list[tuple[int, int]]:
    """Those that begin in what is laid out, as far as they reach in it."""
    return [(start, min(end, LONGEST)) for start, end in spans if start < LONGEST]


def _break_lines(text: str, width: int) -> QTextLayout:
    layout = QTextLayout(text.replace("\n", _SEPARATOR), theme.current().font(ROLE))
    option = QTextOption()
    option.setWrapMode(QTextOption.WrapMode.WrapAtWordBoundaryOrAnywhere)
    layout.setTextOption(option)
    layout.setCacheEnabled(True)
    return _lines(layout, width)


def _lines(layout: QTextLayout, width: int) -> QTextLayout:
    layout.beginLayout()
    y = 0.0
    while True:
        line = layout.createLine()
        if not line.isValid():
            break
        line.setLineWidth(width)
        line.setPosition(QPointF(0, y + (LINE - line.height()) / 2))
        y += LINE
    layout.endLayout()
    return layout


def _boxes(layout: QTextLayout, start: int, end: int) -> list[tuple[int, QRectF]]:
    """One box on each line that a span touches."""
    result = []
    for i in range(layout.lineForTextPosition(start).lineNumber(), layout.lineCount()):
        line = layout.lineAt(i)
        if line.textStart() >= end:
            break
        first, last = max(start, line.textStart()), min(end, line.textStart() + line.textLength())
        if first < last:
            left, right = _x(line, first), _x(line, last)
            # A space at the end of a line is no word.
            while last > first and layout.text()[last - 1].isspace():
                last -= 1
                right = _x(line, last)
            if right > left:
                result.append((i, QRectF(left - 1, i * LINE + 1, right - left + 2, LINE - 2)))
    return result


def _x(line: QTextLine, index: int) -> float:
    x: Any = line.cursorToX(index)  # PySide6 gives the index back as well
    return float(x[0] if isinstance(x, tuple) else x)


INSET = field_painting.TEXT_INSET
TOP = 7.0
COUNTER = 34.0 - TOP
PLAIN_FOOT = 7.0
_BAR = 3.0


def break_place(text: str, place: int) -> int:
    """Where the mark stands: behind the last word before a break, not before the next line."""
    while place > 0 and place <= len(text) and text[place - 1].isspace():
        place -= 1
    return place


def counter_rect(rect: QRectF) -> QRectF:
    """Where the counter stands in a field."""
    return QRectF(rect.left() + INSET, rect.bottom() - 24, rect.width() - 2 * INSET, 16)


def paint_counter(painter: QPainter, rect: QRectF, look: Theme, count: Count | None) -> None:
    """The bar, with an amber tick at each 75, and the numbers; a sign where there are notes."""
    middle = rect.center().y()
    about = "" if count is None or count.exact else "≈ "
    shown = f"{about}{count.tokens} / {count.room}" if count else "–"
    painter.setPen(look.color("err" if count and count.problem else "text3"))
    width = text_layout.draw_right(painter, rect.right(), middle, shown, "mono_caption")
    taken = max(width, 44) + 12
    if count and count.notes:
        place = QRectF(rect.right() - width - 20, middle - 8, 16, 16)
        field_painting.icon(painter, place, "info", look.color("warn"))
        taken += 16
    bar = QRectF(rect.left(), middle - _BAR / 2, rect.width() - taken, _BAR)
    painter.setPen(Qt.PenStyle.NoPen)
    painter.setBrush(look.color("line"))
    painter.drawRoundedRect(bar, _BAR / 2, _BAR / 2)
    if not count or not count.tokens:
        return
    filled = QRectF(bar)
    filled.setWidth(max(_BAR, bar.width() * min(1.0, count.tokens / count.room)))
    painter.setBrush(look.color("accent"))
    painter.drawRoundedRect(filled, _BAR / 2, _BAR / 2)
    for chunk in range(1, count.chunks):
        x = bar.left() + bar.width() * chunk * CHUNK / count.room
        painter.fillRect(QRectF(x - 1, middle - 4.5, 2, 9), look.color("warn"))


def paint_tick(painter: QPainter, at: QPointF, color: QColor, factor: float = 1.0) -> None:
    """The dashed mark in the text where a chunk of 75 tokens ends."""
    pen = QPen(color, 1.5 * factor)
    pen.setDashPattern([2.0, 1.6])
    pen.setCapStyle(Qt.PenCapStyle.FlatCap)
    painter.setPen(pen)
    x = at.x() + 1.5 * factor
    painter.drawLine(QPointF(x, at.y() + 2 * factor), QPointF(x, at.y() + (LINE - 2) * factor))
