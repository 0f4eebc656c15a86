"""A grid of cells that finds things near a place."""

import time

import pytest
from PySide6.QtCore import QRectF

from ponystudio.canvas.scene.item_store import SIZE, SpatialIndex


def test_things_are_found_by_the_cells_that_they_touch() -> None:
    index: SpatialIndex[str] = SpatialIndex()
    index.put("one", [QRectF(10, 10, 50, 50)])
    index.put("wide", [QRectF(SIZE - 5, 0, 10, 10)])
    assert index.near(QRectF(0, 0, 1, 1)) == {"one", "wide"}
    assert index.near(QRectF(SIZE + 1, 1, 1, 1)) == {"wide"}
    assert index.near(QRectF(-10 * SIZE, -10 * SIZE, 100 * SIZE, 100 * SIZE)) == {"one", "wide"}


def test_what_moves_or_goes_is_no_longer_found_where_it_was() -> None:
    index: SpatialIndex[str] = SpatialIndex()
    index.put("one", [QRectF(0, 0, 1, 1)])
    index.put("one", [QRectF(-3 * SIZE, 0, 1, 1)])
    assert index.near(QRectF(0, 0, 1, 1)) == set()
    assert index.near(QRectF(-3 * SIZE, 0, 1, 1)) == {"one"}
    index.drop("one")
    index.drop("one")
    assert index.near(QRectF(-3 * SIZE, 0, 1, 1)) == set()


def test_what_spans_thousands_of_cells_costs_no_more_than_what_spans_one() -> None:
    index: SpatialIndex[int] = SpatialIndex()
    start = time.perf_counter()
    for i in range(2000):
        index.put(i, [QRectF(-i, -i, 2000 * SIZE, 3000 * SIZE)])
    assert time.perf_counter() - start < 5  # six million cells each
    assert index.near(QRectF(1900 * SIZE, 2900 * SIZE, 1, 1)) == set(range(2000))
    assert index.near(QRectF(20_000 * SIZE, 0, 1, 1)) == set()
    for i in range(2000):
        index.drop(i)
    assert index.near(QRectF(0, 0, 1, 1)) == set()


@pytest.mark.parametrize("side", [1, SIZE - 1, SIZE, SIZE + 1, 2 * SIZE, 5 * SIZE, 300 * SIZE])
def test_things_of_every_size_are_found_from_end_to_end(side) -> None:
    index: SpatialIndex[str] = SpatialIndex()
    rect = QRectF(-700, 900, side, side / 3)
    index.put("it", [rect])
    for point in (rect.topLeft(), rect.center(), rect.bottomRight()):
        assert index.near(QRectF(point.x(), point.y(), 1, 1)) == {"it"}
    assert index.near(rect.translated(8 * max(side, SIZE), 0)) == set()
