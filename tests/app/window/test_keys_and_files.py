"""Keys reach what was made or clicked last: none meant elsewhere moves a file or opens a page."""

from __future__ import annotations

import pytest
from PySide6.QtCore import QMimeData, QPoint, QPointF, Qt, QUrl
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication

from helpers.running import until
from helpers.window import picture

LEFT, NONE = Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier
DELETE = Qt.Key.Key_Delete


@pytest.fixture
def made(window, monkeypatch):
    """A window with two results. What is moved to the trash is listed, and stays."""
    folder = window.results.index.folder
    for name in ("a.png", "b.png"):
        window.results.add(None, "n", picture(folder / name))
    until(lambda: len(window.strip.listing.pictures) == 2)
    window.trashed = []
    monkeypatch.setattr(
        window.results.actions,
        "move_to_trash",
        lambda pictures: window.trashed.extend(picture.name for picture in pictures),
    )
    window.activateWindow()
    return window


def click_result(window, row: int = 0) -> str:
    grid = window.strip.grid
    QTest.mouseClick(grid.viewport(), LEFT, NONE, grid.cell(row).center())
    return grid.selected()[0].name


def drop_result(window, row: int = 0) -> None:
    """Drag a result onto the canvas; the menu asks what it is to be."""
    grid = window.strip.grid
    QTest.mousePress(grid.viewport(), LEFT, NONE, grid.cell(row).center())
    mime = QMimeData()
    mime.setUrls([QUrl.fromLocalFile(str(window.strip.listing.pictures[row].path))])
    window.page.commands.gestures.dropped.emit(mime, QPointF(40, 40))


def key(window, key: Qt.Key) -> None:
    QTest.keyClick(QApplication.focusWidget() or window, key)


def test_del_after_a_drop_deletes_the_new_card_and_not_the_file(made):
    drop_result(made)
    made.drop_handler.wait()
    until(lambda: made.documents.current.graph.nodes or made.drop_handler.menu)
    if (menu := made.drop_handler.menu) is not None and menu.isVisible():
        entries = {action.text(): action for action in menu.actions()}
        entries["Use as input"].trigger()
        menu.close()
    until(lambda: made.documents.current.graph.nodes)
    (node,) = made.documents.current.graph.nodes
    assert made.page.scene.store.selected_nodes() == [node]
    assert made.page.view.hasFocus()
    key(made, DELETE)
    assert not made.documents.current.graph.nodes
    assert made.trashed == []


@pytest.mark.parametrize("letter", [Qt.Key.Key_A, Qt.Key.Key_Q, Qt.Key.Key_W, Qt.Key.Key_N])
def test_letters_that_are_typed_at_results_open_nothing(made, letter):
    click_result(made)
    before = (made.shell.panel, made.page_switcher.in_front)
    key(made, letter)
    assert (made.shell.panel, made.page_switcher.in_front) == before
    made.page.view.setFocus()
    key(made, letter)
    assert (made.shell.panel, made.page_switcher.in_front) != before


def test_what_a_letter_did_is_said(made):
    made.page.view.setFocus()
    key(made, Qt.Key.Key_A)
    assert made.bottom.progress.texts()[0][0][0] == "Gallery"
    page = made.shell.pages.currentWidget()
    until(lambda: page.current() is not None)
    name = page.current().name
    page.view.setFocus()
    key(made, Qt.Key.Key_S)
    assert made.bottom.progress.texts()[0][0][0] == f"{name} has a star"
    until(lambda: page.current().starred)
    page.toolbar.zoom_button.setFocus()
    key(made, Qt.Key.Key_S)
    assert page.current().starred


def test_what_a_letter_did_is_said_on_the_canvas(made):
    made.new_default()
    until(lambda: made.page is not None and "sampler" in made.page.document.graph.nodes)
    made.page.scene.store.select(["sampler"])
    made.page.view.setFocus()
    key(made, Qt.Key.Key_M)
    assert made.page.document.graph.nodes["sampler"].mode == "muted"
    assert made.page.commands.hint.isVisible()
    assert made.page.commands.hint.accessibleName() == made.page.document.undo_text


def test_del_reaches_a_file_that_was_clicked_last(made):
    name = click_result(made)
    assert made.strip.grid.last_clicked
    key(made, DELETE)
    assert made.trashed == [name]


@pytest.mark.parametrize("where", ["button", "canvas", "heading"])
def test_del_reaches_no_file_after_a_click_elsewhere(made, where):
    click_result(made)
    target = {
        "button": made.run_bar.start,
        "canvas": made.page.view.viewport(),
        "heading": made.inspector,
    }[where]
    QTest.mousePress(target, LEFT, NONE, QPoint(3, 3))
    QTest.mouseRelease(target, LEFT, NONE, QPoint(3, 3))
    assert not made.strip.grid.last_clicked
    key(made, DELETE)
    QTest.keyClick(made.strip.grid, DELETE)
    assert made.trashed == []


def test_who_walks_by_keys_reaches_files_too(made):
    made.strip.grid.setFocus(Qt.FocusReason.TabFocusReason)
    key(made, Qt.Key.Key_Right)
    assert made.strip.grid.last_clicked
    key(made, DELETE)
    assert len(made.trashed) == 1


def test_in_the_viewer_only_a_click_on_the_picture_lets_del_reach_it(made):
    made.toggle_panel("gallery")
    page = made.shell.pages.currentWidget()
    until(lambda: page.current() is not None)
    assert page.view.hasFocus()
    key(made, DELETE)
    assert made.trashed == []
    QTest.mouseClick(page.view, LEFT, NONE, page.view.rect().center())
    name = page.current().name
    key(made, DELETE)
    assert made.trashed == [name]


def test_a_rebound_letter_stays_a_letter(made):
    """It is a command of the window's middle, whichever it is bound to."""
    made.actions_.rebind("panel.queue", ["Ctrl+Alt+Q", "Y"])
    click_result(made)
    key(made, Qt.Key.Key_Y)
    assert made.shell.panel != "queue"
    QTest.keyClick(
        made.strip.grid,
        Qt.Key.Key_Q,
        Qt.KeyboardModifier.ControlModifier | Qt.KeyboardModifier.AltModifier,
    )
    assert made.shell.panel == "queue"
