"""The graph in front, as a file for others."""

from __future__ import annotations

import json

import pytest
from PySide6.QtCore import QObject
from PySide6.QtWidgets import QWidget

from helpers.drops import CATALOG
from helpers.running import until
from ponystudio.app.window.file_dialogs import FileDialogs
from ponystudio.app.window.graph_exporter import EXPORT_ACTIONS, GraphExporter
from ponystudio.graph.formats import graph_file
from ponystudio.graph.model import Node
from ponystudio.pictures.graph_opening import open_file
from ponystudio.studio.documents.documents import Documents
from ponystudio_resources import path as resource

GRAPH = graph_file.read(resource("graphs") / "text-to-picture.json")


class Asked:
    """Stands for the dialogs: answers with a file."""

    def __init__(self, folder):
        self.folder, self.asked = folder, []

    def save_export(self, heading, title, filters, suffix, chosen):
        self.asked.append((title, suffix))
        chosen(self.folder / f"out.{suffix}")


@pytest.fixture
def exporter(qapp, tmp_path):
    documents = Documents(tmp_path / "data", CATALOG)
    (tmp_path / "out").mkdir()
    parent = QObject()
    exporter = GraphExporter(documents, Asked(tmp_path / "out"), parent)
    exporter.heard = []
    exporter.notice.connect(exporter.heard.append)
    exporter.documents, exporter.folder = documents, tmp_path / "out"
    yield exporter
    exporter.close()
    documents.shutdown()


def test_without_a_document_nothing_is_asked(exporter):
    exporter.export("comfyui")
    assert exporter._dialogs.asked == []
    assert not any(spec.enabled() for spec in exporter.actions())


def test_a_workflow_is_written_and_what_it_cannot_say_is_told(exporter):
    edge = Node("edge", "core.pad_image", params={"fill": "edge"})
    exporter.documents.new_from(GRAPH.with_nodes([edge]), "Mine")
    exporter.export("comfyui")
    until(lambda: exporter.heard)
    (notice,) = exporter.heard
    assert notice.title == "out.json was written"
    assert notice.kind == "warn"
    assert any("edge: fill 'edge' is 'grey' there" in row[1] for row in notice.rows)
    assert exporter._dialogs.asked == [("Mine comfyui", "json")]
    document = json.loads((exporter.folder / "out.json").read_text("utf-8"))
    assert document["extra"]["ponystudio"]["nodes"].keys() == {*GRAPH.nodes, "edge"}


def test_a_picture_is_what_the_canvas_shows(exporter):
    exporter.documents.new_from(GRAPH, "Mine")
    exporter.export("picture")
    until(lambda: exporter.heard)
    assert exporter.heard[0].kind == "ok"
    assert open_file(exporter.folder / "out.png").graph.nodes.keys() == GRAPH.nodes.keys()


def test_what_cannot_be_written_is_told(exporter):
    exporter.documents.new()
    exporter.export("infotext")
    until(lambda: exporter.heard)
    assert exporter.heard[0].title == "out.txt was not written"
    assert not list(exporter.folder.iterdir())


def test_the_dialog_asks_for_the_right_end(exporter, qtbot, tmp_path):
    window = QWidget()
    qtbot.addWidget(window)
    dialogs = FileDialogs(exporter.documents, window)
    chosen = []
    dialogs.save_export("Export", "A/b", ["Python script (*.py)"], "py", chosen.append)
    dialog = dialogs.dialog
    assert dialog.defaultSuffix() == "py"
    assert dialog.selectedFiles()[0].endswith("A b.py")
    dialog.reject()
    assert chosen == []


def test_every_kind_is_a_command_and_in_the_menu(window):
    titles = {id: window.actions_.spec(id).title for id in EXPORT_ACTIONS}
    assert len(set(titles.values())) == len(EXPORT_ACTIONS) == 5
