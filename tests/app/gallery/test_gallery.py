"""The gallery: what is shown of the results, and what keys do."""

from __future__ import annotations

from PySide6.QtCore import Qt
from PySide6.QtTest import QTest

from helpers.gallery import CONTROL, click, film_click, names
from helpers.pictures import save_picture, text_to_picture


def test_the_latest_is_shown_first_and_arrows_go_on(gallery):
    assert names(gallery) == ("", "p0.png")
    gallery.view.setFocus()
    QTest.keyClick(gallery.view, Qt.Key.Key_Right)
    QTest.keyClick(gallery.view, Qt.Key.Key_Right)
    assert names(gallery) == ("", "p2.png")
    QTest.keyClick(gallery.view, Qt.Key.Key_Left)
    assert names(gallery) == ("", "p1.png")
    QTest.keyClick(gallery.film, Qt.Key.Key_End)
    assert names(gallery) == ("", "p3.png")


def test_comparing_without_a_takes_the_picture_before(gallery):
    gallery.toolbar.modes.button("slide").click()
    assert names(gallery) == ("p1.png", "p0.png")
    gallery.go(1)
    assert names(gallery) == ("p1.png", "p2.png")  # past A


def test_what_goes_to_the_trash_gives_its_place_to_the_next(gallery, output, qtbot):
    click(gallery.view)
    QTest.keyClick(gallery.view, Qt.Key.Key_Delete)
    assert names(gallery) == ("", "p1.png")
    qtbot.waitUntil(lambda: len(gallery.listing.pictures) == 3)
    assert not (output / "p0.png").exists()


def test_a_picture_made_by_a_run_can_be_waited_for(gallery, results, output, qtbot):
    path = save_picture(output / "new.png", text_to_picture())
    gallery.show_paths([path])
    results.add(None, "save", path)
    qtbot.waitUntil(lambda: names(gallery) == ("", "new.png"))


def test_who_looks_at_the_latest_sees_the_next_one(gallery, results, output, qtbot):
    results.add(None, "save", save_picture(output / "next.png", text_to_picture()))
    qtbot.waitUntil(lambda: names(gallery) == ("", "next.png"))
    film_click(gallery, 2)
    results.add(None, "save", save_picture(output / "later.png", text_to_picture()))
    qtbot.waitUntil(lambda: len(gallery.listing.pictures) == 6)
    assert names(gallery) == ("", "p1.png")


def test_all_results_can_be_searched_and_chosen_from(gallery, qtbot):
    gallery.view.setFocus()
    QTest.keyClick(gallery.view, Qt.Key.Key_F, CONTROL)
    overview = gallery.overview
    assert overview.isVisible()
    QTest.keyClicks(overview.search, "fox 2")
    qtbot.waitUntil(lambda: [p.name for p in overview.listing.pictures] == ["p2.png"])
    QTest.keyClick(overview.search, Qt.Key.Key_Return)
    QTest.keyClick(overview.grid, Qt.Key.Key_Return)
    assert not overview.isVisible()
    assert names(gallery) == ("", "p2.png")
    gallery.show_all()
    overview.grid.setFocus()
    QTest.keyClick(overview.grid, Qt.Key.Key_Escape)
    assert not overview.isVisible()


def test_keys_of_the_gallery_do_not_reach_the_windows_actions(gallery, output, qtbot):
    from PySide6.QtGui import QAction

    triggered: list[str] = []
    for keys in ("Del", "X", "F8", "F"):
        action = QAction(gallery)
        action.setShortcut(keys)
        action.triggered.connect(lambda _checked=False, keys=keys: triggered.append(keys))
        gallery.addAction(action)
    gallery.activateWindow()
    gallery.view.setFocus()
    qtbot.waitUntil(lambda: gallery.view.hasFocus())
    for key in (Qt.Key.Key_F8, Qt.Key.Key_X, Qt.Key.Key_F):
        QTest.keyClick(gallery.view, key)
    assert triggered == []
    assert gallery.view.mode == "side"
