from __future__ import annotations

import pytest
from PySide6.QtCore import QPointF

from ponystudio.canvas import wires


@pytest.mark.parametrize(("dx", "k"), [(10, 24), (200, 100), (1000, 160), (-100, 70), (-900, 160)])
def test_tension(dx: float, k: float) -> None:
    (curve,) = wires.curves(QPointF(0, 0), QPointF(dx, 50))
    assert curve[1] == (k, 0)
    assert curve[2] == (dx - k, 50)


def test_a_wire_goes_through_its_dots() -> None:
    pieces = wires.curves(QPointF(0, 0), QPointF(300, 0), [(100, 80), (200, 80)])
    assert [piece[3] for piece in pieces] == [(100, 80), (200, 80), (300, 0)]
    assert pieces[1][1][1] == pieces[1][2][1] == 80  # level between the dots


def test_no_kink_at_a_dot() -> None:
    first, second = wires.curves(QPointF(0, 0), QPointF(50, 400), [(200, 200)])
    into = (first[3][0] - first[2][0], first[3][1] - first[2][1])
    out = (second[1][0] - second[0][0], second[1][1] - second[0][1])
    assert into[0] * out[1] == pytest.approx(into[1] * out[0])


def test_distance() -> None:
    points = wires.flattened(wires.curves(QPointF(0, 0), QPointF(200, 0)))
    assert wires.distance(points, 100, 5) == pytest.approx(5)
    assert wires.distance(points, -30, 40) == pytest.approx(50)


def test_crossing() -> None:
    points = wires.flattened(wires.curves(QPointF(0, 0), QPointF(200, 0)))
    assert wires.crosses(points, (100, -10), (100, 10)) == pytest.approx((100, 0))
    assert wires.crosses(points, (100, 5), (100, 10)) is None


def test_middle() -> None:
    points = wires.flattened(wires.curves(QPointF(0, 0), QPointF(200, 0)))
    assert wires.middle(points).toTuple() == pytest.approx((100, 0))
