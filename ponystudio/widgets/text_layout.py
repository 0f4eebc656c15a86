"""Texts laid out once and painted often."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

from PySide6.QtCore import QPointF, Qt
from PySide6.QtGui import QFontMetricsF, QPainter, QStaticText, QTransform

from ponystudio.widgets import theme


@dataclass(frozen=True, slots=True)
class TextLabel:
    """A line of text in a role's font; `rise` is from its middle up to its top."""

    static: QStaticText
    role: str
    width: float
    rise: float


@lru_cache(maxsize=8192)
def label(text: str, role: str) -> TextLabel:
    font = theme.current().font(role)
    static = QStaticText(text)
    static.setTextFormat(Qt.TextFormat.PlainText)
    static.setPerformanceHint(QStaticText.PerformanceHint.AggressiveCaching)
    static.prepare(QTransform(), font)
    found = metrics(role)
    return TextLabel(static, role, static.size().width(), found.ascent() - found.capHeight() / 2)


@lru_cache(maxsize=32)
def metrics(role: str) -> QFontMetricsF:
    return QFontMetricsF(theme.current().font(role))


@lru_cache(maxsize=8192)
def elided(text: str, role: str, width: int, middle: bool = False) -> str:
    """The text, shortened to a width: at its end, or for file names in the middle."""
    mode = Qt.TextElideMode.ElideMiddle if middle else Qt.TextElideMode.ElideRight
    return metrics(role).elidedText(text, mode, width)


@lru_cache(maxsize=8192)
def width(text: str, role: str) -> float:
    return metrics(role).horizontalAdvance(text)


@lru_cache(maxsize=8192)
def whole_words(text: str, role: str, room: int) -> str:
    """As many words as fit into a width, never a part of one; "" if none does."""
    words = text.split()
    while words and width(" ".join(words), role) > room:
        words.pop()
    return " ".join(words)


@lru_cache(maxsize=1024)
def wrapped(text: str, role: str, room: int) -> tuple[str, ...]:
    """The lines of a text that is broken between words, and within those that are too long."""
    lines: list[str] = []
    for paragraph in text.split("\n"):
        line = ""
        for word in paragraph.split(" "):
            longer = f"{line} {word}" if line else word
            if width(longer, role) <= room:
                line = longer
                continue
            if line:
                lines.append(line)
            line = word
            while width(line, role) > room and len(line) > 1:
                cut = _fitting(line, role, room)
                lines.append(line[:cut])
                line = line[cut:]
        lines.append(line)
    return tuple(lines)


def draw(painter: QPainter, x: float, middle: float, text: str, role: str) -> float:
    """Paint a line from x, around the height `middle`, in the painter's pen; gives its width."""
    found = label(text, role)
    painter.setFont(theme.current().font(role))
    painter.drawStaticText(QPointF(x, middle - found.rise), found.static)
    return found.width


def draw_right(painter: QPainter, right: float, middle: float, text: str, role: str) -> float:
    """Paint a line that ends at `right`; gives its width."""
    found = label(text, role)
    painter.setFont(theme.current().font(role))
    painter.drawStaticText(QPointF(right - found.width, middle - found.rise), found.static)
    return found.width


def _fitting(word: str, role: str, room: int) -> int:
    low, high = 1, len(word)
    while low < high:
        half = (low + high + 1) // 2
        if width(word[:half], role) <= room:
            low = half
        else:
            high = half - 1
    return low
