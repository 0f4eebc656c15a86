"""A view of a small scene, to be looked at."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from PySide6.QtCore import QPointF

from helpers.scenes import chain
from ponystudio.canvas.scene.scene import GraphScene
from ponystudio.canvas.view.camera_view import Camera
from ponystudio.canvas.view.view import GraphView
from ponystudio.studio.documents.editable_graph import EditableGraph
from ponystudio.widgets import theme


@pytest.fixture
def document(qapp) -> EditableGraph:
    return chain()


@pytest.fixture
def view(document: EditableGraph, qtbot) -> Iterator[GraphView]:
    theme.use("dark")
    view = GraphView(GraphScene(document))
    qtbot.addWidget(view)
    view.resize(1100, 700)
    view.show()
    qtbot.waitExposed(view)
    view.set_camera(Camera(QPointF(440, 200), 1.0))
    yield view
    theme.use("dark")
