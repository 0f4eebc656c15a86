from __future__ import annotations

import pytest
from PySide6.QtCore import QPointF

from ponystudio.canvas.scene import wire_geometry


@pytest.mark.parametrize(("dx", "k"), [(10, 24), (200, 100), (1000, 160), (-100, 70), (-900, 160)])
def test_tension(dx: float, k: float) -> None:
    (curve,) = wire_geometry.curves(QPointF(0, 0), QPointF(dx, 50))
    assert curve[1] == (k, 0)
    assert curve[2] == (dx - k, 50)


def test_a_wire_goes_through_its_dots() -> None:
    pieces = wire_geometry.curves(QPointF(0, 0), QPointF(300, 0), [(100, 80), (200, 80)])
    assert [piece[3] for piece in pieces] == [(100, 80), (200, 80), (300, 0)]
    assert pieces[1][1][1] == pieces[1][2][1] == 80  # level between the dots


def test_no_kink_at_a_dot() -> None:
    first, second = wire_geometry.curves(QPointF(0, 0), QPointF(50, 400), [(200, 200)])
    into = (first[3][0] - first[2][0], first[3][1] - first[2][1])
    out = (second[1][0] - second[0][0], second[1][1] - second[0][1])
    assert into[0] * out[1] == pytest.approx(into[1] * out[0])


def test_distance() -> None:
    points = wire_geometry.flattened(wire_geometry.curves(QPointF(0, 0), QPointF(200, 0)))
    assert wire_geometry.distance(points, 100, 5) == pytest.approx(5)
    assert wire_geometry.distance(points, -30, 40) == pytest.approx(50)


def test_crossing() -> None:
    points = wire_geometry.flattened(wire_geometry.curves(QPointF(0, 0), QPointF(200, 0)))
    assert wire_geometry.crosses(points, (100, -10), (100, 10)) == pytest.approx((100, 0))
    assert wire_geometry.crosses(points, (100, 5), (100, 10)) is None


def test_middle() -> None:
    points = wire_geometry.flattened(wire_geometry.curves(QPointF(0, 0), QPointF(200, 0)))
    assert wire_geometry.middle(points).toTuple() == pytest.approx((100, 0))
