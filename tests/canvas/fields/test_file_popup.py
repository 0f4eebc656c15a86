"""The list of files of a kind."""

import pytest
from PySide6.QtCore import Qt

from helpers.lora_files import write_lora, write_loras
from ponystudio.canvas.fields.file import FilePopup
from ponystudio.library.model_folders import ModelFolders
from ponystudio.studio.models.model_files import FileFacts


@pytest.fixture
def loras(models):
    return write_loras(models)


@pytest.fixture
def facts(models):
    found = FileFacts(lambda: ModelFolders([models]))
    yield found
    found.close()


@pytest.mark.parametrize(
    ("kind", "said"),
    [("latents", "No latents yet. The node Save latent"), ("vae", "No VAEs yet. Put one into")],
)
def test_an_empty_list_says_what_to_do(qtbot, facts, kind, said):
    popup = FilePopup(kind, "", facts, "")
    qtbot.addWidget(popup)
    qtbot.waitUntil(lambda: popup.nothing.text().startswith(said))
    assert popup.list.isHidden()
    assert not popup.nothing.isHidden()


def test_the_list_shows_what_there_is_and_chooses(studio, loras, qtbot):
    studio.click(studio.at("file", 0.5, 22))
    popup = studio.popup
    qtbot.waitUntil(lambda: len(popup.rows.shown) == 3)
    studio.view.grab()
    studio.type("fil")
    assert popup.rows.shown == ["styles/film.safetensors"]
    studio.key(Qt.Key.Key_Return)
    assert studio.value("file") == "styles/film.safetensors"
    assert studio.steps == 1


def test_a_field_with_no_files_to_choose_says_so(studio, qtbot):
    studio.click(studio.at("file", 0.5, 22))
    qtbot.waitUntil(lambda: "No LoRAs yet" in studio.popup.nothing.text())
    assert studio.popup.nothing.isVisible()
    studio.view.grab()


def test_a_file_from_anywhere_is_browsed_for(studio, loras, tmp_path, qtbot, monkeypatch):
    from PySide6.QtWidgets import QFileDialog, QPushButton

    opened = []
    monkeypatch.setattr(QFileDialog, "open", lambda dialog: opened.append(dialog))
    outside = tmp_path / "mine.safetensors"
    write_lora(outside)
    studio.click(studio.at("file", 0.5, 22))
    next(b for b in studio.popup.findChildren(QPushButton) if "Browse" in b.text()).click()
    assert studio.popup is None
    (dialog,) = opened
    dialog.fileSelected.emit(str(outside))
    dialog.close()
    assert studio.value("file") == outside.as_posix()


def test_tab_goes_from_the_list_to_its_buttons(studio, loras, qtbot):
    studio.click(studio.at("file", 0.5, 22))
    popup = studio.popup
    qtbot.waitUntil(lambda: len(popup.rows.shown) == 3)
    studio.key(Qt.Key.Key_Tab)
    assert popup.focusWidget().text() == "Browse…"
    studio.key(Qt.Key.Key_Escape)
    assert studio.popup is None
    assert studio.value("file") == ""
