"""Where the cards of imported graphs come to lie."""

from __future__ import annotations

import json
import math
import random
import sys
from itertools import combinations

import pytest

from helpers.drops import CATALOG
from helpers.foreign_graphs import mutate
from helpers.paths import DATA, needs_data
from ponystudio.errors import GraphFileError
from ponystudio.graph.comfyui.importer import import_document
from ponystudio.graph.editing.card_sizes import card_size
from ponystudio.graph.formats import graph_file

UUID = "8f5f4a0c-0000-4000-8000-000000000001"
FILES = sorted((DATA / "workflows").glob("*.json"))


def node(id, pos, size=(210, 100), type="EmptyLatentImage", **more):
    return {"id": id, "type": type, "pos": list(pos), "size": list(size), **more}


def imported(*nodes, **more):
    return import_document({"nodes": list(nodes), "links": [], **more}).graph


def boxes(graph):
    """Of the cards that have a place, by id: left, top, right, bottom."""
    used = {}
    for made in graph.nodes.values():
        for link in made.inputs.values():
            used.setdefault(link.source, set()).add(link.output)
    found = {}
    for id, looks in graph.view.get("nodes", {}).items():
        if "pos" in looks:
            made = graph.nodes[id]
            x, y = looks["pos"]
            outputs = len(used.get(id, ()))
            w, h = card_size(made, CATALOG.get(made.type), looks, outputs)
            found[id] = (x, y, x + w, y + h)
    return found


def frames(graph):
    return {
        frame["title"]: (*frame["pos"], *(a + b for a, b in zip(frame["pos"], frame["size"],
                                                                strict=True)))
        for frame in graph.view.get("frames", ())
    }  # fmt: skip


def cover(a, b):
    return a[0] < b[2] and b[0] < a[2] and a[1] < b[3] and b[1] < a[3]


def holds(frame, box):
    return frame[0] <= box[0] and frame[1] <= box[1] and box[2] <= frame[2] and box[3] <= frame[3]


def covering(graph):
    return [(a, b) for (a, one), (b, two) in combinations(boxes(graph).items(), 2)
            if cover(one, two)]  # fmt: skip


def test_cards_make_room_for_each_other_and_stay_in_rows_and_columns():
    graph = imported(
        node(1, (0, 0), (210, 60)),
        node(2, (0, 100), (210, 60)),
        node(3, (220, 0), (210, 60)),
        node(4, (220, 100), (210, 60)),
    )
    places = {id: box[:2] for id, box in boxes(graph).items()}
    (x1, y1), (x2, y2), (x3, y3), (x4, y4) = places.values()
    assert (x1, x3, y1, y2) == (x2, x4, y3, y4)
    assert covering(graph) == []


def test_what_stood_apart_stands_apart_in_the_same_order():
    rng = random.Random("places")
    for _ in range(20):
        theirs = {}
        for id in range(1, 30):
            x, y, w, h = (rng.randrange(*span) for span in
                          ((0, 3000), (0, 2000), (100, 700), (40, 500)))  # fmt: skip
            box = (x, y - 30, x + w, y + h)
            if not any(cover(box, other) for other in theirs.values()):
                theirs[id] = box
        graph = imported(*(node(id, (x, y + 30), (right - x, bottom - y - 30),
                                type=rng.choice(("KSampler", "EmptyLatentImage", "Strange")))
                           for id, (x, y, right, bottom) in theirs.items()))  # fmt: skip
        assert covering(graph) == []
        ours = {int(id.rpartition("_")[2]): box for id, box in boxes(graph).items()}
        assert ours.keys() == theirs.keys()
        for a, b in combinations(theirs, 2):
            for low, high in ((0, 2), (1, 3)):
                if theirs[a][high] <= theirs[b][low]:
                    assert ours[a][high] < ours[b][low]
                elif theirs[b][high] <= theirs[a][low]:
                    assert ours[b][high] < ours[a][low]


def test_what_covered_another_is_pushed_down():
    graph = imported(*(node(id, (10, 20)) for id in range(1, 6)))
    assert covering(graph) == []
    assert {box[0] for box in boxes(graph).values()} == {8}


def test_groups_stay_around_what_is_in_them_and_keep_others_out():
    graph = imported(
        node(1, (20, 40), type="KSampler"),
        node(2, (20, 180)),
        node(3, (300, 40)),
        groups=[{"title": "all", "bounding": [0, 0, 240, 300], "color": "#8A8"}],
    )
    found, frame = boxes(graph), frames(graph)["all"]
    assert holds(frame, found["sample_1"])
    assert holds(frame, found["empty_latent_2"])
    assert not cover(frame, found["empty_latent_3"])
    assert graph.view["frames"][0]["hue"] == "mask"


def test_what_begins_in_a_group_is_in_it():
    """A picture that was shown larger than the group that was drawn for it."""
    graph = imported(
        node(1, (20, 60), (600, 800), "SaveImage"),
        groups=[{"title": "save", "bounding": [0, 0, 300, 200]}],
    )
    assert holds(frames(graph)["save"], boxes(graph)["save_image_1"])


def test_what_only_touches_a_group_is_not_in_it():
    groups = [
        {"title": "left", "bounding": [0, 0, 300, 200]},
        {"title": "right", "bounding": [320, 0, 600, 600]},
    ]
    graph = imported(node(1, (290, 190), (300, 300)), node(2, (20, 60)), groups=groups)
    found, around = boxes(graph), frames(graph)
    assert not cover(around["left"], around["right"])
    assert cover(around["right"], found["empty_latent_1"])
    assert holds(around["left"], found["empty_latent_2"])


def test_groups_in_groups():
    graph = imported(
        node(1, (40, 80)),
        groups=[
            {"title": "outer", "bounding": [0, 0, 400, 300]},
            {"title": "inner", "bounding": [20, 40, 250, 200]},
        ],
    )
    outer, inner = frames(graph)["outer"], frames(graph)["inner"]
    assert holds(outer, inner)
    assert holds(inner, boxes(graph)["empty_latent_1"])


def test_all_that_one_becomes_stands_together():
    loader = node(1, (0, 0), (300, 300), "LoadImage",
                  outputs=[{"name": "IMAGE"}, {"name": "MASK"}])  # fmt: skip
    grow = node(2, (310, 0), type="GrowMask", inputs=[{"name": "mask", "type": "MASK", "link": 1}])
    graph = import_document({"nodes": [loader, grow], "links": [[1, 1, 1, 2, 0, "MASK"]]}).graph
    found = boxes(graph)
    assert set(found) == {"load_image_1", "invert_mask_1_mask", "grow_mask_2"}
    assert found["load_image_1"][2] < found["invert_mask_1_mask"][0]
    assert found["invert_mask_1_mask"][2] < found["grow_mask_2"][0]


def subgraph(id, *nodes, **more):
    return {"id": id, "name": f"inside {id[-1]}", "nodes": list(nodes), "links": [], **more}


def test_subgraphs_open_in_frames_and_what_was_beside_makes_room():
    inner = "8f5f4a0c-0000-4000-8000-000000000002"
    definitions = [
        subgraph(UUID, node(1, (900, 900)), node(2, (900, 1300), type=inner)),
        subgraph(inner, node(1, (-50, 0), type="KSampler"),
                 groups=[{"title": "group", "bounding": [-60, -40, 300, 300]}]),
    ]  # fmt: skip
    graph = imported(
        node(7, (100, 100), type=UUID, color="#232"),
        node(8, (400, 100)),
        node(9, (100, 260)),
        definitions={"subgraphs": definitions},
    )
    found, around = boxes(graph), frames(graph)
    assert set(around) == {"inside 1", "inside 2", "group"}
    assert holds(around["inside 1"], found["empty_latent_7_1"])
    assert holds(around["inside 1"], around["inside 2"])
    assert holds(around["inside 2"], around["group"])
    assert holds(around["group"], found["sample_7_2_1"])
    for id in ("empty_latent_8", "empty_latent_9"):
        assert not cover(around["inside 1"], found[id])
    assert covering(graph) == []
    assert graph.view["frames"][0]["hue"] == "mask"


def test_bends_move_with_what_is_around_them():
    link = {"id": 1, "origin_id": 4, "origin_slot": 0, "target_id": 3, "target_slot": 0}
    loader = node(4, (0, 0), type="CheckpointLoaderSimple", outputs=[{"name": "MODEL"}])
    sampler = node(3, (500, 0), type="KSampler",
                   inputs=[{"name": "model", "type": "MODEL", "link": 1}])  # fmt: skip
    graph = import_document({
        "version": 1, "nodes": [loader, sampler], "links": [{**link, "parentId": 1}],
        "reroutes": [{"id": 1, "pos": [300, 100]}],
    }).graph  # fmt: skip
    ((x, y),) = graph.view["nodes"]["sample_3"]["dots"]["model"]
    found = boxes(graph)
    assert found["load_checkpoint_4"][2] < x < found["sample_3"][0]
    assert y > 100


def test_how_cards_look_is_kept():
    graph = imported(
        node(1, (0, 0), (400, 100), title="Mine", bgcolor="#533", flags={"pinned": True}),
        node(2, (500, 0), (900, 100), flags={"collapsed": True}),
    )
    one, two = graph.view["nodes"].values()
    assert one == {"pos": [0, -32], "pinned": True, "hue": "text", "width": 400}
    assert (two["collapsed"], two["width"]) == (True, 480)
    assert graph.nodes["empty_latent_1"].title == "Mine"


def test_what_ran_has_no_places():
    document = {"1": {"class_type": "EmptyLatentImage", "inputs": {}}}
    assert import_document(document).graph.view == {}


def nested(count):
    """As many nodes in the instances of a subgraph, on each other."""
    definition = subgraph(UUID, *(node(i, (0, 0)) for i in range(10)))
    return {"nodes": [node(i, (0, 0), type=UUID) for i in range(count // 10)], "links": [],
            "definitions": {"subgraphs": [definition]}}  # fmt: skip


def piled(count):
    return {"nodes": [node(i, (i % 7, i % 11)) for i in range(count)], "links": [],
            "groups": [{"bounding": [0, 0, 500, 500]}] * 5}  # fmt: skip


def spread(count):
    rng = random.Random(count)
    places = [(rng.randrange(-(10**8), 10**8), rng.randrange(10**6)) for _ in range(count)]
    return {"nodes": [node(i, place) for i, place in enumerate(places)], "links": []}


@pytest.mark.parametrize("make", [nested, piled, spread])
def test_cards_are_placed_in_the_time_of_their_number(make):
    """In steps, which are the same on every machine: four times as many, not sixteen."""

    def steps(count):
        document, calls = make(count), 0

        def count_call(_frame, event, _arg):
            nonlocal calls
            calls += event in ("call", "c_call")

        sys.setprofile(count_call)
        try:
            graph = import_document(document).graph
        finally:
            sys.setprofile(None)
        assert len(graph.nodes) == count
        return calls

    steps(40)  # what is read once
    assert steps(800) < 5 * steps(200)


def test_mutations_are_placed_or_refused():
    """Values of other kinds in all places of a graph that has all that stands somewhere."""
    link = {"id": 1, "origin_id": 4, "origin_slot": 0, "target_id": 3, "target_slot": 0}
    inner = subgraph(UUID, node(1, (900, 900)), node(2, (900, 1300), type="KSampler"),
                     groups=[{"title": "group", "bounding": [-60, -40, 3000, 3000]}])  # fmt: skip
    seed = json.dumps({
        "nodes": [
            node(4, (0, 0), type="CheckpointLoaderSimple", outputs=[{"name": "MODEL"}], mode=4),
            node(3, (500, 0), type="KSampler", color="#232", flags={"pinned": True},
                 inputs=[{"name": "model", "type": "MODEL", "link": 1}]),
            node(7, (100, 100), type=UUID),
            node(8, (100, 100), type="Note", widgets_values=["Read me"]),
        ],
        "links": [{**link, "parentId": 1}],
        "reroutes": [{"id": 1, "pos": [300, 100], "parentId": 2}, {"id": 2, "pos": [30, 100]}],
        "groups": [{"title": "all", "bounding": [0, 0, 900, 900], "color": "#abc"}],
        "extra": {"workflowRendererVersion": "Vue"},
        "definitions": {"subgraphs": [inner]},
    })  # fmt: skip
    rng, refused = random.Random("places"), 0
    for _ in range(500):
        document = json.loads(seed)
        for _ in range(rng.choice((1, 2, 4))):
            mutate(document, rng)
        try:
            graph = import_document(document).graph
        except GraphFileError:
            refused += 1
            continue
        text = graph_file.dumps(graph)
        assert graph_file.dumps(graph_file.loads(text)) == text
        for id, looks in graph.view.get("nodes", {}).items():
            assert id in graph.nodes
            assert "pos" not in looks or all(map(math.isfinite, looks["pos"]))
    assert 0 < refused < 250


@needs_data
def test_groups_that_stood_apart_in_published_files_do():
    for path in FILES:
        document = json.loads(path.read_text("utf-8"))
        ours = frames(import_document(document).graph)
        theirs = {}
        for group in document.get("groups", ()):
            x, y, w, h = group["bounding"]
            theirs[group["title"]] = (x, y, x + w, y + h)
        for a, b in combinations(theirs, 2):
            assert cover(theirs[a], theirs[b]) or not cover(ours[a], ours[b]), (path.name, a, b)


@needs_data
def test_no_card_of_a_published_file_covers_another():
    for path in FILES:
        document = json.loads(path.read_text("utf-8"))
        graph = import_document(document).graph
        assert covering(graph) == [], path.name
        for frame in graph.view.get("frames", ()):
            assert min(frame["size"]) > 0
