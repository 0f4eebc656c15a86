"""Sizes of cards."""

import pytest

from ponystudio.widgets import metrics


@pytest.mark.parametrize(
    ("entry", "width"),
    [(None, 240), (True, 240), ("wide", 240), (float("nan"), 240), (100, 160), (999, 480)],
)
def test_a_card_has_a_width_whatever_the_view_says(entry: object, width: int) -> None:
    assert metrics.card_width(entry) == width


def test_what_is_snapped_is_on_the_grid() -> None:
    assert [metrics.snapped(value) for value in (3.9, 4.1, -11)] == [0, 8, -8]
