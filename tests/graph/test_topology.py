from __future__ import annotations

import itertools

import networkx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from helpers.graphs import CATALOG, linked, node, picture, with_mode
from ponystudio.errors import Cycle
from ponystudio.graph.model import Graph, Link, Node
from ponystudio.graph.topology import (
    ancestors,
    bypass_input,
    dependents,
    effective,
    find_cycle,
    order,
)


def wires(*links: str) -> Graph:
    """ "ab bc": a feeds b, b feeds c."""
    ids = sorted(set("".join(links)))
    return Graph.of(
        *(
            Node(i, "x", inputs={f"from_{s}": Link(s, "out") for s, t in links if t == i})
            for i in ids
        )
    )


def as_networkx(graph: Graph) -> networkx.DiGraph:
    result = networkx.DiGraph()
    result.add_nodes_from(graph.nodes)
    for node_ in graph.nodes.values():
        result.add_edges_from((link.source, node_.id) for link in node_.inputs.values())
    return result


GRAPHS = st.lists(
    st.tuples(st.sampled_from("abcdefgh"), st.sampled_from("abcdefgh")).map("".join), max_size=20
).map(lambda links: wires(*links))


@given(GRAPHS, st.sets(st.sampled_from("abcdefgh")))
def test_ancestors_are_those_of_networkx(graph, targets):
    oracle = as_networkx(graph)
    present = targets & graph.nodes.keys()
    expected = present.union(*(networkx.ancestors(oracle, target) for target in present))
    assert ancestors(graph, targets) == expected


@given(GRAPHS)
def test_order_respects_every_link_and_refuses_exactly_the_cyclic(graph):
    oracle = as_networkx(graph)
    if networkx.is_directed_acyclic_graph(oracle):
        found = order(graph)
        assert sorted(found) == sorted(graph.nodes)
        place = {id: index for index, id in enumerate(found)}
        assert all(place[source] < place[target] for source, target in oracle.edges)
        assert find_cycle(graph) == []
    else:
        with pytest.raises(Cycle):
            order(graph)
        cycle = find_cycle(graph)
        assert len(set(cycle)) == len(cycle)
        assert all(
            oracle.has_edge(source, target)
            for source, target in zip(cycle, [*cycle[1:], cycle[0]], strict=True)
        )


def test_where_links_leave_a_choice_the_order_is_the_graph_s_own():
    graph = wires("ax", "bx", "cy")
    assert order(graph) == ["a", "b", "x", "c", "y"]
    backwards = Graph.of(*reversed(graph.nodes.values()))
    assert order(backwards) == ["c", "y", "a", "b", "x"]
    relinked = [Node("x", "x", inputs=dict(reversed(graph.nodes["x"].inputs.items())))]
    assert order(graph.with_nodes(relinked)) == order(graph)


def test_one_picture_is_finished_before_the_next_is_begun():
    # two chains with a shared head: a → p → q → r and a → x → y → z
    found = "".join(order(wires("ap", "pq", "qr", "ax", "xy", "yz")))
    assert found == "apqrxyz"


def test_order_of_some_leaves_out_the_rest():
    graph = wires("ab", "bc", "cd")
    assert order(graph, {"d", "b"}) == ["b", "d"]
    assert order(graph, []) == []


def test_a_circle_elsewhere_does_not_matter():
    graph = wires("ab", "bc", "xy", "yx")
    assert order(graph, iter("abc")) == ["a", "b", "c"]
    assert find_cycle(graph, "abc") == []
    with pytest.raises(Cycle, match="x → y → x"):
        order(graph)


def test_a_node_that_feeds_itself_is_a_circle():
    assert find_cycle(wires("aa")) == ["a"]


def test_a_link_from_nowhere_is_no_dependency():
    graph = Graph.of(Node("a", "x", inputs={"in": Link("gone", "out")}))
    assert order(graph) == ["a"]
    assert ancestors(graph, ["a"]) == {"a"}


def test_long_chains_do_not_reach_the_recursion_limit():
    ids = [f"n{i:05}" for i in range(20_000)]
    chain = Graph.of(
        Node(ids[0], "x"),
        *(Node(b, "x", inputs={"in": Link(a, "out")}) for a, b in itertools.pairwise(ids)),
    )
    assert order(chain) == ids
    assert len(ancestors(chain, [ids[-1]])) == len(ids)


def test_a_graph_of_normal_nodes_runs_as_it_is():
    graph = picture()
    assert effective(graph, CATALOG) is graph


def test_what_needs_a_muted_node_does_not_run():
    running = effective(with_mode(picture(), "text", "muted"), CATALOG)
    assert set(running.nodes) == {"load"}


def test_an_optional_input_from_a_muted_node_is_not_linked():
    graph = picture(latent="first.latent").with_nodes(
        [node("first", "t.sample", "muted", model="load.model", positive="text.conditioning")]
    )
    running = effective(graph, CATALOG)
    assert set(running.nodes) == {"load", "text", "sample", "save"}
    assert set(running.nodes["sample"].inputs) == {"model", "positive"}


def test_a_param_from_a_muted_node_keeps_its_own_value():
    graph = linked(picture(), "sample", "steps", "number", "int").with_nodes(
        [node("number", "t.number", "muted")]
    )
    assert "steps" not in effective(graph, CATALOG).nodes["sample"].inputs


def test_what_a_placeholder_is_linked_to_counts_as_needed():
    graph = Graph.of(
        node("load", "t.load", "muted"), Node("x", "not.here", inputs={"in": Link("load", "model")})
    )
    assert effective(graph, CATALOG).nodes == {}


def test_links_pass_through_bypassed_nodes():
    graph = Graph.of(
        node("load", "t.load"),
        node("one", "t.patch", "bypassed", model="load.model", clip="load.clip"),
        node("two", "t.patch", "bypassed", model="one.model", clip="one.clip"),
        node("text", "t.encode", clip="two.clip"),
    )
    running = effective(graph, CATALOG)
    assert set(running.nodes) == {"load", "text"}
    assert running.nodes["text"].inputs == {"clip": Link("load", "clip")}


@pytest.mark.parametrize(
    ("output", "input"), [("first", "a"), ("second", "b"), ("image", ""), ("no such", "")]
)
def test_like_types_match_by_position(output, input):
    assert bypass_input(CATALOG["t.blend"], output) == input


def test_an_output_without_a_like_typed_input_is_not_linked():
    graph = Graph.of(
        node("load", "t.load"),
        node("text", "t.encode", "bypassed", clip="load.clip"),
        node("sample", "t.sample", model="load.model", positive="text.conditioning"),
    )
    assert set(effective(graph, CATALOG).nodes["sample"].inputs) == {"model"}


def test_a_muted_node_behind_a_bypassed_one_is_still_needed():
    graph = Graph.of(
        node("load", "t.load", "muted"),
        node("patch", "t.patch", "bypassed", model="load.model", clip="load.clip"),
        node("text", "t.encode", clip="patch.clip"),
    )
    assert effective(graph, CATALOG).nodes == {}


def test_bypassed_nodes_in_a_circle_lead_nowhere():
    graph = Graph.of(
        node("one", "t.patch", "bypassed", model="two.model", clip="two.clip"),
        node("two", "t.patch", "bypassed", model="one.model", clip="one.clip"),
        node("text", "t.encode", clip="two.clip"),
    )
    assert effective(graph, CATALOG).nodes["text"].inputs == {}


def test_dependents_are_all_that_is_fed_from_a_node_and_it_itself():
    graph = Graph.of(
        node("load", "t.load"),
        node("text", "t.encode", clip="load.clip"),
        node("sample", "t.sample", model="load.model", positive="text.conditioning"),
        node("other", "t.load"),
    )
    assert dependents(graph, ["text"]) == {"text", "sample"}
    assert dependents(graph, ["load"]) == {"load", "text", "sample"}
    assert dependents(graph, []) == set()
