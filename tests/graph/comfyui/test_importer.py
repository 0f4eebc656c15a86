"""Graphs of ComfyUI's as graphs of ours, each written out."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import pytest

from helpers.drops import CATALOG
from ponystudio.errors import MissingInput
from ponystudio.graph.comfyui.core_nodes import signatures
from ponystudio.graph.comfyui.importer import PLACEHOLDER, import_document, is_comfyui
from ponystudio.graph.comfyui.mapping import Mapped, mappings
from ponystudio.graph.formats import graph_file
from ponystudio.graph.graph_shape import shape
from ponystudio.graph.model import Link
from ponystudio.graph.topology import effective
from ponystudio.graph.validation import check

LOADER = {"class_type": "CheckpointLoaderSimple", "inputs": {"ckpt_name": "sd\\a.safetensors"}}


def prompt(**nodes):
    """An API document of (class, inputs) by id n1, n2, ..."""
    return {
        id.removeprefix("n"): {"class_type": type, "inputs": inputs}
        for id, (type, inputs) in nodes.items()
    }


def nodes(document):
    """Type, params and links of each node of ours."""
    return {
        id: (node.type, dict(node.params), {k: tuple(vars_of(v)) for k, v in node.inputs.items()})
        for id, node in import_document(document).graph.nodes.items()
    }


def vars_of(link: Link):
    return link.source, link.output


def running(document):
    """Type, params and links of what runs."""
    graph = effective(import_document(document).graph, CATALOG)
    return {id: (node.type, node.params, node.inputs) for id, node in graph.nodes.items()}


def test_a_picture_from_words():
    found = nodes(
        prompt(
            n4=("CheckpointLoaderSimple", {"ckpt_name": "sd\\a.safetensors"}),
            n6=("CLIPTextEncode", {"text": "a pony", "clip": ["4", 1]}),
            n5=("EmptyLatentImage", {"width": 512, "height": 768, "batch_size": 2}),
            n3=(
                "KSampler",
                {
                    "seed": 7, "steps": 20, "cfg": 8.0, "sampler_name": "sample_euler",
                    "scheduler": "normal", "denoise": 1.0, "model": ["4", 0],
                    "positive": ["6", 0], "negative": ["6", 0], "latent_image": ["5", 0],
                },
            ),
            n8=("VAEDecode", {"samples": ["3", 0], "vae": ["4", 2]}),
            n9=("SaveImage", {"filename_prefix": "pony", "images": ["8", 0]}),
        )
    )  # fmt: skip
    words = ("encode_prompt_6", "conditioning")
    assert found == {
        "load_checkpoint_4": ("core.load_checkpoint", {"file": "sd/a.safetensors"}, {}),
        "encode_prompt_6": (
            "core.encode_prompt",
            {"text": "a pony", "dialect": "comfyui", "empty": "encode", "clip_skip": 0},
            {"clip": ("load_checkpoint_4", "clip")},
        ),
        "empty_latent_5": ("core.empty_latent", {"width": 512, "height": 768, "batch": 2}, {}),
        "sample_3": (
            "core.sample",
            {"seed": 7, "steps": 20, "cfg": 8.0, "sampler": "euler", "scheduler": "normal",
             "denoise": 1.0},
            {"model": ("load_checkpoint_4", "model"), "positive": words, "negative": words,
             "latent": ("empty_latent_5", "latent")},
        ),
        "decode_latent_8": (
            "core.decode_latent",
            {},
            {"latent": ("sample_3", "latent"), "vae": ("load_checkpoint_4", "vae")},
        ),
        "save_image_9": (
            "core.save_image", {"prefix": "pony"}, {"image": ("decode_latent_8", "image")}
        ),
    }  # fmt: skip


def test_the_layer_of_a_text_encoder_is_said_by_the_prompt_even_behind_a_lora():
    found = nodes(
        prompt(
            n4=("CheckpointLoaderSimple", {"ckpt_name": "a"}),
            n5=("CLIPSetLastLayer", {"stop_at_clip_layer": -2, "clip": ["4", 1]}),
            n6=("LoraLoader", {"lora_name": "l", "strength_model": 1.0, "strength_clip": 0.5,
                               "model": ["4", 0], "clip": ["5", 0]}),
            n7=("CLIPTextEncode", {"text": "", "clip": ["6", 1]}),
        )
    )  # fmt: skip
    assert sorted(found) == ["apply_lora_6", "encode_prompt_7", "load_checkpoint_4"]
    assert found["encode_prompt_7"][1]["clip_skip"] == 2
    assert found["apply_lora_6"][2]["clip"] == ("load_checkpoint_4", "clip")


def test_the_mask_of_a_loaded_picture_is_turned_round():
    found = nodes(
        prompt(
            n1=("LoadImage", {"image": "in\\a.png [input]"}),
            n2=("GrowMask", {"expand": 4, "tapered_corners": True, "mask": ["1", 1]}),
        )
    )
    assert found["load_image_1"][1] == {"file": "in/a.png"}
    assert found["invert_mask_1_mask"] == (
        "core.invert_mask",
        {},
        {"mask": ("load_image_1", "mask")},
    )
    assert found["grow_mask_2"][2] == {"mask": ("invert_mask_1_mask", "mask")}
    unused = nodes(prompt(n1=("LoadImage", {"image": "a.png"})))
    assert list(unused) == ["load_image_1"]


def test_a_picture_with_alpha_is_saved_with_it():
    found = nodes(
        prompt(
            n1=("LoadImage", {"image": "a.png"}),
            n2=("JoinImageWithAlpha", {"image": ["1", 0], "alpha": ["1", 1]}),
            n3=("SaveImage", {"images": ["2", 0], "filename_prefix": "x"}),
        )
    )
    assert found["save_image_3"][2] == {
        "image": ("join_alpha_2", "image"),
        "alpha": ("join_alpha_2", "alpha"),
    }


def test_flux_bends_time_by_the_size_that_is_said():
    shift = {"max_shift": 1.15, "base_shift": 0.5, "model": ["1", 0]}
    loader = ("UNETLoader", {"unet_name": "flux", "weight_dtype": "default"})
    for side, wanted in ((1024, 3.158193), (512, 1.877611)):
        size = {"width": side, "height": side}
        found = nodes(prompt(n1=loader, n2=("ModelSamplingFlux", {**shift, **size})))
        assert found["set_shift_2"][1]["shift"] == pytest.approx(wanted, abs=1e-6)


def test_what_is_not_known_stands_there_with_all_it_has():
    document = prompt(
        n1=("Strange Node+", {"strength": 0.5, "image": ["2", 0]}),
        n2=("LoadImage", {"image": "a.png"}),
        n3=("SaveImage", {"images": ["1", 1], "filename_prefix": "x"}),
    )
    imported = import_document(document)
    found = imported.graph.nodes["Strange_Node__1"]
    assert found.type == f"{PLACEHOLDER}Strange Node+"
    assert found.params == {"strength": 0.5}
    assert found.inputs == {"image": Link("load_image_2", "image")}
    assert imported.graph.nodes["save_image_3"].inputs["image"] == Link(found.id, "output 1")
    assert imported.placeholders == {found.id: "Strange Node+"}
    assert (imported.mapped, imported.total) == (2, 3)


def test_wires_in_a_circle_are_told_and_cut():
    circle = {"a": ["2", 0]}
    imported = import_document(prompt(n1=("A", circle), n2=("B", {"a": ["1", 0]})))
    assert "its wires go in a circle" in [remark.text for remark in imported.remarks]
    assert len(imported.graph.nodes) == 2


def test_many_nodes_in_a_row_are_read_in_their_time():
    many = prompt(
        n0=("Start", {}), **{f"n{i}": ("Step", {"x": [str(i - 1), 0]}) for i in range(1, 20_000)}
    )
    assert len(import_document(dict(reversed(many.items()))).graph.nodes) == 20_000


def test_a_placeholder_of_a_known_class_keeps_why_it_is_one():
    found = import_document(prompt(n1=("CLIPLoader", {"clip_name": "a", "type": "strange"})))
    (node,) = found.graph.nodes.values()
    assert node.type == "comfyui.CLIPLoader"
    assert "'strange'" in node.extra["reason"]
    assert found.remarks[0].text == node.extra["reason"]


# Muted and bypassed nodes


def drawn(*nodes, links=()):
    """A workflow of nodes (id, class, {input: link}, (output, …), mode); the types of sockets are
    the letters that their names begin with."""
    return {
        "nodes": [
            {"id": id, "type": type, "mode": mode,
             "inputs": [{"name": n, "type": n[0], "link": link} for n, link in inputs.items()],
             "outputs": [{"name": name, "type": name[0]} for name in outputs]}
            for id, type, inputs, outputs, mode in nodes
        ],
        "links": [[i, source, out, 0, 0, "*"] for i, (source, out) in enumerate(links)],
    }  # fmt: skip


LOAD = (1, "CheckpointLoaderSimple", {}, ("model", "clip", "vae"), 0)


def modes(graph):
    return {id: node.mode for id, node in graph.nodes.items() if node.mode != "normal"}


def test_a_bypassed_node_stays_where_it_passes_on_the_same_here():
    lora = (2, "LoraLoader", {"model": 0, "clip": 1}, ("model", "clip"), 4)
    text = (3, "CLIPTextEncode", {"clip": 2}, ("conditioning",), 0)
    found = import_document(drawn(LOAD, lora, text, links=[(1, 0), (1, 1), (2, 1)]))
    assert modes(found.graph) == {"apply_lora_2": "bypassed"}
    assert found.graph.nodes["encode_prompt_3"].inputs["clip"] == Link("apply_lora_2", "clip")
    assert found.remarks == ()
    running = effective(found.graph, CATALOG)
    assert running.nodes["encode_prompt_3"].inputs["clip"] == Link("load_checkpoint_1", "clip")


def test_a_bypassed_node_that_is_none_here_passes_on_what_it_is_given():
    chosen = (2, "CLIPSetLastLayer", {"clip": 0}, ("clip",), 4)
    text = (3, "CLIPTextEncode", {"clip": 1}, ("conditioning",), 0)
    document = drawn(LOAD, chosen, text, links=[(1, 1), (2, 0)])
    document["nodes"][1]["widgets_values"] = [-2]
    found = import_document(document)
    assert found.graph.nodes["encode_prompt_3"].inputs["clip"] == Link("load_checkpoint_1", "clip")
    assert found.graph.nodes["encode_prompt_3"].params["clip_skip"] == 0


def test_a_bypassed_placeholder_is_wired_past_which_is_told():
    strange = (2, "Strange", {"model": 0}, ("model",), 4)
    after = (3, "LoraLoaderModelOnly", {"model": 1}, ("model",), 0)
    found = import_document(drawn(LOAD, strange, after, links=[(1, 0), (2, 0)]))
    assert modes(found.graph) == {"Strange_2": "bypassed"}
    assert found.graph.nodes["Strange_2"].inputs["model"] == Link("load_checkpoint_1", "model")
    assert found.graph.nodes["apply_lora_3"].inputs["model"] == Link("load_checkpoint_1", "model")
    (remark,) = found.remarks
    assert (remark.node, "wired past" in remark.text) == ("Strange_2", True)


def test_rows_of_bypassed_nodes_are_passed_by():
    row = [(i, "Strange" if i % 2 else "LoraLoaderModelOnly", {"model": i - 2}, ("model",), 4)
           for i in range(2, 40)]  # fmt: skip
    end = (40, "LoraLoaderModelOnly", {"model": 38}, ("model",), 0)
    links = [(i - 1, 0) for i in range(2, 41)]
    found = import_document(drawn(LOAD, *row, end, links=links)).graph
    assert len(modes(found)) == 38
    running = effective(found, CATALOG)
    assert set(running.nodes) == {"load_checkpoint_1", "apply_lora_40"}
    assert running.nodes["apply_lora_40"].inputs["model"] == Link("load_checkpoint_1", "model")


def test_a_plain_value_comes_through_a_bypassed_node():
    number = (5, "PrimitiveNode", {}, ("int",), 0)
    strange = (6, "Strange", {"int": 0}, ("int",), 4)
    empty = (3, "EmptyLatentImage", {"width": 1}, ("latent",), 0)
    document = drawn(number, strange, empty, links=[(5, 0), (6, 0)])
    document["nodes"][0]["widgets_values"] = [640]
    found = import_document(document).graph.nodes
    assert found["empty_latent_3"].params["width"] == 640


def test_what_needs_a_muted_node_does_not_run():
    lora = (2, "LoraLoader", {"model": 0, "clip": 1}, ("model", "clip"), 2)
    text = (3, "CLIPTextEncode", {"clip": 2}, ("conditioning",), 0)
    found = import_document(drawn(LOAD, lora, text, links=[(1, 0), (1, 1), (2, 1)]))
    assert modes(found.graph) == {"apply_lora_2": "muted"}
    assert set(effective(found.graph, CATALOG).nodes) == {"load_checkpoint_1"}
    assert found.remarks == ()


def test_a_value_of_a_muted_node_is_the_own_one_which_is_told():
    number = (1, "PrimitiveInt", {}, ("int",), 2)
    empty = (2, "EmptyLatentImage", {"width": 0}, ("latent",), 0)
    found = import_document(drawn(number, empty, links=[(1, 0)]))
    assert "width" not in effective(found.graph, CATALOG).nodes["empty_latent_2"].inputs
    (remark,) = found.remarks
    assert remark.node == "empty_latent_2"
    assert "muted: its own value holds" in remark.text


def test_a_muted_node_gives_nothing_of_others():
    chosen = (2, "CLIPSetLastLayer", {"clip": 0}, ("clip",), 2)
    text = (3, "CLIPTextEncode", {"clip": 1}, ("conditioning",), 0)
    found = import_document(drawn(LOAD, chosen, text, links=[(1, 1), (2, 0)]))
    assert "clip" not in found.graph.nodes["encode_prompt_3"].inputs
    assert "is muted" in found.remarks[0].text


def test_all_that_a_muted_node_becomes_is_muted():
    picture = (1, "LoadImage", {}, ("image", "mask"), 2)
    grow = (2, "GrowMask", {"mask": 0}, ("mask",), 0)
    found = import_document(drawn(picture, grow, links=[(1, 1)])).graph
    assert modes(found) == {"load_image_1": "muted", "invert_mask_1_mask": "muted"}


def test_bypassed_nodes_in_a_circle_pass_on_nothing():
    one = (1, "LoraLoaderModelOnly", {"model": 1}, ("model",), 4)
    two = (2, "LoraLoaderModelOnly", {"model": 0}, ("model",), 4)
    end = (3, "LoraLoaderModelOnly", {"model": 1}, ("model",), 0)
    found = import_document(drawn(one, two, end, links=[(1, 0), (2, 0)]))
    assert "its wires go in a circle" in [remark.text for remark in found.remarks]
    assert "model" not in effective(found.graph, CATALOG).nodes["apply_lora_3"].inputs


def row(count):
    """Bypassed nodes in a row."""
    more = [(i, "LoraLoaderModelOnly", {"model": i - 2}, ("model",), 4)
            for i in range(2, count + 1)]  # fmt: skip
    return drawn(LOAD, *more, links=[(i - 1, 0) for i in range(2, count + 1)])


def strangers(count):
    """Nodes that are known, and say what is not."""
    return prompt(**{f"n{i}": ("CLIPLoader", {"type": f"strange {i}"}) for i in range(count)})


def alike(count):
    """Nodes whose ids come to the same here."""
    node = {"class_type": "Strange", "inputs": {}}
    return {chr(0x4E00 + i): node for i in range(count)}


@pytest.mark.parametrize("make", [row, strangers, alike])
def test_graphs_are_made_in_the_time_of_their_number(make):
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


def test_unknown_keys_at_every_level_come_through_files():
    strange = {"unknown": {"a": [None, 1.5, "\u00e9"]}}
    node = {"id": 1, "type": "Strange", "pos": [1, 2], "color": "#232", "title": "Mine",
            "properties": {"cnr_id": "pack", "ver": "1", **strange},
            "inputs": [{"name": "x", "type": "*", "link": None, **strange}],
            "flags": {"pinned": True, **strange}, **strange}  # fmt: skip
    group = {"title": "g", "bounding": [0, 0, 9, 9], **strange}
    document = {"nodes": [node], "links": [], "groups": [group], "extra": strange, **strange}
    graph = import_document(document).graph
    text = graph_file.dumps(graph, CATALOG)
    again = graph_file.loads(text)
    assert graph_file.dumps(again, CATALOG) == text
    assert again.extra["comfyui"]["workflow"] == document
    assert again.nodes["Strange_1"].extra["comfyui"] == node["properties"]
    assert again.nodes["Strange_1"].title == "Mine"
    assert again.view["nodes"]["Strange_1"]["hue"] == "mask"


# Values in doubt


def test_values_of_other_kinds_and_outside_of_the_choices_are_kept_and_told():
    found = import_document(
        prompt(n3=("KSampler", {"steps": "many", "sampler_name": "strange", "cfg": 5000.0}))
    )
    params = found.graph.nodes["sample_3"].params
    assert (params["steps"], params["sampler"], params["cfg"]) == ("many", "strange", 5000.0)
    said = {remark.text.split()[0]: remark for remark in found.remarks}
    assert said.keys() == {"steps", "sampler", "cfg"}
    assert {remark.node for remark in found.remarks} == {"sample_3"}
    assert "'many' is not a whole number" in said["steps"].text


def test_numbers_in_another_spelling_are_those_numbers():
    found = import_document(
        prompt(n3=("KSampler", {"steps": 20.0, "seed": "7", "cfg": "4.5", "denoise": 1}))
    )
    params = found.graph.nodes["sample_3"].params
    assert (params["steps"], params["seed"], params["cfg"], params["denoise"]) == (20, 7, 4.5, 1)
    assert found.remarks == ()


# What is kept


def test_the_documents_stay_in_the_graph_and_each_node_knows_where_it_comes_from():
    document = prompt(
        n1=("LoadImage", {"image": "a.png"}),
        n2=("GrowMask", {"expand": 4, "mask": ["1", 1]}),
        n4=("RandomNoise", {"noise_seed": 7}),
        n5=("BasicGuider", {"model": ["9", 0], "conditioning": ["9", 0]}),
        n6=("KSamplerSelect", {"sampler_name": "euler"}),
        n7=("BasicScheduler", {"model": ["9", 0], "scheduler": "simple", "steps": 4}),
        n8=("SamplerCustomAdvanced", {"noise": ["4", 0], "guider": ["5", 0], "sampler": ["6", 0],
                                      "sigmas": ["7", 0]}),
        n9=("Strange", {}),
    )  # fmt: skip
    document |= {"version": 1, "extra": {"ds": {"scale": 0.5, "offset": [1, 2]}}}
    imported = import_document(document)
    assert imported.graph.extra == {"comfyui": {"prompt": document}}
    assert {ours: set(theirs) for ours, theirs in imported.sources.items()} == {
        "load_image_1": {"1"}, "invert_mask_1_mask": {"1"}, "grow_mask_2": {"2"},
        "sample_8": {"4", "5", "6", "7", "8"}, "Strange_9": {"9"},
    }  # fmt: skip
    drawn = {"nodes": [{"id": 1, "type": "LoadImage"}], "groups": [], "strange": {"a": [None]}}
    assert import_document(drawn).graph.extra == {"comfyui": {"workflow": drawn}}


@pytest.mark.parametrize(
    ("value", "said"), [(float("inf"), "not a finite"), ([0] * 1_000_001, "too large")]
)
def test_a_document_that_no_file_can_hold_is_not_kept_and_that_is_told(value, said):
    document = {**prompt(n1=("LoadImage", {"image": "a.png"})), "extra": value}
    imported = import_document(document)
    assert imported.graph.extra == {}
    (remark,) = imported.remarks
    assert said in remark.text


# Published files

DATA = os.environ.get("PONYSTUDIO_TEST_DATA")
FILES = sorted(Path(DATA, "workflows").glob("*.json")) if DATA else []
published = pytest.mark.skipif(not FILES, reason="PONYSTUDIO_TEST_DATA names no published files")


def read(path):
    return json.loads(path.read_text("utf-8"))


OTHERS = {
    *("CLIPLoader", "QuadrupleCLIPLoader", "EmptyFlux2LatentImage", "Flux2Scheduler"),
    *("StableCascade_EmptyLatentImage", "StableCascade_StageB_Conditioning"),
    *("T5TokenizerOptions", "TextEncodeQwenImageEditPlus"),
}


@published
def test_every_published_file_opens_whole():
    stand_ins = {}
    for path in FILES:
        document = read(path)
        imported = import_document(document)
        assert list(imported.graph.extra["comfyui"].values()) == [document]
        assert imported.sources.keys() == imported.graph.nodes.keys()
        for type in imported.placeholders.values():
            stand_ins.setdefault(type, []).append(path.name)
        text = graph_file.dumps(imported.graph)
        assert graph_file.dumps(graph_file.loads(text)) == text
        # Some have nodes that lead nowhere and lack a wire there as well.
        wrong = [
            error
            for error in check(imported.graph, CATALOG)
            if not isinstance(error, MissingInput) and error.node not in imported.placeholders
        ]
        assert wrong == [], path.name
    # Of families that are not run here.
    assert set(stand_ins) <= OTHERS


@published
def test_both_forms_of_a_graph_come_to_the_same():
    pairs = [path for path in FILES if path.name.endswith(".prompt.json")]
    assert pairs
    for path in pairs:
        other = path.with_name(path.name.replace(".prompt.", ".workflow."))
        # The workflow has nodes that do not run as well.
        if "inpaint_controlnet" in path.name:  # a group node, whose inside has other ids there
            one, two = (
                shape(effective(import_document(read(form)).graph, CATALOG), CATALOG)
                for form in (path, other)
            )
        else:
            one, two = (running(read(form)) for form in (path, other))
        assert one == two, path.name


def test_what_is_of_other_tools():
    assert is_comfyui({"nodes": []})
    assert is_comfyui({"1": LOADER})
    assert not is_comfyui({"format": "ponystudio.graph", "version": 1, "nodes": {}})


def test_what_the_mappings_name_is_there():
    for theirs, how in mappings().items():
        if not isinstance(how, Mapped):
            continue
        spec = CATALOG[how.type]
        taken = {*spec.input_by_name, *spec.param_by_name}
        ours = {name if isinstance(name, str) else name[0] for name in how.inputs.values()}
        assert ours <= taken, theirs
        assert set(how.fixed) <= set(spec.param_by_name), theirs
        assert set(how.outputs) <= set(spec.output_by_name), theirs
        if signature := signatures().get(theirs):
            declared = {name for name, _, _ in signature.inputs}
            assert declared <= {*how.inputs, *how.without}, theirs
            assert len(how.outputs) in (0, len(signature.outputs)), theirs


@pytest.mark.parametrize(
    ("type", "ratios", "blocks"),
    [
        (
            "ModelMergeBlocks",
            {"input": 1.0, "middle": 0.5, "out": 0.25},
            "middle: 0.5\nout: 0.25",
        ),
        (
            "ModelMergeSD1",
            {"time_embed.": 0.5, "label_emb.": 1.0, "input_blocks.0.": 0.5, "out.": 0.0},
            "out.: 0",
        ),
        (
            "ModelMergeSD2",
            {"time_embed.": 1.0, "label_emb.": 0.5, "input_blocks.0.": 0.25},
            "input_blocks.0.: 0.25",
        ),
    ],
)
def test_a_merge_by_blocks_and_what_saves_it(type, ratios, blocks):
    models = {"model1": ["1", 0], "model2": ["2", 0]}
    merge = import_document(
        prompt(
            n1=("CheckpointLoaderSimple", {"ckpt_name": "a.safetensors"}),
            n2=("CheckpointLoaderSimple", {"ckpt_name": "b.safetensors"}),
            n3=(type, {**models, **ratios}),
            n4=("ModelSave", {"model": ["3", 0], "filename_prefix": "merges/ab"}),
        )
    ).graph
    found = merge.nodes["merge_models_3"]
    assert found.params["ratio"] == next(iter(ratios.values()))
    assert (found.params["share"], found.params["blocks"]) == ("first", blocks)
    assert vars_of(found.inputs["other"]) == ("load_checkpoint_2", "model")
    saved = merge.nodes["save_checkpoint_4"]
    assert saved.params["prefix"] == "merges/ab"
    assert list(saved.inputs) == ["model"]


def test_a_difference_that_is_saved_as_a_lora():
    found = nodes(
        prompt(
            n1=("ModelMergeSubtract", {"multiplier": 1.0}),
            n2=("LoraSave", {"model_diff": ["1", 0], "filename_prefix": "loras/a", "rank": 16,
                             "lora_type": "full_diff", "bias_diff": False}),
        )
    )  # fmt: skip
    assert found["save_lora_2"] == (
        "core.save_lora",
        {"prefix": "loras/a", "rank": 16, "whole": True, "biases": False},
        {"model": ("subtract_models_1", "model")},
    )


def test_values_that_mean_something_else_here_are_turned_into_ours():
    found = nodes(
        prompt(
            n1=("ImageSharpen", {"sharpen_radius": 1, "sigma": 1.0, "alpha": 0.35}),
            n2=("ImageBlend", {"blend_factor": 0.5, "blend_mode": "difference"}),
            n3=("EmptyImage", {"width": 8, "height": 8, "batch_size": 1, "color": 0xFF8000}),
        )
    )
    assert found["sharpen_image_1"][1]["strength"] == 3.5
    assert found["blend_images_2"][1]["mode"] == "subtract"
    assert found["empty_image_3"][1]["colour"] == "#ff8000"


SEED = ("Strange Seed", {"seed": 5})


@pytest.mark.parametrize(
    ("type", "inputs", "param"),
    [
        ("SamplerCustom", {"noise_seed": ["1", 0], "cfg": 3.0}, ("random_noise_2_noise", "seed")),
        ("VAEEncodeForInpaint", {"grow_mask_by": ["1", 0]}, ("fill_for_inpainting_2", "grow")),
        ("CLIPTextEncodeFlux", {"guidance": ["1", 0]}, ("set_guidance_2_told", "guidance")),
        ("CheckpointSave", {"filename_prefix": ["1", 0]}, ("save_checkpoint_2", "prefix")),
        ("ModelSamplingContinuousEDM", {"sigma_max": ["1", 0]}, ("set_prediction_2", "sigma_max")),
    ],
)
def test_a_wire_to_a_value_stays_one(type, inputs, param):
    id, name = param
    found = nodes(prompt(n1=SEED, n2=(type, inputs)))[id]
    assert name not in found[1]
    assert found[2][name] == ("Strange_Seed_1", "output 0")


@pytest.mark.parametrize(
    ("type", "inputs", "said"),
    [
        ("CLIPTextEncode", {"5: text": "a pony"}, "5: text is not known, and left out"),
        ("ControlNetApply", {"strange": ["1", 0]}, "strange is not known, and left out"),
        ("UNETLoader", {"unet_name": "a", "weight_dtype": "fp8_e5m2"}, "weight_dtype fp8_e5m2"),
        ("KSampler", {"model": ["1", 7]}, None),
        ("ConditioningSetArea", {"x": {"a": 1}}, "of other kinds than they should be"),
    ],
)
def test_what_is_not_understood_is_told(type, inputs, said):
    imported = import_document(prompt(n1=SEED, n2=(type, inputs)))
    told = " ".join(remark.text for remark in imported.remarks)
    assert said in told if said else True
    assert len(imported.graph.nodes) == 2


def test_the_chosen_layer_is_told_where_it_is_lost():
    imported = import_document(
        prompt(
            n1=("CheckpointLoaderSimple", {"ckpt_name": "a"}),
            n2=("CLIPSetLastLayer", {"stop_at_clip_layer": -2, "clip": ["1", 1]}),
            n3=("GLIGENTextBoxApply", {"clip": ["2", 0], "text": "x"}),
        )
    )
    (remark,) = imported.remarks
    assert remark.node == "place_text_3"
    assert "layer that was chosen for clip" in remark.text


def test_ids_that_come_to_the_same_stay_apart():
    same = {id: {"class_type": "Strange", "inputs": {}} for id in ("1:2", "1_2", "é", "ü")}
    assert len(import_document(same).graph.nodes) == 4
    empty = {"": {"class_type": "x.", "inputs": {}}}
    assert len(import_document(empty).graph.nodes) == 1


@pytest.mark.parametrize("slot", [-1, -9, 200_000_000])
def test_slots_that_no_node_has_lead_nowhere(slot):
    imported = import_document(
        prompt(n1=("Strange", {}), n2=("VAEDecode", {"samples": ["1", slot]}))
    )
    assert len(imported.graph.nodes) == 2


def test_what_no_graph_can_hold_is_left_out_and_told():
    deep = 0
    for _ in range(150):
        deep = [deep]
    for value in (float("inf"), deep, 2**70):
        for type, name in (("Strange", "a"), ("KSampler", "cfg")):
            found = import_document(prompt(n1=(type, {name: value, "seed": 2**64 - 1})))
            (node,) = found.graph.nodes.values()
            assert node.params == {"seed": 2**64 - 1}
            assert f"{name} is left out" in found.remarks[0].text
            assert found.remarks[0].node == node.id


def test_words_that_the_editor_draws_are_told():
    for type, name in (("CLIPTextEncode", "text"), ("CLIPTextEncodeFlux", "t5xxl")):
        (remark,) = import_document(prompt(n1=(type, {name: "a {red|blue} pony"}))).remarks
        assert "{red|blue}" in remark.text
        (remark,) = import_document(prompt(n1=(type, {name: "a {red} pony|foal"}))).remarks
        assert "drawn" not in remark.text  # of one alone: its brackets are marks here


def test_titles_hold_no_half_of_a_letter():
    half = {"1": {"class_type": "VAEDecode", "inputs": {}, "_meta": {"title": "a \ud83d"}}}
    (node,) = import_document(half).graph.nodes.values()
    assert node.title == "a \ufffd"


def test_a_value_that_is_none_is_told():
    (remark,) = import_document(prompt(n1=("KSampler", {"cfg": None}))).remarks
    assert remark.node == "sample_1"
    assert "cfg is no value there" in remark.text


def test_an_old_loader_says_what_its_model_predicts_and_which_layer_it_reads():
    found = nodes(
        prompt(
            n1=("CheckpointLoader", {"config_name": "v2-inference-v.yaml", "ckpt_name": "a"}),
            n2=("CheckpointLoader", {"config_name": "v1-inference_clip_skip_2.yaml",
                                     "ckpt_name": "b"}),
            n3=("CLIPTextEncode", {"clip": ["2", 1]}),
        )
    )  # fmt: skip
    assert found["load_checkpoint_1"][1] == {"file": "a", "prediction": "v"}
    assert found["encode_prompt_3"][1]["clip_skip"] == 2


PERP_NEG = {"model": ["1", 0], "empty_conditioning": ["4", 0], "neg_scale": 0.8}
PROMPTS = {"positive": ["2", 0], "negative": ["3", 0]}


def with_perp_neg(type, inputs):
    return prompt(
        n1=("CheckpointLoaderSimple", {"ckpt_name": "a"}),
        **{f"n{id}": ("CLIPTextEncode", {"text": "x", "clip": ["1", 1]}) for id in (2, 3, 4)},
        n5=("PerpNeg", PERP_NEG),
        n6=("LoraLoaderModelOnly", {"model": ["5", 0], "lora_name": "l", "strength_model": 1.0}),
        n7=(type, {"model": ["6", 0], **PROMPTS, **inputs}),
    )


GUIDED = (
    "core.perp_neg",
    {"cfg": 7.0, "scale": 0.8},
    {
        "model": ("apply_lora_6", "model"),
        "positive": ("encode_prompt_2", "conditioning"),
        "negative": ("encode_prompt_3", "conditioning"),
        "empty": ("encode_prompt_4", "conditioning"),
    },
)


def test_a_model_whose_negative_prompts_are_perpendicular_is_sampled_by_parts():
    document = with_perp_neg(
        "KSampler",
        {
            "seed": 7, "steps": 20, "cfg": 7.0, "sampler_name": "euler", "scheduler": "karras",
            "denoise": 1.0,
        },
    )  # fmt: skip
    found = nodes(document)
    assert found["perp_neg_7_guider"] == GUIDED
    assert found["random_noise_7_noise"][1] == {"seed": 7}
    assert found["choose_sampler_7_sampler"][1] == {"sampler": "euler"}
    assert found["make_sigmas_7_sigmas"] == (
        "core.make_sigmas",
        {"scheduler": "karras", "steps": 20, "denoise": 1.0},
        {"model": ("apply_lora_6", "model")},
    )
    assert found["sample_custom_7"][2] == {
        "noise": ("random_noise_7_noise", "noise"),
        "sampler": ("choose_sampler_7_sampler", "sampler"),
        "sigmas": ("make_sigmas_7_sigmas", "sigmas"),
        "guider": ("perp_neg_7_guider", "guider"),
    }
    assert import_document(document).remarks == ()


def test_a_guider_takes_up_what_a_model_brings_and_others_tell_it():
    assert nodes(with_perp_neg("CFGGuider", {"cfg": 7.0}))["perp_neg_7"] == GUIDED
    (remark,) = import_document(with_perp_neg("KSamplerAdvanced", {})).remarks
    assert remark.text == "the empty prompt of its model's PerpNeg is left out"


def test_batches_in_parts_and_where_a_model_looks():
    document = prompt(
        n1=("CheckpointLoaderSimple", {"ckpt_name": "a"}),
        n2=("EmptyLatentImage", {"width": 512, "height": 512, "batch_size": 4}),
        n3=("RebatchLatents", {"latents": ["2", 0], "batch_size": 1}),
        n4=("SelfAttentionGuidance", {"model": ["1", 0], "scale": 0.5, "blur_sigma": 2.0}),
        n5=("KSampler", {"model": ["4", 0], "latent_image": ["3", 0]}),
        n6=("VAEDecode", {"samples": ["5", 0], "vae": ["1", 2]}),
        n7=("RebatchImages", {"images": ["6", 0], "batch_size": 1}),
        n8=("PreviewImage", {"images": ["7", 0]}),
    )
    found = nodes(document)
    assert found["split_batch_3"] == (
        "core.split_batch",
        {"count": 1},
        {"latent": ("empty_latent_2", "latent")},
    )
    assert found["blur_attention_4"] == (
        "core.blur_attention",
        {"scale": 0.5, "blur": 2.0},
        {"model": ("load_checkpoint_1", "model")},
    )
    assert found["sample_5"][2] == {
        "model": ("blur_attention_4", "model"),
        "latent": ("split_batch_3", "latent"),
    }
    assert found["preview_image_8"][2] == {"image": ("decode_latent_6", "image")}
    assert any("its pictures stay one batch" in r.text for r in import_document(document).remarks)


def test_a_sampler_whose_picture_grows():
    for steps, ours in ((-1, 0), (3, 3)):
        values = {"scale_ratio": 1.5, "scale_steps": steps, "upscale_method": "bislerp"}
        found = nodes(prompt(n1=("SamplerLCMUpscale", values)))
        said = {"scale": 1.5, "steps": ours, "method": "bislerp"}
        assert found == {"growing_sampler_1": ("core.growing_sampler", said, {})}
