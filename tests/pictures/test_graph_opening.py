"""Graphs out of files of ours and of ComfyUI's, by themselves and in pictures."""

from __future__ import annotations

import json

import pytest
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from ponystudio.errors import GraphFileError
from ponystudio.graph.formats import graph_file
from ponystudio.graph.model import Graph, Node
from ponystudio.pictures.graph_opening import carries_graph, open_file

PROMPT = {"5": {"class_type": "EmptyLatentImage", "inputs": {"width": 512, "height": 768}}}
WORKFLOW = {
    "nodes": [
        {"id": 5, "type": "EmptyLatentImage", "pos": [10, 20], "widgets_values": [512, 512, 1]}
    ],
    "links": [],
}


def png(path, **texts):
    info = PngInfo()
    for name, text in texts.items():
        info.add_text(name, text)
    Image.new("RGB", (8, 8)).save(path, pnginfo=info)
    return path


def test_a_graph_of_ours_is_its_own_file(tmp_path):
    graph = Graph.of(Node("a", "core.empty_latent"))
    graph_file.write(graph, tmp_path / "graph.json")
    opened = open_file(tmp_path / "graph.json")
    assert (opened.graph, opened.own, opened.imported) == (graph, True, None)


@pytest.mark.parametrize("document", [PROMPT, WORKFLOW], ids=["api", "workflow"])
def test_a_graph_of_comfyuis_is_translated(tmp_path, document):
    path = tmp_path / "theirs.json"
    # As Python writes what is no number.
    text = json.dumps({**document, "extra": {"x": float("nan")}})
    path.write_text(text)
    opened = open_file(path)
    assert not opened.own
    assert opened.imported.mapped == 1
    assert opened.graph.nodes["empty_latent_5"].params["width"] == 512


def test_of_a_picture_the_layout_is_the_workflows_and_the_values_what_ran(tmp_path):
    path = png(tmp_path / "a.png", workflow=json.dumps(WORKFLOW), prompt=json.dumps(PROMPT))
    assert carries_graph(path)
    opened = open_file(path)
    node = opened.graph.nodes["empty_latent_5"]
    assert node.params == {"width": 512, "height": 768, "batch": 1}
    assert opened.graph.view["nodes"]["empty_latent_5"] == {"pos": [8, -8]}
    (remark,) = opened.imported.remarks
    assert (remark.node, remark.text) == ("empty_latent_5", "height was 768 when it ran")


def test_each_is_told_by_what_it_is_and_a_damaged_layout_costs_the_layout_alone(tmp_path):
    swapped = png(tmp_path / "a.png", workflow=json.dumps(PROMPT), prompt=json.dumps(WORKFLOW))
    assert open_file(swapped).graph.nodes["empty_latent_5"].params["height"] == 768
    damaged = {"nodes": [{"id": 1}], "links": []}
    path = png(tmp_path / "b.png", workflow=json.dumps(damaged), prompt=json.dumps(PROMPT))
    opened = open_file(path)
    assert list(opened.graph.nodes) == ["empty_latent_5"]
    assert "layout cannot be read" in opened.imported.remarks[0].text


def test_what_ran_has_names_that_the_layout_lacks(tmp_path):
    drawn = {"nodes": [{"id": 5, "type": "Strange", "widgets_values": [1, 2]}], "links": []}
    ran = {"5": {"class_type": "Strange", "inputs": {"strength": 1, "seed": 2}}}
    path = png(tmp_path / "a.png", workflow=json.dumps(drawn), prompt=json.dumps(ran))
    assert open_file(path).graph.nodes["Strange_5"].params == {"strength": 1, "seed": 2}


def test_a_picture_with_one_of_the_two(tmp_path):
    for name, document in (("workflow", WORKFLOW), ("prompt", PROMPT)):
        path = png(tmp_path / f"{name}.png", **{name: json.dumps(document)})
        assert list(open_file(path).graph.nodes) == ["empty_latent_5"]


def test_our_graph_in_a_picture_comes_first(tmp_path):
    graph = Graph.of(Node("a", "core.empty_latent"))
    path = png(
        tmp_path / "a.png",
        **{"ponystudio.graph": graph_file.dumps(graph), "workflow": json.dumps(WORKFLOW)},
    )
    assert open_file(path).graph == graph


@pytest.mark.parametrize(
    "text", ["", "{}", "[1, 2]", "words", '{"nodes": 3}', '{"format": "ponystudio.graph"}']
)
def test_what_is_no_graph_says_so_plainly(tmp_path, text):
    path = tmp_path / "none.json"
    path.write_text(text)
    with pytest.raises(GraphFileError):
        open_file(path)


def test_pictures_without_a_graph(tmp_path):
    for fields in ({}, {"prompt": "a pony"}, {"parameters": "a pony\nSteps: 20"}):
        path = png(tmp_path / "a.png", **fields)
        assert not carries_graph(path)
        with pytest.raises(GraphFileError, match="does not say how it was made"):
            open_file(path)


def test_a_damaged_graph_of_comfyuis_names_its_file_and_place(tmp_path):
    path = tmp_path / "theirs.json"
    path.write_text(json.dumps({"nodes": [{"id": 1}], "links": []}))
    with pytest.raises(GraphFileError, match="no id or no type") as error:
        open_file(path)
    assert error.value.where == f"{path}: nodes"
