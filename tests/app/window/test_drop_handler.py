"""Drops on the canvas, from the mime data to the edit."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtCore import QMimeData, QPointF, QUrl
from PySide6.QtGui import QImage

from helpers import hostile_pictures
from helpers.drops import png, text
from helpers.graphs import picture
from ponystudio.graph.formats import clipboard, graph_file
from ponystudio.graph.formats.embedded_metadata import GRAPH
from ponystudio_resources import path as resource


def test_several_pictures_are_several_inputs(canvas, tmp_path):
    canvas.drop(png(tmp_path / "a.png"), png(tmp_path / "b.png", {GRAPH: "{}"}))
    assert [type for type, _ in canvas.nodes] == ["core.load_image"]
    assert [notice.title for notice in canvas.notices] == ["b.png cannot be opened"]


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


def test_a_picture_that_another_program_gives_is_decoded_by_the_reader(canvas, tmp_path):
    """What says that it is a PNG is one, or is refused; nothing else is tried on it."""
    mime = QMimeData()
    mime.setUrls([QUrl("https://example.org/pony.png")])
    mime.setData("image/png", hostile_pictures.SVG % b'<image href="/dev/zero"/>')
    canvas.drop(mime=mime)
    assert canvas.nodes == []
    assert "SVG drawing" in canvas.notices[0].text
    mime.setData("image/png", png(tmp_path / "a.png").read_bytes())
    canvas.drop(mime=mime)
    [(type, params)] = canvas.nodes
    assert type == "core.load_image"
    kept = canvas.models / "input" / params["file"]
    assert kept.read_bytes().startswith(b"\x89PNG")


def test_what_lies_elsewhere_is_not_touched(canvas):
    mime = QMimeData()
    mime.setUrls([QUrl("https://example.org/pony.png")])
    canvas.drop(mime=mime)
    canvas.drop(Path("//host/share/pony.png"))
    assert [notice.text for notice in canvas.notices] == [
        "It lies on the web. Save it first, then drop it.",
        "It lies on another machine. Copy it to this one and drop it from there.",
    ]
