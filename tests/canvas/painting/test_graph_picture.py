"""The graph as a picture."""

from __future__ import annotations

from xml.etree import ElementTree

import pytest
from PIL import Image
from PySide6.QtGui import QColor

from helpers.scenes import CATALOG, chain
from ponystudio.canvas.painting.graph_picture import LONGEST_SIDE, MOST_PIXELS, save_picture
from ponystudio.errors import UsageError
from ponystudio.graph.graph_shape import shape
from ponystudio.graph.model import Graph, Node
from ponystudio.pictures.graph_opening import open_file
from ponystudio.studio.documents.editable_graph import EditableGraph
from ponystudio.widgets import theme


@pytest.fixture
def document(qapp):
    theme.use("dark")
    return chain()


def test_a_png_shows_all_cards_and_carries_the_graph(document, tmp_path):
    path = tmp_path / "graph.png"
    save_picture(document, path)
    assert shape(open_file(path).graph, CATALOG) == shape(document.graph, CATALOG)
    picture = Image.open(path).convert("RGB")
    canvas = QColor(theme.current().color("canvas")).getRgb()[:3]
    width, height = picture.size
    corners = [(0, 0), (width - 8, 0), (0, height - 8), (width - 8, height - 8)]
    for x, y in corners:  # but for the dots of the grid
        colours = picture.crop((x, y, x + 8, y + 8)).getcolors()
        assert max(colours)[1] == canvas
    # From margin to margin something is drawn.
    box = Image.eval(picture.convert("L"), lambda value: 255 * (value > 60)).getbbox()
    assert box is not None
    assert max(box[0], box[1], width - box[2], height - box[3]) < 140


def test_an_svg_has_its_texts_as_texts(document, tmp_path):
    path = tmp_path / "graph.svg"
    save_picture(document, path, "Mine")
    root = ElementTree.fromstring(path.read_text("utf-8"))
    name = "{http://www.w3.org/2000/svg}"
    texts = {text.strip() for item in root.iter(f"{name}text") for text in item.itertext()}
    assert {"Sample", "Source", "steps"} <= texts
    assert root.find(f"{name}title").text == "Mine"


def test_a_graph_over_a_mile_wide_is_drawn_smaller(qapp, tmp_path):
    nodes = [Node(f"n{i}", "t.source") for i in range(3)]
    places = {f"n{i}": {"pos": [i * 20_000, 0]} for i in range(3)}
    graph = Graph({node.id: node for node in nodes}, view={"nodes": places})
    path = tmp_path / "wide.png"
    save_picture(EditableGraph(graph, CATALOG), path)
    with Image.open(path) as picture:
        assert max(picture.size) <= LONGEST_SIDE + 1
        assert picture.size[0] * picture.size[1] <= MOST_PIXELS * 1.01


@pytest.mark.parametrize(("name", "graph"), [("a.gif", None), ("a.png", Graph())])
def test_what_cannot_be_drawn_is_told(document, tmp_path, name, graph):
    if graph is not None:
        document = EditableGraph(graph, CATALOG)
    with pytest.raises(UsageError):
        save_picture(document, tmp_path / name)
    assert not list(tmp_path.iterdir())
