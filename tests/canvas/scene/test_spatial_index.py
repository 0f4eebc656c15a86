"""A grid of cells that finds things near a place."""

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
