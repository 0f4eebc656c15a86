"""Prompts on cards: typed, weighed, counted, undone."""

import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest

from ponystudio.canvas.fields import prompt_layout
from ponystudio.graph.editing.edits import SetParam

KEY, HELD = Qt.Key, Qt.KeyboardModifier
LONG = "a unicorn with a (rainbow mane:1.2) in tall grass, " * 12


@pytest.fixture
def prompt(studio):
    def start(text):
        studio.document.do(SetParam("p", "text", text), "Set")
        studio.click(studio.at("text", 0.9, 50, node="p"))
        return studio.editor

    return start


def test_a_click_opens_the_editor_there(studio, prompt):
    prompt("unicorn, 3d")
    studio.type("!")
    assert studio.value("text", "p") == "unicorn, 3d!"
    studio.view.editors.close()
    studio.click(studio.at("text", 9.5, 15, node="p"))
    studio.type("A ")
    assert studio.value("text", "p") == "A unicorn, 3d!"


def test_a_right_press_in_the_text_leaves_it_open_for_its_menu(studio, prompt):
    editor = prompt("a unicorn")
    QTest.mousePress(editor.text.viewport(), Qt.MouseButton.RightButton)
    assert studio.editor is editor
    QTest.mouseRelease(editor.text.viewport(), Qt.MouseButton.RightButton)
    assert studio.editor is editor
    studio.type("!")
    assert studio.value("text", "p") == "a unicorn!"


def test_a_spell_of_typing_is_one_step(studio, prompt):
    editor = prompt("a")
    studio.type(" unicorn")
    editor.begin_step()
    studio.type(", 3d")
    assert studio.steps == 3
    studio.key(KEY.Key_Z, HELD.ControlModifier)
    assert studio.value("text", "p") == editor.plain == "a unicorn"
    studio.key(KEY.Key_Z, HELD.ControlModifier)
    assert studio.value("text", "p") == editor.plain == "a"
    studio.key(KEY.Key_Y, HELD.ControlModifier)
    assert studio.value("text", "p") == editor.plain == "a unicorn"
    studio.type("s")
    assert studio.value("text", "p") == "a unicorns"


def test_what_has_no_effect_is_said_at_the_counter(studio, qtbot):
    def tip():
        place = studio.place("text", "p")
        return place.field.tooltip(studio.host.context("p", place.spec))

    studio.document.do(SetParam("p", "text", "a pony <lora:mane:0.8>"), "Set")
    qtbot.waitUntil(lambda: "<lora:mane:0.8>: left out of the text" in tip())
    assert "Use an Apply LoRA node" in tip()
    shown = studio.view.grab().toImage()
    studio.document.do(SetParam("p", "text", "a pony"), "Set")
    qtbot.waitUntil(lambda: "left out" not in tip())
    assert studio.view.grab().toImage() != shown


def test_escape_keeps_what_was_typed(studio, prompt):
    prompt("a")
    studio.type("bc")
    studio.key(KEY.Key_Escape)
    assert (studio.value("text", "p"), studio.editor) == ("abc", None)


def test_ctrl_up_weighs_the_word_and_again(studio, prompt):
    editor = prompt("a unicorn")
    studio.key(KEY.Key_Up, HELD.ControlModifier)
    assert studio.value("text", "p") == "a (unicorn:1.1)"
    studio.key(KEY.Key_Up, HELD.ControlModifier)
    assert studio.value("text", "p") == "a (unicorn:1.2)"
    # What is typed next goes behind the word, and not in its place.
    assert not editor.text.textCursor().hasSelection()
    for _ in range(2):
        studio.key(KEY.Key_Down, HELD.ControlModifier)
    assert studio.value("text", "p") == "a unicorn"


def test_enter_is_a_line_and_ctrl_enter_is_the_windows(studio, prompt, qtbot):
    from PySide6.QtGui import QKeySequence, QShortcut

    ran = []
    shortcut = QShortcut(QKeySequence("Ctrl+Return"), studio.view)
    shortcut.activated.connect(lambda: ran.append(studio.value("text", "p")))
    keys = []
    plain = QShortcut(QKeySequence("M"), studio.view)
    plain.activated.connect(lambda: keys.append("M"))
    prompt("a")
    studio.key(KEY.Key_Return)
    studio.type("m")
    studio.key(KEY.Key_Return, HELD.ControlModifier)
    assert studio.value("text", "p") == "a\nm"
    qtbot.waitUntil(lambda: ran == ["a\nm"])
    assert keys == []


def test_the_field_grows_with_its_text_and_the_editor_with_it(studio, prompt):
    before = studio.rect("text", "p").height()
    editor = prompt("a")
    for _ in range(5):
        studio.key(KEY.Key_Return)
    assert studio.rect("text", "p").height() == before + 3 * 18
    shown = studio.view.from_scene_rect(studio.rect("text", "p")).toAlignedRect()
    assert editor.geometry() == shown


def test_the_editor_breaks_lines_as_the_card_does(studio, prompt):
    editor = prompt(LONG)
    width = round(studio.rect("text", "p").width() - 18)
    for zoom in (1.0, 1.5, 0.8):
        studio.view.zoom_at(zoom / studio.view.zoom, studio.view.rect().center())
        layout = editor.text.document().firstBlock().layout()
        lines = [layout.lineAt(i).textStart() for i in range(layout.lineCount())]
        laid = prompt_layout.lay_out(LONG, width, "a1111", "dark").layout
        assert lines == [laid.lineAt(i).textStart() for i in range(laid.lineCount())], zoom


def test_a_long_prompt_is_cut_and_never_taller_than_its_most(studio):
    studio.document.do(SetParam("p", "text", LONG * 5), "Set")
    assert studio.rect("text", "p").height() == 12 * 18 + 34
    studio.view.grab()


@pytest.mark.parametrize("width", [142.0, 222.0, 462.0])
@pytest.mark.parametrize("text", ["a", "a b " * 20, LONG, "x" * 300, "a\nb\nc\nd\ne", ""])
def test_lines_are_counted_where_it_matters(qapp, width, text):
    exact = prompt_layout.lay_out(text, round(width), "", "dark").lines
    assert max(3, prompt_layout.line_count(text, width)) == max(3, exact)


def test_dragging_selects(studio, prompt):
    studio.document.do(SetParam("p", "text", "a unicorn"), "Set")
    at = studio.at("text", 9.5, 15, node="p")
    QTest.mousePress(studio.view.viewport(), Qt.MouseButton.LeftButton, HELD.NoModifier, at)
    end = studio.at("text", 0.95, 15, node="p")
    studio.move(end)
    QTest.mouseRelease(studio.view.viewport(), Qt.MouseButton.LeftButton, HELD.NoModifier, end)
    assert studio.editor.text.textCursor().selectedText() == "a unicorn"


def test_the_count_is_shown_for_the_dialect(studio, qtbot):
    studio.document.do(SetParam("p", "text", "a BREAK b"), "Set")
    field = studio.scene.sync.field(studio.document.spec("p").param_by_name["text"])

    def count():
        spec = studio.document.spec("p").param_by_name["text"]
        return field.count(studio.host.context("p", spec))

    qtbot.waitUntil(lambda: count() is not None and count().chunks == 2)
    studio.document.do(SetParam("p", "dialect", "comfyui"), "Set")
    qtbot.waitUntil(lambda: count().chunks == 1)
    studio.view.grab()


def test_plain_text_is_neither_weighed_nor_counted(studio):
    studio.document.do(SetParam("p", "note", "(a:1.2)"), "Set")
    studio.click(studio.at("note", 0.9, 14, node="p"))
    studio.key(KEY.Key_Up, HELD.ControlModifier)
    assert studio.value("note", "p") == "(a:1.2)"
    assert studio.editor.marks.spans == []


def test_another_edit_of_the_text_keeps_the_cursor(studio, prompt):
    editor = prompt("a unicorn")
    studio.document.do(SetParam("p", "text", "a blue unicorn"), "Set")
    assert editor.plain == "a blue unicorn"
    studio.document.do(SetParam("p", "text", ""), "Set")
    assert editor.plain == ""


def test_a_node_that_goes_takes_its_editor_along(studio, prompt):
    from ponystudio.graph.editing.edits import RemoveNode

    prompt("a unicorn")
    studio.document.do(RemoveNode("p"), "Delete")
    assert studio.editor is None
