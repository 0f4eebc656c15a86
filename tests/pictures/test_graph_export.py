"""A graph as texts for other programs."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from helpers.drops import CATALOG
from ponystudio.errors import NothingToRun
from ponystudio.graph.formats import graph_file
from ponystudio.graph.generation import infotext
from ponystudio.graph.generation.generation_graph import graph_of
from ponystudio.graph.model import Graph, Link, Node
from ponystudio.pictures.graph_export import TEXT_EXPORTS
from ponystudio_resources import path as resource

GRAPH = graph_file.read(resource("graphs") / "text-to-picture.json")


@pytest.mark.parametrize("kind", TEXT_EXPORTS)
def test_the_graph_that_ships_can_be_any(kind):
    exported = TEXT_EXPORTS[kind].write(GRAPH, CATALOG, "mine", {})
    assert exported.text.endswith("\n")
    if TEXT_EXPORTS[kind].suffix == ".json":
        json.loads(exported.text)


def test_the_text_says_how_the_picture_is_made():
    hashed = Graph(GRAPH.nodes, models={"starter.safetensors": {"sha256": "ab" * 32}})
    exported = TEXT_EXPORTS["infotext"].write(hashed, CATALOG, "", {})
    params = infotext.read(exported.text)
    sampler = GRAPH.nodes["sampler"].params
    assert (params.steps, params.seed) == (sampler["steps"], sampler["seed"])
    assert params.prompt == GRAPH.nodes["positive"].params["text"]
    assert "Size: 256x256" in exported.text
    assert "Model hash: ababababab" in exported.text
    assert exported.remarks == ()


def test_the_text_says_the_hashes_by_which_sites_find_files():
    lora = {"model": Link("checkpoint", "model"), "clip": Link("checkpoint", "clip")}
    nodes = [
        Node("lora", "core.apply_lora", params={"file": "mane.safetensors"}, inputs=lora),
        Node(
            *("sampler", "core.sample", 1, GRAPH.nodes["sampler"].params),
            {**GRAPH.nodes["sampler"].inputs, "model": Link("lora", "model")},
        ),
    ]
    models = {
        "starter.safetensors": {"kind": "checkpoints", "autov2": "AB" * 5},
        "loras/mane.safetensors": {"kind": "loras", "sha256": "cd" * 32, "autov3": "ef" * 6},
        "odd": "no facts",
    }
    graph = replace(GRAPH.with_nodes(nodes), models=models)
    text = TEXT_EXPORTS["infotext"].write(graph, CATALOG, "", {}).text
    assert "Model hash: ababababab" in text
    assert "mane: efefefefefef" in text
    assert "cdcd" not in text


def test_what_has_no_words_there_is_named():
    blur = Node("blur", "core.blur_image", inputs={"image": Link("decode", "image")})
    save = GRAPH.nodes["save"]
    save = Node("save", save.type, params=save.params, inputs={"image": Link("blur", "image")})
    second = Node("second", save.type, inputs={"image": Link("decode", "image")})
    exported = TEXT_EXPORTS["infotext"].write(
        GRAPH.with_nodes([blur, save, second]), CATALOG, "", {}
    )
    assert [(remark.node, remark.text) for remark in exported.remarks] == [
        ("", "it is of the picture of save alone"),
        ("blur", "Blur image has no words there"),
    ]


def test_a_graph_without_a_picture_has_no_text():
    with pytest.raises(NothingToRun):
        TEXT_EXPORTS["infotext"].write(Graph.of(Node("n", "core.empty_latent")), CATALOG, "", {})


def test_a_script_with_a_node_that_is_not_known_says_so():
    exported = TEXT_EXPORTS["python"].write(Graph.of(Node("n", "comfyui.Strange")), CATALOG, "", {})
    assert [(remark.node, remark.text) for remark in exported.remarks] == [
        ("n", "Strange is not known here, and cannot run")
    ]


def test_the_text_of_a_graph_by_a1111s_rules_is_read_as_the_same_graph():
    line = "Steps: 9, Sampler: Euler a, CFG scale: 7, Seed: 5, Size: 512x768, Model: m, ENSD: 3"
    graph = graph_of(infotext.read(f"a pony\nNegative prompt: bad\n{line}, RNG: NV")).graph
    exported = TEXT_EXPORTS["infotext"].write(graph, CATALOG, "", {})
    assert graph_of(infotext.read(exported.text)).graph.nodes == graph.nodes
    assert exported.remarks == ()
