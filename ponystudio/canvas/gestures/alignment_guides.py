"""Lines on which a dragged card is level with others."""

from __future__ import annotations

from collections.abc import Iterable

from PySide6.QtCore import QLineF, QRectF

from ponystudio.widgets import metrics

REACH = 6.0  # px on screen
_MANY = 200


def snapped(
    rect: QRectF, others: Iterable[QRectF], unit: float
) -> tuple[float, float, tuple[QLineF, ...]]:
    """The place for a dragged rect: on the grid, or level with an edge of another card nearby, and
    the lines that show with what."""
    middle = rect.center()
    near = sorted(others, key=lambda r: (r.center() - middle).manhattanLength())[:_MANY]
    x, vertical = _axis(
        rect.left(), rect.width(), [(r.left(), r.right(), r) for r in near], REACH * unit
    )
    y, horizontal = _axis(
        rect.top(), rect.height(), [(r.top(), r.bottom(), r) for r in near], REACH * unit
    )
    placed = QRectF(x, y, rect.width(), rect.height())
    lines = []
    for edge, other in vertical:
        both = placed.united(other)
        lines.append(QLineF(edge, both.top() - 8, edge, both.bottom() + 8))
    for edge, other in horizontal:
        both = placed.united(other)
        lines.append(QLineF(both.left() - 8, edge, both.right() + 8, edge))
    return x, y, tuple(lines)


def _axis(
    start: float, size: float, others: list[tuple[float, float, QRectF]], reach: float
) -> tuple[float, list[tuple[float, QRectF]]]:
    """Where the start goes, and (edge, the other's rect) for what it is then level with."""
    best, gap = None, reach
    for low, high, _ in others:
        # Far edges only where that keeps the card on the grid: heights are of any size.
        far = high - size
        for wanted in (low, far) if far % metrics.GRID == 0 else (low,):
            if abs(wanted - start) < gap:
                best, gap = wanted, abs(wanted - start)
    at = float(metrics.snapped(start)) if best is None else best
    found: list[tuple[float, QRectF]] = []
    if best is not None:
        for low, high, rect in others:
            if abs(low - at) < 0.5:
                found.append((low, rect))
            elif abs(high - at - size) < 0.5:
                found.append((high, rect))
    # One line says it: the one to the nearest card.
    return at, found[:1]
