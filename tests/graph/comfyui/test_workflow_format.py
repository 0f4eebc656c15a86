"""Graphs as ComfyUI's editor saves them, each written out, and what they come to."""

from __future__ import annotations

import pytest

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
        {"seed": 7, "steps": 20, "cfg": 8.0, "sampler_name": "euler", "scheduler": "normal",
         "denoise": 0.5},
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
    assert inputs(workflow(node(3, "KSampler"))) == {}
    assert inputs(workflow(node(3, "KSampler", values=None))) == {}


def test_named_values_win():
    said = node(3, "KSampler", values=[7, "fixed", 20], widgets_values_named={"steps": 30})
    assert inputs(workflow(said)) == {"seed": 7, "steps": 30}


def test_the_upload_button_owns_a_place():
    assert inputs(workflow(node(3, "LoadImage", values=["a.png", "image"]))) == {"image": "a.png"}


def test_values_of_unknown_nodes_go_by_their_inputs_or_stay_together():
    widgets = [{"name": "text", "type": "STRING", "widget": {"name": "text"}, "link": None}]
    known = {**node(3, "Unknown", values=["words"]), "inputs": widgets}
    assert inputs(workflow(known)) == {"text": "words"}
    assert inputs(workflow(node(3, "Unknown", values=["a", 2]))) == {"widgets_values": ["a", 2]}


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


def test_reroutes_and_primitives_are_gone():
    reroute = node(9, "Reroute", inputs=[("", "*", 2)], outputs=[("", "*")])
    document = workflow(
        LOADER, reroute, SAMPLER, links=[(2, 4, 0, 9, 0, "*"), (1, 9, 0, 3, 0, "*")]
    )
    assert inputs(document) == {"model": Wire("4", 0)}
    assert list(read(document).nodes) == ["4", "3"]
    primitive = node(9, "PrimitiveNode", outputs=[("INT", "INT")], values=[42, "fixed"])
    sampler = node(3, "KSampler", inputs=[("steps", "INT", 1)])
    assert inputs(workflow(primitive, sampler, links=[(1, 9, 0, 3, 0, "INT")])) == {"steps": 42}


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
    assert inputs(document) == {"model": Wire("4", 0)}
    assert "10" not in read(document).nodes
    assert read(document).remarks == ("LoraLoader 10 is bypassed, and left out",)


def test_what_a_muted_node_gave_is_missing():
    links = [(2, 4, 0, 10, 0, "MODEL"), (1, 10, 0, 3, 0, "MODEL")]
    assert inputs(workflow(LOADER, lora(2), SAMPLER, links=links)) == {}


def test_a_name_is_set_in_one_place_and_got_in_others():
    setter = node(20, "SetNode", inputs=[("MODEL", "MODEL", 2)], values=["the model"])
    getter = node(21, "GetNode", outputs=[("MODEL", "MODEL")], values=["the model"])
    links = [(2, 4, 0, 20, 0, "MODEL"), (1, 21, 0, 3, 0, "MODEL")]
    assert inputs(workflow(LOADER, setter, getter, SAMPLER, links=links)) == {"model": Wire("4", 0)}
    circle = [(2, 21, 0, 20, 0, "MODEL"), (1, 21, 0, 3, 0, "MODEL")]
    assert inputs(workflow(setter, getter, SAMPLER, links=circle)) == {}


# Subgraphs

UUID = "8f5f4a0c-0000-4000-8000-000000000001"


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
        ([], None, "inside", 1),
    ],
    ids=["inputs alone", "each", "null", "none", "as text", "triples", "of nothing", "no proxies"],
)
def test_promoted_values(values, proxies, text, seed):
    found = read(with_instance(values, proxies)).nodes
    assert sorted(found) == ["11", "7:12", "7:5", "8"]
    assert found["8"].inputs == {"samples": Wire("7:12", 0)}
    assert found["7:12"].inputs == {"positive": Wire("7:5", 0), "seed": seed, "steps": 20}
    assert found["7:5"].inputs == {"text": text, "clip": Wire("11", 0)}


def test_promoted_values_of_the_newest_files_go_by_inputs_or_names():
    document = with_instance(["a pony"], None)
    document["nodes"][0]["inputs"][0]["widget"] = {"name": "text"}
    assert read(document).nodes["7:5"].inputs["text"] == "a pony"
    document = with_instance([], PROXIES, widgets_values_named={"text": "named"})
    assert read(document).nodes["7:5"].inputs["text"] == "named"


def test_muted_and_bypassed_instances_have_no_inside():
    for mode in (2, 4):
        found = read(with_instance(["a pony"], PROXIES, mode=mode)).nodes
        assert sorted(found) == ["11", "8"]
        assert found["8"].inputs == {}


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


# What stands beside


def test_groups_notes_places_and_titles_are_kept():
    loader = {**LOADER, "pos": {"0": 10, "1": 20.04}, "flags": {"collapsed": True}, "title": "Mine"}
    note = node(2, "Note", values=["Read me"], pos=[5, 6], size=[200, 100])
    groups = [{"title": "First", "bounding": [1, 2, 300, 400], "color": "#fff"}]
    found = read(workflow(loader, note, groups=groups))
    assert found.nodes["4"].place == {"pos": [10.0, 20.0], "collapsed": True}
    assert found.nodes["4"].title == "Mine"
    assert found.frames == ({"title": "First", "pos": [1, 2], "size": [300, 400]},)
    assert found.notes == ({"text": "Read me", "pos": [5.0, 6.0], "size": [200.0, 100.0]},)


def test_a_node_that_is_none_is_named():
    with pytest.raises(GraphFileError, match="no id or no type"):
        read({"nodes": [{"id": 1}], "links": []})
    assert looks_like({"nodes": []})
    assert not looks_like({"nodes": {}})
