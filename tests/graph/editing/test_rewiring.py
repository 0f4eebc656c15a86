"""Nodes put in, taken out and exchanged."""

import json
from pathlib import Path

import pytest

from ponystudio.graph.catalog import Catalog
from ponystudio.graph.editing import rewiring, wiring
from ponystudio.graph.editing.edits import AddNode, Compound, Connect, SetParam, SetView
from ponystudio.graph.editing.wiring import Pair
from ponystudio.graph.formats.graph_file import read
from ponystudio.graph.model import Link, Node
from ponystudio.graph.validation import check
from ponystudio_resources import path

CATALOG = Catalog.from_json(json.loads(Path(path("catalog.json")).read_text(encoding="utf-8")))


@pytest.fixture
def graph():
    return read(Path(path("graphs")) / "text-to-picture.json")


def done(graph, edits):
    after, undo = Compound(tuple(edits)).apply(graph)
    assert undo.apply(after)[0] == graph
    return after


def test_a_node_slips_into_a_wire(graph):
    graph = graph.with_nodes([rewiring.new_node(graph, CATALOG["core.scale_image"])])
    after = done(graph, rewiring.insert(graph, CATALOG, "scale_image", ("save", "image")))
    assert after.nodes["save"].inputs["image"] == Link("scale_image", "image")
    assert after.nodes["scale_image"].inputs["image"] == Link("decode", "image")
    assert check(after, CATALOG) == []


def test_only_a_free_node_that_fits_slips_in(graph):
    assert rewiring.insert(graph, CATALOG, "decode", ("save", "image")) == []
    assert rewiring.insert(graph, CATALOG, "latent", ("save", "image")) == []
    graph = graph.with_nodes([Node("again", "core.scale_latent_by")])
    assert rewiring.insert(graph, CATALOG, "again", ("save", "image")) == []
    assert rewiring.insert(graph, CATALOG, "again", ("decode", "latent"))


def test_a_new_node_in_a_wire_is_one_step(graph):
    spec = CATALOG["core.apply_lora"]
    id, edits = rewiring.insert_new(graph, CATALOG, spec, ("sampler", "model"), {"pos": [0, 0]})
    after = done(graph, edits)
    assert after.nodes["sampler"].inputs["model"] == Link(id, "model")
    assert after.nodes[id].inputs["model"] == Link("checkpoint", "model")
    id, edits = rewiring.insert_new(graph, CATALOG, CATALOG["core.load_vae"], ("save", "image"), {})
    assert done(graph, edits).nodes["save"] == graph.nodes["save"]


def test_a_bridge_finds_the_tools_its_neighbours_use(graph):
    graph = done(
        graph,
        [AddNode(Node("photo", "core.load_image")), AddNode(Node("again", "core.sample"))],
    )
    fit = wiring.fit(graph, CATALOG, "photo", "image", "again", "latent")
    pair = Pair("photo", "image", "again", "latent")
    id, edits = rewiring.insert_bridge(graph, CATALOG, fit.bridge, pair, {"pos": [0, 0]})
    after = done(graph, edits)
    assert after.nodes["again"].inputs["latent"] == Link(id, "latent")
    assert after.nodes[id].inputs == {
        "image": Link("photo", "image"),
        "vae": Link("checkpoint", "vae"),
    }


def test_dissolving_leads_wires_on_through_several(graph):
    spec = CATALOG["core.scale_image"]
    for _ in range(2):
        _, edits = rewiring.insert_new(graph, CATALOG, spec, ("save", "image"), {"pos": [0, 0]})
        graph = done(graph, edits)
    after = done(graph, rewiring.dissolve(graph, CATALOG, ["scale_image", "scale_image_2"]))
    assert after.nodes["save"].inputs["image"] == Link("decode", "image")
    assert set(after.nodes) == set(graph.nodes) - {"scale_image", "scale_image_2"}


def test_what_nothing_passes_through_is_cut(graph):
    graph = done(graph, wiring.set_dots(graph, ("decode", "latent"), [(0, 0)]))
    after = done(graph, rewiring.dissolve(graph, CATALOG, ["sampler"]))
    assert after.nodes["decode"].inputs["latent"] == Link("latent", "latent")
    after = done(graph, rewiring.dissolve(graph, CATALOG, ["decode"]))
    assert after.nodes["save"].inputs == {}


def test_deleting_leaves_no_links_and_no_dots(graph):
    graph = done(graph, wiring.set_dots(graph, ("decode", "latent"), [(0, 0)]))
    after = done(graph, rewiring.delete(graph, ["sampler", "nobody"]))
    assert "latent" not in after.nodes["decode"].inputs
    assert "dots" not in after.view["nodes"]["decode"]
    assert "sampler" not in after.view["nodes"]


def test_a_swap_keeps_wires_and_values_by_name(graph):
    after = done(graph, rewiring.swap(graph, CATALOG, "save", CATALOG["core.preview_image"]))
    assert after.nodes["save"].type == "core.preview_image"
    assert after.nodes["save"].inputs == {"image": Link("decode", "image")}
    graph = done(graph, [SetParam("latent", "width", 640)])
    after = done(graph, rewiring.swap(graph, CATALOG, "latent", CATALOG["core.load_latent"]))
    assert after.nodes["sampler"].inputs["latent"] == Link("latent", "latent")
    assert "width" not in after.nodes["latent"].params


def test_a_swap_keeps_wires_by_type_and_cuts_the_rest(graph):
    spec = CATALOG["core.encode_image"]
    after = done(graph, rewiring.swap(graph, CATALOG, "decode", spec))
    assert after.nodes["decode"].inputs == {"vae": Link("checkpoint", "vae")}
    assert after.nodes["save"].inputs == {}
    assert "sampler" in after.nodes


def test_bridges_never_make_a_circle(graph):
    """The vae of what comes after cannot serve what goes before it."""
    graph = done(
        graph,
        [
            AddNode(Node("photo", "core.load_image")),
            AddNode(Node("again", "core.sample")),
            Connect("again", "latent", "decode", "latent"),
        ],
    )
    fit = wiring.fit(graph, CATALOG, "photo", "image", "again", "latent")
    pair = Pair("photo", "image", "again", "latent")
    _, edits = rewiring.insert_bridge(graph, CATALOG, fit.bridge, pair, {})
    done(graph, edits)


def test_many_nodes_go_at_once_as_they_would_one_by_one(graph, monkeypatch):
    graph = done(graph, wiring.set_dots(graph, ("decode", "latent"), [(0, 0)]))
    ids = ["sampler", "negative", "checkpoint"]
    one_by_one = done(graph, rewiring.delete(graph, ids))
    monkeypatch.setattr(rewiring, "_MANY", 1)
    assert done(graph, rewiring.delete(graph, ids)) == one_by_one


@pytest.mark.parametrize("many", [0, 64])
def test_a_card_that_lost_all_its_dots_has_no_entry_for_them(graph, monkeypatch, many):
    monkeypatch.setattr(rewiring, "_MANY", many)
    graph = done(graph, [SetView(("nodes", "sampler", "dots"), {})])
    for name in ("positive", "negative"):
        graph = done(graph, wiring.set_dots(graph, ("sampler", name), [(0, 0)]))
    one = done(graph, rewiring.delete(graph, ["positive"]))
    assert list(one.view["nodes"]["sampler"]["dots"]) == ["negative"]
    both = done(graph, rewiring.delete(graph, ["positive", "negative"]))
    assert "dots" not in both.view["nodes"]["sampler"]
