"""Texts laid out once and painted often."""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass
from functools import lru_cache
from math import ceil

from PySide6.QtCore import QPointF, Qt
from PySide6.QtGui import QFontMetricsF, QPainter, QStaticText, QTransform

from ponystudio.qt.plain_text import CUT
from ponystudio.widgets import theme


@dataclass(frozen=True, slots=True)
class TextLabel:
    """A line of text in a role's font; `rise` is from its middle up to its top."""

    static: QStaticText
    role: str
    width: float
    rise: float


LONGEST = 1000
"""Letters of a line that are worked on: more than a screen has room for. Longer texts, which a file
may bring, are cut before they are measured, and never kept here."""


def label(text: str, role: str) -> TextLabel:
    return _label(_short(text), role)


@lru_cache(maxsize=8192)
def _label(text: str, role: str) -> TextLabel:
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


def elided(text: str, role: str, width: int, middle: bool = False) -> str:
    """The text, shortened to a width: at its end, or for file names in the middle."""
    return _elided(_short(text, middle), role, width, middle)


@lru_cache(maxsize=8192)
def _elided(text: str, role: str, width: int, middle: bool) -> str:
    mode = Qt.TextElideMode.ElideMiddle if middle else Qt.TextElideMode.ElideRight
    return metrics(role).elidedText(text, mode, width)


def width(text: str, role: str) -> float:
    return _width(_short(text), role)


@lru_cache(maxsize=8192)
def _width(text: str, role: str) -> float:
    return metrics(role).horizontalAdvance(text)


def whole_words(text: str, role: str, room: int) -> str:
    """As many words as fit into a width, never a part of one; "" if none does."""
    return _whole_words(text[:LONGEST], role, room)


@lru_cache(maxsize=8192)
def _whole_words(text: str, role: str, room: int) -> str:
    words = text.split()

    def wide(count: int) -> int:
        return ceil(width(" ".join(words[:count]), role))

    return " ".join(words[: bisect_right(range(1, len(words) + 1), room, key=wide)])


def wrapped(text: str, role: str, room: int) -> tuple[str, ...]:
    """The lines of a text that is broken between words, and within those that are too long."""
    return _wrapped(_short(text), role, room)


@lru_cache(maxsize=1024)
def _wrapped(text: str, role: str, room: int) -> tuple[str, ...]:
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


def _short(text: str, middle: bool = False) -> str:
    """The text, or as much of it as counts, with a mark where something is left out."""
    if len(text) <= LONGEST:
        return text
    if middle:
        return f"{text[: LONGEST // 2]}{CUT}{text[-LONGEST // 2 :]}"
    return text[:LONGEST] + CUT


def _fitting(word: str, role: str, room: int) -> int:
    low, high = 1, len(word)
    while low < high:
        half = (low + high + 1) // 2
        if width(word[:half], role) <= room:
            low = half
        else:
            high = half - 1
    return low
