"""A workflow and what ran of it, as pictures have both."""

from __future__ import annotations

import json

import pytest

from helpers.drops import CATALOG
from helpers.paths import DATA, needs_data
from ponystudio.errors import GraphFileError
from ponystudio.graph.comfyui.importer import import_document, import_documents, is_comfyui
from ponystudio.graph.comfyui.source_graph import Wire
from ponystudio.graph.comfyui.two_documents import read
from ponystudio.graph.topology import effective


def node(id, type, inputs=(), values=None, **more):
    """A node whose inputs are (name, link)."""
    said = [{"name": name, "type": "*", "link": link} for name, link in inputs]
    return {"id": id, "type": type, "inputs": said, "widgets_values": values, **more}


def workflow(*nodes, links=()):
    return {"nodes": list(nodes), "links": [list(link) for link in links]}


def ran(**nodes):
    return {
        id.removeprefix("n"): {"class_type": type, "inputs": inputs}
        for id, (type, inputs) in nodes.items()
    }


LOADER = node(4, "CheckpointLoaderSimple", values=["a.safetensors"])
SAMPLER = node(3, "KSampler", [("model", 1)], [7, "randomize", 20])
LINK = (1, 4, 0, 3, 0, "MODEL")


def test_values_are_those_that_ran_and_differences_are_told():
    found = read(
        workflow(LOADER, SAMPLER, links=[LINK]),
        ran(
            n4=("CheckpointLoaderSimple", {"ckpt_name": "a.safetensors"}),
            n3=("KSampler", {"seed": 99, "steps": 20, "cfg": 4.5, "model": ["4", 0]}),
        ),
    )
    wanted = {"seed": 99, "steps": 20, "cfg": 4.5, "model": Wire("4", 0)}
    assert found.nodes["3"].inputs == wanted
    assert found.remarks == (("3", "seed was 99 when it ran"),)


def test_wires_are_those_of_the_layout_and_differences_are_told():
    other = ran(
        n4=("CheckpointLoaderSimple", {}), n5=("UNETLoader", {}),
        n3=("KSampler", {"model": ["5", 0], "latent_image": ["4", 1]}),
    )  # fmt: skip
    drawn = workflow(LOADER, SAMPLER, node(5, "UNETLoader"), links=[LINK])
    found = read(drawn, other)
    assert found.nodes["3"].inputs["model"] == Wire("4", 0)
    assert found.remarks == (
        ("3", "model was from node '5' when it ran"),
        ("3", "latent_image was from node '4' when it ran"),
    )


def test_what_only_the_editor_knows_is_passed_by():
    """A node of a pack that hands on what it gets, and of which nothing ran."""
    drawn = workflow(LOADER, node(9, "Relay", [("x", 2)]), SAMPLER,
                     links=[(2, 4, 0, 9, 0, "*"), (1, 9, 0, 3, 0, "*")])  # fmt: skip
    other = ran(n4=("CheckpointLoaderSimple", {}), n3=("KSampler", {"model": ["4", 0], "seed": 7}))
    found = read(drawn, other)
    assert found.nodes["3"].inputs["model"] == Wire("4", 0)
    assert found.remarks == ()
    assert "9" in found.nodes


def test_bypassed_nodes_do_not_run_and_stay():
    passing = {
        **node(9, "CFGNorm", [("model", 2)], mode=4), "outputs": [{"name": "m", "type": "*"}]
    }  # fmt: skip
    drawn = workflow(LOADER, passing, SAMPLER,
                     links=[(2, 4, 0, 9, 0, "*"), (1, 9, 0, 3, 0, "*")])  # fmt: skip
    found = read(
        drawn, ran(n4=("CheckpointLoaderSimple", {}), n3=("KSampler", {"model": ["4", 0]}))
    )
    assert found.nodes["3"].inputs["model"] == Wire("9", 0)
    assert found.remarks == ()


def test_nodes_that_one_of_them_lacks_are_told():
    found = read(
        workflow(LOADER, node(3, "KSampler", values=[7])),
        ran(n3=("KSamplerAdvanced", {"noise_seed": 9}), n8=("VAEDecode", {})),
    )
    assert found.nodes["3"].inputs == {"seed": 7}
    assert found.remarks == (
        ("3", "it was KSamplerAdvanced when it ran"),
        ("", "VAEDecode 8 ran, and is not in the layout"),
    )


def test_one_that_is_damaged_costs_itself_alone():
    good, damaged = workflow(LOADER), {"4": {"class_type": "CheckpointLoaderSimple", "inputs": 5}}
    found = read(good, damaged)
    assert found.nodes["4"].inputs == {"ckpt_name": "a.safetensors"}
    assert "what ran of it cannot be read" in found.remarks[0][1]
    found = read({"nodes": [{}]}, ran(n4=("CheckpointLoaderSimple", {"ckpt_name": "b"})))
    assert found.nodes["4"].inputs == {"ckpt_name": "b"}
    assert "its layout cannot be read" in found.remarks[0][1]
    with pytest.raises(GraphFileError):
        read({"nodes": [{}]}, damaged)


def test_a_request_to_the_server_has_the_layout_with_it():
    drawn = workflow({**LOADER, "pos": [10, 20]})
    request = {
        "prompt": ran(n4=("CheckpointLoaderSimple", {"ckpt_name": "b"})),
        "extra_data": {"extra_pnginfo": {"workflow": drawn}},
    }
    found = import_documents(prompt=request)
    assert found.graph.view["nodes"]["load_checkpoint_4"]["pos"] == [8, -8]
    assert found.graph.nodes["load_checkpoint_4"].params["file"] == "b"
    assert found.graph.extra == {"comfyui": {"prompt": request}}


def test_a_graph_may_be_inside_of_another_document_or_a_text():
    drawn = workflow({**LOADER, "pos": [10, 20]})
    asked = ran(n4=("CheckpointLoaderSimple", {"ckpt_name": "b"}))
    for document, file in (
        (json.dumps(drawn), "a.safetensors"),
        (json.dumps(asked), "b"),
        ({"workflow": json.dumps(drawn)}, "a.safetensors"),
        ({"workflow": drawn, "prompt": json.dumps(asked)}, "b"),
        ({"prompt": json.dumps(asked)}, "b"),
    ):
        assert is_comfyui(document)
        (node,) = import_document(document).graph.nodes.values()
        assert node.params["file"] == file
    for document in ("a pony", '{"workflow": 5}', {"workflow": {"a": 1}}, {"prompt": "a pony"}):
        assert not is_comfyui(document)


@needs_data
def test_published_pairs_are_what_ran_and_agree():
    def running(imported):
        nodes = effective(imported.graph, CATALOG).nodes.values()
        return {node.id: (node.type, node.params, node.inputs) for node in nodes}

    for path in (DATA / "workflows").glob("*.prompt.json"):
        if "inpaint_controlnet" in path.name:  # a group node, whose inside has other ids there
            continue
        other = path.with_name(path.name.replace(".prompt.", ".workflow."))
        asked, drawn = (json.loads(file.read_text("utf-8")) for file in (path, other))
        both = import_documents(drawn, asked)
        assert running(both) == running(import_document(asked)), path.name
        assert set(both.remarks) <= set(import_document(drawn).remarks), path.name
        assert both.graph.extra["comfyui"] == {"workflow": drawn, "prompt": asked}
