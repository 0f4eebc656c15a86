"""What lies where: a grid of cells that finds things near a place without asking all of them.

Qt's own index asks every item for its box through Python, which costs more than painting does.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Iterator
from typing import Generic, TypeVar

from PySide6.QtCore import QRectF

Key = TypeVar("Key", bound=Hashable)
Cell = tuple[int, int]

SIZE = 1024


class SpatialIndex(Generic[Key]):
    """Keys by the cells they touch. A key is found if one of its cells is asked for, so ask the
    thing itself whether it is really there."""

    def __init__(self) -> None:
        self._cells: dict[Cell, dict[Key, None]] = {}
        self._where: dict[Key, frozenset[Cell]] = {}

    def put(self, key: Key, rects: Iterable[QRectF]) -> None:
        cells: set[Cell] = set()
        for rect in rects:
            cells.update(_cells(rect))
        found = frozenset(cells)
        if self._where.get(key) == found:
            return
        self.drop(key)
        self._where[key] = found
        for cell in found:
            self._cells.setdefault(cell, {})[key] = None

    def drop(self, key: Key) -> None:
        for cell in self._where.pop(key, ()):
            keys = self._cells[cell]
            del keys[key]
            if not keys:
                del self._cells[cell]

    def near(self, rect: QRectF) -> set[Key]:
        """The keys in all cells that the rect touches."""
        result: set[Key] = set()
        left, top = int(rect.left() // SIZE), int(rect.top() // SIZE)
        right, bottom = int(rect.right() // SIZE), int(rect.bottom() // SIZE)
        if (right - left + 1) * (bottom - top + 1) > len(self._cells):
            for (i, j), keys in self._cells.items():
                if left <= i <= right and top <= j <= bottom:
                    result.update(keys)
            return result
        for i in range(left, right + 1):
            for j in range(top, bottom + 1):
                if found := self._cells.get((i, j)):
                    result.update(found)
        return result


def _cells(rect: QRectF) -> Iterator[Cell]:
    left, top = int(rect.left() // SIZE), int(rect.top() // SIZE)
    right, bottom = int(rect.right() // SIZE), int(rect.bottom() // SIZE)
    if left == right and top == bottom:
        return iter(((left, top),))
    return ((i, j) for i in range(left, right + 1) for j in range(top, bottom + 1))
