from __future__ import annotations

from dataclasses import replace

import pytest

from helpers.graphs import CATALOG, SPECS, linked, node, picture, with_mode
from ponystudio.api import InputSpec, NodeSpec
from ponystudio.errors import (
    BrokenLink,
    Cycle,
    MissingInput,
    NothingToRun,
    ParamChoice,
    ParamRange,
    TypeMismatch,
    UnknownNode,
    UnknownParam,
    UnknownSocket,
)
from ponystudio.graph.catalog import Catalog
from ponystudio.graph.editing.edits import RemoveNode, SetParam
from ponystudio.graph.model import Graph, Node
from ponystudio.graph.validation import check, effective_targets, titles


def changed(id: str, **fields: object) -> Graph:
    graph = picture()
    return graph.with_nodes([replace(graph.nodes[id], **fields)])


def test_a_good_graph_has_no_errors_however_often_it_is_asked():
    graph = picture()
    assert check(graph, CATALOG) == []
    assert check(graph, CATALOG) == []


@pytest.mark.parametrize(
    ("graph", "error", "place", "words"),
    [
        (changed("sample", type="t.sampel"), UnknownNode, ("sample", ""), "mean t.sample"),
        (changed("sample", type="x.y"), UnknownNode, ("sample", ""), "Install the node pack"),
        (changed("sample", version=3), UnknownNode, ("sample", ""), "Update pack"),
        (changed("sample", version=1), UnknownNode, ("sample", ""), "could not be upgraded"),
        (picture(stepps=3), UnknownParam, ("sample", "stepps"), "mean steps"),
        (picture(steps=0), ParamRange, ("sample", "steps"), "Use 1 to 1000"),
        (picture(sampler="eular"), ParamChoice, ("sample", "sampler"), "mean euler"),
        (
            linked(picture(), "sample", "postive", "text", "conditioning"),
            UnknownSocket,
            ("sample", "postive"),
            "mean positive",
        ),
        (picture(model="lod.model"), BrokenLink, ("sample", "model"), "mean load"),
        (picture(model="load.modl"), UnknownSocket, ("sample", "model"), "mean model"),
        (picture(model="save.x"), UnknownSocket, ("sample", "model"), "It has: none"),
        (
            picture(model="load.clip"),
            TypeMismatch,
            ("sample", "model"),
            "load.clip gives clip, this takes model",
        ),
        (
            linked(picture(), "sample", "seed", "load", "model"),
            TypeMismatch,
            ("sample", "seed"),
            "this takes int",
        ),
        (changed("text", inputs={}), MissingInput, ("text", "clip"), "Nothing is linked"),
    ],
)
def test_one_fault_gives_its_one_error(graph, error, place, words):
    found = [item for item in check(graph, CATALOG) if not isinstance(item, Cycle)]
    assert [type(item) for item in found] == [error]
    assert (found[0].node, found[0].socket) == place
    assert words in str(found[0])


def test_every_fault_is_reported_at_once_by_node():
    graph = picture(steps=0, seed=-1, cfg="x").with_nodes([Node("a", "t.nothing")])
    found = check(graph, CATALOG)
    assert [(item.node, item.socket) for item in found] == [
        ("a", ""),
        ("sample", "seed"),
        ("sample", "steps"),
        ("sample", "cfg"),
    ]


def test_a_circle_is_named_whole():
    graph = linked(picture(), "text", "text", "sample", "latent")
    found = check(graph, CATALOG)
    assert Cycle in [type(item) for item in found]
    assert "sample → text → sample" in str(found[-1])


def test_who_sees_no_ids_is_told_titles():
    graph = linked(picture(), "sample", "model", "load", "clip")
    graph = linked(graph, "text", "text", "sample", "latent")
    graph = graph.with_nodes([replace(graph.nodes["sample"], title="Painter")])
    said = " ".join(str(error) for error in check(graph, CATALOG, title_of=titles(graph, CATALOG)))
    loader = CATALOG["t.load"].title
    assert f"{loader}.clip gives clip" in said
    assert "Painter → " in said
    assert "load.clip" not in said
    assert titles(graph, CATALOG)("gone") == "gone"


def test_an_int_may_feed_a_float_and_a_seed():
    graph = picture().with_nodes([node("number", "t.number")])
    for param in ("cfg", "seed", "steps"):
        graph = linked(graph, "sample", param, "number", "int")
    assert check(graph, CATALOG) == []


def test_a_linked_param_hides_its_own_value():
    graph = picture(steps="rubbish").with_nodes([node("number", "t.number")])
    assert len(check(graph, CATALOG)) == 1
    assert check(linked(graph, "sample", "steps", "number", "int"), CATALOG) == []


def test_only_targets_and_what_they_need_count():
    graph = picture().with_nodes(
        [node("bad", "t.save"), node("cfg", "t.sample", steps=0), Node("odd", "x.y")]
    )
    assert check(graph, CATALOG, targets=["save"]) == []
    assert [type(item) for item in check(graph, CATALOG, targets=["bad"])] == [MissingInput]
    assert len(check(graph, CATALOG)) == 5


def test_a_circle_elsewhere_does_not_block_a_target():
    graph = picture().with_nodes(
        [
            node("a", "t.blend", a="b.first", b="b.second"),
            node("b", "t.blend", a="a.first", b="a.second"),
        ]
    )
    assert check(graph, CATALOG, targets=["save"]) == []
    assert [type(item) for item in check(graph, CATALOG)] == [Cycle]


def test_an_unknown_target_is_said():
    (error,) = check(picture(), CATALOG, targets=["svae"])
    assert isinstance(error, UnknownNode)
    assert "mean save" in str(error)


def test_what_does_not_run_has_no_errors():
    bad = picture(steps=0)
    assert check(with_mode(bad, "sample", "muted"), CATALOG) == []
    assert check(with_mode(bad, "text", "muted"), CATALOG) == []


def test_a_bypassed_node_that_passes_nothing_on_is_named():
    (error,) = check(with_mode(picture(), "text", "bypassed"), CATALOG)
    assert isinstance(error, MissingInput)
    assert (error.node, error.socket) == ("sample", "positive")
    assert "text, which is bypassed" in str(error)


def test_memory_of_good_nodes_notices_changed_neighbours_and_catalogs():
    graph = picture()
    assert check(graph, CATALOG) == []
    gone, _ = RemoveNode("load").apply(graph)
    without_cleaning = graph.without("load")
    assert {type(item) for item in check(gone, CATALOG)} == {MissingInput}
    assert {type(item) for item in check(without_cleaning, CATALOG)} == {BrokenLink}
    swapped = graph.with_nodes([node("load", "t.number")])
    assert {type(item) for item in check(swapped, CATALOG)} == {UnknownSocket}
    stricter = Catalog(
        replace(spec, params=()) if spec.id == "t.encode" else spec for spec in SPECS
    )
    assert {type(item) for item in check(graph, stricter)} == {UnknownParam}
    broken, undo = SetParam("sample", "steps", 0).apply(graph)
    assert {type(item) for item in check(broken, CATALOG)} == {ParamRange}
    assert check(undo.apply(broken)[0], CATALOG) == []


@pytest.mark.parametrize("mode", ["muted", "bypassed"])
def test_chosen_nodes_of_which_none_runs_are_an_error(mode):
    graph = with_mode(picture(), "save", mode)
    (error,) = check(graph, CATALOG, targets=["save"])
    assert isinstance(error, NothingToRun)
    assert (error.node, error.where) == ("save", "save")
    assert "Unmute" in str(error)
    assert check(graph, CATALOG, targets=["save", "sample"]) == []
    (error,) = check(graph, CATALOG, targets=[])
    assert isinstance(error, NothingToRun)


def test_targets_are_the_nodes_with_effects_that_run():
    graph = picture().with_nodes([node("another", "t.save", latent="sample.latent")])
    assert effective_targets(graph, CATALOG) == ["another", "save"]
    assert effective_targets(with_mode(graph, "save", "muted"), CATALOG) == ["another"]


def test_nothing_to_run():
    with pytest.raises(NothingToRun, match="saves or shows anything"):
        effective_targets(picture().without("save"), CATALOG)
    for mode in ("muted", "bypassed"):
        with pytest.raises(NothingToRun, match="Unmute"):
            effective_targets(with_mode(picture(), "save", mode), CATALOG)
    with pytest.raises(NothingToRun, match="Unmute"):
        effective_targets(with_mode(picture(), "load", "muted"), CATALOG)


def test_an_any_socket_takes_everything():
    spec = NodeSpec("t.any", 1, "Any", "", inputs=(InputSpec("value", "any"),), effects=True)
    graph = picture().with_nodes([Node("any", "t.any")])
    graph = linked(graph, "any", "value", "sample", "latent")
    assert check(graph, Catalog([*SPECS, spec])) == []
