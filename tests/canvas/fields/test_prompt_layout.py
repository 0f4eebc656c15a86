"""Prompts broken into lines."""

import pytest
from PySide6.QtCore import Qt

from ponystudio.canvas.fields import prompt_layout
from ponystudio.graph.editing.edits import SetParam
from ponystudio.widgets import theme

KEY, HELD = Qt.Key, Qt.KeyboardModifier


LONG = "a unicorn with a (rainbow mane:1.2) in tall grass, " * 12


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


@pytest.mark.parametrize(
    ("dialect", "dim"), [("a1111", ["# (b)"]), ("comfyui", ["// (c)"]), ("", [])]
)
def test_comments_are_dim_and_not_weighted(qapp, dialect, dim):
    text = "(a) # (b)\n(d) // (c)"
    layout = prompt_layout.lay_out(text, 400, dialect, "dark").layout
    colour = theme.current().color("text3")
    found = [
        text[one.start : one.start + one.length]
        for one in layout.formats()
        if one.format.foreground().color() == colour
    ]
    assert found == dim


@pytest.mark.parametrize("width", [142.0, 222.0, 462.0])
@pytest.mark.parametrize("text", ["a", "a b " * 20, LONG, "x" * 300, "a\nb\nc\nd\ne", ""])
def test_lines_are_counted_where_it_matters(qapp, width, text):
    exact = prompt_layout.lay_out(text, round(width), "", "dark").lines
    assert max(3, prompt_layout.line_count(text, width)) == max(3, exact)
