"""How wires look close by."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from PIL import Image, ImageChops
from PySide6.QtGui import QImage

from ponystudio.canvas.view.view import GraphView
from ponystudio.graph.editing.edits import SetMode
from ponystudio.widgets import theme


@pytest.fixture(autouse=True)
def still() -> Iterator[None]:
    theme.set_reduced_motion(True)
    yield
    theme.set_reduced_motion(False)


def shot(view: GraphView) -> QImage:
    return view.viewport().grab().toImage()


def difference(one: QImage, other: QImage) -> int:
    """How far the two differ at most, of 255; a clip moves edges by a trace."""
    size = (one.width(), one.height())
    first, second = (Image.frombytes("RGBA", size, bytes(i.constBits())) for i in (one, other))
    return max(high for _, high in ImageChops.difference(first, second).getextrema())


def repainted(view: GraphView) -> QImage:
    view.graph_scene.store.damage()
    return shot(view)


def test_muting_paints_the_wires_anew(view: GraphView) -> None:
    before = shot(view)
    for mode in ("muted", "normal"):
        view.graph_scene.document.do(SetMode("source", mode), "Mute")
        assert difference(shot(view), repainted(view)) <= 2
    assert difference(shot(view), before) <= 2
