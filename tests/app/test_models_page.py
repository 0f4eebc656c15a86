"""The page of model files: what is listed, what fits, and the way onto the canvas."""

from __future__ import annotations

import shutil

import pytest
from PySide6.QtCore import QMimeData, Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QPushButton

from helpers.running import until
from helpers.studio import text_to_picture
from helpers.window import open_window, show_graph
from ponystudio.app.models_page import ModelsPage
from ponystudio_resources import path as resource

LEFT = Qt.MouseButton.LeftButton
UPSCALERS = ("realesr-animevideov3-x4", "realesrgan-x4plus-anime")


@pytest.fixture
def home(tmp_path, monkeypatch, qapp):
    monkeypatch.setenv("PONYSTUDIO_HOME", str(tmp_path))
    shipped = next(resource("models", "upscale_models").glob("realesr-animevideov3-x4*"))
    folder = tmp_path / "data/models/upscale_models"
    folder.mkdir(parents=True)
    shutil.copy(shipped, folder / f"mine{shipped.suffix}")
    (tmp_path / "data/models/loras").mkdir()
    (tmp_path / "data/models/loras/broken.safetensors").write_bytes(b"nothing of a model")
    return tmp_path


@pytest.fixture
def window(home):
    with open_window() as window:
        window.toggle_panel("models")
        yield window


@pytest.fixture
def page(window) -> ModelsPage:
    page = window.shell.pages.currentWidget()
    assert isinstance(page, ModelsPage)
    until(lambda: page.model.rowCount() >= 4, 10)
    until(lambda: all(page.model.index(r).data(FACT) for r in range(page.model.rowCount())), 10)
    return page


FACT = Qt.ItemDataRole.UserRole + 1


def names(page) -> list[str]:
    return [page.model.index(row).data().split(".")[0] for row in range(page.model.rowCount())]


def choose(page, name: str) -> None:
    page.list.setCurrentIndex(page.model.index(names(page).index(name)))


def test_files_of_all_folders_are_listed(page):
    assert {"mine", "broken", *UPSCALERS} <= set(names(page))
    assert page.search.hasFocus()


def test_files_of_a_folder_that_is_added_are_there_at_once(window, page, tmp_path):
    folder = tmp_path / "others/loras"
    folder.mkdir(parents=True)
    (folder / "another.safetensors").write_bytes(b"nothing of a model")
    window.add_models(folder.parent)
    until(lambda: "another" in names(page), 10)


def test_letters_and_kinds_narrow_it(page):
    QTest.keyClicks(page.search, "realesr anime")
    assert set(names(page)) == set(UPSCALERS)
    QTest.keyClick(page.search, Qt.Key.Key_Escape)
    loras = next(b for b in page.findChildren(QPushButton) if b.text() == "LoRAs")
    QTest.mouseClick(loras, LEFT)
    assert names(page) == ["broken"]
    QTest.keyClicks(page.search, "xyzzy")
    assert names(page) == []
    assert page._empty.isVisible()


def test_what_is_no_model_says_so(page):
    index = page.model.index(names(page).index("broken"))
    fact = index.data(FACT)
    assert fact.problem
    assert "mine" in names(page)
    assert not page.model.index(names(page).index("mine")).data(FACT).problem


def test_one_is_put_on_the_canvas_by_its_loader(window, page):
    choose(page, "mine")
    assert page.add.isEnabled()
    QTest.mouseClick(page.add, LEFT)
    assert window.side.in_front == ""
    window.dropper.wait()
    until(lambda: window.documents.current.graph.nodes, 5)
    (node,) = window.documents.current.graph.nodes.values()
    assert node.type == "core.load_upscaler"
    assert "mine" in str(node.params)


def test_a_card_is_dragged_as_its_file(page, home):
    choose(page, "mine")
    mime = page.model.mimeData([page.list.currentIndex()])
    assert isinstance(mime, QMimeData)
    (url,) = mime.urls()
    assert url.toLocalFile().startswith(str(home))


def test_esc_goes_back_and_folders_opens_the_settings(window, page):
    QTest.mouseClick(page.folders, LEFT)
    assert window.shell.panel == "settings"
    assert window.side.in_front == "models"
    page.search.setFocus()
    QTest.keyClick(page.search, Qt.Key.Key_Escape)
    assert window.side.in_front == ""
    assert window.page.view.hasFocus()


def test_the_keyboard_alone_is_enough(window, page):
    QTest.keyClicks(page.search, "mine")
    QTest.keyClick(page.search, Qt.Key.Key_Return)
    assert QApplication.focusWidget() is page.list
    QTest.keyClick(page.list, Qt.Key.Key_Return)
    window.dropper.wait()
    until(lambda: window.documents.current.graph.nodes, 5)


def test_cards_share_the_width(window, page):
    for width in (1200, 1500):
        window.resize(width, 900)
        QTest.qWait(20)
        cell = page.list.gridSize().width()
        columns = page.list.viewport().width() // cell
        assert columns >= 2
        assert page.list.viewport().width() - columns * cell < columns + 24


def test_a_model_of_the_wrong_family_says_why(window, page):
    show_graph(window, text_to_picture())
    window.toggle_panel("models")
    assert isinstance(page.model.family, str)
    assert page._said.text() == "" or "grey" in page._said.text()
