"""Thumbnails in one line."""

from __future__ import annotations

from helpers.gallery import COLORS, CONTROL, color_at, decoded, film_click, names


def test_ctrl_click_adds_a_second_one_to_compare(gallery, results, qtbot):
    film_click(gallery, 2)
    film_click(gallery, 0, CONTROL)
    assert names(gallery) == ("p2.png", "p0.png")
    assert gallery.view.mode == "slide"
    decoded(gallery, results, qtbot)
    rect = gallery.view.camera.rect(gallery.view.panes()[0], gallery.view.picture_size())
    middle = rect.center()
    assert color_at(gallery, rect.left() + 40, middle.y() + 60) == COLORS[2]
    assert color_at(gallery, rect.right() - 40, middle.y() + 60) == COLORS[0]
    # White between black, whatever lies below.
    assert color_at(gallery, middle.x() - 0.5, rect.bottom() - 20) == "#ffffff"
    assert color_at(gallery, middle.x() - 2, rect.bottom() - 20) == "#111111"
    film_click(gallery, 0, CONTROL)
    assert names(gallery) == ("", "p2.png")
    assert gallery.view.mode == "one"
