"""The page of model files: what is listed, what fits, and the way onto the canvas."""

from __future__ import annotations

from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication

from helpers.models_page import choose, names, texts
from helpers.running import until

LEFT = Qt.MouseButton.LeftButton
UPSCALERS = ("realesr-animevideov3-x4", "realesrgan-x4plus-anime")


def test_files_of_all_folders_are_listed(page):
    assert {"mine", "broken", *UPSCALERS} <= set(names(page))
    assert page.search.hasFocus()


def test_files_of_a_folder_that_is_added_are_there_at_once(window, page, tmp_path):
    folder = tmp_path / "others/loras"
    folder.mkdir(parents=True)
    (folder / "another.safetensors").write_bytes(b"nothing of a model")
    window.add_models(folder.parent)
    until(lambda: "another" in names(page), 10)


def test_what_other_tools_settings_say_in_vain_is_told(window, page, tmp_path):
    assert not page.notice.isVisible()
    (tmp_path / "comfy").mkdir()
    file = tmp_path / "comfy" / "extra_model_paths.yaml"
    file.write_text("a:\n" + "".join(f"  k{n}: x\n" for n in range(8)) + "  loras: /gone\n")
    window.add_models(file.parent)
    until(lambda: page.notice.isVisible(), 10)
    assert f"{file} line 2 names k0, no kind that is read here." in texts(page)
    assert "And 6 more." in texts(page)
    file.write_text("[")
    window.settings.set("model_folders", [str(file.parent), str(tmp_path)])
    until(lambda: "no list of model folders" in texts(page), 10)


def test_what_is_no_model_says_so(page):
    choose(page, "broken")
    assert page.chosen().problem
    assert "This is a text file, not a model" in texts(page.pane)
    choose(page, "mine")
    assert not page.chosen().problem


def test_the_results_of_a_model_are_shown(window, page):
    choose(page, "starter")
    QTest.mouseClick(page.pane.results, LEFT)
    assert window.page_switcher.in_front == "gallery"
    gallery = window.shell.pages.currentWidget()
    assert gallery.overview.search.text() == 'file:"starter"'
    until(lambda: gallery.overview.listing.query.text == 'file:"starter"', 5)


def test_an_embeddings_results_are_those_whose_prompt_names_it(window, page):
    choose(page, "birb")
    QTest.mouseClick(page.pane.results, LEFT)
    assert window.shell.pages.currentWidget().overview.search.text() == "birb"


def test_esc_goes_back_and_folders_opens_the_settings(window, page):
    QTest.mouseClick(page.folders, LEFT)
    assert window.shell.panel == "settings"
    assert window.page_switcher.in_front == "models"
    page.search.setFocus()
    QTest.keyClick(page.search, Qt.Key.Key_Escape)
    assert window.page_switcher.in_front == ""
    assert window.page.view.hasFocus()


def test_the_keyboard_alone_is_enough(window, page):
    QTest.keyClicks(page.search, "mine")
    until(lambda: names(page) == ["mine"], 5)
    QTest.keyClick(page.search, Qt.Key.Key_Return)
    assert QApplication.focusWidget() is page.list
    QTest.keyClick(page.list, Qt.Key.Key_Return)
    window.drop_handler.wait()
    assert window.documents.current.graph.nodes


def test_in_a_narrow_window_the_list_has_all_the_room(window, page):
    assert page.pane.isVisible()
    window.resize(820, 700)
    until(lambda: not page.pane.isVisible(), 5)
    assert page.search.isVisible()
