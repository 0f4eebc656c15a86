"""One of a few, in a row."""

import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest

from ponystudio.widgets.segmented_control import SegmentedControl


@pytest.fixture
def control(qtbot) -> SegmentedControl:
    entries = [(name, name.title(), "image") for name in ("one", "two", "three")]
    control = SegmentedControl(entries, "Modes")
    qtbot.addWidget(control)
    control.choose("one")
    control.show()
    return control


def test_what_is_chosen_by_the_program_is_not_reported(control: SegmentedControl) -> None:
    chosen: list[str] = []
    control.chosen.connect(chosen.append)
    control.choose("three")
    assert (control.button("three").isChecked(), chosen) == (True, [])
    control.button("two").click()
    assert (control.button("three").isChecked(), chosen) == (False, ["two"])


def test_arrows_go_through_those_that_can_be_chosen(control: SegmentedControl) -> None:
    control.button("two").setEnabled(False)
    QTest.keyClick(control, Qt.Key.Key_Right)
    assert control.button("three").isChecked()
    QTest.keyClick(control, Qt.Key.Key_Right)
    assert control.button("three").isChecked()
