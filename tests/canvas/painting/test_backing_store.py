"""What is kept between frames is what would be painted."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from PIL import Image, ImageChops
from PySide6.QtCore import QEvent, QPoint, QPointF, Qt
from PySide6.QtGui import QImage, QWheelEvent
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication

from ponystudio.canvas.scene.scene import GraphScene
from ponystudio.canvas.view.view import GraphView
from ponystudio.graph.editing.edits import SetMode, SetView
from ponystudio.studio.documents.editable_graph import EditableGraph, gesture
from ponystudio.widgets import theme


@pytest.fixture(autouse=True)
def still() -> Iterator[None]:
    theme.set_reduced_motion(True)
    yield
    theme.set_reduced_motion(False)


def wheel(view: GraphView, steps: int, at: QPointF, modifiers=Qt.KeyboardModifier.NoModifier):
    event = QWheelEvent(
        at,
        QPointF(view.viewport().mapToGlobal(at.toPoint())),
        QPoint(),
        QPoint(0, 120 * steps),
        Qt.MouseButton.NoButton,
        modifiers,
        Qt.ScrollPhase.NoScrollPhase,
        False,
    )
    QApplication.sendEvent(view.viewport(), event)


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


def test_what_is_kept_between_frames_is_what_would_be_painted(view: GraphView) -> None:
    """Pans, hovers, moves, states: the kept picture never differs from one painted anew."""
    scene, document = view.graph_scene, view.graph_scene.document
    shot(view)
    merge = gesture("move")
    for step in range(12):
        view.pan(-13, 7 * (-1) ** step)
        QTest.mouseMove(view.viewport(), QPoint(100 + 60 * step, 200 + 10 * step))
        document.do(SetView(("nodes", "sample", "pos"), [320 + 8 * step, 8 * step]), "M", merge)
        document.states.update("second", phase="running", step=step, steps=20)
        if step == 6:
            document.do(SetMode("source", "muted"), "Mute")
        if step == 8:
            scene.store.select(["sample"], [("second", "latent")])
        if step == 10:
            document.undo()
        kept = shot(view)
        fresh = repainted(view)
        assert difference(kept, fresh) <= 2, step


def test_a_zoom_is_sharp_once_it_rests(view: GraphView, qtbot) -> None:
    for _ in range(5):
        wheel(view, -1, QPointF(500, 300))
        shot(view)
    qtbot.waitUntil(lambda: view.backing_store.is_sharp)
    assert difference(shot(view), repainted(view)) <= 2


def test_a_scene_outlives_its_view(qapp, document: EditableGraph) -> None:
    scene = GraphScene(document)
    view = GraphView(scene)
    view.deleteLater()
    QApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete)
    document.states.update("sample", phase="running")
    document.do(SetView(("nodes", "sample", "pos"), [0, 0]), "Move")
    theme.use("light")
    theme.use("dark")
