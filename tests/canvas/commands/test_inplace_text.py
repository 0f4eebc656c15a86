"""Texts written where they stand."""

import pytest
from PySide6.QtCore import QPointF, Qt

from helpers.hands import CTRL

Key = Qt.Key


def test_a_note_is_written_in_place(canvas, hands):
    canvas.commands.edit.add_note(QPointF(1300, 700))
    edit = canvas.view.editors.widget
    hands.write("**Keepers**", edit)
    hands.key(Key.Key_Return, CTRL, widget=edit)
    assert canvas.scene.store.note_items[0].text == "**Keepers**"
    hands.double_click(canvas.scene.store.note_items[0].rect.center())
    edit = canvas.view.editors.widget
    hands.write(", all", edit)
    assert canvas.scene.store.note_items[0].text == "**Keepers**, all"  # journalled as it is typed
    hands.key(Key.Key_Escape, widget=edit)
    assert canvas.scene.store.note_items[0].text == "**Keepers**, all"
    assert canvas.steps == 2
    canvas.undo()
    assert canvas.scene.store.note_items[0].text == "**Keepers**"


def test_f2_renames_and_the_kinds_own_title_is_no_title(canvas, hands):
    canvas.scene.store.select(["save"])
    hands.key(Key.Key_F2)
    edit = canvas.view.editors.widget
    edit.setText("Final")
    hands.key(Key.Key_Return, widget=edit)
    assert canvas.nodes["save"].title == "Final"
    assert canvas.document.undo_text == "Rename Save image"
    hands.key(Key.Key_F2)
    edit = canvas.view.editors.widget
    edit.setText("Save image")
    hands.key(Key.Key_Return, widget=edit)
    assert canvas.nodes["save"].title == ""


def test_a_new_note_and_what_is_written_in_it_are_one_step(canvas, hands):
    before = canvas.graph
    canvas.commands.edit.add_note(QPointF(1300, 700))
    canvas.view.editors.widget.setPlainText("Keep")
    canvas.view.editors.close()
    assert canvas.steps == 1
    canvas.undo()
    assert canvas.graph == before


@pytest.mark.parametrize("commit", [True, False])
def test_a_note_in_which_nothing_was_written_goes_again(canvas, commit):
    before = canvas.graph
    canvas.commands.edit.add_note(QPointF(1300, 700))
    canvas.view.editors.close(commit)
    assert canvas.graph == before
    assert canvas.document.undo_index == 0
