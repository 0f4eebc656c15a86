"""Files on cards: what they are, chosen from a list, dropped, refused with a reason."""

import shutil

import pytest
from PySide6.QtCore import QMimeData, QPointF, Qt, QUrl
from PySide6.QtGui import QColor, QDragEnterEvent, QDropEvent, QImage
from PySide6.QtWidgets import QApplication

from ponystudio.canvas.fields.file_popup import FilePopup
from ponystudio.graph.editing.edits import SetParam
from ponystudio.library.model_folders import ModelFolders
from ponystudio.library.recognition.denoiser_signatures import PURPOSES
from ponystudio.studio.models import model_files
from ponystudio.studio.models.model_files import FileFacts
from ponystudio.studio.models.model_summary import ModelSummary, mismatch, size_text, title_of


@pytest.fixture
def loras(models):
    folder = models / "loras"
    (folder / "styles").mkdir(parents=True)
    write_lora(folder / "wolf.safetensors")
    write_lora(folder / "styles" / "film.safetensors")
    (folder / "torn.safetensors").write_bytes(b"\x10\0\0\0\0\0\0\0{broken")
    image = QImage(64, 96, QImage.Format.Format_RGB32)
    image.fill(QColor("#336699"))
    image.save(str(folder / "wolf.preview.png"))
    return folder


def write_lora(path, rank=4):
    """A safetensors file with a LoRA's two matrices, as small as can be."""
    import json
    import struct

    name = "lora_unet_down_blocks_0_attentions_0_transformer_blocks_0_attn2_to_k"
    shapes = {f"{name}.lora_down.weight": [rank, 768], f"{name}.lora_up.weight": [320, rank]}
    header, at = {}, 0
    for key, shape in shapes.items():
        size = 2 * shape[0] * shape[1]
        header[key] = {"dtype": "F16", "shape": shape, "data_offsets": [at, at + size]}
        at += size
    text = json.dumps(header).encode()
    path.write_bytes(struct.pack("<Q", len(text)) + text + bytes(at))


@pytest.fixture
def facts(models):
    found = FileFacts(lambda: ModelFolders([models]))
    yield found
    found.close()


def known(qtbot, facts, kind, name):
    qtbot.waitUntil(lambda: facts.get(kind, name) is not None)
    return facts.get(kind, name)


def test_a_file_is_known_with_its_picture(qtbot, facts, loras):
    fact = known(qtbot, facts, "loras", "wolf.safetensors")
    assert (fact.title, fact.problem, fact.family) == ("wolf", "", "sd1")
    assert fact.line.startswith("SD 1.5, rank 4, ")
    assert fact.thumb.width() == fact.thumb.height()
    assert known(qtbot, facts, "loras", "styles/film.safetensors").thumb is None


def test_what_cannot_serve_says_why(qtbot, facts, loras, models):
    assert known(qtbot, facts, "loras", "gone.safetensors").problem == "Not found"
    assert known(qtbot, facts, "loras", "torn.safetensors").problem
    (models / "checkpoints").mkdir()
    shutil.copy(loras / "wolf.safetensors", models / "checkpoints" / "wolf.safetensors")
    assert "LoRA" in known(qtbot, facts, "checkpoints", "wolf.safetensors").problem
    assert known(qtbot, facts, "loras", "").missing
    far = known(qtbot, facts, "loras", "//host/share/a.safetensors")
    assert (far.short, far.path) == ("On another machine", None)


def test_a_file_that_comes_later_is_found_when_looked_for(qtbot, facts, loras):
    assert known(qtbot, facts, "loras", "new.safetensors").missing
    write_lora(loras / "new.safetensors")
    facts.refresh("loras")
    # Until it is looked at again it stays as it was, so that nothing flickers.
    assert facts.get("loras", "new.safetensors").missing
    qtbot.waitUntil(lambda: not facts.get("loras", "new.safetensors").missing)
    qtbot.waitUntil(lambda: "new.safetensors" in (facts.names("loras") or []))


def test_a_missing_file_is_looked_for_again_when_its_card_is_painted(
    qtbot, facts, loras, monkeypatch
):
    monkeypatch.setattr(model_files, "RECHECK_SECONDS", 0.0)
    assert known(qtbot, facts, "loras", "new.safetensors").missing
    write_lora(loras / "new.safetensors")
    qtbot.waitUntil(lambda: not facts.get("loras", "new.safetensors").missing)


def test_who_comes_back_from_another_program_finds_new_files(qtbot, facts, loras):
    assert known(qtbot, facts, "loras", "new.safetensors").missing
    write_lora(loras / "new.safetensors")
    facts._app_state(Qt.ApplicationState.ApplicationActive)
    qtbot.waitUntil(lambda: not facts.get("loras", "new.safetensors").missing)


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


def test_files_of_one_name_beside_two_graphs_are_told_apart(qtbot, models, loras):
    beside = [models / "a", models / "b"]
    for folder, rank in zip(beside, (4, 8), strict=True):
        folder.mkdir()
        write_lora(folder / "mine.safetensors", rank)
    found = FileFacts(lambda: ModelFolders([models], beside[0]))
    assert known(qtbot, found, "loras", "mine.safetensors").detail == "rank 4"
    beside.reverse()
    found.recheck()
    qtbot.waitUntil(lambda: found.get("loras", "mine.safetensors").detail == "rank 8")
    found.close()


def test_other_families_do_not_fit():
    fact = ModelSummary("a", family="sdxl")
    assert mismatch("loras", fact, "sd1") == "For SDXL; the model is SD 1.5"
    assert mismatch("loras", fact, "sd1", short=True) == "For SDXL, not SD 1.5"
    assert mismatch("loras", fact, "") == ""
    assert mismatch("upscale_models", fact, "sd1") == ""


def test_what_a_model_was_made_for_is_what_the_library_says():
    """In the words of the app; most models take in a latent alone and were made for none of it."""
    assert all(model_files.made_for(channels) for channels in PURPOSES)
    assert model_files.made_for(9) == model_files.made_for(96) == "inpainting"
    assert model_files.made_for(4) == model_files.made_for(0) == ""


def test_how_files_are_called():
    assert title_of("styles/film.v2.safetensors") == "film.v2"
    assert title_of("cat.png") == "cat.png"
    assert [size_text(n) for n in (0, 512, 72_000, 3_227_336, 465_090_358, 1_900_000_000)] == [
        "", "512 B", "72 KB", "3.2 MB", "465 MB", "1.9 GB",
    ]  # fmt: skip


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
    from PySide6.QtWidgets import QFileDialog

    opened = []
    monkeypatch.setattr(QFileDialog, "open", lambda dialog: opened.append(dialog))
    outside = tmp_path / "mine.safetensors"
    write_lora(outside)
    studio.click(studio.at("file", 0.5, 22))
    studio.popup._browse()
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
