"""Prompts on cards: typed, weighed, counted, undone."""

from PySide6.QtCore import Qt

from ponystudio.graph.editing.edits import SetParam

KEY, HELD = Qt.Key, Qt.KeyboardModifier


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
