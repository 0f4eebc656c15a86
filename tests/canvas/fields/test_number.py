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


def test_a_click_changes_nothing_but_gives_the_keyboard(studio):
    studio.click(studio.at("steps"))
    assert studio.steps == 0
    assert studio.host.focused == ("a", "steps")
    assert studio.scene.store.selected_nodes() == ["a"]
    studio.key(KEY.Key_Up)
    studio.key(KEY.Key_Up)
    assert studio.value("steps") == 27
    studio.key(KEY.Key_Escape)
    assert studio.host.focused is None


def test_who_walks_by_keys_walks_on(studio):
    from ponystudio.canvas.scene.items import FocusRef

    studio.scene.set_focus(FocusRef("param", "a", "steps"))
    studio.host.focus("a", "steps")
    studio.key(KEY.Key_Down)
    assert studio.value("steps") == 25
    studio.key(KEY.Key_PageUp)
    assert studio.value("steps") == 26


def test_the_wheel_needs_the_keyboard(studio):
    at = studio.at("steps")
    zoom = studio.view.zoom
    studio.wheel(at, 1)
    assert (studio.value("steps"), studio.steps) == (25, 0)
    assert studio.view.zoom != zoom
    studio.click(studio.at("steps"))
    for _ in range(3):
        studio.wheel(studio.at("steps"), 1)
    assert (studio.value("steps"), studio.steps) == (28, 1)


def test_backspace_resets(studio):
    studio.drag(studio.at("steps"), 60)
    studio.key(KEY.Key_Backspace)
    assert studio.value("steps") == 25


def test_escape_takes_a_drag_back(studio):
    from PySide6.QtCore import QPoint
    from PySide6.QtTest import QTest

    at = studio.at("steps")
    QTest.mousePress(studio.view.viewport(), Qt.MouseButton.LeftButton, HELD.NoModifier, at)
    for dx in (4, 40):
        studio.move(at + QPoint(dx, 0))
    assert studio.value("steps") != 25
    studio.key(KEY.Key_Escape)
    assert studio.value("steps") == 25
    QTest.mouseRelease(studio.view.viewport(), Qt.MouseButton.LeftButton, HELD.NoModifier, at)


def test_how_numbers_look():
    def text(value, **spec):
        return for_spec(ParamSpec("x", "float", 1.0, **spec)).text(value)

    assert text(7.0, low=0, high=100, step=0.5) == "7.0"
    assert text(1.0, low=0, high=1, step=0.01) == "1.00"
    assert text(0.123456) == "0.123456"
    assert text(3.0) == "3.0"
    assert text("odd") == "odd"
    assert for_spec(ParamSpec("x", "int", 1)).text(20) == "20"


def test_a_wired_param_is_the_wires(studio):
    from ponystudio.graph.editing.edits import AddNode, Connect
    from ponystudio.graph.model import Node

    studio.document.do(AddNode(Node("b", "test.all"), {"pos": [0, 700]}), "Add")
    studio.document.do(Connect("b", "value", "a", "steps"), "Connect")
    before = studio.steps
    studio.drag(studio.at("steps"), 60)
    studio.view.grab()
    assert studio.value("steps") == 25
    assert studio.host.focused is None
    assert studio.steps in (before, before + 1)  # the card may have been moved instead
