"""What cards and the list of problems offer for models that are not there by their names."""

from __future__ import annotations

import pytest
from PySide6.QtCore import Qt
from PySide6.QtGui import QDesktopServices
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QPushButton

from helpers import checkpoints
from helpers.running import until
from helpers.studio import text_to_picture
from helpers.window import open_window, show_graph
from ponystudio.canvas.view.camera_view import Camera
from ponystudio.graph.editing.edits import AddNode, SetModels, SetParam
from ponystudio.graph.model import Graph, Node
from ponystudio.library.formats.content_id import hashes
from ponystudio.widgets.primitives import PaintedButton

GONE = "gone.safetensors"
PAGE = "https://example.org/models/7"


@pytest.fixture
def library(tmp_path):
    folder = tmp_path / "models"
    (folder / "checkpoints" / "ponies").mkdir(parents=True)
    checkpoints.micro(folder / "checkpoints" / "ponies" / "mane.safetensors")
    (folder / "loras").mkdir()
    checkpoints.micro_lora(folder / "loras" / "tail.safetensors")
    return folder


@pytest.fixture
def studio(home, library):
    with open_window(model_folders=[str(library)]) as window:
        yield window


def graph_of(file: str, **facts: str) -> Graph:
    """Text to picture, with a second loader of the same model, which the graph knows so."""
    graph = SetParam("checkpoint", "file", file).apply(text_to_picture())[0]
    graph = AddNode(Node("other", "core.load_checkpoint", params={"file": file})).apply(graph)[0]
    known = {file: {"kind": "checkpoints", **facts}} if facts else {}
    return SetModels(known).apply(graph)[0]


def press(window, node, name):
    """A button of what hangs below a card."""
    view = window.page.view
    item = window.page.scene.store.node_items[node]
    button = next(button for button in item.message.buttons if button.name == name)
    view.jump(Camera(item.message.rect.center(), 1.0))
    at = view.from_scene(item.message.rect.topLeft() + button.rect.center()).toPoint()
    assert view.viewport().rect().contains(at)
    QTest.mouseClick(view.viewport(), Qt.MouseButton.LeftButton, pos=at)


def offered(window, node="checkpoint"):
    states = window.documents.current.states
    until(lambda: states[node].offer)
    return states[node].offer


def files(window):
    nodes = window.documents.current.graph.nodes
    return [nodes[id].params["file"] for id in ("checkpoint", "other")]


def test_the_same_file_is_taken_wherever_the_graph_names_it_by_one_press_and_one_undo(
    studio, library
):
    sha256 = hashes(library / "checkpoints" / "ponies" / "mane.safetensors")["sha256"]
    show_graph(studio, graph_of(GONE, sha256=sha256), "Missing")
    document = studio.documents.current
    before = document.graph
    offer = offered(studio)
    assert offer.button == "Use the same file"
    assert "ponies/mane.safetensors" in offer.text
    press(studio, "checkpoint", "accept")
    assert files(studio) == ["ponies/mane.safetensors"] * 2
    assert document.states["other"].offer is None
    until(lambda: not document.states["checkpoint"].faults)
    assert document.states["checkpoint"].offer is None
    document.undo()
    assert document.graph == before


def test_the_list_of_problems_offers_it_too_and_all_at_once(studio, library):
    graph = graph_of(GONE, sha256=hashes(library / "checkpoints/ponies/mane.safetensors")["sha256"])
    lora = {"on": True, "file": "gone_too.safetensors", "strength": 1.0}
    node = Node("loras", "core.apply_loras", params={"loras": [lora]})
    graph = AddNode(node).apply(graph)[0]
    said = {"kind": "loras", "autov3": hashes(library / "loras" / "tail.safetensors")["autov3"]}
    graph = SetModels({**graph.models, "gone_too.safetensors": said}).apply(graph)[0]
    show_graph(studio, graph, "Missing")
    for id in ("checkpoint", "loras"):
        offered(studio, id)

    def all_of_them():
        buttons = studio.inspector.findChildren(PaintedButton)
        return [b for b in buttons if b.text() == "Use what was found (2)"]

    until(all_of_them)
    until(lambda: "Open the folder" in texts_of_buttons(studio))
    assert "Use the same file" in texts_of_buttons(studio)
    all_of_them()[0].click()
    assert files(studio) == ["ponies/mane.safetensors"] * 2
    nodes = studio.documents.current.graph.nodes
    assert nodes["loras"].params["loras"][0]["file"] == "tail.safetensors"
    studio.documents.current.undo()
    assert studio.documents.current.graph == graph


def texts_of_buttons(window):
    return [button.text() for button in window.inspector.findChildren(QPushButton)]


def test_a_file_of_the_right_name_and_another_hash_is_told_on_its_card(studio, library):
    checkpoints.micro(library / "checkpoints" / GONE, seed=5)
    meant = hashes(library / "checkpoints" / "ponies" / "mane.safetensors")["autov2"]
    show_graph(studio, graph_of(GONE, autov2=meant), "Another")
    offer = offered(studio)
    assert offer.title == "gone is another file"
    assert meant in offer.text
    press(studio, "checkpoint", "dismiss")
    assert files(studio) == [GONE] * 2
    assert studio.documents.current.states["checkpoint"].offer is None


def test_a_page_is_opened_by_a_press_alone(studio, monkeypatch):
    opened = []
    monkeypatch.setattr(QDesktopServices, "openUrl", lambda url: opened.append(url.toString()))
    show_graph(studio, graph_of(GONE, sha256="ab" * 32, url=PAGE), "Nowhere")
    offer = offered(studio)
    assert offer.button == "Open example.org"
    assert PAGE in offer.text
    assert opened == []
    press(studio, "checkpoint", "accept")
    assert opened == [PAGE]
    assert files(studio) == [GONE] * 2


def test_what_is_no_page_of_the_web_is_never_offered(studio):
    urls = {"a": "file:///etc/passwd", "b": "javascript:alert(1)", "c": "https://", "d": PAGE}
    nodes = [Node(id, "core.load_checkpoint", params={"file": f"{id}.ckpt"}) for id in urls]
    known = {f"{id}.ckpt": {"kind": "checkpoints", "url": url} for id, url in urls.items()}
    show_graph(studio, SetModels(known).apply(Graph.of(*nodes))[0], "Nowhere")
    offered(studio, "d")
    assert [studio.documents.current.states[id].offer for id in "abc"] == [None] * 3
