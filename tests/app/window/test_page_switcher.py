"""Pages in the canvas's place, and the way back."""

from __future__ import annotations

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QApplication

from helpers.running import until
from helpers.window import picture, press


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
