"""The list of presets."""

import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest

from ponystudio.graph.editing.edits import SetParam
from ponystudio.studio.models import prompt_presets

KEY = Qt.Key


LADDER = prompt_presets.shipped()[0]


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("PONYSTUDIO_HOME", str(tmp_path / "home"))


def menu(studio, node="p", name="text"):
    return studio.actions(name, node)


def say(studio, text):
    studio.document.do(SetParam("p", "text", text), "Set")


def editing(studio, text, start=0, end=0):
    say(studio, text)
    studio.host.edit("p", "text")
    studio.editor.select(start, end)
    return studio.editor


def text_of(studio):
    return studio.value("text", "p")


def choose(studio, words):
    QTest.keyClicks(studio.popup.search, words)
    QTest.keyClick(studio.popup.search, KEY.Key_Return)


def test_esc_in_the_list_changes_nothing(studio):
    say(studio, "a pony")
    before = studio.steps
    menu(studio)["prompt.preset"].run()
    QTest.keyClick(studio.popup.search, KEY.Key_Escape)
    assert (studio.popup, studio.steps) == (None, before)


def test_a_preset_of_ones_own(studio):
    editing(studio, "a pony, rainbow mane, a hill", 8, 20)
    menu(studio)["prompt.keep"].run()
    kept = prompt_presets.own()[0]
    assert (kept.title, studio.popup.current) == ("rainbow mane", kept)
    assert studio.popup.rows.shown[0] == kept
    assert studio.popup.notice.text().startswith("Del ")
    QTest.keyClick(studio.popup.search, KEY.Key_Escape)
    say(studio, "a cat")
    menu(studio)["prompt.preset"].run()
    choose(studio, "rainb")
    assert text_of(studio) == "a cat, rainbow mane"
    menu(studio)["prompt.preset"].run()
    QTest.keyClick(studio.popup.search, KEY.Key_Delete)
    assert prompt_presets.own() == []
    assert studio.popup.rows.shown[0] == LADDER
    assert studio.popup.notice.text() == ""
    # Those that ship are there to stay.
    QTest.keyClick(studio.popup.search, KEY.Key_Delete)
    assert studio.popup.rows.shown[0] == LADDER


def test_a_damaged_file_of_presets_is_told_in_the_list(studio):
    prompt_presets.own_file().parent.mkdir(parents=True)
    prompt_presets.own_file().write_text("torn", "utf-8")
    say(studio, "a pony")
    menu(studio)["prompt.keep"].run()
    assert "presets cannot be read" in studio.popup.notice.text()
    assert str(prompt_presets.own_file()) in studio.popup.notice.text()
    assert len(studio.popup.rows.shown) == len(prompt_presets.shipped())
    assert prompt_presets.own_file().read_text("utf-8") == "torn"
