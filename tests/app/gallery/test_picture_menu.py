"""The context menu of pictures, and what it does."""

from __future__ import annotations

from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication

from helpers.strip import CONTROL, click
from ponystudio.app.gallery.picture_view import picture_menu


def test_the_menu_offers_what_fits(strip, results, qtbot):
    click(strip, 1)
    menu = picture_menu(strip.selected(), results.actions, strip)
    entries = {action.text().split("\t")[0]: action for action in menu.actions() if action.text()}
    with qtbot.waitSignal(results.actions.use_seed_requested) as signal:
        entries["Use its seed"].trigger()
    seed, path, graph = signal.args
    assert (seed, path.name) == (2**63 + 1, "p1.png")  # beyond Qt's own integers
    assert graph.nodes["sampler"].params["seed"] == seed
    with qtbot.waitSignal(results.actions.open_graph_requested) as signal:
        entries["Open its graph"].trigger()
    assert signal.args[0].name == "p1.png"
    with qtbot.waitSignal(results.actions.verify_requested) as signal:
        entries["Verify: make it again and compare"].trigger()
    assert signal.args[0].name == "p1.png"
    entries["Star"].trigger()
    qtbot.waitUntil(lambda: strip.listing.pictures[1].starred)
    click(strip, 2, CONTROL)
    menu = picture_menu(strip.selected(), results.actions, strip)
    entries = {action.text().split("\t")[0]: action for action in menu.actions() if action.text()}
    assert not entries["Open its graph"].isEnabled()
    with qtbot.waitSignal(results.actions.view_requested) as signal:
        entries["Compare these two"].trigger()
    assert len(signal.args[0]) == 2


def test_a_picture_goes_to_the_trash_and_comes_back(strip, results, notices, output, qtbot):
    click(strip, 0)
    results.actions.star(strip.selected(), True)
    qtbot.waitUntil(lambda: strip.listing.pictures[0].starred)
    QTest.keyClick(strip.grid, Qt.Key.Key_Delete)
    qtbot.waitUntil(lambda: len(strip.listing.pictures) == 6)
    assert not (output / "p0.png").exists()
    assert notices[-1].title == "p0.png is in the trash"
    text, undo = notices[-1].actions[0]
    assert text == "Undo"
    undo()
    qtbot.waitUntil(lambda: len(strip.listing.pictures) == 7)
    assert (output / "p0.png").exists()
    assert strip.listing.pictures[0].starred


def test_the_image_is_copied_as_pixels_and_as_a_file(strip, results, notices, qtbot):
    click(strip, 3)
    QTest.keyClick(strip.grid, Qt.Key.Key_C, CONTROL)
    qtbot.waitUntil(lambda: bool(notices))
    data = QApplication.clipboard().mimeData()
    assert data.hasImage()
    assert [url.fileName() for url in data.urls()] == ["p3.png"]
