"""Drops on the canvas: what a file, a picture, a model or a text becomes."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from PIL import Image
from PySide6.QtCore import QMimeData, QPoint, QPointF, QUrl
from PySide6.QtGui import QImage
from PySide6.QtWidgets import QWidget

from helpers.graphs import picture
from ponystudio.app.window.drop_contents import is_material
from ponystudio.app.window.drop_handler import DropHandler
from ponystudio.graph.catalog import Catalog
from ponystudio.graph.formats import clipboard
from ponystudio.graph.formats import graph_file as graph_file
from ponystudio.graph.formats.embedded_metadata import GRAPH, embed
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


def test_a_graph_opens_in_a_tab_or_joins_this_one(canvas, tmp_path):
    file = tmp_path / "mine.json"
    graph_file.write(picture(), file)
    canvas.drop(file)
    titles = [action.text() for action in canvas.drops.menu.actions()]
    assert titles == ["Open its graph", "Add its nodes here"]
    canvas.choose("Add its nodes here")
    assert set(canvas.document.graph.nodes) == set(picture().nodes)
    assert canvas.document.undo_count == 1
    canvas.drop(file)
    canvas.choose("Open its graph")
    assert canvas.documents.current.path == file


def test_a_picture_with_a_graph_opens_or_is_an_input(canvas, tmp_path):
    file = png(tmp_path / "made.png", {GRAPH: graph_file.dumps(picture())})
    canvas.drop(file)
    canvas.choose("Use as input")
    assert canvas.nodes == [("core.load_image", {"file": file.as_posix()})]
    assert canvas.document.graph.view["nodes"]["image"]["pos"] == [80, 80]
    canvas.drop(file)
    canvas.choose("Open its graph")
    assert canvas.documents.current.title == "made"


def test_a_picture_without_a_graph_is_an_input(canvas):
    (canvas.models / "input").mkdir()
    canvas.drop(png(canvas.models / "input" / "cat.png"))
    assert canvas.nodes == [("core.load_image", {"file": "cat.png"})]


def test_several_pictures_are_several_inputs(canvas, tmp_path):
    canvas.drop(png(tmp_path / "a.png"), png(tmp_path / "b.png", {GRAPH: "{}"}))
    assert [type for type, _ in canvas.nodes] == ["core.load_image"]
    assert [notice.title for notice in canvas.notices] == ["b.png cannot be opened"]


def test_a_model_gets_the_node_that_loads_it(canvas):
    canvas.drop(resource("models", "upscale_models", "realesrgan-x4plus-anime.safetensors"))
    assert canvas.nodes == [("core.load_upscaler", {"file": "realesrgan-x4plus-anime.safetensors"})]


def test_files_that_are_named_are_taken_without_questions(canvas, tmp_path):
    made = png(tmp_path / "made.png", {GRAPH: graph_file.dumps(picture())})
    upscaler = resource("models", "upscale_models", "realesrgan-x4plus-anime.safetensors")
    added = []
    canvas.drops.added.connect(lambda _document, nodes: added.extend(nodes))
    canvas.drops.take([upscaler, upscaler, made], canvas.document, QPointF(100, 100))
    canvas.drops.wait()
    canvas.documents.wait()
    assert [type for type, _ in canvas.nodes] == ["core.load_upscaler"] * 2
    assert added == list(canvas.document.graph.nodes)
    places = [look["pos"] for look in canvas.document.graph.view["nodes"].values()]
    assert places[0] != places[1]
    assert canvas.documents.current.title == "made"
    canvas.document.undo()
    assert len(canvas.nodes) == 1


def test_one_on_top_of_another_steps_aside(canvas):
    upscaler = resource("models", "upscale_models", "realesrgan-x4plus-anime.safetensors")
    canvas.drop(upscaler)
    canvas.drop(upscaler)
    places = [look["pos"] for look in canvas.document.graph.view["nodes"].values()]
    assert places == [[80, 80], [112, 112]]


def test_what_is_material_is_told_by_its_name(tmp_path):
    told = {name: is_material(tmp_path / name) for name in ("a.SFT", "b.png", "c.latent", "d.json")}
    assert told == {"a.SFT": True, "b.png": True, "c.latent": True, "d.json": False}
    assert is_material(tmp_path)


def test_what_is_no_model_is_refused_in_words(canvas, tmp_path):
    file = tmp_path / "x.safetensors"
    file.write_bytes(b"nothing")
    canvas.drop(file)
    assert canvas.nodes == []
    assert canvas.notices[0].title == "x.safetensors cannot be used here"
    assert canvas.notices[0].text


def test_a_folder_is_one_of_models(canvas, tmp_path):
    folder = tmp_path / "ComfyUI"
    folder.mkdir()
    (folder / "extra_model_paths.yaml").write_text("")
    told = []
    canvas.drops.folder_dropped.connect(told.append)
    canvas.drop(folder)
    canvas.drop(folder / "extra_model_paths.yaml")
    assert told == [folder, folder]


def test_another_tool_s_workflow_is_named(canvas, tmp_path):
    file = tmp_path / "workflow.json"
    file.write_text('{"last_node_id": 3, "nodes": []}')
    canvas.drop(file)
    assert "ComfyUI workflow" in canvas.notices[0].text


def test_words_become_a_prompt_or_a_note(canvas):
    canvas.drop(mime=text("a pony, (sky:1.2)\n"))
    canvas.choose("Add Prompt")
    [(type, params)] = canvas.nodes
    assert (type, params["text"]) == ("core.encode_prompt", "a pony, (sky:1.2)")
    canvas.drop(mime=text("remember"))
    canvas.choose("Add as a note")
    [note] = canvas.document.graph.view["notes"]
    assert note["text"] == "remember"


def test_nodes_as_text_are_pasted(canvas):
    canvas.drop(mime=text(clipboard.dumps(picture())))
    assert set(canvas.document.graph.nodes) == set(picture().nodes)


def test_a_picture_without_a_file_gets_one(canvas):
    mime = QMimeData()
    mime.setUrls([QUrl("https://example.org/pony.png")])
    mime.setImageData(QImage(4, 4, QImage.Format.Format_RGB32))
    canvas.drop(mime=mime)
    [(type, params)] = canvas.nodes
    assert type == "core.load_image"
    assert (canvas.models / "input" / params["file"]).is_file()


def test_what_lies_elsewhere_is_not_touched(canvas):
    mime = QMimeData()
    mime.setUrls([QUrl("https://example.org/pony.png")])
    canvas.drop(mime=mime)
    canvas.drop(Path("//host/share/pony.png"))
    assert [notice.text for notice in canvas.notices] == [
        "It lies on the web. Save it first, then drop it.",
        "It lies on another machine. Copy it to this one and drop it from there.",
    ]
