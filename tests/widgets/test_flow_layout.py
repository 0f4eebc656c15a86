"""A layout that breaks its line like a text."""

from __future__ import annotations

import pytest
from PySide6.QtWidgets import QLabel, QWidget

from ponystudio.widgets.flow_layout import FlowLayout


@pytest.fixture
def row(qtbot):
    """Five labels of 40 × 10 px, 8 px apart."""
    widget = QWidget()
    qtbot.addWidget(widget)
    flow = FlowLayout()
    flow.setSpacing(8)
    flow.setContentsMargins(0, 0, 0, 0)
    for _ in range(5):
        label = QLabel()
        label.setFixedSize(40, 10)
        flow.addWidget(label)
    widget.setLayout(flow)
    widget.show()
    return widget


def places(widget) -> list[tuple[int, int]]:
    return [(label.x(), label.y()) for label in widget.findChildren(QLabel) if label.isVisible()]


def test_lines_break_where_the_width_ends(row, qtbot):
    row.resize(136, 100)  # exactly three of them
    wanted = [(0, 0), (48, 0), (96, 0), (0, 18), (48, 18)]
    qtbot.waitUntil(lambda: places(row) == wanted)
    assert row.layout().heightForWidth(136) == 28
    assert row.layout().heightForWidth(135) == 46
    assert row.layout().heightForWidth(1000) == 10


def test_what_is_hidden_takes_no_room(row, qtbot):
    row.resize(136, 100)
    row.findChildren(QLabel)[0].hide()
    qtbot.waitUntil(lambda: places(row) == [(0, 0), (48, 0), (96, 0), (0, 18)])


def test_it_is_as_narrow_as_its_widest_item(row):
    assert row.layout().minimumSize().width() == 40
    row.findChildren(QLabel)[2].setFixedSize(70, 10)
    row.layout().invalidate()
    assert row.layout().minimumSize().width() == 70
