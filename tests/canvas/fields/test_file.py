"""Files on cards: what they are, chosen from a list, dropped, refused with a reason."""

import json

import pytest
from PySide6.QtCore import QMimeData, QPointF, Qt, QUrl
from PySide6.QtGui import QDragEnterEvent, QDropEvent
from PySide6.QtWidgets import QApplication

import ponystudio_resources
from helpers.lora_files import write_lora, write_loras
from ponystudio.canvas.fields.file import loras_behind
from ponystudio.graph.catalog import Catalog
from ponystudio.graph.editing.edits import Disconnect, SetMode, SetParam
from ponystudio.graph.model import Graph, Link, Node
from ponystudio.studio.documents.editable_graph import EditableGraph


@pytest.fixture
def loras(models):
    return write_loras(models)


def drop_event(kind, studio, at, path):
    mime = QMimeData()
    mime.setUrls([QUrl.fromLocalFile(str(path))])
    copy, left = Qt.DropAction.CopyAction, Qt.MouseButton.LeftButton
    none = Qt.KeyboardModifier.NoModifier
    place = at if kind is QDragEnterEvent else QPointF(at)
    event = kind(place, copy, mime, left, none)
    event.setAccepted(False)
    QApplication.sendEvent(studio.view.viewport(), event)
    return event.isAccepted()


def test_a_file_dropped_on_the_field_is_its_value(studio, loras, tmp_path):
    at = studio.at("file", 0.5, 22)
    inside = loras / "styles" / "film.safetensors"
    assert drop_event(QDragEnterEvent, studio, at, inside)
    assert drop_event(QDropEvent, studio, at, inside)
    assert studio.value("file") == "styles/film.safetensors"
    outside = tmp_path / "mine.safetensors"
    write_lora(outside)
    assert drop_event(QDragEnterEvent, studio, at, outside)
    assert drop_event(QDropEvent, studio, at, outside)
    assert studio.value("file") == outside.as_posix()
    assert not drop_event(QDragEnterEvent, studio, at, tmp_path / "cat.txt")


def test_trouble_is_shown_on_the_field(studio, loras, qtbot):
    studio.document.do(SetParam("a", "file", "gone.safetensors"), "Set")
    spec = studio.document.spec("a").param_by_name["file"]
    field = studio.scene.sync.field(spec)

    def trouble():
        return field.trouble(studio.host.context("a", spec))

    qtbot.waitUntil(lambda: trouble() == "Not found")
    studio.view.grab()
    assert "gone" in field.tooltip(studio.host.context("a", spec))


@pytest.fixture
def document(qapp):
    path = ponystudio_resources.path("catalog.json")

    def node(id, type, clip="", **params):
        inputs = {"clip": Link(clip, "clip")} if clip else {}
        return Node(id, f"core.{type}", params=params, inputs=inputs)

    rows = [{"on": on, "file": name} for on, name in ((True, "b.pt"), (False, "c.pt"), (True, ""))]
    return EditableGraph(
        Graph.of(
            node("checkpoint", "load_checkpoint", file="m.safetensors"),
            node("one", "apply_lora", "checkpoint", file="a.pt"),
            node("stack", "apply_loras", "one", loras=[*rows, {"on": True, "file": "a.pt"}]),
            node("beside", "apply_lora", "checkpoint", file="d.pt"),
            node("prompt", "encode_prompt", "stack", text="a pony"),
        ),
        Catalog.from_json(json.loads(path.read_text("utf-8"))),
    )


def test_those_on_the_way_of_its_clip(document):
    assert loras_behind(document, "prompt") == ("b.pt", "a.pt")
    assert loras_behind(document, "beside") == ("d.pt",)
    assert loras_behind(document, "checkpoint") == ()


def test_what_is_bypassed_brings_nothing_but_passes_on(document):
    document.do(SetMode("stack", "bypassed"), "Bypass")
    assert loras_behind(document, "prompt") == ("a.pt",)
    document.do(Disconnect("prompt", "clip"), "Disconnect")
    assert loras_behind(document, "prompt") == ()


@pytest.mark.parametrize("odd", [None, 1, "x", [1], [{"file": 2}], [{}]])
def test_odd_values_are_passed_over(document, odd):
    document.do(SetParam("stack", "loras", odd), "Set")
    document.do(SetParam("one", "file", odd), "Set")
    assert loras_behind(document, "prompt") == (("x",) if odd == "x" else ())
