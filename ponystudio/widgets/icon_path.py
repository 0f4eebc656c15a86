"""Painter paths from the path data of SVG, as far as the look's shapes and icons use it."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator

from PySide6.QtCore import QPointF, QRectF
from PySide6.QtGui import QPainterPath

_TOKEN = re.compile(r"[MmLlHhVvCcSsAaZz]|[-+]?(?:\d+\.\d*|\.\d+|\d+)(?:[eE][-+]?\d+)?")
_ARGUMENTS = {"M": 2, "L": 2, "H": 1, "V": 1, "C": 6, "S": 4, "A": 7, "Z": 0}


def parse(data: str) -> QPainterPath:
    """The path of an SVG `d` attribute: M L H V C S A Z, absolute and relative; arcs unrotated."""
    pen = _Pen()
    for command, numbers in _commands(data):
        pen.take(command, numbers)
    return pen.path


def _commands(data: str) -> Iterator[tuple[str, list[float]]]:
    """Each command with its own numbers; repeated ones are told apart."""
    letter = ""
    numbers: list[float] = []
    for token in _TOKEN.findall(data):
        if token.isalpha():
            letter, numbers = token, []
            if letter in "Zz":
                yield letter, []
            continue
        # Flags of arcs may be written without a gap ("0 01" or "011"): none of ours are.
        numbers.append(float(token))
        if len(numbers) == _ARGUMENTS[letter.upper()]:
            yield letter, numbers
            letter = {"M": "L", "m": "l"}.get(letter, letter)
            numbers = []


class _Pen:
    def __init__(self) -> None:
        self.path = QPainterPath()
        self._at = self._start = QPointF()
        self._handle: QPointF | None = None
        self._draw: dict[str, Callable[[list[float], QPointF], None]] = {
            "M": self._move,
            "L": self._line,
            "H": self._across,
            "V": self._down,
            "C": self._curve,
            "S": self._smooth,
            "A": self._arc,
            "Z": self._close,
        }

    def take(self, command: str, numbers: list[float]) -> None:
        origin = self._at if command.islower() else QPointF()
        handle, self._handle = self._handle, None
        if command in "Ss":
            self._handle = handle
        self._draw[command.upper()](numbers, origin)

    def _move(self, n: list[float], origin: QPointF) -> None:
        self._at = self._start = origin + QPointF(n[0], n[1])
        self.path.moveTo(self._at)

    def _line(self, n: list[float], origin: QPointF) -> None:
        self._to(origin + QPointF(n[0], n[1]))

    def _across(self, n: list[float], origin: QPointF) -> None:
        self._to(QPointF(origin.x() + n[0], self._at.y()))

    def _down(self, n: list[float], origin: QPointF) -> None:
        self._to(QPointF(self._at.x(), origin.y() + n[0]))

    def _curve(self, n: list[float], origin: QPointF) -> None:
        first, second, end = (origin + QPointF(n[i], n[i + 1]) for i in (0, 2, 4))
        self.path.cubicTo(first, second, end)
        self._handle, self._at = second, end

    def _smooth(self, n: list[float], origin: QPointF) -> None:
        first = self._at * 2 - self._handle if self._handle else self._at
        second, end = (origin + QPointF(n[i], n[i + 1]) for i in (0, 2))
        self.path.cubicTo(first, second, end)
        self._handle, self._at = second, end

    def _arc(self, n: list[float], origin: QPointF) -> None:
        rx, ry, _, large, sweep = n[:5]
        end = origin + QPointF(n[5], n[6])
        start = self._at
        # From the end points to the centre, as in the SVG implementation notes, F.6.5.
        dx, dy = (start.x() - end.x()) / 2 / rx, (start.y() - end.y()) / 2 / ry
        short = dx * dx + dy * dy
        if short > 1:
            rx, ry = rx * math.sqrt(short), ry * math.sqrt(short)
            dx, dy, short = dx / math.sqrt(short), dy / math.sqrt(short), 1.0
        side = math.sqrt(max(0.0, 1 / short - 1)) * (-1 if large == sweep else 1)
        cx, cy = side * dy, -side * dx
        centre = QPointF((start.x() + end.x()) / 2 + cx * rx, (start.y() + end.y()) / 2 + cy * ry)
        begin = math.degrees(math.atan2(dy - cy, dx - cx))
        turn = math.degrees(math.atan2(-dy - cy, -dx - cx)) - begin
        turn = turn % 360 if sweep else turn % 360 - 360
        box = QRectF(centre.x() - rx, centre.y() - ry, 2 * rx, 2 * ry)
        self.path.arcTo(box, -begin, -turn)
        self._at = end

    def _close(self, _: list[float], __: QPointF) -> None:
        self.path.closeSubpath()
        self._at = self._start

    def _to(self, point: QPointF) -> None:
        self.path.lineTo(point)
        self._at = point
