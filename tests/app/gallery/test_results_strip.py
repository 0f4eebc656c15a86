from __future__ import annotations

import time
from datetime import date, datetime, timedelta

import pytest
from PySide6.QtCore import QPoint, Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication

from helpers.pictures import drawn, save_picture, text_to_picture
from ponystudio.app.gallery.picture_menu import picture_menu
from ponystudio.app.gallery.results_strip import ResultsStrip
from ponystudio.studio.results.picture_record import PictureRecord, read_picture
from ponystudio.studio.results.result_table import Query
from ponystudio.studio.results.result_texts import day, device, label, precision, when

NONE, CONTROL, SHIFT = (
    Qt.KeyboardModifier.NoModifier,
    Qt.KeyboardModifier.ControlModifier,
    Qt.KeyboardModifier.ShiftModifier,
)
LEFT = Qt.MouseButton.LeftButton
ANIMALS = ("fox", "cat", "owl", "bear", "crow", "deer", "goat")


@pytest.fixture
def strip(results, output, scanned, qtbot):
    """Seven pictures: five of today, one of yesterday, one much older."""
    now = time.time()
    ages = [0, 1, 2, 3, 4, 86_400, 86_400 * 400]
    for number, age in enumerate(ages):
        graph = text_to_picture(ANIMALS[number], seed=2**63 + number)
        save_picture(output / f"p{number}.png", graph, drawn((32, 24)), now - age)
    scanned()
    strip = ResultsStrip(results)
    qtbot.addWidget(strip)
    strip.resize(280, 500)
    strip.show()
    qtbot.waitUntil(lambda: len(strip.listing.pictures) == len(ages))
    return strip


def click(strip, row: int, modifiers=NONE, button=LEFT) -> None:
    QTest.mouseClick(strip.grid.viewport(), button, modifiers, strip.grid.cell(row).center())


def names(strip) -> list[str]:
    return [picture.name for picture in strip.selected()]


def test_pictures_stand_in_columns_under_their_days(strip):
    cells = [strip.grid.cell(row) for row in range(7)]
    assert len({cell.left() for cell in cells}) == 3
    assert cells[0].top() == cells[2].top() < cells[3].top() < cells[5].top() < cells[6].top()
    assert [strip.grid.row_at(cell.center()) for cell in cells] == list(range(7))
    assert strip.grid.row_at(QPoint(2, 2)) == -1
    inside = strip.grid.viewport().rect()
    assert all(inside.left() < cell.left() and cell.right() < inside.right() for cell in cells)


def test_clicks_choose_one_several_or_a_range(strip):
    click(strip, 1)
    assert names(strip) == ["p1.png"]
    click(strip, 4, CONTROL)
    assert names(strip) == ["p1.png", "p4.png"]
    click(strip, 2, SHIFT)
    assert sorted(names(strip)) == ["p2.png", "p3.png", "p4.png"]
    click(strip, 3)
    assert names(strip) == ["p3.png"]
    QTest.mouseClick(
        strip.grid.viewport(), LEFT, NONE, QPoint(1, strip.grid.viewport().height() - 2)
    )
    assert names(strip) == []


def test_arrows_walk_across_the_days(strip):
    click(strip, 1)
    for key, expected in (
        (Qt.Key.Key_Down, "p4.png"),
        (Qt.Key.Key_Down, "p5.png"),
        (Qt.Key.Key_Down, "p6.png"),
        (Qt.Key.Key_Up, "p5.png"),
        (Qt.Key.Key_Up, "p3.png"),
        (Qt.Key.Key_Left, "p2.png"),
        (Qt.Key.Key_Home, "p0.png"),
        (Qt.Key.Key_End, "p6.png"),
    ):
        QTest.keyClick(strip.grid, key)
        assert names(strip) == [expected]
    assert "goat" in strip.grid.accessibleDescription()


def test_enter_and_double_click_show_a_picture_large(strip, results, qtbot):
    with qtbot.waitSignal(results.actions.view_requested) as signal:
        cell = strip.grid.cell(2)
        QTest.mouseDClick(strip.grid.viewport(), LEFT, NONE, cell.center())
    assert [path.name for path in signal.args[0]] == ["p2.png"]
    click(strip, 0)
    with qtbot.waitSignal(results.actions.view_requested):
        QTest.keyClick(strip.grid, Qt.Key.Key_Return)


def test_search_by_typing_and_back_with_escape(strip, qtbot):
    strip.search_button.click()
    QTest.keyClicks(strip.search, "bear")
    qtbot.waitUntil(lambda: [p.name for p in strip.listing.pictures] == ["p3.png"])
    assert strip.count_label.text() == "1 / 7"
    QTest.keyClicks(strip.search, "zebra")
    qtbot.waitUntil(lambda: strip.listing.pictures == ())
    assert strip.empty.isVisible()
    QTest.keyClick(strip.search, Qt.Key.Key_Escape)
    qtbot.waitUntil(lambda: len(strip.listing.pictures) == 7)
    QTest.keyClick(strip.search, Qt.Key.Key_Escape)
    assert not strip.search.isVisible()


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


def test_a_picture_goes_to_the_trash_and_comes_back(strip, results, toasts, output, qtbot):
    click(strip, 0)
    results.actions.star(strip.selected(), True)
    qtbot.waitUntil(lambda: strip.listing.pictures[0].starred)
    QTest.keyClick(strip.grid, Qt.Key.Key_Delete)
    qtbot.waitUntil(lambda: len(strip.listing.pictures) == 6)
    assert not (output / "p0.png").exists()
    assert toasts.shown[-1]["title"] == "p0.png is in the trash"
    text, undo = toasts.shown[-1]["actions"][0]
    assert text == "Undo"
    undo()
    qtbot.waitUntil(lambda: len(strip.listing.pictures) == 7)
    assert (output / "p0.png").exists()
    assert strip.listing.pictures[0].starred


def test_the_image_is_copied_as_pixels_and_as_a_file(strip, results, toasts, qtbot):
    click(strip, 3)
    QTest.keyClick(strip.grid, Qt.Key.Key_C, CONTROL)
    qtbot.waitUntil(lambda: bool(toasts.shown))
    data = QApplication.clipboard().mimeData()
    assert data.hasImage()
    assert [url.fileName() for url in data.urls()] == ["p3.png"]


def test_only_what_is_visible_is_asked_for(results, output, scanned, qtbot):
    now = time.time()
    for number in range(60):
        save_picture(output / f"{number:03}.png", None, drawn((8, 8)), now - number)
    scanned()
    made = []
    results.thumbnails.ready.connect(made.append)
    strip = ResultsStrip(results)
    qtbot.addWidget(strip)
    strip.resize(280, 300)
    strip.show()
    qtbot.waitUntil(lambda: len(strip.listing.pictures) == 60)
    qtbot.waitUntil(lambda: len(set(made)) >= 9)
    qtbot.wait(50)
    assert len(set(made)) < 20


def test_a_long_list_goes_on_as_it_is_scrolled(results, output, scanned, qtbot, monkeypatch):
    now = time.time()
    for number in range(80):
        save_picture(output / f"{number:03}.png", None, drawn((8, 8)), now - number)
    scanned()
    strip = ResultsStrip(results)
    strip.listing.show(Query(limit=20))
    qtbot.addWidget(strip)
    strip.resize(280, 300)
    strip.show()
    qtbot.waitUntil(lambda: len(strip.listing.pictures) == 20)
    qtbot.wait(30)
    bar = strip.grid.verticalScrollBar()
    bar.setValue(bar.maximum())
    qtbot.waitUntil(lambda: len(strip.listing.pictures) == 80)
    assert strip.listing.total == 80


def test_without_results_it_says_where_they_will_be(results, scanned, qtbot):
    strip = ResultsStrip(results)
    qtbot.addWidget(strip)
    strip.show()
    scanned()
    qtbot.waitUntil(lambda: strip.empty.isVisible())
    assert strip.empty.sentence.text() == "Results appear here as you run."


def test_days_and_labels_in_words(tmp_path):
    today = date(2026, 11, 21)

    def at(days: int) -> float:
        return datetime(2026, 11, 21, 14, 31).timestamp() - timedelta(days=days).total_seconds()

    assert [day(at(n), today) for n in (0, 1, 3, 60)] == [
        "Today",
        "Yesterday",
        "18 November",
        "September 2026",
    ]
    assert [when(at(n), today) for n in (0, 3, 400)] == ["14:31", "18 Nov", "Oct 2025"]
    assert [device(name) for name in ("cpu", "cuda:0", "cuda", "")] == ["CPU", "CUDA 0", "CUDA", ""]
    assert precision("model=bf16 clip=fp32") == "bf16"
    assert precision("fp16") == "fp16"
    a = PictureRecord(tmp_path / "a.png", prompt="fox, flat", seed=77, steps=20)
    b = PictureRecord(tmp_path / "b.png", prompt="fox, 3d", seed=77, steps=30)
    assert label(a, b) == "Flat, seed 77, 20 steps"
    assert label(b, a) == "3d, seed 77, 30 steps"
    assert label(a, None) == "a.png"
    assert read_picture(tmp_path / "none.png") is None
