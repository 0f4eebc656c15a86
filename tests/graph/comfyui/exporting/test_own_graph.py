"""Workflows that carry the graph that they were written from."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from helpers.drops import CATALOG
from ponystudio.graph.comfyui.exporting.exporter import export_workflow
from ponystudio.graph.comfyui.exporting.own_graph import restored
from ponystudio.graph.comfyui.importer import import_document
from ponystudio.graph.formats import graph_file
from ponystudio.pictures.graph_opening import import_text
from ponystudio_resources import path as resource

GRAPHS = sorted(resource("graphs").glob("*.json"))


def written(path):
    graph = graph_file.read(path)
    return graph, json.loads(json.dumps(export_workflow(graph, CATALOG).document))


@pytest.mark.parametrize("path", GRAPHS, ids=lambda path: path.stem)
def test_a_graph_that_went_there_and_was_not_changed_comes_back_as_it_was(path):
    graph, document = written(path)
    back = import_text(json.dumps(document))
    assert (back.graph, back.remarks, back.placeholders) == (graph, (), {})


@pytest.mark.parametrize("family", ["flux", "sdxl"])
def test_what_was_known_of_its_models_changes_nothing(family):
    graph = graph_file.read(resource("graphs") / "text-to-picture.json")
    sampler = graph.nodes["sampler"]
    sampler = replace(sampler, params={**sampler.params, "scheduler": "auto"})
    graph = graph.with_nodes([sampler])
    families = {"starter.safetensors": family}
    document = json.loads(json.dumps(export_workflow(graph, CATALOG, families).document))
    assert restored(import_document(document), document).graph == graph


def test_what_only_the_editor_says_changes_nothing():
    graph, document = written(GRAPHS[0])
    document["extra"]["ds"] = {"scale": 0.5, "offset": [10, 20]}
    document["revision"] = 7
    for node in document["nodes"]:
        node["size"], node["color"], node["order"] = [1, 2], "#332922", 0
    assert restored(import_document(document), document).graph == graph


def test_numbers_as_javascript_writes_them_are_the_same():
    graph, document = written(resource("graphs") / "text-to-picture.json")
    again = json.loads(json.dumps(document).replace(".0,", ",").replace(".0}", "}"))
    assert json.dumps(again) != json.dumps(document)
    again["extra"]["ponystudio"] = document["extra"]["ponystudio"]
    assert restored(import_document(again), again).graph == graph


@pytest.mark.parametrize("change", ["value", "wire", "node", "mode"])
def test_what_was_changed_there_counts(change):
    graph, document = written(resource("graphs") / "text-to-picture.json")
    (sampler,) = [node for node in document["nodes"] if node["type"] == "KSampler"]
    if change == "value":
        place = sampler["widgets_values"].index(graph.nodes["sampler"].params["steps"])
        sampler["widgets_values"][place] = 3
        sampler["widgets_values_named"]["steps"] = 3
    elif change == "wire":
        sampler["inputs"][0]["link"] = None
    elif change == "mode":
        sampler["mode"] = 2
    else:
        document["nodes"] = [node for node in document["nodes"] if node["type"] != "SaveImage"]
    back = restored(import_document(document), document)
    assert back.graph != graph
    assert "it was changed since PonyStudio wrote it" in back.remarks[-1].text
    if change == "value":
        (sample,) = [n for n in back.graph.nodes.values() if n.type == "core.sample"]
        assert sample.params["steps"] == 3


@pytest.mark.parametrize("own", [{}, {"format": "ponystudio.graph", "version": 99}, [], None, 7])
def test_a_graph_in_it_that_cannot_be_read_does_no_harm(own):
    _, document = written(resource("graphs") / "text-to-picture.json")
    document["extra"]["ponystudio"] = own
    imported = import_document(document)
    back = restored(imported, document)
    assert back.graph == imported.graph
    assert bool(back.remarks != imported.remarks) == isinstance(own, dict)
