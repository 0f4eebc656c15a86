"""A small scene."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from helpers.scenes import chain
from ponystudio.canvas.scene.scene import GraphScene
from ponystudio.studio.documents.editable_graph import EditableGraph


@pytest.fixture
def document(qapp) -> EditableGraph:
    return chain()


@pytest.fixture
def scene(document: EditableGraph) -> Iterator[GraphScene]:
    return GraphScene(document)
