"""Graphs as ComfyUI's editor saves them, each written out, and what they come to."""

from __future__ import annotations

import json
import random
import sys
from itertools import pairwise

import pytest

from helpers.foreign_graphs import mutate
from ponystudio.errors import GraphFileError
from ponystudio.graph.comfyui.source_graph import Wire
from ponystudio.graph.comfyui.workflow_format import looks_like, read


def node(id, type, *, inputs=(), outputs=(), values=None, **more):
    """A node whose inputs are (name, type, link) and outputs (name, type)."""
    said = {
        "id": id,
        "type": type,
        "inputs": [{"name": name, "type": kind, "link": link} for name, kind, link in inputs],
        "outputs": [{"name": name, "type": kind, "links": []} for name, kind in outputs],
        **more,
    }
    return said if values is None else {**said, "widgets_values": values}


def workflow(*nodes, links=(), **more):
    return {"nodes": list(nodes), "links": [list(link) for link in links], "version": 0.4, **more}


LOADER = node(4, "CheckpointLoaderSimple", outputs=[("MODEL", "MODEL")], values=["a.safetensors"])
SAMPLER = node(3, "KSampler", inputs=[("model", "MODEL", 1)])


def inputs(document, id="3"):
    return dict(read(document).nodes[id].inputs)


# Values


@pytest.mark.parametrize(
    "values",
    [
        [7, "randomize", 20, 8.0, "euler", "normal", 0.5],
        [7, None, 20, 8.0, "euler", "normal", 0.5],
        [7, False, 20, 8.0, "euler", "normal", 0.5],
        [7, 20, 8.0, "euler", "normal", 0.5],
        {"seed": 7, "control_after_generate": "fixed", "steps": 20, "cfg": 8.0,
         "sampler_name": "euler", "scheduler": "normal", "denoise": 0.5},
    ],
    ids=["control", "null", "false", "no control", "by name"],
)  # fmt: skip
def test_values_stand_in_the_order_of_the_inputs(values):
    found = inputs(workflow(node(3, "KSampler", values=values)))
    assert found == {
        "seed": 7,
        "steps": 20,
        "cfg": 8.0,
        "sampler_name": "euler",
        "scheduler": "normal",
        "denoise": 0.5,
    }


def test_of_too_few_values_the_first_are_there():
    found = inputs(workflow(node(3, "KSampler", values=[7, "fixed", 20])))
    assert found == {"seed": 7, "steps": 20}
    # What is done to a seed after a run was once said by yes or no.
    old = inputs(workflow(node(3, "KSampler", values=[7, True, 20, 8.0, "euler", "normal"])))
    assert old.keys() == {"seed", "steps", "cfg", "sampler_name", "scheduler"}
    assert old["steps"] == 20
    assert inputs(workflow(node(3, "KSampler"))) == {}
    assert inputs(workflow(node(3, "KSampler", values=None))) == {}


def test_named_values_win():
    named = {"steps": 30, "control_after_generate": "randomize"}
    said = node(3, "KSampler", values=[7, "fixed", 20], widgets_values_named=named)
    assert inputs(workflow(said)) == {"seed": 7, "steps": 30}


def test_the_upload_button_owns_a_place():
    assert inputs(workflow(node(3, "LoadImage", values=["a.png", "image"]))) == {"image": "a.png"}


def test_values_of_unknown_nodes_go_by_their_inputs_or_stay_together():
    widgets = [{"name": "text", "type": "STRING", "widget": {"name": "text"}, "link": None}]
    known = {**node(3, "Unknown", values=["words"]), "inputs": widgets}
    assert inputs(workflow(known)) == {"text": "words"}
    assert inputs(workflow(node(3, "Unknown", values=["a", 2]))) == {"widgets_values": ["a", 2]}
    widgets.insert(0, {"name": "seed", "type": "INT", "widget": {"name": "seed"}, "link": None})
    for values in ([7, "randomize", "words"], [7, "words"]):
        known = {**node(3, "Unknown", values=values), "inputs": widgets}
        assert inputs(workflow(known)) == {"seed": 7, "text": "words"}


def test_a_wire_to_a_value_wins_over_it():
    number = node(5, "PrimitiveInt", outputs=[("INT", "INT")], values=[9])
    sampler = node(3, "KSampler", inputs=[("seed", "INT", 1)], values=[7, "fixed", 20])
    found = inputs(workflow(number, sampler, links=[(1, 5, 0, 3, 0, "INT")]))
    assert found == {"seed": Wire("5", 0), "steps": 20}


# Wires


def test_links_are_lists_or_objects():
    link = {"id": 1, "origin_id": 4, "origin_slot": 0, "target_id": 3, "target_slot": 0}
    for document in (
        workflow(LOADER, SAMPLER, links=[(1, 4, 0, 3, 0, "MODEL")]),
        {"version": 1, "nodes": [LOADER, SAMPLER], "links": [link]},
    ):
        assert inputs(document) == {"model": Wire("4", 0)}


@pytest.mark.parametrize("type", ["Reroute", "Reroute (rgthree)", "ReroutePrimitive|pysssss"])
def test_reroutes_and_primitives_are_gone(type):
    reroute = node(9, type, inputs=[("", "*", 2)], outputs=[("", "*")])
    document = workflow(
        LOADER, reroute, SAMPLER, links=[(2, 4, 0, 9, 0, "*"), (1, 9, 0, 3, 0, "*")]
    )
    assert inputs(document) == {"model": Wire("4", 0)}
    assert list(read(document).nodes) == ["4", "3"]
    primitive = node(9, "PrimitiveNode", outputs=[("INT", "INT")], values=[42, "fixed"])
    sampler = node(3, "KSampler", inputs=[("steps", "INT", 1)])
    assert inputs(workflow(primitive, sampler, links=[(1, 9, 0, 3, 0, "INT")])) == {"steps": 42}


def bends(document, id="3", name="model"):
    return [(bend.area, bend.x, bend.y) for bend in read(document).nodes[id].inputs[name].bends]


def test_wires_bend_where_reroutes_are():
    first = node(9, "Reroute", inputs=[("", "*", 2)], outputs=[("", "*")], pos=[100, 50],
                 size=[80, 30])  # fmt: skip
    second = {**first, "id": 10, "inputs": [{"name": "", "link": 3}], "pos": [200, 60]}
    links = [(2, 4, 0, 9, 0, "*"), (3, 9, 0, 10, 0, "*"), (1, 10, 0, 3, 0, "*")]
    document = workflow(LOADER, first, second, SAMPLER, links=links)
    assert bends(document) == [("", 140, 65), ("", 240, 75)]


def test_wires_bend_where_reroutes_on_links_are():
    """Those have the one before as their parent, and links the last one."""
    reroutes = [
        {"id": 1, "pos": [10, 1], "linkIds": [1]},
        {"id": 2, "parentId": 1, "pos": [20, 2], "linkIds": [1]},
        {"id": 3, "parentId": 4, "pos": [30, 3]},
        {"id": 4, "parentId": 3, "pos": [40, 4]},
    ]
    wanted = [("", 10, 1), ("", 20, 2)]
    ends = [{"id": 1, "parentId": 2}]
    old = workflow(LOADER, SAMPLER, links=[(1, 4, 0, 3, 0, "MODEL")],
                   extra={"reroutes": reroutes, "linkExtensions": ends})  # fmt: skip
    assert bends(old) == wanted
    link = {"id": 1, "origin_id": 4, "origin_slot": 0, "target_id": 3, "target_slot": 0}
    new = {"version": 1, "nodes": [LOADER, SAMPLER], "links": [{**link, "parentId": 2}],
           "reroutes": reroutes}  # fmt: skip
    assert bends(new) == wanted
    new["links"][0]["parentId"] = 3  # a circle
    assert bends(new) == [("", 40, 4), ("", 30, 3)]


def test_wires_bend_in_the_areas_that_they_go_through():
    relay = node(1, "Reroute", inputs=[("", "*", 31)], outputs=[("", "*")], pos=[7, 8], size=[0, 0])
    lora = {**LORA, "inputs": [{"name": "model", "link": 32}]}
    inner = subgraph(relay, lora, links=[(31, -10, 0, 1, 0), (32, 1, 0, 10, 0)],
                     inputs=[("m", "M")])  # fmt: skip
    outside = {**relay, "inputs": [{"name": "", "link": 2}], "pos": [70, 80]}
    instance = node(7, UUID, inputs=[("m", "M", 3)])
    document = workflow(LOADER, outside, instance, definitions={"subgraphs": [inner]},
                        links=[(2, 4, 0, 1, 0, "M"), (3, 1, 0, 7, 0, "M")])  # fmt: skip
    assert bends(document, "7:10") == [("", 70, 80), ("7:", 7, 8)]


def test_a_long_row_of_reroutes_and_a_circle_of_them_end():
    row = [node(100 + i, "Reroute", inputs=[("", "*", i)]) for i in range(5000)]
    links = [(0, 4, 0, 100, 0, "*")]
    links += [(i, 99 + i, 0, 100 + i, 0, "*") for i in range(1, 5000)]
    links.append((5000, 5099, 0, 3, 0, "*"))
    sampler = node(3, "KSampler", inputs=[("model", "MODEL", 5000)])
    assert inputs(workflow(LOADER, *row, sampler, links=links)) == {"model": Wire("4", 0)}
    links[0] = (0, 5099, 0, 100, 0, "*")
    assert inputs(workflow(LOADER, *row, sampler, links=links)) == {}


def lora(mode):
    return node(
        10,
        "LoraLoader",
        inputs=[("model", "MODEL", 2), ("clip", "CLIP", None)],
        outputs=[("MODEL", "MODEL"), ("CLIP", "CLIP")],
        mode=mode,
    )


def test_a_bypassed_node_passes_on_what_has_the_type_of_its_output():
    links = [(2, 4, 0, 10, 0, "MODEL"), (1, 10, 0, 3, 0, "MODEL")]
    document = workflow(LOADER, lora(4), SAMPLER, links=links)
    assert inputs(document) == {"model": Wire("10", 0)}
    passing = read(document).nodes["10"]
    assert (passing.mode, passing.passes) == ("bypassed", {0: Wire("4", 0)})
    assert read(document).remarks == ()


def test_a_bypassed_node_passes_on_the_first_of_its_type_and_plain_values():
    number = node(5, "PrimitiveNode", outputs=[("INT", "INT")], values=[9])
    passing = node(10, "Both", inputs=[("a", "INT", 2), ("b", "MASK", None), ("c", "MASK", 3)],
                   outputs=[("MASK", "MASK"), ("INT", "INT"), ("X", "X")], mode=4)  # fmt: skip
    links = [(2, 5, 0, 10, 0, "INT"), (3, 4, 0, 10, 2, "MASK")]
    found = read(workflow(LOADER, number, passing, links=links)).nodes["10"]
    assert found.passes == {1: 9}
    passing["inputs"][1]["link"] = 3
    found = read(workflow(LOADER, number, passing, links=links)).nodes["10"]
    assert found.passes == {0: Wire("4", 0), 1: 9}


def test_a_muted_node_stays_and_says_so():
    links = [(2, 4, 0, 10, 0, "MODEL"), (1, 10, 0, 3, 0, "MODEL")]
    found = read(workflow(LOADER, lora(2), SAMPLER, links=links)).nodes
    assert found["10"].mode == "muted"
    assert found["3"].inputs == {"model": Wire("10", 0)}


@pytest.mark.parametrize("pack", ["SetNode GetNode", "easy_setNode easy_getNode"])
def test_a_name_is_set_in_one_place_and_got_in_others(pack):
    set_type, get_type = (type.replace("_", " ") for type in pack.split())
    setter = node(20, set_type, inputs=[("MODEL", "MODEL", 2)], values=["the model"])
    getter = node(21, get_type, outputs=[("MODEL", "MODEL")], values=["the model"])
    links = [(2, 4, 0, 20, 0, "MODEL"), (1, 21, 0, 3, 0, "MODEL")]
    assert inputs(workflow(LOADER, setter, getter, SAMPLER, links=links)) == {"model": Wire("4", 0)}
    circle = [(2, 21, 0, 20, 0, "MODEL"), (1, 21, 0, 3, 0, "MODEL")]
    assert inputs(workflow(setter, getter, SAMPLER, links=circle)) == {}


@pytest.mark.parametrize("slot", [-1, -9, 4096, 200_000_000, 10**400, 1.5, "--5", "²", None, [0]])
def test_a_link_from_no_output_is_left_out_and_told(slot):
    found = read(workflow(LOADER, SAMPLER, links=[(1, 4, slot, 3, 0, "MODEL")]))
    assert found.nodes["3"].inputs == {}
    assert found.remarks == (("", "link 1 comes from no output of node 4, and is left out"),)


def test_what_use_everywhere_wired_is_wired_where_nothing_else_is():
    def everywhere(*links):
        said = [dict(zip(("upstream", "upstream_slot", "downstream", "downstream_slot"), link,
                         strict=True)) for link in links]  # fmt: skip
        return {"ue_links": [*said, None, {"upstream": 4}]}

    hub = node(30, "Anything Everywhere", inputs=[("anything", "MODEL", 2)])
    decode = node(8, "VAEDecode", inputs=[("samples", "LATENT", 3), ("vae", "VAE", None)])
    links = [(2, 4, 0, 30, 0, "MODEL"), (3, 3, 0, 8, 0, "LATENT")]
    sampler = node(3, "KSampler", inputs=[("model", "MODEL", None)])
    extra = everywhere((4, 0, 3, 0), (4, 2, "8", 1), (4, 1, 8, 0))
    found = read(workflow(LOADER, hub, sampler, decode, links=links, extra=extra))
    assert list(found.nodes) == ["4", "3", "8"]
    assert found.nodes["3"].inputs == {"model": Wire("4", 0)}
    assert found.nodes["8"].inputs == {"samples": Wire("3", 0), "vae": Wire("4", 2)}
    assert found.remarks == ()
    found = read(workflow(LOADER, hub, sampler, decode, links=links))
    assert found.nodes["3"].inputs == {"model": Wire("4", 0)}
    assert found.nodes["8"].inputs == {"samples": Wire("3", 0)}


# Subgraphs

UUID = "8f5f4a0c-0000-4000-8000-000000000001"
LORA = node(10, "LoraLoaderModelOnly", inputs=[("model", "MODEL", 31)],
            outputs=[("MODEL", "MODEL")])  # fmt: skip


def subgraph(*nodes, links, inputs=(), outputs=(), id=UUID):
    return {
        "id": id,
        "nodes": list(nodes),
        "links": [
            dict(zip(("id", "origin_id", "origin_slot", "target_id", "target_slot"), link,
                     strict=True))
            for link in links
        ],
        "inputs": [{"name": name, "type": kind} for name, kind in inputs],
        "outputs": [{"name": name, "type": kind} for name, kind in outputs],
    }  # fmt: skip


TEXT = node(5, "CLIPTextEncode", inputs=[("clip", "CLIP", 31), ("text", "STRING", 30)],
            outputs=[("CONDITIONING", "CONDITIONING")], values=["inside"])  # fmt: skip
SEEDED = node(12, "KSampler", inputs=[("positive", "CONDITIONING", 32)],
              outputs=[("LATENT", "LATENT")], values=[1, "fixed", 20])  # fmt: skip
INNER = subgraph(
    TEXT,
    SEEDED,
    links=[(30, -10, 0, 5, 1), (31, -10, 1, 5, 0), (32, 5, 0, 12, 0), (33, 12, 0, -20, 0)],
    inputs=[("text", "STRING"), ("clip", "CLIP")],
    outputs=[("latent", "LATENT")],
)
DECODE = node(8, "VAEDecode", inputs=[("samples", "LATENT", 40)])
PROXIES = [["-1", "text"], ["12", "seed"], ["12", "control_after_generate"]]


def with_instance(values, proxies, **more):
    instance = node(
        7,
        UUID,
        inputs=[("text", "STRING", None), ("clip", "CLIP", 41)],
        outputs=[("latent", "LATENT")],
        values=values,
        properties={"proxyWidgets": proxies} if proxies is not None else {},
        **more,
    )
    clips = node(11, "CLIPLoader", outputs=[("CLIP", "CLIP")], values=["l.safetensors", "sd3"])
    return workflow(
        instance,
        clips,
        DECODE,
        links=[(40, 7, 0, 8, 0, "LATENT"), (41, 11, 0, 7, 1, "CLIP")],
        definitions={"subgraphs": [INNER]},
    )


@pytest.mark.parametrize(
    ("values", "proxies", "text", "seed"),
    [
        (["a pony"], PROXIES, "a pony", 1),
        (["a pony", 7, "fixed"], PROXIES, "a pony", 7),
        (["a pony", None, None], PROXIES, "a pony", 1),
        ([], PROXIES, "inside", 1),
        (["a pony"], '[["-1", "text"], ["12", "seed"]]', "a pony", 1),
        (["a pony", 7], [["-1", "text"], ["12", "seed", "of two"]], "a pony", 7),
        (["a pony", 7], [["-1", "text"], ["99", "nothing"]], "a pony", 1),
        (["a pony", 7], [["-1", "5: text"], ["12", "12: seed"]], "a pony", 7),
        ([], None, "inside", 1),
    ],
    ids=[
        "inputs alone",
        "each",
        "null",
        "none",
        "as text",
        "triples",
        "of nothing",
        "with ids",
        "no proxies",
    ],
)
def test_promoted_values(values, proxies, text, seed):
    found = read(with_instance(values, proxies)).nodes
    assert sorted(found) == ["11", "7:12", "7:5", "8"]
    assert found["8"].inputs == {"samples": Wire("7:12", 0)}
    assert found["7:12"].inputs == {"positive": Wire("7:5", 0), "seed": seed, "steps": 20}
    assert found["7:5"].inputs == {"text": text, "clip": Wire("11", 0)}


def test_promoted_values_of_the_newest_files_go_by_inputs_or_names():
    document = with_instance(["a pony"], None)
    for name in ("text", "5: text"):
        document["nodes"][0]["inputs"][0].update(name=name, widget={"name": name})
        assert read(document).nodes["7:5"].inputs["text"] == "a pony"
    document = with_instance([], PROXIES, widgets_values_named={"text": "named"})
    assert read(document).nodes["7:5"].inputs["text"] == "named"


def test_named_promoted_values_find_their_nodes():
    named = {"5: text": "named", "12: seed": 9, "control_after_generate": "fixed", "99: x": 1}
    found = read(with_instance([], PROXIES, widgets_values_named=named)).nodes
    assert found["7:5"].inputs["text"] == "named"
    assert found["7:12"].inputs == {"positive": Wire("7:5", 0), "seed": 9, "steps": 20}


def test_all_that_is_in_a_muted_instance_is_muted():
    found = read(with_instance(["a pony"], PROXIES, mode=2)).nodes
    assert {id: node.mode for id, node in found.items()} == {
        "7:5": "muted", "7:12": "muted", "11": "normal", "8": "normal"
    }  # fmt: skip
    assert found["8"].inputs == {"samples": Wire("7:12", 0)}
    assert found["7:5"].inputs == {"text": "a pony", "clip": Wire("11", 0)}


def test_a_bypassed_instance_passes_on_what_it_is_given_and_its_inside_nothing():
    found = read(with_instance(["a pony"], PROXIES, mode=4)).nodes
    assert found["8"].inputs == {}
    assert {found["7:5"].mode, found["7:12"].mode} == {"bypassed"}
    inner = subgraph(LORA, links=[(31, -10, 0, 10, 0), (33, 10, 0, -20, 0)],
                     inputs=[("m", "MODEL")], outputs=[("m", "MODEL")])  # fmt: skip
    instance = node(7, UUID, inputs=[("m", "MODEL", 2)], outputs=[("m", "MODEL")], mode=4)
    links = [(2, 4, 0, 7, 0, "MODEL"), (1, 7, 0, 3, 0, "MODEL")]
    document = workflow(LOADER, instance, SAMPLER, links=links, definitions={"subgraphs": [inner]})
    assert inputs(document) == {"model": Wire("4", 0)}
    assert read(document).nodes["7:10"].inputs == {"model": Wire("4", 0)}


def test_nothing_comes_through_a_muted_instance():
    through = subgraph(node(9, "Reroute", inputs=[("", "*", 31)], outputs=[("", "*")]),
                       links=[(31, -10, 0, 9, 0), (33, 9, 0, -20, 0)],
                       inputs=[("m", "MODEL")], outputs=[("m", "MODEL")])  # fmt: skip
    instance = node(7, UUID, inputs=[("m", "MODEL", 2)], outputs=[("m", "MODEL")])
    links = [(2, 4, 0, 7, 0, "MODEL"), (1, 7, 0, 3, 0, "MODEL")]
    for mode, wanted in ((0, {"model": Wire("4", 0)}), (2, {})):
        nodes = (LOADER, {**instance, "mode": mode}, SAMPLER)
        document = workflow(*nodes, links=links, definitions={"subgraphs": [through]})
        assert inputs(document) == wanted


def test_subgraphs_in_subgraphs():
    outer_id = "8f5f4a0c-0000-4000-8000-000000000002"
    inside = node(3, UUID, inputs=[("text", "STRING", 1), ("clip", "CLIP", 2)],
                  outputs=[("latent", "LATENT")])  # fmt: skip
    outer = subgraph(
        inside,
        links=[(1, -10, 1, 3, 0), (2, -10, 0, 3, 1), (3, 3, 0, -20, 0)],
        inputs=[("clip", "CLIP"), ("words", "STRING")],
        outputs=[("latent", "LATENT")],
        id=outer_id,
    )
    # Its inputs stand in another order than the definition's.
    instance = node(7, outer_id, inputs=[("words", "STRING", None), ("clip", "CLIP", 41)],
                    values=["deep"], properties={"proxyWidgets": [["-1", "words"]]})  # fmt: skip
    clips = node(11, "CLIPLoader")
    document = workflow(
        instance,
        clips,
        DECODE,
        links=[(40, 7, 0, 8, 0, "LATENT"), (41, 11, 0, 7, 1, "CLIP")],
        definitions={"subgraphs": [{**outer, "definitions": {"subgraphs": [INNER]}}]},
    )
    found = read(document).nodes
    assert found["7:3:5"].inputs == {"text": "deep", "clip": Wire("11", 0)}
    assert found["8"].inputs == {"samples": Wire("7:3:12", 0)}
    # A value of a node two levels down.
    inside["properties"] = {"proxyWidgets": [["12", "seed"]]}
    instance["properties"] = {"proxyWidgets": [["3", "12: seed"]]}
    instance["widgets_values"] = [5]
    found = read(document).nodes
    assert found["7:3:12"].inputs["seed"] == 5
    assert found["7:3:5"].inputs["text"] == "inside"


def test_a_name_is_got_from_outside_of_a_subgraph():
    getter = node(1, "GetNode", outputs=[("CLIP", "CLIP")], values=["clips"])
    inner = subgraph(getter, TEXT, links=[(31, 1, 0, 5, 0), (33, 5, 0, -20, 0)])
    setter = node(20, "SetNode", inputs=[("CLIP", "CLIP", 2)], values=["clips"])
    clips = node(11, "CLIPLoader", outputs=[("CLIP", "CLIP")])
    document = workflow(
        setter,
        clips,
        node(7, UUID),
        links=[(2, 11, 0, 20, 0, "CLIP")],
        definitions={"subgraphs": [inner]},
    )
    assert read(document).nodes["7:5"].inputs["clip"] == Wire("11", 0)


def test_subgraphs_without_end_are_refused():
    endless = subgraph(node(1, UUID), links=[])
    with pytest.raises(GraphFileError, match="inside of each other without end"):
        read(workflow(node(7, UUID), definitions={"subgraphs": [endless]}))
    ids = [f"8f5f4a0c-0000-4000-8000-{i:012}" for i in range(20)]
    bomb = [
        subgraph(*(node(k, following) for k in range(10)), links=[], id=id)
        for id, following in zip(ids, [*ids[1:], "KSampler"], strict=True)
    ]
    with pytest.raises(GraphFileError, match="more than 100,000 nodes"):
        read(workflow(node(7, ids[0]), definitions={"subgraphs": bomb}))


def test_a_million_nodes_are_refused_before_they_are_looked_at():
    looked = 0

    class Looked(dict):
        def get(self, *names):
            nonlocal looked
            looked += 1
            return super().get(*names)

    with pytest.raises(GraphFileError, match="more than 100,000 nodes"):
        read(workflow(*[Looked(LOADER)] * 1_000_000))
    assert looked == 0


def test_subgraphs_that_double_and_hold_nothing_are_refused():
    ids = [f"8f5f4a0c-0000-4000-8000-{i:012}" for i in range(28)]
    levels = [subgraph(node(1, next), node(2, next), links=[], id=id)
              for id, next in pairwise(ids)]  # fmt: skip
    document = workflow(
        node(7, ids[0]),
        definitions={"subgraphs": [*levels, subgraph(links=[], id=ids[-1])]},
    )
    with pytest.raises(GraphFileError, match="more than 100,000 nodes"):
        read(document)


def test_what_a_subgraph_says_counts_as_often_as_it_is_there():
    big = subgraph(node(1, "Unknown", values=list(range(20_000))), links=[])
    instances = [node(i, UUID) for i in range(2_000)]
    with pytest.raises(GraphFileError, match="more than 20,000,000 values"):
        read(workflow(*instances, definitions={"subgraphs": [big]}))


def chain(count):
    """Reroutes in a row, and as many nodes at its end."""
    row = [node(i, "Reroute", inputs=[("", "*", i)]) for i in range(1, count + 1)]
    ends = [node(count + i, "Foo", inputs=[("x", "*", count + i)]) for i in range(1, count + 1)]
    links = [(i, i - 1, 0, i, 0, "*") for i in range(1, count + 1)]
    links += [(count + i, count, 0, count + i, 0, "*") for i in range(1, count + 1)]
    return workflow(node(0, "Source"), *row, *ends, links=links)


def names(count):
    """Pairs that set and get a name, each got by a node."""
    setters = [node(i, "SetNode", inputs=[("x", "*", i)], values=[f"n{i}"]) for i in range(count)]
    getters = [node(count + i, "GetNode", values=[f"n{i}"]) for i in range(count)]
    ends = [node(2 * count + i, "Foo", inputs=[("x", "*", count + i)]) for i in range(count)]
    links = [(i, "source", 0, i, 0, "*") for i in range(count)]
    links += [(count + i, count + i, 0, 2 * count + i, 0, "*") for i in range(count)]
    return workflow(node("source", "Source"), *setters, *getters, *ends, links=links)


def many_outputs(count):
    """A subgraph with as many inputs and outputs as nodes are around it."""
    inner = [node(i, "Foo", inputs=[("x", "*", i)]) for i in range(count)]
    links = [(i, -10, i, i, 0) for i in range(count)]
    links += [(count + i, i, 0, -20, i) for i in range(count)]
    ports = [(f"in {i}", "*") for i in range(count)]
    definition = subgraph(*inner, links=links, inputs=ports)
    instance = node("s", UUID, inputs=[(name, "*", f"i{i}") for i, (name, _) in enumerate(ports)])
    ends = [node(i, "Foo", inputs=[("x", "*", i)]) for i in range(count)]
    links = [(i, "s", i, i, 0, "*") for i in range(count)]
    links += [(f"i{i}", "source", 0, "s", i, "*") for i in range(count)]
    return workflow(node("source", "Source"), instance, *ends, links=links,
                    definitions={"subgraphs": [definition]})  # fmt: skip


def bypassed(count):
    """A bypassed node with many inputs and outputs, that are of the same types in another order."""
    ports = [(f"p{i}", f"T{i}") for i in range(count)]
    through = node("b", "Wide", inputs=[(name, type, f"i{i}") for i, (name, type) in
                                        enumerate(ports)], outputs=ports[::-1], mode=4)  # fmt: skip
    ends = [node(i, "Foo", inputs=[("x", "*", i)]) for i in range(count)]
    links = [(i, "b", i, i, 0, "*") for i in range(count)]
    links += [(f"i{i}", "source", i, "b", i, "*") for i in range(count)]
    return workflow(node("source", "Source"), through, *ends, links=links)


def promoted(count):
    """An instance that has as many values, by their names, of one node."""
    proxies = [["1", f"v{i}"] for i in range(count)]
    named = {f"1: v{i}": i for i in range(count)}
    inner = node(1, "Foo", inputs=[("x", "*", 1)])
    definition = subgraph(inner, node(2, "Source"), links=[(1, 2, 0, 1, 0)])
    rest = [node(10 + i, "Foo", inputs=[("x", "*", 1)]) for i in range(count)]
    instance = node(7, UUID, properties={"proxyWidgets": proxies}, widgets_values_named=named)
    return workflow(instance, node(8, "Source"), *rest, links=[(1, 8, 0, 10, 0, "*")],
                    definitions={"subgraphs": [definition]})  # fmt: skip


@pytest.mark.parametrize("make", [chain, names, many_outputs, bypassed, promoted])
def test_wires_are_followed_in_the_time_of_their_number(make):
    """In steps, which are the same on every machine: four times as many, not sixteen."""

    def steps(count):
        document, calls = make(count), 0

        def count_call(_frame, event, _arg):
            nonlocal calls
            calls += event in ("call", "c_call")

        sys.setprofile(count_call)
        try:
            found = read(document)
        finally:
            sys.setprofile(None)
        ends = [node for node in found.nodes.values() if node.type == "Foo"]
        assert len(ends) >= count
        assert all(node.wires() for node in ends)
        return calls

    assert steps(800) < 5 * steps(200)


# Group nodes


def test_a_group_node_is_what_is_in_it():
    group = {
        "nodes": [
            node(0, "EmptyImage", outputs=[("IMAGE", "IMAGE")], values=[512, 512, 1, 255]),
            node(1, "ThresholdMask", inputs=[("mask", "MASK", None)],
                 outputs=[("MASK", "MASK")], values=[0.5]),
            node(2, "Reroute", inputs=[("", "*", None)], outputs=[("", "*")]),
            node(3, "ImageCompositeMasked",
                 inputs=[("destination", "IMAGE", None), ("source", "IMAGE", None),
                         ("mask", "MASK", None)],
                 outputs=[("IMAGE", "IMAGE")], values=[0, 0, True]),
        ],
        "links": [
            [None, 1, 2, 0, 50, "MASK"],
            [2, 0, 1, 0, 66, "MASK"],
            [None, 0, 3, 0, 50, "IMAGE"],
            [0, 0, 3, 1, 62, "IMAGE"],
            [1, 0, 3, 2, 64, "MASK"],
        ],
        "external": [],
        "config": {"2": {"input": {"MASK": {"name": "hole"}}},
                   "3": {"input": {"destination": {"name": "picture"}}}},
    }  # fmt: skip
    loader = node(50, "LoadImage", outputs=[("IMAGE", "IMAGE"), ("MASK", "MASK")])
    for spelling in ("workflow/Hole", "workflow>Hole"):
        instance = node(
            68,
            spelling,
            inputs=[("picture", "IMAGE", 1), ("hole", "MASK", 2)],
            outputs=[("IMAGE", "IMAGE")],
            values=[256, 256, 1, 16777215, 0.25, 8, 16, False],
        )
        saver = node(9, "SaveImage", inputs=[("images", "IMAGE", 3)])
        found = read(
            workflow(
                loader,
                instance,
                saver,
                links=[(1, 50, 0, 68, 0, "IMAGE"), (2, 50, 1, 68, 1, "MASK"),
                       (3, 68, 0, 9, 0, "IMAGE")],
                extra={"groupNodes": {"Hole": group}},
            )
        ).nodes  # fmt: skip
        assert sorted(found) == ["50", "68:0", "68:1", "68:3", "9"]
        assert found["68:0"].inputs == {
            "width": 256, "height": 256, "batch_size": 1, "color": 16777215
        }  # fmt: skip
        assert found["68:1"].inputs == {"mask": Wire("50", 1), "value": 0.25}
        assert found["68:3"].inputs == {
            "destination": Wire("50", 0),
            "source": Wire("68:0", 0),
            "mask": Wire("68:1", 0),
            "x": 8,
            "y": 16,
            "resize_source": False,
        }
        assert found["9"].inputs == {"images": Wire("68:3", 0)}


def test_links_of_a_group_node_that_lead_nowhere_are_left_out():
    group = {
        "nodes": [
            node(0, "EmptyImage", outputs=[("IMAGE", "IMAGE")]),
            {**node(1, "Bar"), "inputs": [{"name": "x"}, 5, {"name": "x"}]},
        ],
        "links": [[0, 0, 1, -1, 1, "*"], [0, 0, 1, -9, 1, "*"], [0, -1, 1, 2, 1, "*"], [0], None],
        "external": [[None, 0], [{"index": [1]}, {}], 7],
        "config": {"1": {"input": {"x": {"name": [1]}}}, "0": 3},
    }
    instance = node(68, "workflow>G", inputs=[("x", "*", 1)])
    document = workflow(LOADER, instance, links=[(1, 4, 0, 68, 0, "*")],
                        extra={"groupNodes": {"G": group, "H": 5}})  # fmt: skip
    assert read(document).nodes["68:1"].inputs == {"x": Wire("4", 0)}


# What stands beside


def test_places_of_the_blown_up_renderer_are_brought_back():
    first, second = {**LOADER, "pos": [100, 50]}, node(3, "KSampler", pos=[220, 170])
    note = node(2, "Note", values=["Read me"], pos=[100, 290], size=[240, 120])
    groups = [{"title": "First", "bounding": [100, 50, 360, 240]}]
    places = {}
    for renderer in ("Vue", "Vue-corrected", "LG"):
        extra = {"workflowRendererVersion": renderer}
        found = read(workflow(first, second, note, groups=groups, extra=extra))
        places[renderer] = [
            *(node.place["pos"] for node in found.nodes.values()),
            *(found.areas[""].notes[0][name] for name in ("pos", "size")),
            *(found.areas[""].frames[0][name] for name in ("pos", "size")),
        ]
    assert places["Vue"] == [[100, 50], [200, 150], [100, 250], [200, 100], [100, 50], [300, 200]]
    said = [[100, 50], [220, 170], [100, 290], [240, 120], [100, 50], [360, 240]]
    assert places["Vue-corrected"] == places["LG"] == said


def test_groups_notes_places_and_titles_are_kept():
    loader = {**LOADER, "pos": {"0": 10, "1": 20.04}, "flags": {"collapsed": True}, "title": "Mine"}
    note = node(2, "Note", values=["Read me"], pos=[5, 6], size=[200, 100])
    groups = [{"title": "First", "bounding": [1, 2, 300, 400], "color": "#fff"}]
    found = read(workflow(loader, note, groups=groups))
    assert found.nodes["4"].place == {"pos": [10.0, 20.0], "collapsed": True}
    assert found.nodes["4"].title == "Mine"
    (frame,), (note,) = found.areas[""].frames, found.areas[""].notes
    assert frame == {"title": "First", "pos": [1, 2], "size": [300, 400], "hue": "util"}
    assert note == {"text": "Read me", "pos": [5.0, 6.0], "size": [200.0, 100.0]}


def test_a_node_that_is_none_is_named():
    with pytest.raises(GraphFileError, match="no id or no type"):
        read({"nodes": [{"id": 1}], "links": []})
    assert looks_like({"nodes": []})
    assert not looks_like({"nodes": {}})


def test_the_inside_of_a_subgraph_is_an_area_with_its_name():
    document = with_instance(["a pony"], PROXIES, pos=[10, 20], size=[200, 100])
    document["definitions"]["subgraphs"][0] = {
        **INNER,
        "name": "Two of us",
        "groups": [{"title": "in", "bounding": [0, 0, 50, 60]}],
    }
    area = read(document).areas["7:"]
    assert (area.title, area.around, area.place) == (
        "Two of us", "", {"pos": [10, 20], "size": [200, 100]}
    )  # fmt: skip
    assert [frame["title"] for frame in area.frames] == ["in"]
    assert {node.area for id, node in read(document).nodes.items() if ":" in id} == {"7:"}


def test_plain_notes_keep_their_lines_and_notes_their_titles():
    plain = node(1, "Note", values=["a\nb"], title="Mine")
    marked = node(2, "MarkdownNote", values=["# a\nb"], title="Markdown Note")
    found = read(workflow(plain, marked, LOADER)).areas[""].notes
    assert [note["text"] for note in found] == ["**Mine**\n\na  \nb", "# a\nb"]


@pytest.mark.parametrize(
    ("colour", "hue"),
    [("#232", "mask"), ("#335", "sampling"), ("#b58b2a", "text"), ("#222", "util"), ("red", None)],
)
def test_colours_become_the_hue_that_is_nearest(colour, hue):
    found = read(workflow({**LOADER, "bgcolor": colour}, groups=[{"color": colour}]))
    assert found.nodes["4"].place.get("hue") == hue
    assert found.areas[""].frames[0].get("hue") == hue


# What is damaged


@pytest.mark.parametrize("document", [None, [], 5, "nodes", {}, {"nodes": None}, {"nodes": [[]]}])
def test_what_is_no_workflow_is_refused(document):
    with pytest.raises(GraphFileError, match=r"no nodes|no id"):
        read(document)


def test_mutations_are_read_or_refused():
    """Values of other kinds in all places, in graphs that have all that is known of the format."""
    seeds = [
        workflow(LOADER, lora(4), SAMPLER, links=[(2, 4, 0, 10, 0, "M"), (1, 10, 0, 3, 0, "M")]),
        with_instance(["a pony", 7, "fixed"], PROXIES, widgets_values_named={"5: text": "b"}),
        workflow(
            node(68, "workflow/G", inputs=[("x", "*", 1)], values=[1, "fixed"]),
            node(1, "SetNode", inputs=[("x", "*", 2)], values=["a"]),
            node(2, "GetNode", values=["a"]),
            node(5, "PrimitiveNode", values=[2]),
            node(6, "Note", values=["a"], pos=[1, 2], size=[3, 4]),
            {**node(3, "Unknown", values=[7, "fixed"]), "inputs": [
                {"name": "seed", "type": "INT", "widget": {"name": "seed"}, "link": 4}]},
            links=[(1, 2, 0, 68, 0, "*"), (2, 5, 0, 1, 0, "*"), (4, 68, 0, 3, 0, "*")],
            groups=[{"title": "a", "bounding": [1, 2, 3, 4]}],
            extra={
                "ue_links": [{"upstream": 5, "upstream_slot": 0, "downstream": 68,
                              "downstream_slot": 0}],
                "workflowRendererVersion": "Vue",
                "groupNodes": {"G": {
                    "nodes": [node(0, "KSampler", inputs=[("x", "*", None)], values=[1, "fixed"]),
                              node(1, "Reroute", inputs=[("", "*", None)], outputs=[("", "*")])],
                    "links": [[0, 0, 1, 0, 5, "*"]], "external": [[{"index": 1}, 0, "*"]],
                    "config": {"0": {"input": {"x": {"name": "y"}}}}}},
            },
        ),
    ]  # fmt: skip
    texts = [json.dumps(document) for document in seeds]
    rng, refused = random.Random("workflows"), 0
    for _ in range(2000):
        document = json.loads(rng.choice(texts))
        for _ in range(rng.choice((1, 2, 4))):
            mutate(document, rng)
        try:
            read(document)
        except GraphFileError:
            refused += 1
    assert 0 < refused < 1000
