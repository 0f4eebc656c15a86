"""The stage: by turns, side by side, and what cannot be shown."""

from __future__ import annotations

from PySide6.QtCore import Qt
from PySide6.QtTest import QTest

from helpers.gallery import COLORS, CONTROL, color_at, decoded, film_click, names


def test_flicker_shows_one_after_the_other(gallery, results, qtbot):
    film_click(gallery, 3)
    film_click(gallery, 0, CONTROL)
    gallery.toolbar.modes.button("flicker").click()
    decoded(gallery, results, qtbot)
    view = gallery.view
    assert view.turning
    view.setFocus()
    shown = []
    for _ in range(2):
        QTest.keyClick(view, Qt.Key.Key_Space)
        shown.append(color_at(gallery, view.width() / 2, view.height() / 2))
    assert sorted(shown) == sorted([COLORS[0], COLORS[3]])
    assert not view.turning  # the hand has taken over
    gallery.toolbar.modes.button("one").click()
    assert not view.turning


def test_side_by_side_shares_the_zoom(gallery, results, qtbot):
    film_click(gallery, 2)
    film_click(gallery, 0, CONTROL)
    gallery.toolbar.modes.button("side").click()
    decoded(gallery, results, qtbot)
    view = gallery.view
    left, right = view.panes()
    assert color_at(gallery, left.center().x(), left.center().y()) == COLORS[2]
    assert color_at(gallery, right.center().x(), right.center().y()) == COLORS[0]
    gallery.view.setFocus()
    QTest.keyClick(gallery.view, Qt.Key.Key_X)
    assert names(gallery) == ("p0.png", "p2.png")


def test_a_picture_that_is_damaged_says_so(gallery, results, output, scanned, qtbot):
    (output / "bad.png").write_bytes(b"\x89PNG\r\n\x1a\n" + b"\0" * 100)
    scanned()
    qtbot.waitUntil(lambda: len(gallery.listing.pictures) == 5)
    gallery.show_paths([output / "bad.png"])
    qtbot.waitUntil(lambda: bool(results.loader.problem(output / "bad.png")))
    assert "cannot be read" in results.loader.problem(output / "bad.png")
    gallery.view.grab()
