"""Pages in the canvas's place, and the way back."""

from __future__ import annotations

import pytest
from PySide6.QtCore import QPoint, Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication

from helpers.running import until
from helpers.window import CTRL, SHIFT, picture, press

LEFT = Qt.MouseButton.LeftButton


def words(window) -> list[str]:
    left, right = window.bottom.progress.texts()
    return [piece[0] for piece in (*left, *right)]


def test_the_gallery_takes_its_place_and_esc_leaves_it(window):
    width = window.shell.right.width()
    press(window.page.view, Qt.Key.Key_A)
    assert window.page_switcher.in_front == "gallery"
    assert window.rail.buttons["gallery"].isChecked()
    assert not window.shell.right.isVisible()
    assert not window.nodes.isVisible()
    press(QApplication.focusWidget(), Qt.Key.Key_Escape)
    assert window.page_switcher.in_front == ""
    assert window.page.view.hasFocus()
    assert window.nodes.isVisible()
    assert window.shell.right.width() == width


def test_what_the_gallery_says_stands_in_the_bottom_bar(window):
    made = [picture(window.results.index.folder / f"{name}.png") for name in "ab"]
    window.results.start()
    until(lambda: len(window.strip.listing.pictures) == 2)
    window.page_switcher.show_pictures(made[:1])
    until(lambda: "1 of 2 results selected" in words(window))
    window.toggle_panel("gallery")
    assert not any("results" in text for text in words(window))
    # A picture that comes while the canvas is there changes nothing
    window.results.add(window.documents.current, "n", picture(made[0].with_name("c.png")))
    until(lambda: len(window.strip.listing.pictures) == 3)
    assert not any("results" in text for text in words(window))


def test_a_detached_gallery_leaves_the_canvas_as_it_was(window):
    width = window.shell.right.width()
    window.toggle_panel("gallery")
    window.page_switcher.detach_gallery()
    assert window.page_switcher.in_front == ""
    assert window.shell.right.width() == width
    assert window.strip.isVisible()


def test_another_graph_comes_in_front_of_a_page(window):
    window.toggle_panel("models")
    assert window.page_switcher.in_front == "models"
    window.documents.new()
    assert window.page_switcher.in_front == ""
    assert window.shell.right.isVisible()
    assert not window.rail.buttons["models"].isChecked()


def test_the_picture_of_a_node_is_the_one_it_made(window, home):
    first, second = picture(home / "pictures/1.png"), picture(home / "pictures/2.png")
    document = window.documents.current
    window.results.add(document, "save", first)
    window.results.add(document, "other", second)
    window.page.picture_requested.emit("save")
    assert window.page_switcher.in_front == "gallery"
    until(lambda: window.results.shown == [first])


def tabs(window) -> list[str]:
    return [window.tabs.tabText(index) for index in range(window.tabs.count())]


def click_tab(window, index: int) -> None:
    place = window.tabs.tabRect(index)
    QTest.mouseClick(window.tabs, LEFT, pos=place.center() - QPoint(place.width() // 4, 0))


def back_of(window, page: str):
    shown = window.shell.pages.currentWidget()
    return shown.back if page == "models" else shown.toolbar.back_button


@pytest.mark.parametrize("page", ["gallery", "models"])
@pytest.mark.parametrize("how", ["tab", "back", "key", "rail", "esc", "cross", "ctrl+w"])
def test_every_page_is_left_by_tab_by_back_and_as_it_was_entered(window, page, how):
    window.results.add(None, "n", picture(window.results.index.folder / "a.png"))
    until(lambda: window.strip.listing.pictures)
    document, title = window.documents.current, window.documents.current.title
    key = (Qt.Key.Key_A,) if page == "gallery" else (Qt.Key.Key_M, SHIFT)
    press(window.page.view, *key)
    assert window.page_switcher.in_front == page
    assert tabs(window) == [title, page.capitalize()]
    assert window.tabs.currentIndex() == 1
    if how == "tab":
        click_tab(window, 0)
    elif how == "back":
        QTest.mouseClick(back_of(window, page), LEFT)
    elif how == "key":
        press(window.shell.pages.currentWidget(), *key)
    elif how == "rail":
        QTest.mouseClick(window.rail.buttons[page], LEFT)
    elif how == "esc":
        QTest.keyClick(QApplication.focusWidget(), Qt.Key.Key_Escape)
    elif how == "cross":
        QTest.mouseClick(window.tabs, LEFT, pos=window.tabs.close_rect(1).center())
    else:
        press(window, Qt.Key.Key_W, CTRL)
    assert window.page_switcher.in_front == ""
    assert window.page.isVisible()
    assert window.page.view.hasFocus()
    assert window.tabs.currentIndex() == 0
    closed = how in ("cross", "ctrl+w")
    assert tabs(window) == ([title] if closed else [title, page.capitalize()])
    assert list(window.documents) == [document]
    if not closed:
        click_tab(window, 1)
        assert window.page_switcher.in_front == page


def test_tabs_are_walked_through_with_the_pages_among_them(window):
    window.documents.new()
    window.toggle_panel("gallery")
    seen = []
    for _ in range(3):
        press(window, Qt.Key.Key_Tab, CTRL)
        seen.append(window.page_switcher.in_front or window.documents.current)
    assert seen == [*window.documents, "gallery"]


def test_a_page_stays_in_front_while_another_graph_is_closed(window):
    first = window.documents.current
    window.documents.new()
    window.toggle_panel("gallery")
    window.documents.close(first)
    assert window.page_switcher.in_front == "gallery"
    assert tabs(window)[window.tabs.currentIndex()] == "Gallery"


def test_an_empty_gallery_is_left_too(window):
    window.toggle_panel("gallery")
    page = window.shell.pages.currentWidget()
    window.results.start()
    until(page.back_button.isVisible)
    QTest.keyClick(QApplication.focusWidget(), Qt.Key.Key_Escape)
    assert window.page_switcher.in_front == ""
    window.toggle_panel("gallery")
    QTest.mouseClick(page.back_button, LEFT)
    assert window.page_switcher.in_front == ""


def test_the_tab_of_the_graph_leads_past_the_welcome(window):
    window.page_switcher.show_welcome()
    assert not window.page.isVisible()
    click_tab(window, 0)
    assert window.page.isVisible()
    assert window.page.view.hasFocus()


@pytest.mark.parametrize("how", ["esc", "ctrl+w"])
def test_a_page_without_a_tab_is_left_by_keys_and_the_graph_behind_it_stays(window, how):
    document = window.documents.current
    window.page_switcher.show_welcome()
    if how == "esc":
        QTest.keyClick(QApplication.focusWidget(), Qt.Key.Key_Escape)
    else:
        press(window, Qt.Key.Key_W, CTRL)
    assert window.page.isVisible()
    assert list(window.documents) == [document]
