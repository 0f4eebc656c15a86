from __future__ import annotations

import json

import pytest

from helpers.graphs import CATALOG, node, picture
from ponystudio.errors import GraphFileError, UnknownNode
from ponystudio.graph.formats import graph_file
from ponystudio.graph.formats.migrations import Migrations, upgrade_nodes
from ponystudio.graph.model import Graph, Node
from ponystudio.graph.validation import check


def example() -> Migrations:
    migrations = Migrations()

    @migrations.step(1)
    def nodes_become_a_mapping(document):
        document["nodes"] = {item.pop("id"): item for item in document["nodes"]}
        return document

    @migrations.step(2)
    def scheduler_is_renamed(document):
        for item in document["nodes"].values():
            item["params"]["schedule"] = item["params"].pop("scheduler")
        return document

    return migrations


def test_steps_are_taken_in_order():
    old = {"version": 1, "nodes": [{"id": "a", "params": {"scheduler": "karras"}}], "kept": 1}
    before = json.dumps(old)
    assert example().migrate(old, 1, 3) == {
        "version": 3,
        "nodes": {"a": {"params": {"schedule": "karras"}}},
        "kept": 1,
    }
    assert json.dumps(old) == before


def test_a_document_in_between_takes_only_its_own_steps():
    document = {"version": 2, "nodes": {"a": {"params": {"scheduler": "x"}}}}
    assert example().migrate(document, 2, 3)["nodes"] == {"a": {"params": {"schedule": "x"}}}


def test_a_missing_step_is_said():
    with pytest.raises(GraphFileError, match="file version 3 can no longer be read"):
        example().migrate({"version": 1, "nodes": []}, 1, 4)


def test_two_steps_from_one_version_are_a_mistake():
    migrations = example()
    with pytest.raises(ValueError, match="two migrations"):
        migrations.step(1)(lambda document: document)


def test_loading_migrates(monkeypatch):
    migrations = Migrations()

    @migrations.step(1)
    def types_gain_a_pack(document):
        for item in document["nodes"].values():
            item["type"] = f"t.{item['type']}"
        return document

    monkeypatch.setattr(graph_file, "MIGRATIONS", migrations)
    monkeypatch.setattr(graph_file, "VERSION", 2)
    old = '{"format": "ponystudio.graph", "version": 1, "nodes": {"a": {"type": "load"}}}'
    graph = graph_file.loads(old)
    assert graph.nodes["a"].type == "t.load"
    assert '"version": 2' in graph_file.dumps(graph)


def scheduler_to_sampler(params):
    params["sampler"] = params.pop("method", "euler")
    return params


def old_sampler(**params: object) -> Graph:
    new = picture()
    node_ = Node("sample", "t.sample", 1, params=params, inputs=new.nodes["sample"].inputs)
    return new.with_nodes([node_])


def test_old_nodes_are_upgraded_and_noted():
    graph = old_sampler(method="heun", seed=3)
    upgraded, notes = upgrade_nodes(graph, {"t.sample": {1: scheduler_to_sampler}}, CATALOG)
    assert upgraded.nodes["sample"].version == 2
    assert upgraded.nodes["sample"].params == {"sampler": "heun", "seed": 3}
    assert notes == ["sample: t.sample upgraded from version 1 to 2."]
    assert check(upgraded, CATALOG) == []
    assert graph.nodes["sample"].params == {"method": "heun", "seed": 3}


def test_upgrades_go_step_by_step():
    from dataclasses import replace

    from ponystudio.graph.catalog import Catalog

    catalog = Catalog([replace(CATALOG["t.number"], version=3)])
    steps = {1: lambda p: {**p, "trace": [1]}, 2: lambda p: {"trace": [*p["trace"], 2]}}
    graph, _ = upgrade_nodes(Graph.of(Node("n", "t.number")), {"t.number": steps}, catalog)
    assert graph.nodes["n"].params == {"trace": [1, 2]}
    assert graph.nodes["n"].version == 3


def fails(params):
    raise KeyError("method")


@pytest.mark.parametrize(
    "steps", [{}, {1: fails}, {1: lambda params: None}, {1: lambda params: {"seed": {1}}}]
)
def test_an_upgrade_that_fails_leaves_the_node_and_check_reports_it(steps):
    graph = old_sampler(method="heun", nested=[1])
    upgraded, notes = upgrade_nodes(graph, {"t.sample": steps}, CATALOG)
    assert upgraded is graph
    assert "sample: t.sample 1 could not be upgraded" in notes[0]
    (error,) = check(upgraded, CATALOG)
    assert isinstance(error, UnknownNode)


def test_a_failing_upgrade_cannot_spoil_the_params():
    def spoils(params):
        params["nested"].append(2)
        raise RuntimeError("after changing something")

    graph = old_sampler(nested=[1])
    upgrade_nodes(graph, {"t.sample": {1: spoils}}, CATALOG)
    assert graph.nodes["sample"].params == {"nested": [1]}


def test_new_unknown_and_newer_nodes_are_left_alone():
    graph = Graph.of(node("a", "t.number"), Node("b", "not.here"), Node("c", "t.number", version=9))
    assert upgrade_nodes(graph, {}, CATALOG) == (graph, [])
