"""The course of a wire: geometry alone."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from functools import cache

from PySide6.QtCore import QPointF, QRectF
from PySide6.QtGui import QPainterPath

Point = tuple[float, float]
Curve = tuple[Point, Point, Point, Point]

_STEPS = 12  # points a curve is cut into where it must be told how near something is


def curves(source: QPointF, target: QPointF, dots: Sequence[Point] = ()) -> list[Curve]:
    """The cubic curves from an output through reroute dots to an input."""
    points = [(source.x(), source.y()), *dots, (target.x(), target.y())]
    if len(points) == 2:
        return [_direct(points[0], points[1])]
    last = len(points) - 1
    result = []
    for i in range(last):
        a, b = points[i], points[i + 1]
        reach = _tension(a, b)
        ax, ay = (1.0, 0.0) if i == 0 else _heading(points[i - 1], a, b)
        bx, by = (1.0, 0.0) if i + 1 == last else _heading(a, b, points[i + 2])
        result.append(
            (
                a,
                (a[0] + ax * reach, a[1] + ay * reach),
                (b[0] - bx * reach, b[1] - by * reach),
                b,
            )
        )
    return result


def path(pieces: Sequence[Curve]) -> QPainterPath:
    result = QPainterPath(QPointF(*pieces[0][0]))
    for _, (ax, ay), (bx, by), (x, y) in pieces:
        result.cubicTo(ax, ay, bx, by, x, y)
    return result


def flattened(pieces: Sequence[Curve], steps: int = _STEPS) -> list[Point]:
    """Points along the wire, dense enough to tell where it runs."""
    result = [pieces[0][0]]
    weights = _weights(steps)
    for (x0, y0), (x1, y1), (x2, y2), (x3, y3) in pieces:
        result += [
            (a * x0 + b * x1 + c * x2 + d * x3, a * y0 + b * y1 + c * y2 + d * y3)
            for a, b, c, d in weights
        ]
    return result


@cache
def _weights(steps: int) -> list[tuple[float, float, float, float]]:
    """Bernstein's polynomials of degree 3 at even steps, but for 0."""
    shares = [i / steps for i in range(1, steps + 1)]
    return [((1 - t) ** 3, 3 * (1 - t) ** 2 * t, 3 * (1 - t) * t * t, t**3) for t in shares]


def hull(pieces: Sequence[Curve]) -> QRectF:
    """A box that the wire does not leave; cheaper to know than its course."""
    return box([point for piece in pieces for point in piece], 2.0)


def middle(points: Sequence[Point]) -> QPointF:
    """The point halfway along."""
    lengths = [math.dist(a, b) for a, b in itertools.pairwise(points)]
    left = sum(lengths) / 2
    for (a, b), length in zip(itertools.pairwise(points), lengths, strict=False):
        if length >= left and length > 0:
            share = left / length
            return QPointF(a[0] + (b[0] - a[0]) * share, a[1] + (b[1] - a[1]) * share)
        left -= length
    return QPointF(*points[-1])


def distance(points: Sequence[Point], x: float, y: float) -> float:
    """How far a point is from the wire."""
    return min(_to_segment(a, b, x, y) for a, b in itertools.pairwise(points))


def crosses(points: Sequence[Point], a: Point, b: Point) -> Point | None:
    """Where a straight line from `a` to `b` crosses the wire first, or None."""
    for c, d in itertools.pairwise(points):
        if (found := _crossing(c, d, a, b)) is not None:
            return found
    return None


def box(points: Sequence[Point], margin: float = 0.0) -> QRectF:
    xs, ys = [p[0] for p in points], [p[1] for p in points]
    left, top = min(xs) - margin, min(ys) - margin
    return QRectF(left, top, max(xs) + margin - left, max(ys) + margin - top)


def _direct(a: Point, b: Point) -> Curve:
    dx = b[0] - a[0]
    k = max(24.0, min(160.0, dx / 2)) if dx >= 0 else min(160.0, 40 + 0.3 * -dx)
    return a, (a[0] + k, a[1]), (b[0] - k, b[1]), b


def _tension(a: Point, b: Point) -> float:
    """Tension at a dot; never so much that a short piece would loop."""
    k = max(16.0, min(90.0, abs(b[0] - a[0]) / 2))
    return min(k, max(16.0, math.dist(a, b) / 2))


def _heading(before: Point, at: Point, after: Point) -> Point:
    """The direction of the wire at a dot: along x if it goes on, else that of its neighbours."""
    into, out = at[0] - before[0], after[0] - at[0]
    if into >= 0 and out >= 0 and (into > 0 or out > 0):
        return 1.0, 0.0
    dx, dy = after[0] - before[0], after[1] - before[1]
    length = math.hypot(dx, dy)
    return (dx / length, dy / length) if length > 0 else (1.0, 0.0)


def _to_segment(a: Point, b: Point, x: float, y: float) -> float:
    dx, dy = b[0] - a[0], b[1] - a[1]
    square = dx * dx + dy * dy
    t = 0.0 if square == 0 else max(0.0, min(1.0, ((x - a[0]) * dx + (y - a[1]) * dy) / square))
    return math.hypot(a[0] + t * dx - x, a[1] + t * dy - y)


def _crossing(a: Point, b: Point, c: Point, d: Point) -> Point | None:
    rx, ry, sx, sy = b[0] - a[0], b[1] - a[1], d[0] - c[0], d[1] - c[1]
    det = rx * sy - ry * sx
    if det == 0:
        return None
    t = ((c[0] - a[0]) * sy - (c[1] - a[1]) * sx) / det
    u = ((c[0] - a[0]) * ry - (c[1] - a[1]) * rx) / det
    return (a[0] + t * rx, a[1] + t * ry) if 0 <= t <= 1 and 0 <= u <= 1 else None
