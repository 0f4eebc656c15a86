"""Where cards go."""

import json
import random
import subprocess
import sys
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ponystudio.graph.catalog import Catalog
from ponystudio.graph.editing import auto_layout
from ponystudio.graph.editing.edits import Compound
from ponystudio.graph.formats.graph_file import read
from ponystudio.graph.model import Graph, Link, Node
from ponystudio_resources import path

CATALOG = Catalog.from_json(json.loads(Path(path("catalog.json")).read_text(encoding="utf-8")))


@pytest.fixture
def graph():
    return read(Path(path("graphs")) / "text-to-picture.json")


def boxes_of(graph, size=(240.0, 200.0)):
    return dict.fromkeys(graph.nodes, (0.0, 0.0, *size))


def overlapping(places, boxes):
    found = [(*places[id], *boxes[id][2:]) for id in places]
    return [
        (a, b)
        for i, a in enumerate(found)
        for b in found[i + 1 :]
        if a[0] < b[0] + b[2] and b[0] < a[0] + a[2] and a[1] < b[1] + b[3] and b[1] < a[1] + a[3]
    ]


def test_the_usual_graph_reads_from_left_to_right(graph):
    places = auto_layout.layered(graph, boxes_of(graph), (0, 0), CATALOG)
    xs = {id: x for id, (x, _) in places.items()}
    assert xs["checkpoint"] < xs["positive"] == xs["negative"] == xs["latent"] < xs["sampler"]
    assert xs["sampler"] < xs["decode"] < xs["save"]
    ys = {id: y for id, (_, y) in places.items()}
    assert ys["positive"] < ys["negative"] < ys["latent"], "in the order of the sampler's sockets"
    assert ys["checkpoint"] == ys["positive"] == ys["sampler"] == ys["decode"] == ys["save"]
    assert not overlapping(places, boxes_of(graph))


@given(st.integers(0, 10_000), st.integers(1, 40))
def test_nothing_overlaps_and_wires_lead_right(seed, count):
    dice = random.Random(seed)
    nodes = []
    for i in range(count):
        sources = dice.sample(range(i), min(i, dice.choice((0, 1, 1, 2, 3))))
        nodes.append(Node(f"n{i}", "t", inputs={f"i{s}": Link(f"n{s}", "o") for s in sources}))
    graph = Graph.of(*nodes)
    boxes = {
        node.id: (
            dice.random() * 500,
            dice.random() * 500,
            8.0 * dice.randint(20, 60),
            dice.randint(32, 400),
        )
        for node in nodes
    }
    places = auto_layout.tidy(graph, boxes)
    assert set(places) == set(boxes)
    assert not overlapping(places, boxes)
    assert all(x % 8 == 0 and y % 8 == 0 for x, y in places.values())
    for node in nodes:
        for source in node.sources:
            assert places[source][0] + boxes[source][2] < places[node.id][0]


def test_graphs_with_a_circle_are_laid_out_too():
    graph = Graph.of(
        Node("a", "t", inputs={"x": Link("b", "y")}), Node("b", "t", inputs={"x": Link("a", "y")})
    )
    places = auto_layout.layered(graph, boxes_of(graph), (0, 0))
    assert not overlapping(places, boxes_of(graph))


def test_nodes_without_a_place_get_one_below_the_others(graph):
    sizes = {id: (240.0, 200.0) for id in graph.nodes if id != "save"}
    places = auto_layout.missing_positions(graph, sizes, [(100.0, 50.0, 240.0, 200.0)], CATALOG)
    assert places.keys() == sizes.keys()
    assert all(y >= 250 for _, y in places.values())
    assert auto_layout.missing_positions(Graph(), {}, []) == {}


def test_align_takes_the_outermost_edge():
    boxes = {"a": (0.0, 0.0, 100.0, 50.0), "b": (48.0, 96.0, 200.0, 80.0)}
    assert auto_layout.align(boxes, "left") == {"a": (0, 0), "b": (0, 96)}
    assert auto_layout.align(boxes, "right") == {"a": (148, 0), "b": (48, 96)}
    assert auto_layout.align(boxes, "top") == {"a": (0, 0), "b": (48, 0)}
    assert auto_layout.align(boxes, "bottom") == {"a": (0, 126), "b": (48, 96)}
    assert auto_layout.align(boxes, "middle")["a"][1] == 64
    assert auto_layout.align({}, "left") == {}


def test_distributing_makes_equal_gaps():
    boxes = {"a": (0.0, 0.0, 80.0, 8.0), "b": (88.0, 0.0, 80.0, 8.0), "c": (400.0, 0.0, 80.0, 8.0)}
    assert auto_layout.distribute(boxes, "x") == {"a": (0, 0), "b": (200, 0), "c": (400, 0)}
    assert auto_layout.distribute({"a": (0.0, 0.0, 1.0, 1.0)}, "x") == {}


def test_a_frame_holds_what_it_is_around():
    boxes = {"a": (3.0, 5.0, 240.0, 100.0), "b": (500.0, 300.0, 240.0, 101.0)}
    pos, size = auto_layout.frame_around(boxes.values())
    assert set(auto_layout.inside((*pos, *size), boxes)) == {"a", "b"}
    assert all(value % 8 == 0 for value in (*pos, *size))


@pytest.mark.parametrize("count", [3, 200])
def test_moves_are_undone_and_leave_out_what_stays(count):
    ids = [f"n{i}" for i in range(count)]
    graph = Graph(
        {id: Node(id, "t") for id in ids},
        view={"nodes": {id: {"pos": [0, 0], "width": 320} for id in ids}},
    )
    edits = auto_layout.moves(graph, {id: (8.0 * i, 0.0) for i, id in enumerate(ids)})
    after, undo = Compound(tuple(edits)).apply(graph)
    assert after.view["nodes"]["n2"] == {"pos": [16, 0], "width": 320}
    assert undo.apply(after)[0] == graph
    assert auto_layout.moves(after, {"n2": (16, 0)}) == []


def test_a_free_place_is_further_down():
    taken = [(0.0, 0.0, 240.0, 100.0), (0.0, 150.0, 240.0, 100.0)]
    assert auto_layout.free_place((0, 0, 240, 200), taken) == (0, 296)
    assert auto_layout.free_place((400, 0, 240, 200), taken) == (400, 0)


def test_what_comes_after_makes_room_for_a_node_in_a_wire():
    """a -> new -> b -> c, and d that has nothing to do with it."""
    graph = Graph.of(
        Node("a", "t"),
        Node("new", "t", inputs={"x": Link("a", "y")}),
        Node("b", "t", inputs={"x": Link("new", "y")}),
        Node("c", "t", inputs={"x": Link("b", "y")}),
        Node("d", "t"),
    )
    boxes = {
        "a": (0.0, 0.0, 240.0, 100.0),
        "new": (200.0, 8.0, 240.0, 100.0),
        "b": (304.0, 0.0, 240.0, 100.0),
        "c": (608.0, 0.0, 240.0, 100.0),
        "d": (608.0, 200.0, 240.0, 100.0),
    }
    places = auto_layout.make_room(graph, boxes, "new")
    assert places == {"new": (280, 8), "b": (560, 0), "c": (864, 0)}
    moved = {**boxes, **{id: (*place, *boxes[id][2:]) for id, place in places.items()}}
    assert auto_layout.make_room(graph, moved, "new") == {}
    backwards = {**boxes, "b": (-400.0, 0.0, 240.0, 100.0)}
    assert auto_layout.make_room(graph, backwards, "new") == {}


def test_networkx_is_loaded_only_where_something_is_laid_out():
    code = (
        "import sys; from ponystudio.graph import validation;"
        "from ponystudio.graph.editing import auto_layout;"
        "from ponystudio.graph.model import Graph;"
        "auto_layout.missing_positions(Graph(), {}, []);"
        "sys.exit('networkx' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0


def test_thousands_of_circles_and_of_sockets_take_no_more_than_a_moment():
    nodes = {}
    for i in range(3000):
        nodes[f"a{i}"] = Node(f"a{i}", "t", inputs={"x": Link(f"b{i}", "y")})
        nodes[f"b{i}"] = Node(f"b{i}", "t", inputs={"x": Link(f"a{i}", "y")})
    nodes["all"] = Node("all", "t", inputs={f"i{id}": Link(id, "y") for id in nodes})
    graph = Graph(nodes=nodes)
    start = time.perf_counter()
    places = auto_layout.layered(graph, boxes_of(graph), (0, 0))
    assert time.perf_counter() - start < 20  # of each circle on its own: minutes
    assert all(places[f"a{i}"][0] != places[f"b{i}"][0] for i in range(3000))
    assert places["all"][0] > max(place[0] for id, place in places.items() if id != "all")
