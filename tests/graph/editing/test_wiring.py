"""What fits, why not, and the wires most likely meant."""

import json
from pathlib import Path

import pytest

from ponystudio.graph.catalog import Catalog
from ponystudio.graph.editing import wiring
from ponystudio.graph.editing.edits import Compound, SetView
from ponystudio.graph.editing.wiring import Pair
from ponystudio.graph.formats.graph_file import read
from ponystudio.graph.model import Graph, Link, Node
from ponystudio_resources import path

CATALOG = Catalog.from_json(json.loads(Path(path("catalog.json")).read_text(encoding="utf-8")))


@pytest.fixture
def graph():
    return read(Path(path("graphs")) / "text-to-picture.json")


def done(graph, edits):
    return Compound(tuple(edits)).apply(graph)[0]


def add(graph, id, type):
    return graph.with_nodes([Node(id, type)])


def test_equal_types_fit(graph):
    assert wiring.fit(graph, CATALOG, "checkpoint", "clip", "positive", "clip").ok


def test_a_refusal_says_why_and_names_the_node_that_helps(graph):
    graph = add(add(graph, "again", "core.sample"), "photo", "core.load_image")
    fit = wiring.fit(graph, CATALOG, "photo", "image", "again", "latent")
    assert (fit.ok, fit.reason) == (False, "Latent does not take Image")
    assert fit.bridge
    assert fit.bridge.spec.id == "core.encode_image"
    assert fit.remedy == f"Put {fit.bridge.spec.title} between"


def test_a_circle_is_refused_in_words(graph):
    fit = wiring.fit(graph, CATALOG, "sampler", "latent", "latent", "width")
    assert not fit.ok
    assert "circle" in fit.reason
    assert not wiring.fit(graph, CATALOG, "save", "x", "save", "image").ok


def test_params_take_wires_and_whole_numbers_feed_fractions(graph):
    graph = add(graph, "mask", "core.mask_from_image")
    assert wiring.spec_input_type(CATALOG["core.sample"], "seed") == "int"
    assert not wiring.fit(graph, CATALOG, "mask", "mask", "sampler", "steps").ok


@pytest.mark.parametrize(
    ("given", "taken", "by"),
    [
        ("image", "latent", "core.encode_image"),
        ("latent", "image", "core.decode_latent"),
        ("clip", "conditioning", "core.encode_prompt"),
        ("clip", "model", None),
        ("vae", "image", None),
        ("image", "any", None),
    ],
)
def test_only_conversions_are_bridges(given, taken, by):
    found = wiring.bridge(CATALOG, given, taken)
    assert (found.spec.id if found else None) == by


def test_unknown_nodes_take_anything(graph):
    graph = add(graph, "alien", "gone.node")
    assert wiring.fit(graph, CATALOG, "decode", "image", "alien", "whatever").ok
    assert wiring.outputs(graph, CATALOG, "alien") == []


def test_the_best_pair_fills_what_is_needed_and_free(graph):
    graph = add(graph, "again", "core.sample")
    assert wiring.best_pair(graph, CATALOG, "positive", "again") == Pair(
        "positive", "conditioning", "again", "positive"
    )
    linked = graph.nodes["again"].inputs | {"positive": Link("positive", "conditioning")}
    graph = graph.with_nodes([Node("again", "core.sample", inputs=linked)])
    assert wiring.best_pair(graph, CATALOG, "negative", "again").input == "negative"
    assert wiring.best_pair(graph, CATALOG, "again", "positive") is None
    assert wiring.best_pair(graph, CATALOG, "save", "positive") is None


def test_params_are_best_only_when_shown_as_sockets_or_asked_for():
    graph = Graph.of(Node("a", "core.load_image"), Node("b", "core.scale_image"))
    assert wiring.best_input(graph, CATALOG, "a", "image", "b").input == "image"
    graph = done(graph, wiring.show_socket(graph, "b", "width"))
    assert graph.view["nodes"]["b"]["sockets"] == ["width"]
    assert wiring.show_socket(graph, "b", "width") == []
    graph = done(graph, wiring.hide_socket(graph, "b", "width"))
    assert "sockets" not in graph.view["nodes"]["b"]


def test_a_wire_takes_the_place_of_another_and_of_its_dots(graph):
    wire = ("save", "image")
    graph = done(graph, wiring.set_dots(graph, wire, [(8, 8), (80, 8)]))
    graph = done(graph, wiring.with_dot(graph, wire, 1, (40, 0)))
    assert wiring.dots(graph, wire) == [[8, 8], [40, 0], [80, 8]]
    graph = done(graph, wiring.without_dot(graph, wire, 0))
    assert wiring.dots(graph, wire) == [[40, 0], [80, 8]]
    graph = add(graph, "photo", "core.load_image")
    after = done(graph, wiring.connect(graph, Pair("photo", "image", *wire)))
    assert after.nodes["save"].inputs["image"] == Link("photo", "image")
    assert "dots" not in after.view["nodes"]["save"]
    assert wiring.connect(after, Pair("photo", "image", *wire)) == []


def test_disconnecting_takes_the_dots_and_passes_over_what_is_gone(graph):
    graph = done(graph, wiring.set_dots(graph, ("save", "image"), [(8, 8)]))
    edits = wiring.disconnect(graph, [("save", "image"), ("save", "image"), ("nobody", "x")])
    after = done(graph, edits)
    assert after.nodes["save"].inputs == {}
    assert "dots" not in after.view["nodes"]["save"]


def test_looks_of_any_shape_are_borne(graph):
    broken = SetView(("nodes", "save", "dots"), [1]).apply(graph)[0]
    assert wiring.dots(broken, ("save", "image")) == []
    assert wiring.disconnect(broken, [("save", "image")])


@pytest.mark.parametrize(
    ("type", "title"),
    [("latent", "Latent"), ("bool", "Yes / no"), ("image[]", "Image list"), ("int", "Integer")],
)
def test_types_have_titles(type, title):
    assert wiring.type_title(type) == title
