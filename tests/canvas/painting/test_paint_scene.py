"""What the canvas paints, looked at as a machine can: colours at places."""

from __future__ import annotations

from PySide6.QtGui import QColor

from helpers.shots import color_at, shot
from ponystudio.canvas.view.view import GraphView
from ponystudio.widgets import theme


def test_another_theme_paints_everything_anew(view: GraphView) -> None:
    shot(view)
    theme.use("light")
    assert color_at(view, 440, 60) == QColor("#FFFFFF")
