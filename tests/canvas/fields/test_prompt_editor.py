"""Prompts as they are typed."""

from PySide6.QtCore import Qt
from PySide6.QtTest import QTest

from ponystudio.canvas.fields.prompt_editor import LINES_AT_ONCE
from ponystudio.graph.editing.edits import SetParam

KEY, HELD = Qt.Key, Qt.KeyboardModifier


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


def test_dragging_selects(studio, prompt):
    studio.document.do(SetParam("p", "text", "a unicorn"), "Set")
    at = studio.at("text", 9.5, 15, node="p")
    QTest.mousePress(studio.view.viewport(), Qt.MouseButton.LeftButton, HELD.NoModifier, at)
    end = studio.at("text", 0.95, 15, node="p")
    studio.move(end)
    QTest.mouseRelease(studio.view.viewport(), Qt.MouseButton.LeftButton, HELD.NoModifier, end)
    assert studio.editor.text.textCursor().selectedText() == "a unicorn"


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


def test_one_key_marks_no_more_lines_than_can_be_waited_for(studio, prompt, qtbot):
    """A bracket that is closed below six hundred lines changes what is marked in all of them."""
    editor = prompt("(" + "abc\n" * 600)
    document = editor.text.document()

    def marked() -> int:
        block, count = document.begin(), 0
        while block.isValid():
            count += bool(block.layout().formats())
            block = block.next()
        return count

    assert marked() == 0
    QTest.keyClick(editor.text, KEY.Key_End, HELD.ControlModifier)
    QTest.keyClick(editor.text, ")")
    assert 0 < marked() <= 2 * LINES_AT_ONCE
    qtbot.waitUntil(lambda: marked() >= 600, timeout=20_000)
    QTest.keyClick(editor.text, KEY.Key_Home, HELD.ControlModifier)
    QTest.keyClick(editor.text, KEY.Key_Return)
    qtbot.waitUntil(lambda: marked() >= 600, timeout=20_000)
