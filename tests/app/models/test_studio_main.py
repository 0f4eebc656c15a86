"""How the studio starts."""

from __future__ import annotations

from helpers.running import until
from helpers.studio import text_to_picture
from helpers.window import open_window
from ponystudio.graph.formats import graph_file


def test_the_studio_starts_with_a_model(home):
    mine = next((home / "data/models/upscale_models").glob("mine*"))
    with open_window([mine]) as window:
        until(lambda: window.documents.current.graph.nodes, 5)
        (node,) = window.documents.current.graph.nodes.values()
        assert node.params["file"] == mine.name
    with open_window([home / "data/models/loras/ink.safetensors"]) as window:
        until(lambda: len(window.documents.current.graph.nodes) == 2, 5)
        assert len(window.documents) == 1  # it came to what was open last


def test_files_by_name_open_or_get_their_loaders(window, page, home, tmp_path):
    """As from the command line, or from a second start."""
    notices = []
    window.drop_handler.notice.connect(notices.append)
    graph = tmp_path / "mine.json"
    graph_file.write(text_to_picture(), graph)
    document = window.documents.current
    models = home / "data/models"
    mine = next((models / "upscale_models").glob("mine*"))
    window.canvas_requests.open_files([mine, models / "loras/broken.safetensors"])
    window.drop_handler.wait()
    assert [node.type for node in document.graph.nodes.values()] == ["core.load_upscaler"]
    assert [notice.title for notice in notices] == ["broken.safetensors cannot be used here"]
    window.canvas_requests.open_files([graph])
    window.documents.wait()
    assert window.documents.current.path == graph
