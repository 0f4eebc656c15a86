"""What is known of the files that params name."""

from __future__ import annotations

import shutil

import pytest
from PySide6.QtCore import Qt
from PySide6.QtGui import QGuiApplication

from helpers.lora_files import write_lora, write_loras
from ponystudio.library.model_folders import ModelFolders
from ponystudio.studio.models import model_files
from ponystudio.studio.models.model_files import FileFacts


@pytest.fixture
def models(tmp_path, qapp):
    folder = tmp_path / "models"
    folder.mkdir()
    return folder


@pytest.fixture
def loras(models):
    return write_loras(models)


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
    QGuiApplication.instance().applicationStateChanged.emit(Qt.ApplicationState.ApplicationActive)
    qtbot.waitUntil(lambda: not facts.get("loras", "new.safetensors").missing)


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
