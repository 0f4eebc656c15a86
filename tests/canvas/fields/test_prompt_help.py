"""What helps to write prompts: from the menu and by key, on all or on what is selected, undone."""

import json

import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest

from ponystudio.canvas.commands.canvas_commands import CanvasCommands
from ponystudio.graph.editing.edits import Connect, SetParam
from ponystudio.studio.models import prompt_presets
from ponystudio.studio.models.token_counts import PromptState

KEY = Qt.Key


CTRL_SHIFT = Qt.KeyboardModifier.ControlModifier | Qt.KeyboardModifier.ShiftModifier


LADDER = prompt_presets.shipped()[0]


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("PONYSTUDIO_HOME", str(tmp_path / "home"))


@pytest.fixture
def commands(studio):
    return CanvasCommands(studio.view)


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


def test_underscores_and_back_are_steps_that_can_be_undone(studio):
    say(studio, "score_9, long_hair, (blue_eyes:1.2)")
    menu(studio)["prompt.spaces"].run()
    assert text_of(studio) == "score_9, long hair, (blue eyes:1.2)"
    assert studio.document.undo_text == "Underscores to spaces"
    menu(studio)["prompt.underscores"].run()
    assert text_of(studio) == "score_9, long_hair, (blue_eyes:1.2)"
    studio.document.undo()
    studio.document.undo()
    assert text_of(studio) == "score_9, long_hair, (blue_eyes:1.2)"


def test_a_boards_list_becomes_a_prompt(studio):
    say(studio, "score_9 long_hair blue_eyes")
    menu(studio)["prompt.tags"].run()
    assert text_of(studio) == "score_9, long hair, blue eyes"
    assert studio.document.undo_text == "Tags to prompt"


def test_what_is_right_already_is_no_step(studio):
    say(studio, "score_9, hair")
    before = studio.steps
    menu(studio)["prompt.spaces"].run()
    assert studio.steps == before


def test_only_what_is_selected_changes(studio):
    editor = editing(studio, "long_hair, blue_eyes, red_nose", 11, 20)
    menu(studio)["prompt.spaces"].run()
    assert text_of(studio) == editor.plain == "long_hair, blue eyes, red_nose"
    assert editor.selection() == (11, 20)
    # What is typed next goes into the editor, which is still there.
    studio.type("x")
    assert text_of(studio) == "long_hair, x, red_nose"


def test_names_of_embeddings_are_no_tags(studio, models, qtbot):
    (models / "embeddings").mkdir()
    (models / "embeddings" / "bad_hands_v4.pt").write_bytes(b"")
    say(studio, "bad_hands_v4, bad_feet")
    counts = studio.host.services.counts
    with qtbot.waitSignal(counts.changed):
        counts.get(PromptState("anything to list them", "a1111"))
    menu(studio)["prompt.spaces"].run()
    assert text_of(studio) == "bad_hands_v4, bad feet"


def test_a_preset_from_the_menu(studio):
    say(studio, "a pony")
    menu(studio)["prompt.preset"].run()
    choose(studio, "v6 best")
    assert text_of(studio) == f"{LADDER.text}, a pony"
    assert studio.document.undo_text == "Insert Pony V6: best"
    assert studio.popup is None
    assert studio.editor is None


def test_a_preset_by_key_goes_to_the_cursor_and_writing_goes_on(studio, commands):
    editor = editing(studio, "a pony, a hill", 6, 6)
    studio.type(" ")
    QTest.keyClick(editor.text, KEY.Key_I, CTRL_SHIFT)
    choose(studio, "rating_safe")
    assert text_of(studio) == "a pony, rating_safe, a hill"
    studio.type("!")
    assert text_of(studio) == "a pony, rating_safe!, a hill"


def test_what_is_kept_is_a_file_that_people_can_write(studio):
    say(studio, "été")
    menu(studio)["prompt.keep"].run()
    (entry,) = json.loads(prompt_presets.own_file().read_text("utf-8"))
    assert (entry["title"], entry["text"]) == ("été", "été")
    prompt_presets.own_file().write_text('[{"title": "mine", "text": "a, b"}]', "utf-8")
    assert [preset.title for preset in prompt_presets.own()] == ["mine"]


def test_the_commands_are_for_the_prompt_that_is_worked_on(studio, commands):
    by_id = {spec.id: spec for spec in commands.actions()}
    say(studio, "long_hair")
    studio.scene.store.select(["a"])
    assert not by_id["prompt.spaces"].enabled()
    studio.scene.store.select(["p"])
    assert by_id["prompt.spaces"].enabled()
    by_id["prompt.spaces"].run()
    assert text_of(studio) == "long hair"
    say(studio, "")
    assert not by_id["prompt.spaces"].enabled()
    assert by_id["prompt.preset"].enabled()


def test_a_prompt_that_a_wire_brings_has_none_of_it(studio):
    assert "prompt.spaces" in menu(studio)
    assert "prompt.spaces" not in menu(studio, name="note")
    menu(studio)["param.socket"].run()
    studio.document.do(Connect("a", "value", "p", "text"), "Connect")
    assert not any(id.startswith("prompt.") for id in menu(studio))


def test_tokens_are_asked_for(studio, commands, qtbot):
    editor = editing(studio, "a pony")
    with qtbot.waitSignal(studio.scene.tokens_requested) as asked:
        QTest.keyClick(editor.text, KEY.Key_K, CTRL_SHIFT)
    assert asked.args == ["p"]
