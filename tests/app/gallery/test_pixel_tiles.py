"""How two pictures differ in their pixels."""

from __future__ import annotations

from helpers.gallery import COLORS, CONTROL, color_at, film_click


def test_the_difference_can_be_seen_large(gallery, results, qtbot):
    film_click(gallery, 3)
    film_click(gallery, 0, CONTROL)
    qtbot.waitUntil(lambda: gallery.comparer.finding.pixels is not None)
    tile = gallery.side.pixels.heat_tile
    tile.click()
    heat = gallery.comparer.finding.pixels.picture.pixelColor(0, 0).name()
    view = gallery.view
    assert color_at(gallery, view.width() / 2, view.height() / 2) == heat
    tile.click()
    assert color_at(gallery, view.width() / 2 + 80, view.height() / 2 + 90) == COLORS[0]
