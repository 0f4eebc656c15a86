"""Numbers on cards: dragged, typed, stepped."""

from PySide6.QtCore import Qt

from ponystudio.api.spec import ParamSpec
from ponystudio.canvas.fields.registry import for_spec

KEY, HELD = Qt.Key, Qt.KeyboardModifier


def test_a_drag_across_the_field_is_its_span_and_one_step(studio):
    studio.drag(studio.at("steps", 0.5), 20, 20, 15)
    # 55 of 220 px are a quarter of the span of 60.
    assert studio.value("steps") == 40
    assert studio.steps == 1
    studio.document.undo()
    assert studio.value("steps") == 25


def test_a_drag_keeps_to_the_step_and_stops_at_the_soft_ends(studio):
    studio.drag(studio.at("width"), 33)
    assert studio.value("width") % 8 == 0
    assert studio.value("width") > 512
    studio.drag(studio.at("width"), 900)
    assert studio.value("width") == 2048
    studio.drag(studio.at("width"), -900)
    assert studio.value("width") == 256


def test_shift_is_fine_and_ctrl_coarse(studio):
    studio.drag(studio.at("cfg"), 40, modifiers=HELD.ShiftModifier)
    assert 7.0 < studio.value("cfg") < 7.5
    studio.drag(studio.at("cfg"), 40, modifiers=HELD.ControlModifier)
    assert studio.value("cfg") % 5 == 0
    studio.drag(studio.at("width"), 40, modifiers=HELD.ControlModifier)
    assert studio.value("width") % 64 == 0


def test_how_numbers_look():
    def text(value, **spec):
        return for_spec(ParamSpec("x", "float", 1.0, **spec)).text(value)

    assert text(7.0, low=0, high=100, step=0.5) == "7.0"
    assert text(1.0, low=0, high=1, step=0.01) == "1.00"
    assert text(0.123456) == "0.123456"
    assert text(3.0) == "3.0"
    assert text("odd") == "odd"
    assert for_spec(ParamSpec("x", "int", 1)).text(20) == "20"
