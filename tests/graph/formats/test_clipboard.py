"""Copies as text, and pasting them."""

import json
import re
from pathlib import Path

import pytest

from ponystudio.errors import GraphFileError
from ponystudio.graph.editing.edits import Compound
from ponystudio.graph.formats import clipboard, graph_file
from ponystudio.graph.model import Graph, Link, Node, position
from ponystudio_resources import path


@pytest.fixture
def graph():
    found = graph_file.read(Path(path("graphs")) / "text-to-picture.json")
    frame = {"pos": [0, 0], "size": [400, 200], "title": "Start", "hue": "text"}
    view = {**found.view, "frames": [frame], "notes": [{"pos": [8, 8], "text": "Hi"}]}
    return Graph(found.nodes, found.models, view, found.extra)


def put(graph, pasted):
    after, undo = Compound(tuple(pasted.edits)).apply(graph)
    assert undo.apply(after)[0] == graph
    return after


def through_text(part):
    return clipboard.loads(clipboard.dumps(part))


def test_a_copy_is_readable_json_of_its_own_format(graph):
    text = clipboard.dumps(clipboard.extract(graph, ["sampler", "decode"]))
    data = json.loads(text)
    assert data["format"] == "ponystudio.clipboard"
    assert set(data["nodes"]) == {"sampler", "decode"}
    assert data["sources"]["checkpoint"] == "core.load_checkpoint"


def test_a_paste_is_wired_within_and_not_without(graph):
    part = through_text(clipboard.extract(graph, ["sampler", "decode"]))
    pasted = clipboard.paste(graph, part)
    after = put(graph, pasted)
    assert pasted.nodes == ["decode_2", "sampler_2"]
    assert after.nodes["decode_2"].inputs == {"latent": Link("sampler_2", "latent")}
    assert after.nodes["sampler_2"].inputs == {}
    assert after.nodes["sampler_2"].params == graph.nodes["sampler"].params


def test_incoming_wires_come_along_where_their_sources_are(graph):
    part = through_text(clipboard.extract(graph, ["decode"]))
    after = put(graph, clipboard.paste(graph, part, incoming=True))
    assert after.nodes["decode_2"].inputs == graph.nodes["decode"].inputs
    empty = Graph.of(Node("sampler", "core.load_image"))  # same id, another kind
    after = put(empty, clipboard.paste(empty, part, incoming=True))
    assert after.nodes["decode"].inputs == {}


@pytest.mark.parametrize("at", [None, (5, 5), (1e308, -1e308)])
@pytest.mark.parametrize("pos", [[1e308, 1e308], [1e308, -1e308], [9e6, 9e6], ["a", 1], [1]])
def test_places_that_are_none_or_too_far_away(pos, at):
    looks = {"pos": pos, "size": pos, "dots": {"model": [pos, [0, 0]]}}
    part = Graph(
        {"a": Node("a", "core.sample", inputs={"model": Link("b", "x")}), "b": Node("b", "core.b")},
        {},
        {"nodes": {"a": looks}, "frames": [{"pos": pos}], "notes": [{"pos": pos, "text": "x"}]},
    )
    after = put(Graph(), clipboard.paste(Graph(), part, at))
    placed = [*after.view["nodes"].values(), *after.view["frames"], *after.view["notes"]]
    for entry in placed:
        if "pos" in entry:
            assert position(entry["pos"]), entry
        for dot in entry.get("dots", {}).get("model", ()):
            assert position(dot)
    graph_file.loads(graph_file.dumps(after, {}))


def test_numbers_that_are_none_are_refused(graph):
    text = clipboard.dumps(clipboard.extract(graph, ["sampler"]))
    for number in ("NaN", "Infinity", "1e999", "1" + "0" * 30, "1" + "0" * 400):
        with pytest.raises(GraphFileError):
            clipboard.loads(re.sub(r'"pos": \[-?\d+', f'"pos": [{number}', text))


def test_a_paste_comes_to_lie_around_a_place_on_the_grid(graph):
    part = clipboard.extract(graph, ["positive"], [0], [0])
    pasted = clipboard.paste(graph, part, (1001, 503))
    after = put(graph, pasted)
    x, y = after.view["nodes"][pasted.nodes[0]]["pos"]
    assert abs(x - 1001) < 500
    assert abs(y - 503) < 300
    before = graph.view["nodes"]["positive"]["pos"]
    assert (x - before[0]) % 8 == 0
    assert (y - before[1]) % 8 == 0
    assert (pasted.frames, pasted.notes) == ([1], [1])
    assert after.view["frames"][1]["title"] == "Start"


def test_dots_move_along_and_stay_off_where_the_wire_is_gone(graph):
    looks = {**graph.view["nodes"]}
    looks["decode"] = {"pos": [0, 0], "dots": {"latent": [[10, 20]], "vae": [[1, 1]]}}
    graph = Graph(graph.nodes, view={**graph.view, "nodes": looks})
    pasted = clipboard.duplicate(graph, ["decode", "sampler"])
    after = put(graph, pasted)
    assert after.view["nodes"]["decode_2"]["dots"] == {"latent": [[42, 52]]}


def test_a_paste_into_an_empty_graph(graph):
    empty = Graph()
    part = through_text(clipboard.extract(graph, graph.nodes, [0], [0]))
    after = put(empty, clipboard.paste(empty, part))
    assert after.nodes == graph.nodes
    assert after.view["frames"] == graph.view["frames"]


def test_a_whole_graph_can_be_pasted_and_other_text_cannot(graph):
    assert clipboard.loads(graph_file.dumps(graph)).nodes == graph.nodes
    assert clipboard.loads("unicorn, 3d") is None
    assert clipboard.loads('{"format": "ponystudio.clipboard"') is None
    assert clipboard.loads('say "ponystudio.clipboard" aloud') is None
    with pytest.raises(GraphFileError):
        clipboard.loads('{"format": "ponystudio.clipboard", "version": 1, "nodes": 3}')


def test_a_circle_in_a_damaged_part_is_opened():
    part = Graph.of(
        Node("a", "t", inputs={"x": Link("b", "y")}), Node("b", "t", inputs={"x": Link("a", "y")})
    )
    after = put(Graph(), clipboard.paste(Graph(), part))
    assert sum(len(node.inputs) for node in after.nodes.values()) == 1


def test_many_nodes_come_at_once_as_they_would_one_by_one(graph, monkeypatch):
    part = clipboard.extract(graph, graph.nodes, [0], [0])
    one_by_one = put(graph, clipboard.paste(graph, part, (800, 800), incoming=True))
    monkeypatch.setattr(clipboard, "_MANY", 1)
    assert put(graph, clipboard.paste(graph, part, (800, 800), incoming=True)) == one_by_one


def test_thousands_of_frames_and_notes_are_one_edit():
    view = {
        kind: [{"text": str(i), "pos": [0, i * 8]} for i in range(3000)]
        for kind in ("frames", "notes")
    }
    part = Graph(view=view)
    pasted = clipboard.paste(part, part, offset=(8, 0))
    assert len(pasted.edits) == 1
    after = put(part, pasted)
    for kind, places in (("frames", pasted.frames), ("notes", pasted.notes)):
        assert places == list(range(3000, 6000))
        assert after.view[kind][:3000] == view[kind]
        assert after.view[kind][5999] == {"text": "2999", "pos": [8, 2999 * 8]}
