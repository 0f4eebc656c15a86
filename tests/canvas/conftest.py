"""A canvas with the shipped graph, and hands on it."""

import pytest

from helpers.studio import Canvas, text_to_picture


@pytest.fixture
def hands(canvas):
    return canvas.hands


@pytest.fixture
def canvas(qtbot):
    return Canvas(qtbot, text_to_picture())
