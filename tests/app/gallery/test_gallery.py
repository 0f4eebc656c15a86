from __future__ import annotations

import time

import pytest
from PIL import Image
from PySide6.QtCore import QPoint, QPointF, QRectF, QSizeF, Qt
from PySide6.QtGui import QWheelEvent
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QLabel

from helpers.pictures import save_picture, text_to_picture
from ponystudio.app.gallery.gallery import GalleryPage
from ponystudio.app.gallery.picture_details import DifferenceRow
from ponystudio.app.gallery.viewer_camera import ViewerCamera, contained
from ponystudio.graph.formats.receipt import Verdict
from ponystudio.studio.worker.catalog_cache import shipped

NONE, CONTROL = Qt.KeyboardModifier.NoModifier, Qt.KeyboardModifier.ControlModifier
LEFT = Qt.MouseButton.LeftButton
COLORS = ["#ff0000", "#00ff00", "#0000ff", "#ffff00"]


@pytest.fixture
def gallery(results, output, scanned, qtbot, monkeypatch):
    """Four plain pictures, the first one the latest; the second is half as large."""
    now = time.time()
    for number, color in enumerate(COLORS):
        side = 32 if number == 1 else 64
        graph = text_to_picture(f"fox {number}", seed=number, steps=20 + number)
        picture = Image.new("RGB", (side, side), color)
        save_picture(output / f"p{number}.png", graph, picture, now - number)
    results.set_catalog(shipped())
    scanned()
    page = GalleryPage(results)
    qtbot.addWidget(page)
    page.resize(1200, 700)
    page.show()
    qtbot.waitUntil(lambda: page.current() is not None)
    qtbot.waitUntil(lambda: results.loader.get(page.current().path) is not None)
    return page


def film_click(page, row: int, modifiers=NONE) -> None:
    QTest.mouseClick(page.film.viewport(), LEFT, modifiers, page.film.cell(row).center())


def names(page) -> tuple[str, str]:
    pairing = page.pairing
    return (pairing.a.name if pairing.a else "", pairing.b.name if pairing.b else "")


def decoded(page, results, qtbot) -> None:
    pair = [path for path in (page.pairing.a, page.pairing.b) if path is not None]
    qtbot.waitUntil(lambda: all(results.loader.get(path) is not None for path in pair))


def color_at(page, x: float, y: float) -> str:
    image = page.view.grab().toImage()
    ratio = image.devicePixelRatio()
    return image.pixelColor(QPoint(round(x * ratio), round(y * ratio))).name()


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


def test_the_divider_is_dragged_and_moved_by_keys(gallery):
    gallery.set_mode("slide")
    view = gallery.view
    start = QPoint(round(view.divider_x()), view.height() // 2)
    QTest.mousePress(view, LEFT, NONE, start)
    QTest.mouseMove(view, start + QPoint(60, 0))
    QTest.mouseRelease(view, LEFT, NONE, start + QPoint(60, 0))
    rect = view.camera.rect(view.panes()[0], view.picture_size())
    assert view.divider == pytest.approx(0.5 + 60 / rect.width(), abs=0.01)
    before = view.divider
    view.setFocus()
    QTest.keyClick(view, Qt.Key.Key_Left, Qt.KeyboardModifier.ShiftModifier)
    assert view.divider == pytest.approx(before - 0.02)


def wheel(view, at: QPointF, notches: int) -> None:
    event = QWheelEvent(
        at,
        view.mapToGlobal(at),
        QPoint(),
        QPoint(0, 120 * notches),
        Qt.MouseButton.NoButton,
        NONE,
        Qt.ScrollPhase.NoScrollPhase,
        False,
    )
    QApplication.sendEvent(view, event)


def test_the_wheel_zooms_at_the_pointer_and_a_drag_pans(gallery):
    view = gallery.view
    pane, size = view.panes()[0], view.picture_size()
    at = QPointF(pane.center().x() + 90, pane.center().y() - 50)

    def under(point: QPointF) -> QPointF:
        rect = view.camera.rect(pane, size)
        return QPointF(
            (point.x() - rect.x()) / rect.width(), (point.y() - rect.y()) / rect.height()
        )

    before, percent = under(at), view.percent
    wheel(view, at, 2)
    assert view.percent == pytest.approx(percent * 1.25**2)
    assert (under(at) - before).manhattanLength() < 1e-6
    assert not view.fits
    start = QPoint(300, 200)
    held = under(QPointF(start))
    QTest.mousePress(view, LEFT, NONE, start)
    QTest.mouseMove(view, start + QPoint(30, 20))
    QTest.mouseRelease(view, LEFT, NONE, start + QPoint(30, 20))
    assert (under(QPointF(start + QPoint(30, 20))) - held).manhattanLength() < 1e-6
    QTest.keyClick(view, Qt.Key.Key_F)


def test_a_double_click_goes_to_whole_pixels_and_back(gallery, qtbot):
    view = gallery.view
    QTest.mouseDClick(view, LEFT, NONE, QPoint(300, 300))
    qtbot.waitUntil(lambda: view.percent == pytest.approx(100))
    assert "100 %" in gallery.toolbar.zoom_button.text()
    QTest.mouseDClick(view, LEFT, NONE, QPoint(300, 300))
    qtbot.waitUntil(lambda: view.fits)
    assert "Fit" in gallery.toolbar.zoom_button.text()


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
    QTest.keyClick(gallery.view, Qt.Key.Key_X)
    assert names(gallery) == ("p0.png", "p2.png")


def test_differences_are_told_in_words_and_pixels(gallery, results, qtbot):
    film_click(gallery, 3)
    film_click(gallery, 0, CONTROL)

    def known() -> bool:
        finding = gallery.comparer.finding
        return bool(finding and finding.graphs and finding.pixels)

    qtbot.waitUntil(known)

    def told() -> list[str]:
        rows = gallery.side.findChildren(DifferenceRow)
        return [row.accessibleName() for row in rows if row.isVisible()]

    qtbot.waitUntil(lambda: any("steps: 23 in A, 20 in B" in row for row in told()))
    assert gallery.side.apply_button.isVisible()
    assert "differ by more than 8/255" in gallery.side.pixels.share.text()
    with qtbot.waitSignal(results.actions.apply_values_requested) as signal:
        gallery.side.apply_button.click()
    assert signal.args[0].name == "p0.png"
    film_click(gallery, 0, CONTROL)
    assert not gallery.side.apply_button.isVisible()


def test_comparing_without_a_takes_the_picture_before(gallery):
    gallery.toolbar.modes.button("slide").click()
    assert names(gallery) == ("p1.png", "p0.png")
    gallery.go(1)
    assert names(gallery) == ("p1.png", "p2.png")  # past A


def test_what_goes_to_the_trash_gives_its_place_to_the_next(gallery, output, qtbot):
    gallery.view.setFocus()
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


def test_a_picture_that_is_damaged_says_so(gallery, results, output, scanned, qtbot):
    (output / "bad.png").write_bytes(b"\x89PNG\r\n\x1a\n" + b"\0" * 100)
    scanned()
    qtbot.waitUntil(lambda: len(gallery.listing.pictures) == 5)
    gallery.show_paths([output / "bad.png"])
    qtbot.waitUntil(lambda: bool(results.loader.problem(output / "bad.png")))
    assert "cannot be shown" in results.loader.problem(output / "bad.png")
    gallery.view.grab()


def test_it_is_clear_what_can_be_done(gallery):
    texts: list[tuple[str, str]] = []
    gallery.status_changed.connect(lambda *told: texts.append(told))
    gallery.set_mode("slide")
    assert texts[-1] == ("2 of 4 results selected", "Ctrl+click adds; left and right arrows move B")
    assert all(spec.title for spec in gallery.gallery_actions())


def test_the_camera_keeps_what_is_under_the_pointer_and_never_loses_the_picture():
    pane, size = QRectF(0, 0, 400, 300), QSizeF(1000, 500)
    fitted = ViewerCamera().fitted(pane, size)
    assert fitted.scale == pytest.approx(0.4)
    assert ViewerCamera().rect(pane, size) == QRectF(0, 50, 400, 200)
    far = fitted.panned(QPointF(1e6, -1e6), pane, size)
    assert (far.centre.x(), far.centre.y()) == (0, 1)
    assert contained(QSizeF(2, 1), QRectF(0, 0, 10, 10)) == QRectF(0, 2.5, 10, 5)


def test_modes_are_chosen_by_keys_too(gallery, qtbot):
    QTest.keyClick(gallery.toolbar.modes.button("one"), Qt.Key.Key_Right)
    assert gallery.view.mode == "slide"
    QTest.keyClick(gallery.view, Qt.Key.Key_F8)
    assert gallery.view.mode == "side"
    assert gallery.toolbar.modes.button("side").isChecked()
    with qtbot.waitSignal(gallery.left):
        QTest.keyClick(gallery.view, Qt.Key.Key_Escape)


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


def test_a_picture_is_verified_and_its_details_say_so(gallery, results, qtbot):
    def said():
        return [label.text() for label in gallery.side.findChildren(QLabel) if label.isVisible()]

    path = gallery.current().path
    with qtbot.waitSignal(results.actions.verify_requested) as signal:
        gallery.side.verify_button.click()
    assert signal.args[0] == path
    assert not any("made again" in text for text in said())
    results.have_verdict(path, Verdict("", ()))
    assert any("The same in every pixel" in text for text in said())
    results.have_verdict(path, Verdict("1 % of its pixels differ", ("torch was 1, is 2",)))
    assert any("1 % of its pixels differ" in text for text in said())
    assert any("torch was 1, is 2" in text for text in said())
    results.changed_on_disk(path)
    film_click(gallery, 1)
    film_click(gallery, 0)
    assert gallery.current().path == path
    assert not any("made again" in text for text in said())


def test_what_does_not_tell_how_it_was_made_cannot_be_verified(gallery, results, output, qtbot):
    Image.new("RGB", (8, 8)).save(output / "plain.png")
    results.index.add(output / "plain.png")
    qtbot.waitUntil(lambda: gallery.listing.row(output / "plain.png") >= 0)
    gallery.show_paths([output / "plain.png"])
    qtbot.waitUntil(lambda: gallery.current().name == "plain.png")
    assert not gallery.side.verify_button.isEnabled()
