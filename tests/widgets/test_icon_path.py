"""Paths from the path data of SVG."""

from __future__ import annotations

import pytest
from PySide6.QtGui import QPainterPath

from ponystudio.widgets import icon_path, theme


@pytest.fixture(autouse=True)
def _dark(qapp):
    yield
    theme.use("dark")
    theme.set_scale(1.0)


def test_all_icons_parse() -> None:
    for name in theme.icon_names():
        box = theme.icon_path(name).boundingRect()
        assert not box.isEmpty() or name in ("drag", "more")
        assert box.left() >= 0
        assert box.right() <= 16


@pytest.mark.parametrize(
    ("data", "box"),
    [
        ("M2 3h4v5h-4z", (2, 3, 4, 5)),
        ("M0 0L10 0L10 10Z", (0, 0, 10, 10)),
        ("M8 2a6 6 0 1 1 0 12A6 6 0 0 1 8 2z", (2, 2, 12, 12)),
        ("M0 5C0 5 10 5 10 5s0 5 5 5", (0, 5, 15, 5)),
    ],
)
def test_svg_paths(data: str, box: tuple[float, ...]) -> None:
    path: QPainterPath = icon_path.parse(data)
    found = path.boundingRect()
    assert found.getRect() == pytest.approx(box, abs=0.05)
