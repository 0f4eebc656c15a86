"""Mouse and keyboard on their way to a field."""

from PySide6.QtCore import Qt

KEY, HELD = Qt.Key, Qt.KeyboardModifier


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
