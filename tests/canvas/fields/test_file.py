"""Files on cards: what they are, chosen from a list, dropped, refused with a reason."""

import pytest
from PySide6.QtCore import QMimeData, QPointF, Qt, QUrl
from PySide6.QtGui import QDragEnterEvent, QDropEvent
from PySide6.QtWidgets import QApplication

from helpers.lora_files import write_lora, write_loras
from ponystudio.canvas.fields.file_popup import FilePopup
from ponystudio.graph.editing.edits import SetParam
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


def drop_event(kind, studio, at, path):
    mime = QMimeData()
    mime.setUrls([QUrl.fromLocalFile(str(path))])
    copy, left = Qt.DropAction.CopyAction, Qt.MouseButton.LeftButton
    none = Qt.KeyboardModifier.NoModifier
    place = at if kind is QDragEnterEvent else QPointF(at)
    event = kind(place, copy, mime, left, none)
    event.setAccepted(False)
    QApplication.sendEvent(studio.view.viewport(), event)
    return event.isAccepted()


def test_a_file_dropped_on_the_field_is_its_value(studio, loras, tmp_path):
    at = studio.at("file", 0.5, 22)
    inside = loras / "styles" / "film.safetensors"
    assert drop_event(QDragEnterEvent, studio, at, inside)
    assert drop_event(QDropEvent, studio, at, inside)
    assert studio.value("file") == "styles/film.safetensors"
    outside = tmp_path / "mine.safetensors"
    write_lora(outside)
    assert drop_event(QDragEnterEvent, studio, at, outside)
    assert drop_event(QDropEvent, studio, at, outside)
    assert studio.value("file") == outside.as_posix()
    assert not drop_event(QDragEnterEvent, studio, at, tmp_path / "cat.txt")


def test_trouble_is_shown_on_the_field(studio, loras, qtbot):
    studio.document.do(SetParam("a", "file", "gone.safetensors"), "Set")
    spec = studio.document.spec("a").param_by_name["file"]
    field = studio.scene.sync.field(spec)

    def trouble():
        return field.trouble(studio.host.context("a", spec))

    qtbot.waitUntil(lambda: trouble() == "Not found")
    studio.view.grab()
    assert "gone" in field.tooltip(studio.host.context("a", spec))


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
