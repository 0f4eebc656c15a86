"""Rows: added, turned off, changed, moved, removed."""

import pytest
from PySide6.QtCore import Qt

from ponystudio.graph.coercion import coerce
from ponystudio.graph.editing.edits import SetParam


@pytest.fixture
def two(studio):
    rows = [
        {"on": True, "file": "a.safetensors", "strength": 0.5},
        {"on": True, "file": "b.safetensors", "strength": 1.0},
    ]
    studio.document.do(SetParam("a", "stack", rows), "Set")
    return studio


def rows(studio):
    return [dict(row) for row in studio.value("stack")]


def test_a_click_adds_a_row_that_is_sound(studio):
    before = studio.rect("stack").height()
    studio.click(studio.part("stack", "add"))
    assert rows(studio) == [{"on": True, "file": "", "strength": 1.0}]
    assert studio.rect("stack").height() > before
    spec = studio.document.spec("a").param_by_name["stack"]
    coerce(spec, studio.value("stack"))
    studio.view.grab()


def test_a_row_is_turned_off_and_removed(two):
    two.click(two.part("stack", "0.on"))
    assert [row["on"] for row in rows(two)] == [False, True]
    two.view.grab()
    two.click(two.part("stack", "0.remove"))
    assert [row["file"] for row in rows(two)] == ["b.safetensors"]
    two.document.undo()
    two.document.undo()
    assert [row["on"] for row in rows(two)] == [True, True]


def test_a_number_in_a_row_is_dragged_as_one_step(two):
    before = two.steps
    two.drag(two.part("stack", "1.strength"), 5, 5, 3)
    assert rows(two)[1]["strength"] > 1.0
    assert rows(two)[0]["strength"] == 0.5
    assert two.steps == before + 1
    two.document.undo()
    assert rows(two)[1]["strength"] == 1.0


def test_a_number_in_a_row_is_typed(two):
    two.double_click(two.part("stack", "0.strength"))
    two.type("0.85")
    two.key(Qt.Key.Key_Return)
    assert rows(two)[0]["strength"] == 0.85


def test_a_file_in_a_row_is_chosen(two, models, qtbot):
    (models / "loras").mkdir()
    (models / "loras" / "c.safetensors").write_bytes(b"")
    two.click(two.part("stack", "1.file"))
    qtbot.waitUntil(lambda: two.popup.rows.shown == ["c.safetensors"])
    two.key(Qt.Key.Key_Return)
    assert [row["file"] for row in rows(two)] == ["a.safetensors", "c.safetensors"]


def test_rows_move(two):
    actions = two.actions("stack", part="1.file")
    assert not actions["rows.down"].enabled()
    actions["rows.up"].run()
    assert [row["file"] for row in rows(two)] == ["b.safetensors", "a.safetensors"]


def test_a_row_is_dragged_by_its_tick_as_one_step(two):
    from PySide6.QtCore import QPoint
    from PySide6.QtTest import QTest

    before, at = two.steps, two.part("stack", "0.on")
    view, left, none = two.view.viewport(), Qt.MouseButton.LeftButton, Qt.KeyboardModifier(0)
    QTest.mousePress(view, left, none, at)
    for dy in (10, 20, 30, 60):
        two.move(at + QPoint(0, dy))
    QTest.mouseRelease(view, left, none, at + QPoint(0, 60))
    assert [row["file"] for row in rows(two)] == ["b.safetensors", "a.safetensors"]
    assert [row["on"] for row in rows(two)] == [True, True]
    assert two.steps == before + 1


def test_what_is_no_row_does_not_hurt(studio):
    for odd in ("text", [1, 2], None, [{"file": 3}]):
        studio.document.do(SetParam("a", "stack", odd), "Set")
        studio.view.grab()
