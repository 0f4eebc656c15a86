"""Small painted parts."""

from __future__ import annotations

import pytest
from PySide6.QtCore import QRectF
from PySide6.QtGui import QColor, QImage, QPainter

from ponystudio.widgets import theme
from ponystudio.widgets.primitives import PaintedButton, draw_bar, px


@pytest.fixture
def scaled(qapp):
    yield theme.set_scale
    theme.set_scale(1.0)


def test_lengths_follow_the_scale(scaled):
    assert px(12) == 12
    scaled(1.5)
    assert px(12) == 18


def test_a_button_has_room_for_every_text_it_may_have(qtbot, scaled):
    button = PaintedButton("primary", "Run", "play", reserve=("Cancel the run",))
    qtbot.addWidget(button)
    before = button.sizeHint()
    button.set_look("Cancel the run", "stop")
    assert button.sizeHint() == before
    assert button.accessibleName() == "Cancel the run"
    scaled(2.0)
    assert button.sizeHint().height() == 2 * before.height()


def test_a_button_of_an_icon_alone_is_square_and_keeps_its_name(qtbot):
    button = PaintedButton("icon", icon="plus", name="Add")
    qtbot.addWidget(button)
    assert button.sizeHint().width() == button.sizeHint().height()
    button.set_look("", "minus")
    assert button.accessibleName() == "Add"


@pytest.mark.parametrize("kind", ["primary", "danger", "plain", "icon"])
@pytest.mark.parametrize("enabled", [True, False])
def test_every_kind_can_be_painted(qtbot, kind, enabled):
    button = PaintedButton(kind, "Run", "play", hint="F5")
    qtbot.addWidget(button)
    button.setEnabled(enabled)
    assert not button.grab().isNull()


def test_parts_of_a_bar_stand_side_by_side(qapp):
    image = QImage(102, 12, QImage.Format.Format_RGB32)
    image.fill(QColor("black"))
    painter = QPainter(image)
    draw_bar(
        painter,
        QRectF(0, 0, 102, 12),
        [(0.25, QColor("red")), (0.5, QColor("lime")), (0, QColor("blue"))],
    )
    painter.end()
    at = [image.pixelColor(x, 6).name() for x in (12, 24, 40, 74)]
    assert at == ["#ff0000", "#ff0000", "#00ff00", "#00ff00"]
    assert image.pixelColor(90, 6) == theme.current().color("field")
