"""A palette over a widget."""

import pytest
from PySide6.QtCore import QPoint, Qt
from PySide6.QtGui import QCursor
from PySide6.QtWidgets import QWidget

from ponystudio.canvas.palette.palette import Palette
from ponystudio.widgets import theme


@pytest.fixture
def parent(qtbot):
    widget = QWidget()
    widget.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
    widget.resize(800, 600)
    qtbot.addWidget(widget)
    widget.show()
    QCursor.setPos(widget.mapToGlobal(QPoint(790, 590)))  # apart from what opens
    return widget


@pytest.fixture
def palette(parent):
    return Palette(parent)


@pytest.fixture
def still():
    theme.set_reduced_motion(True)
    yield
    theme.set_reduced_motion(False)
