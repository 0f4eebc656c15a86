"""A document that files and texts are dropped on."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from PIL import Image
from PySide6.QtCore import QMimeData, QPoint, QPointF, QUrl
from PySide6.QtWidgets import QWidget

from ponystudio.app.window.drop_handler import DropHandler
from ponystudio.graph.catalog import Catalog
from ponystudio.graph.formats.picture_writer import embed
from ponystudio.library.model_folders import ModelFolders
from ponystudio.studio.documents.documents import Documents
from ponystudio_resources import path as resource

CATALOG = Catalog.from_json(json.loads(resource("catalog.json").read_text()))


class Canvas:
    def __init__(self, window: QWidget, folder: Path) -> None:
        self.models = folder / "models"
        self.models.mkdir()
        roots = [self.models, resource()]
        self.documents = Documents(folder / "data", CATALOG, lambda: ModelFolders(roots))
        self.notices = []
        self.documents.notice.connect(self.notices.append)
        self.drops = DropHandler(self.documents, window)
        self.drops.notice.connect(self.notices.append)
        self.document = self.documents.new()

    def drop(self, *paths: Path, mime: QMimeData | None = None) -> None:
        if mime is None:
            mime = QMimeData()
            mime.setUrls([QUrl.fromLocalFile(str(path)) for path in paths])
        assert self.drops.accepts(mime)
        self.drops.drop(mime, self.document, QPointF(100, 100), QPoint(50, 50))
        self.drops.wait()
        self.documents.wait()

    def choose(self, title: str) -> None:
        menu = self.drops.menu
        assert menu is not None
        assert menu.isVisible()
        next(action for action in menu.actions() if action.text() == title).trigger()
        menu.close()
        self.drops.wait()
        self.documents.wait()

    @property
    def nodes(self):
        return [(node.type, dict(node.params)) for node in self.document.graph.nodes.values()]


@pytest.fixture
def canvas(qtbot, tmp_path):
    window = QWidget()
    qtbot.addWidget(window)
    window.show()
    canvas = Canvas(window, tmp_path)
    yield canvas
    canvas.drops.stop()
    canvas.documents.shutdown()


def png(path: Path, fields: dict[str, str] | None = None) -> Path:
    embed(Image.new("RGB", (8, 8)), path, "png", fields or {})
    return path


def text(words: str) -> QMimeData:
    mime = QMimeData()
    mime.setText(words)
    return mime
