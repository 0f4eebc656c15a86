"""Graphs of ours as graphs of ComfyUI's."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from pathlib import Path

import pytest

from helpers.drops import CATALOG
from ponystudio.errors import Cycle
from ponystudio.graph.comfyui.core_nodes import signatures
from ponystudio.graph.comfyui.exporting.exporter import export_prompt, export_workflow
from ponystudio.graph.comfyui.importer import OWN_CLASS, import_document
from ponystudio.graph.formats import graph_file
from ponystudio.graph.graph_shape import shape
from ponystudio.graph.model import Graph, Link, Node
from ponystudio.graph.topology import effective
from ponystudio_resources import path as resource

DATA = os.environ.get("PONYSTUDIO_TEST_DATA")
FILES = sorted(Path(DATA, "workflows").glob("*.json")) if DATA else []
published = pytest.mark.skipif(not FILES, reason="PONYSTUDIO_TEST_DATA names no published files")


def node(id, type, inputs=None, /, *, state="normal", title="", **params):
    links = {name: Link(*link.split(".")) for name, link in (inputs or {}).items()}
    return Node(id, type, params=params, inputs=links, mode=state, title=title)


MODEL = node("model", "core.load_checkpoint", file="sd/a.safetensors")


def prompt(*nodes):
    """Class and inputs of each node of theirs, by id, and what is said."""
    exported = export_prompt(Graph.of(*nodes), CATALOG)
    document = json.loads(json.dumps(exported.document))
    said = [(remark.node, remark.text) for remark in exported.remarks]
    return {id: (data["class_type"], data["inputs"]) for id, data in document.items()}, said


def classes(*nodes):
    return [type for type, _ in prompt(*nodes)[0].values()]


def test_a_picture_from_words():
    found, said = prompt(
        MODEL,
        node("words", "core.encode_prompt", {"clip": "model.clip"}, text="a pony",
             dialect="comfyui", empty="encode"),
        node("empty", "core.empty_latent", width=512, height=768, batch=2),
        node("sampler", "core.sample",
             {"model": "model.model", "positive": "words.conditioning",
              "negative": "words.conditioning", "latent": "empty.latent"},
             seed=7, steps=20, cfg=8.0, sampler="euler_ancestral", scheduler="karras"),
        node("decode", "core.decode_latent", {"latent": "sampler.latent", "vae": "model.vae"}),
        node("save", "core.save_image", {"image": "decode.image"}, prefix="pony"),
    )  # fmt: skip
    assert said == []
    assert list(found.values()) == [
        ("EmptyLatentImage", {"width": 512, "height": 768, "batch_size": 2}),
        ("CheckpointLoaderSimple", {"ckpt_name": "sd/a.safetensors"}),
        ("CLIPTextEncode", {"text": "a pony", "clip": ["2", 1]}),
        (
            "KSampler",
            {"model": ["2", 0], "positive": ["3", 0], "negative": ["3", 0],
             "latent_image": ["1", 0], "seed": 7, "steps": 20, "cfg": 8.0,
             "sampler_name": "euler_ancestral", "scheduler": "karras", "denoise": 1.0},
        ),
        ("VAEDecode", {"samples": ["4", 0], "vae": ["2", 2]}),
        ("SaveImage", {"images": ["5", 0], "filename_prefix": "pony"}),
    ]  # fmt: skip


def test_titles_are_said_and_come_back():
    document = export_prompt(Graph.of(node("m", "core.load_vae", title="Mine")), CATALOG).document
    assert document["1"]["_meta"] == {"title": "Mine"}
    (back,) = import_document(document).graph.nodes.values()
    assert back.title == "Mine"
    document = export_prompt(Graph.of(node("m", "core.load_vae")), CATALOG).document
    assert document["1"]["_meta"] == {"title": "VAELoader"}
    (back,) = import_document(document).graph.nodes.values()
    assert back.title == ""


def test_the_layer_of_a_text_encoder_is_chosen_once_for_all_that_want_it():
    words = {"clip": "model.clip"}
    found, said = prompt(
        MODEL,
        node("a", "core.encode_prompt", words, text="a", clip_skip=2, dialect="comfyui"),
        node("b", "core.encode_prompt", words, text="b", clip_skip=2, dialect="comfyui"),
        node("c", "core.encode_prompt", words, text="c", clip_skip=0, dialect="comfyui"),
    )
    assert said == []
    layers = {id: said for id, (type, said) in found.items() if type == "CLIPSetLastLayer"}
    ((id, layer),) = layers.items()
    assert layer == {"clip": ["1", 1], "stop_at_clip_layer": -2}
    clips = [said["clip"] for type, said in found.values() if type == "CLIPTextEncode"]
    assert clips == [[id, 0], [id, 0], ["1", 1]]


def test_a_stack_of_loras_is_a_node_for_each_that_is_on():
    rows = [
        {"file": "a", "strength": 0.5, "clip_strength": 0.25, "on": True},
        {"file": "b", "strength": 1.0, "clip_strength": 1.0, "on": False},
        {"file": "c", "strength": 2.0, "clip_strength": 1.0, "on": True},
    ]
    both = {"model": "model.model", "clip": "model.clip"}
    found, said = prompt(
        MODEL,
        node("stack", "core.apply_loras", both, loras=rows),
        node("words", "core.encode_prompt", {"clip": "stack.clip"}, text="a", dialect="comfyui"),
    )
    assert said == [("stack", "a LoRA that is switched off cannot stand there")]
    loaders = [(id, said) for id, (type, said) in found.items() if type == "LoraLoader"]
    (first, a), (second, c) = loaders
    assert a == {"lora_name": "a", "strength_model": 0.5, "strength_clip": 0.25,
                 "model": ["1", 0], "clip": ["1", 1]}  # fmt: skip
    assert (c["lora_name"], c["model"], c["clip"]) == ("c", [first, 0], [first, 1])
    assert next(s for type, s in found.values() if type == "CLIPTextEncode")["clip"] == [second, 1]
    alone = node("stack", "core.apply_loras", {"model": "model.model"}, loras=rows[:1])
    assert classes(MODEL, alone)[1:] == ["LoraLoaderModelOnly"]


def test_the_mask_of_a_loaded_picture_is_the_other_way_round_there():
    picture = node("picture", "core.load_image", file="a.png")
    turned = node("turned", "core.invert_mask", {"mask": "picture.mask"})
    found, _ = prompt(picture, turned, node("grow", "core.grow_mask", {"mask": "turned.mask"}))
    assert [type for type, _ in found.values()] == ["LoadImage", "GrowMask"]
    assert found["2"][1]["mask"] == ["1", 1]
    found, _ = prompt(picture, node("grow", "core.grow_mask", {"mask": "picture.mask"}))
    assert [type for type, _ in found.values()] == ["LoadImage", "InvertMask", "GrowMask"]
    red = node("red", "core.load_mask", file="a.png", channel="red")
    assert classes(red, node("grow", "core.grow_mask", {"mask": "red.mask"})) == [
        "LoadImageMask",
        "GrowMask",
    ]


def test_a_mask_that_is_turned_round_by_a_bypassed_node_is_not_turned_there():
    """A node that is bypassed stays one in the editor, behind one that turns it there, too."""
    picture = node("picture", "core.load_image", file="a.png")
    turned = node("turned", "core.invert_mask", {"mask": "picture.mask"}, state="bypassed")
    grown = node("grow", "core.grow_mask", {"mask": "turned.mask"})
    document, _, _ = editor(picture, turned, grown)
    turning = [item for item in document["nodes"] if item["type"] == "InvertMask"]
    assert sorted(item["mode"] for item in turning) == [0, 4]


def test_a_picture_is_saved_with_its_transparency_in_it():
    picture = node("picture", "core.load_image", file="a.png")
    opaque = {"image": "picture.image", "alpha": "picture.mask"}
    found, said = prompt(picture, node("save", "core.save_image", opaque))
    assert said == []
    # 1 − alpha is what LoadImage gives, and what JoinImageWithAlpha wants.
    assert found["2"] == ("JoinImageWithAlpha", {"image": ["1", 0], "alpha": ["1", 1]})
    joined = node("join", "core.join_alpha", {"image": "picture.image", "mask": "picture.mask"})
    whole = {"image": "join.image", "alpha": "join.alpha"}
    assert classes(picture, joined, node("save", "core.save_image", whole)) == [
        "LoadImage", "InvertMask", "JoinImageWithAlpha", "SaveImage",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("type", "params", "wanted"),
    [
        ("core.empty_image", {"colour": "#0a0b0c"}, ("EmptyImage", "color", 0x0A0B0C)),
        ("core.sharpen_image", {"strength": 2.5}, ("ImageSharpen", "alpha", 0.25)),
        ("core.rotate_image", {"degrees": "270"}, ("ImageRotate", "rotation", "270 degrees")),
        (
            "core.flip_latent",
            {"direction": "vertical"},
            ("LatentFlip", "flip_method", "x-axis: vertically"),
        ),
        ("core.blend_images", {"mode": "subtract"}, ("ImageBlend", "blend_mode", "difference")),
        ("core.set_batch_noise", {}, ("LatentBatchSeedBehavior", "seed_behavior", "fixed")),
        ("core.freeu", {"version": "V1"}, ("FreeU", "b1", 1.3)),
        ("core.freeu", {"version": "V2"}, ("FreeU_V2", "b1", 1.3)),
        (
            "core.split_sigmas",
            {"at": "denoise", "denoise": 0.3},
            ("SplitSigmasDenoise", "denoise", 0.3),
        ),
        ("core.random_noise", {"off": True}, ("DisableNoise", None, None)),
        ("core.choose_sampler", {"sampler": "lms"}, ("KSamplerSelect", "sampler_name", "lms")),
        ("core.choose_sampler", {"sampler": "lms", "order": 3}, ("SamplerLMS", "order", 3)),
        (
            "core.choose_sampler",
            {"sampler": "dpmpp_2m_sde_gpu", "eta": 0.5},
            ("SamplerDPMPP_2M_SDE", "noise_device", "gpu"),
        ),
        ("core.range_sigmas", {"scheduler": "karras", "rho": 7.0}, ("KarrasScheduler", "rho", 7.0)),
        (
            "core.sample_steps",
            {"leftover": True},
            ("KSamplerAdvanced", "return_with_leftover_noise", "enable"),
        ),
        ("core.make_sigmas", {"scheduler": "linear"}, ("BasicScheduler", "scheduler", "simple")),
        ("core.encode_image", {"tile": 512}, ("VAEEncodeTiled", "overlap", 64)),
        ("core.decode_latent", {"tile": 256}, ("VAEDecodeTiled", "tile_size", 256)),
        (
            "core.set_prediction",
            {"prediction": "v", "zero_snr": True},
            ("ModelSamplingDiscrete", "zsnr", True),
        ),
        (
            "core.merge_models",
            {"ratio": 0.25, "share": "second"},
            ("ModelMergeSimple", "ratio", 0.75),
        ),
        (
            "core.merge_models",
            {"ratio": 0.25, "blocks": "middle: 0.5"},
            ("ModelMergeBlocks", "middle", 0.5),
        ),
        (
            "core.apply_style_model",
            {"by": "attention"},
            ("StyleModelApply", "strength_type", "attn_bias"),
        ),
        ("core.text", {"value": "a\nb"}, ("PrimitiveStringMultiline", "value", "a\nb")),
        (
            "core.load_clip",
            {"files": [{"file": "l"}, {"file": "g"}], "family": "sdxl"},
            ("DualCLIPLoader", "type", "sdxl"),
        ),
    ],
)
def test_what_a_node_says_there(type, params, wanted):
    found, _ = prompt(node("n", type, **params))
    theirs, name, value = wanted
    (said,) = [said for kind, said in found.values() if kind == theirs]
    assert name is None or said[name] == value


@pytest.mark.parametrize(
    ("type", "params", "said"),
    [
        ("core.sample", {"scheduler": "auto"}, "scheduler auto is the model's own here"),
        ("core.sample", {"noise": "gpu"}, "noise 'gpu' has no counterpart there"),
        ("core.sample", {"sampler": "tcd"}, "sampler_name 'tcd' is not there: 'euler' instead"),
        ("core.combine_masks", {"operation": "lighter"}, "operation 'lighter' is not there"),
        ("core.pad_image", {"fill": "edge"}, "fill 'edge' is 'grey' there"),
        ("core.stitch_images", {"colour": "#123456"}, "the colour '#123456' has no name there"),
        ("core.save_image", {"format": "webp"}, "format 'webp' has no counterpart there"),
        ("core.encode_prompt", {"text": "(a:1.2)"}, "its weights are written for A1111"),
        ("core.merge_models", {"curve": "smooth"}, "curve 'smooth' has no counterpart there"),
        ("core.merge_models", {"blocks": "IN03: nothing"}, "its ratios of blocks cannot be read"),
        ("core.mask_from_image", {}, "a mask is made of one channel there"),
    ],
)
def test_what_cannot_be_said_there_is_told(type, params, said):
    _, told = prompt(node("n", type, **params))
    assert [text for id, text in told if text.startswith(said) and id == "n"], told


def test_guidance_that_is_rescaled_is_a_node_of_its_own():
    sampler = node("s", "core.sample", {"model": "model.model"}, rescale=0.7, scheduler="normal")
    found, _ = prompt(MODEL, sampler)
    assert found["2"] == ("RescaleCFG", {"model": ["1", 0], "multiplier": 0.7})
    assert found["3"][1]["model"] == ["2", 0]


def test_a_shift_is_said_as_the_family_wants_it():
    def shifted(file):
        loader = node("model", "core.load_model", file=file)
        shift = node("shift", "core.set_shift", {"model": "model.model"}, shift=3.158193)
        return prompt(loader, shift)[0]["2"]

    assert shifted("sd3/medium.safetensors")[0] == "ModelSamplingSD3"
    assert shifted("auraflow.safetensors")[0] == "ModelSamplingAuraFlow"
    type, said = shifted("flux1-dev.safetensors")
    assert type == "ModelSamplingFlux"
    assert said["max_shift"] == said["base_shift"] == pytest.approx(1.15)


@pytest.mark.parametrize(
    ("family", "scheduler"), [("sdxl", "normal"), ("flux", "simple"), ("sd1", "normal")]
)
def test_where_the_family_is_known_its_own_schedule_is_said(family, scheduler):
    words = node("words", "core.encode_prompt", {"clip": "model.clip"}, dialect="comfyui")
    links = {"model": "model.model", "positive": "words.conditioning"}
    sampler = node("s", "core.sample", links, scheduler="auto")
    exported = export_prompt(Graph.of(MODEL, words, sampler), CATALOG, {"sd/a.safetensors": family})
    classes = {data["class_type"]: data["inputs"] for data in exported.document.values()}
    assert classes["KSampler"]["scheduler"] == scheduler
    assert exported.remarks == ()
    # Nothing is zeros for SDXL, and the states of no words for others.
    assert ("ConditioningZeroOut" in classes) == (family == "sdxl")


def test_words_with_sizes_are_one_node():
    texts = node("texts", "core.encode_texts", {"clip": "model.clip"}, clip_l="a", clip_g="b")
    sizes = node("sizes", "core.set_sizes", {"conditioning": "texts.conditioning"}, width=512)
    found, said = prompt(MODEL, texts, sizes)
    assert said == []
    type, inputs = found["2"]
    assert type == "CLIPTextEncodeSDXL"
    assert (inputs["text_l"], inputs["text_g"], inputs["width"]) == ("a", "b", 512)
    words = node("texts", "core.encode_prompt", {"clip": "model.clip"}, text="a", dialect="comfyui")
    score = node("sizes", "core.refiner_sizes", {"conditioning": "texts.conditioning"}, score=2.5)
    assert prompt(MODEL, words, score)[0]["2"][0] == "CLIPTextEncodeSDXLRefiner"
    # Two that read the words leave no one to say them with.
    other = node("other", "core.zero_prompt", {"conditioning": "texts.conditioning"})
    found, said = prompt(MODEL, words, sizes, other)
    assert [type for type, _ in found.values()][1:] == ["CLIPTextEncode", "ConditioningZeroOut"]
    assert ("sizes", "sizes are said with the words there, and are left out") in said


def test_a_control_is_applied_by_what_it_is_given():
    loaded = node("net", "core.load_controlnet", file="c")
    picture = node("picture", "core.load_image")
    words = node("words", "core.encode_prompt", text="a")
    given = {
        "positive": "words.conditioning",
        "controlnet": "net.controlnet",
        "image": "picture.image",
    }
    both = {**given, "negative": "words.conditioning"}

    def applied(given, **params):
        found, _ = prompt(
            loaded, picture, words, node("apply", "core.apply_controlnet", given, **params)
        )
        return [type for type, _ in found.values()][3:]

    assert applied(given) == ["ControlNetApply"]
    assert applied(both, end=0.5) == ["ControlNetApplyAdvanced"]
    assert applied(both, kind="canny") == ["SetUnionControlNetType", "ControlNetApplyAdvanced"]


def test_muted_and_bypassed_nodes_do_not_run_there():
    picture = node("picture", "core.load_image")
    blur = node("blur", "core.blur_image", {"image": "picture.image"}, state="bypassed")
    save = node("save", "core.save_image", {"image": "blur.image"})
    assert classes(picture, blur, save) == ["LoadImage", "SaveImage"]
    shown = node("shown", "core.preview_image", {"image": "picture.image"}, state="muted")
    assert classes(picture, shown) == ["LoadImage"]


def test_a_node_without_counterpart_stays_and_is_named():
    picture = node("picture", "core.load_image")
    colours = node("colours", "core.describe_colours", {"image": "picture.image"}, colours=5)
    shown = node("shown", "core.show_value", {"value": "colours.text"})
    exported = export_prompt(Graph.of(picture, colours, shown), CATALOG)
    data = exported.document["2"]
    assert data["class_type"] == f"{OWN_CLASS}core.describe_colours"
    assert data["inputs"]["image"] == ["1", 0]
    said = "core.describe_colours is no node of ComfyUI: it stands there as one unknown"
    assert [(r.node, r.text) for r in exported.remarks] == [("colours", said)]
    back = import_document(json.loads(json.dumps(exported.document))).graph
    assert shape(back, CATALOG) == shape(Graph.of(picture, colours, shown), CATALOG)


def test_a_node_without_counterpart_that_nothing_reads_is_no_reason_to_refuse_the_rest():
    rules = node("rules", "core.a1111_rules")
    picture = node("picture", "core.load_image")
    lens = node("lens", "core.compare_models")
    found, said = prompt(rules, picture, lens)
    assert [type for type, _ in found.values()] == ["LoadImage"]
    assert {id for id, _ in said} == {"rules", "lens"}


@pytest.mark.parametrize("wrong", [None, [], {}, "words", -3, 2.5, True, ["a"], {"a": [1]}])
def test_values_of_other_kinds_than_they_should_be_stop_nothing(wrong):
    """Files of graphs are anybody's."""
    for type, spec in CATALOG.items():
        broken = node("n", type, **{param.name: wrong for param in spec.params})
        words = node("w", "core.encode_prompt", clip_skip=wrong)
        for export in (export_prompt, export_workflow):
            document = export(Graph.of(broken, words), CATALOG).document
            json.dumps(document)
            import_document(json.loads(json.dumps(document)))


def test_nodes_in_a_circle_are_refused():
    a = node("a", "core.invert_mask", {"mask": "b.mask"})
    b = node("b", "core.invert_mask", {"mask": "a.mask"})
    with pytest.raises(Cycle):
        export_prompt(Graph.of(a, b), CATALOG)


# Every type

# They are ours alone.
OURS = {
    *("core.token_lens", "core.load_aesthetic_head", "core.score_pictures"),
    *("core.group_pictures", "core.find_style_cluster", "core.compare_models"),
    *("core.fill_alpha", "core.describe_colours", "core.a1111_rules", "core.fit_image"),
}


def test_every_type_has_a_counterpart_or_is_named():
    without = set()
    for type in CATALOG:
        exported = export_prompt(Graph.of(node("n", type)), CATALOG)
        if any("is no node of ComfyUI" in remark.text for remark in exported.remarks):
            without.add(type)
        for data in exported.document.values():
            signature = signatures()[data["class_type"]]
            declared = {name: values for name, _, values in signature.inputs}
            assert set(data["inputs"]) <= set(declared), type
            unsaid = {name for name, values in declared.items() if values} - set(data["inputs"])
            assert not unsaid - set(signature.optional), (type, data["class_type"])
    assert without <= OURS


# Graphs that ship, and published ones


def test_graphs_that_ship_run_there_too():
    for path in sorted(resource("graphs").glob("*.json")):
        exported = export_prompt(graph_file.read(path), CATALOG)
        back = import_document(json.loads(json.dumps(exported.document)))
        assert not back.placeholders, path.name
        assert not [remark for remark in back.remarks if "not known" in remark.text], path.name


@published
def test_what_was_imported_comes_back_by_the_api_form():
    for path in FILES:
        graph = replace(import_document(json.loads(path.read_text("utf-8"))).graph, extra={})
        exported = export_prompt(graph, CATALOG)
        assert exported.remarks == (), path.name
        back = import_document(json.loads(json.dumps(exported.document))).graph
        assert shape(back, CATALOG) == shape(effective(graph, CATALOG), CATALOG), path.name


# The editor's form


def editor(*nodes, view=None):
    """The workflow, the nodes in it by class, and what is said."""
    graph = Graph({node.id: node for node in nodes}, view=view or {})
    exported = export_workflow(graph, CATALOG)
    document = json.loads(json.dumps(exported.document))
    check_wiring(document)
    return document, {item["type"]: item for item in document["nodes"]}, exported.remarks


def check_wiring(document):
    """Links, inputs and outputs say the same, and values are as many as the class has."""
    nodes = {item["id"]: item for item in document["nodes"]}
    assert len(nodes) == len(document["nodes"])
    assert document["last_node_id"] >= max(nodes, default=0)
    seen = set()
    for id, source, slot, target, place, type in document["links"]:
        assert id not in seen
        assert id <= document["last_link_id"]
        seen.add(id)
        assert id in nodes[source]["outputs"][slot]["links"]
        assert nodes[target]["inputs"][place]["link"] == id
        assert type == nodes[source]["outputs"][slot]["type"]
    for item in document["nodes"]:
        assert {i["link"] for i in item["inputs"] if i["link"] is not None} <= seen
        assert {x for out in item["outputs"] for x in out["links"] or []} <= seen
        assert len(item["pos"]) == len(item.get("size", (0, 0))) == 2
        if signature := signatures().get(item["type"]):
            wanted = sum(values for _, _, values in signature.inputs)
            assert len(item.get("widgets_values", [])) == wanted, item["type"]


def test_values_stand_in_their_order_and_by_their_names():
    sampler = node("s", "core.sample", {"model": "model.model"}, seed=7, steps=20, cfg=8.0,
                   sampler="euler", scheduler="normal")  # fmt: skip
    document, found, _ = editor(MODEL, sampler)
    made = found["KSampler"]
    assert made["widgets_values"] == [7, "fixed", 20, 8.0, "euler", "normal", 1.0]
    assert made["widgets_values_named"]["steps"] == 20
    assert made["properties"] == {"Node name for S&R": "KSampler", "cnr_id": "comfy-core"}
    assert [item["name"] for item in made["inputs"][:4]] == [
        "model", "positive", "negative", "latent_image",
    ]  # fmt: skip
    assert made["inputs"][4]["widget"] == {"name": "seed"}
    assert document["links"] == [[1, 1, 0, 2, 0, "MODEL"]]
    assert document["version"] == 0.4
    picture = editor(node("p", "core.load_image", file="a.png"))[1]["LoadImage"]
    assert picture["widgets_values"] == ["a.png", "image"]


def test_where_a_model_can_be_had_is_said():
    known = {"url": "https://example.com/a", "kind": "checkpoints", "sha256": "ab" * 32}
    graph = Graph({"model": MODEL}, models={"sd/a.safetensors": known})
    (made,) = export_workflow(graph, CATALOG).document["nodes"]
    assert made["properties"]["models"] == [
        {"name": "a.safetensors", "url": "https://example.com/a", "directory": "checkpoints",
         "hash": "ab" * 32, "hash_type": "SHA256"}
    ]  # fmt: skip
    odd = Graph({"model": MODEL}, models={"sd/a.safetensors": ["x"], "b": None})
    (made,) = export_workflow(odd, CATALOG).document["nodes"]
    assert "models" not in made["properties"]


def test_a_param_that_is_wired_is_an_input_and_keeps_its_place_among_the_values():
    number = node("n", "core.int", value=640)
    latent = node("l", "core.empty_latent", {"width": "n.int"}, height=512, batch=1)
    _, found, _ = editor(number, latent)
    made = found["EmptyLatentImage"]
    (width,) = [item for item in made["inputs"] if item["name"] == "width"]
    assert (width["widget"], width["link"]) == ({"name": "width"}, 1)
    assert len(made["widgets_values"]) == 3


def test_modes_titles_places_frames_and_notes_are_said():
    view = {
        "nodes": {"p": {"pos": [10, 20], "collapsed": True}},
        "frames": [{"title": "In", "pos": [0, 0], "size": [400, 300]}],
        "notes": [{"text": "Look here", "pos": [5, 6], "size": [100, 50]}],
    }
    picture = node("p", "core.load_image", state="muted", title="Mine", file="a.png")
    blur = node("b", "core.blur_image", {"image": "p.image"}, state="bypassed")
    document, found, _ = editor(picture, blur, view=view)
    made = found["LoadImage"]
    assert (made["mode"], made["title"], made["pos"]) == (2, "Mine", [10, 20])
    assert made["flags"] == {"collapsed": True}
    assert found["ImageBlur"]["mode"] == 4
    assert found["MarkdownNote"]["widgets_values"] == ["Look here"]
    assert document["groups"][0]["bounding"] == [0, 0, 400, 300]


@pytest.mark.parametrize("wrong", [None, [], ["a", 1], {"0": 1}, "x", 1e300, [1, 2, 3]])
def test_places_that_are_none_are_left_out(wrong):
    look = {"pos": wrong, "size": wrong, "collapsed": wrong, "title": wrong, "text": wrong}
    view = {"nodes": {"model": look}, "frames": [look, wrong], "notes": [look, wrong]}
    editor(MODEL, view=view)
    editor(MODEL, view={"nodes": {"model": wrong}, "frames": [], "notes": []})
    graph = kept(import_document(WORKFLOW).graph)
    nodes = dict.fromkeys(graph.nodes, look)
    moved = replace(graph, view={"nodes": nodes, "frames": [look], "notes": [look]})
    json.dumps(export_workflow(moved, CATALOG).document)


def test_the_graph_itself_goes_along():
    document, _, _ = editor(MODEL)
    assert graph_file.from_json(document["extra"]["ponystudio"]).nodes["model"].type == MODEL.type
    again = export_workflow(Graph.of(MODEL), CATALOG).document
    assert again["id"] == document["id"]


def test_a_node_without_counterpart_stays_in_the_editor_too():
    picture = node("picture", "core.load_image")
    colours = node("colours", "core.describe_colours", {"image": "picture.image"}, colours=5)
    shown = node("shown", "core.show_value", {"value": "colours.text"})
    document, found, _ = editor(picture, colours, shown)
    made = found[f"{OWN_CLASS}core.describe_colours"]
    assert [(item["name"], item["type"]) for item in made["outputs"]] == [
        ("text", "STRING"), ("image", "IMAGE"),
    ]  # fmt: skip
    back = import_document(document).graph
    assert shape(back, CATALOG) == shape(Graph.of(picture, colours, shown), CATALOG)


def test_every_type_stands_in_the_editor():
    for type in CATALOG:
        editor(node("n", type))


@published
def test_what_was_imported_comes_back_by_the_editors_form():
    for path in FILES:
        graph = replace(import_document(json.loads(path.read_text("utf-8"))).graph, extra={})
        exported = export_workflow(graph, CATALOG)
        assert exported.remarks == (), path.name
        check_wiring(exported.document)
        back = import_document(json.loads(json.dumps(exported.document))).graph
        assert shape(back, CATALOG) == shape(graph, CATALOG), path.name


# What was imported


def kept(graph):
    """The graph as its file has it, written and read again."""
    return graph_file.loads(graph_file.dumps(graph, CATALOG))


def changed(graph, id, **params):
    node = graph.nodes[id]
    return replace(
        graph, nodes={**graph.nodes, id: replace(node, params={**node.params, **params})}
    )


WORKFLOW = {
    "id": "mine", "revision": 3, "last_node_id": 30, "last_link_id": 12, "strange": [1],
    "nodes": [
        {"id": 4, "type": "CheckpointLoaderSimple", "pos": [0, 0], "size": [300, 98],
         "flags": {}, "mode": 0, "color": "#223", "properties": {"ver": "1"}, "inputs": [],
         "outputs": [{"name": "MODEL", "type": "MODEL", "links": [1]},
                     {"name": "CLIP", "type": "CLIP", "links": [2]},
                     {"name": "VAE", "type": "VAE", "links": None}],
         "widgets_values": ["a.safetensors"]},
        {"id": 7, "type": "Reroute", "pos": [300, 0],
         "inputs": [{"name": "", "type": "*", "link": 2}],
         "outputs": [{"name": "CLIP", "type": "CLIP", "links": [3]}]},
        {"id": 6, "type": "CLIPTextEncode", "pos": {"0": 400, "1": 10}, "title": "Words",
         "inputs": [{"name": "clip", "type": "CLIP", "link": 3}],
         "outputs": [{"name": "CONDITIONING", "type": "CONDITIONING", "links": [4, 5]}],
         "widgets_values": ["a pony"]},
        {"id": 5, "type": "EmptyLatentImage", "pos": [400, 300], "inputs": [],
         "outputs": [{"name": "LATENT", "type": "LATENT", "links": [6]}],
         "widgets_values": [512, 512, 1]},
        {"id": 8, "type": "PrimitiveNode", "pos": [400, 500],
         "outputs": [{"name": "INT", "type": "INT", "links": [7], "widget": {"name": "steps"}}],
         "widgets_values": [20, "fixed"]},
        {"id": 3, "type": "KSampler", "pos": [800, 0],
         "inputs": [{"name": "model", "type": "MODEL", "link": 1},
                    {"name": "positive", "type": "CONDITIONING", "link": 4},
                    {"name": "negative", "type": "CONDITIONING", "link": 5},
                    {"name": "latent_image", "type": "LATENT", "link": 6},
                    {"name": "steps", "type": "INT", "link": 7, "widget": {"name": "steps"}}],
         "outputs": [{"name": "LATENT", "type": "LATENT", "links": []}],
         "widgets_values": [5, "randomize", 20, 8, "euler", "normal", 1]},
        {"id": 9, "type": "Note", "pos": [0, 400], "size": [200, 100], "widgets_values": ["Look"]},
        {"id": 10, "type": "Strange Node", "pos": [0, 600], "inputs": [],
         "outputs": [], "widgets_values": [1, 2, 3], "weird": {"a": None}},
    ],
    "links": [[1, 4, 0, 3, 0, "MODEL"], [2, 4, 1, 7, 0, "CLIP"], [3, 7, 0, 6, 0, "CLIP"],
              [4, 6, 0, 3, 1, "CONDITIONING"], [5, 6, 0, 3, 2, "CONDITIONING"],
              [6, 5, 0, 3, 3, "LATENT"], [7, 8, 0, 3, 4, "INT"]],
    "groups": [{"title": "In", "bounding": [0, 0, 500, 400], "color": "#3f789e", "font_size": 24}],
    "config": {}, "extra": {"ds": {"scale": 1}, "other": 1}, "version": 0.4,
}  # fmt: skip


def theirs(document):
    return {node["id"]: node for node in document["nodes"]}


def test_an_untouched_import_is_the_very_document():
    graph = kept(import_document(WORKFLOW).graph)
    assert export_workflow(graph, CATALOG).document == WORKFLOW


def test_a_changed_value_changes_nothing_else():
    graph = changed(kept(import_document(WORKFLOW).graph), "sample_3", cfg=5.0)
    document = json.loads(json.dumps(export_workflow(graph, CATALOG).document))
    before, now = theirs(WORKFLOW), theirs(document)
    assert {id for id in before if before[id] != now[id]} == {3}
    assert now[3]["widgets_values"] == [5, "randomize", 20, 5.0, "euler", "normal", 1]
    same = {**document, "nodes": None, "extra": None, "id": None}
    assert same == {**WORKFLOW, "nodes": None, "extra": None, "id": None, "last_link_id": 12}
    assert document["extra"]["other"] == 1
    assert "comfyui" not in document["extra"]["ponystudio"]
    back = import_document(document).graph
    assert shape(back, CATALOG) == shape(graph, CATALOG)


def test_a_changed_value_no_longer_comes_along_a_wire():
    graph = changed(kept(import_document(WORKFLOW).graph), "sample_3", steps=9)
    document = export_workflow(graph, CATALOG).document
    assert [link[0] for link in document["links"]] == [1, 2, 3, 4, 5, 6]
    assert theirs(document)[3]["inputs"][4]["link"] is None
    assert theirs(document)[8]["outputs"][0]["links"] == []
    assert shape(import_document(document).graph, CATALOG) == shape(graph, CATALOG)


def test_a_node_that_was_moved_renamed_muted_or_folded_is_that_there():
    graph = kept(import_document(WORKFLOW).graph)
    x, y = graph.view["nodes"]["encode_prompt_6"]["pos"]
    place = {**graph.view["nodes"]["encode_prompt_6"], "pos": [x + 10, y - 5], "collapsed": True}
    nodes = {
        **graph.nodes,
        "encode_prompt_6": replace(graph.nodes["encode_prompt_6"], title="Other", mode="muted"),
    }
    view = {**graph.view, "nodes": {**graph.view["nodes"], "encode_prompt_6": place}}
    document = export_workflow(replace(graph, nodes=nodes, view=view), CATALOG).document
    before, now = theirs(WORKFLOW), theirs(document)
    assert {id for id in before if before[id] != now[id]} == {6}
    made = now[6]
    assert (made["pos"], made["title"], made["mode"]) == ([410, 5], "Other", 2)
    assert made["flags"] == {"collapsed": True}


def test_frames_and_notes_that_were_changed_are_others_there():
    graph = kept(import_document(WORKFLOW).graph)
    frames = [{**graph.view["frames"][0], "title": "Out"}, {"title": "New", "pos": [1, 2]}]
    notes = [*graph.view["notes"], {"text": "And here", "pos": [7, 8], "size": [90, 60]}]
    graph = replace(graph, view={**graph.view, "frames": frames, "notes": notes})
    document = export_workflow(graph, CATALOG).document
    old, new = document["groups"]
    assert (old["title"], old["color"], new["title"]) == ("Out", "#3f789e", "New")
    assert theirs(document)[9] == theirs(WORKFLOW)[9]
    (added,) = [node for node in document["nodes"] if node["type"] == "MarkdownNote"]
    assert added["widgets_values"] == ["And here"]
    assert len({node["id"] for node in document["nodes"]}) == len(document["nodes"])


def test_a_label_and_a_note_are_told_apart():
    label = {"id": 80, "type": "Label (rgthree)", "title": "BIG", "pos": [0, 900]}
    graph = kept(import_document({**WORKFLOW, "nodes": [label, *WORKFLOW["nodes"]]}).graph)
    assert [said["text"] for said in graph.view["notes"]] == ["BIG", "Look"]
    notes = [{**said, "text": f"{said['text']}!"} for said in graph.view["notes"]]
    now = theirs(
        export_workflow(replace(graph, view={**graph.view, "notes": notes}), CATALOG).document
    )
    assert (now[80]["type"], now[80]["title"]) == ("Label (rgthree)", "BIG!")
    assert now[9]["widgets_values"] == ["Look!"]
    assert len(now) == len(WORKFLOW["nodes"]) + 1
    view = {**graph.view, "notes": graph.view["notes"][1:]}
    now = theirs(export_workflow(replace(graph, view=view), CATALOG).document)
    assert 80 not in now
    assert now[9]["widgets_values"] == ["Look"]


def test_where_nodes_joined_the_others_keep_what_else_is_said_of_them():
    graph = kept(import_document(WORKFLOW).graph)
    mine = node("mine", "core.decode_latent", {"latent": "sample_3.latent"})
    graph = graph.with_nodes([mine])
    document = json.loads(json.dumps(export_workflow(graph, CATALOG).document))
    check_wiring(
        {**document, "nodes": [n for n in document["nodes"] if "Strange" not in n["type"]]}
    )
    now = theirs(document)
    assert now[4]["color"] == "#223"
    assert now[4]["properties"] == {"ver": "1"}
    assert now[10]["weird"] == {"a": None}
    assert now[10]["widgets_values"] == [1, 2, 3]
    assert now[3]["widgets_values"][1] == "randomize"
    assert document["strange"] == [1]
    assert document["extra"]["other"] == 1
    assert document["last_node_id"] > 30
    assert shape(import_document(document).graph, CATALOG) == shape(graph, CATALOG)


def test_a_run_in_parts_stays_one_where_a_value_was_changed():
    document = {
        "1": {"class_type": "UNETLoader",
              "inputs": {"unet_name": "flux", "weight_dtype": "default"}},
        "2": {"class_type": "RandomNoise", "inputs": {"noise_seed": 5}},
        "3": {"class_type": "KSamplerSelect", "inputs": {"sampler_name": "euler"}},
        "4": {"class_type": "BasicScheduler",
              "inputs": {"scheduler": "simple", "steps": 20, "denoise": 1.0, "model": ["1", 0]}},
        "5": {"class_type": "BasicGuider", "inputs": {"model": ["1", 0], "conditioning": ["8", 0]}},
        "6": {"class_type": "EmptyLatentImage",
              "inputs": {"width": 64, "height": 64, "batch_size": 1}},
        "7": {"class_type": "SamplerCustomAdvanced",
              "inputs": {"noise": ["2", 0], "guider": ["5", 0], "sampler": ["3", 0],
                         "sigmas": ["4", 0], "latent_image": ["6", 0]}},
        "8": {"class_type": "CLIPTextEncode", "inputs": {"text": "a pony"}},
    }  # fmt: skip
    graph = kept(import_document(document).graph)
    assert export_prompt(graph, CATALOG).document == document
    (sample,) = [id for id, n in graph.nodes.items() if n.type == "core.sample"]
    made = export_prompt(changed(graph, sample, seed=6, steps=9), CATALOG).document
    assert made["2"]["inputs"] == {"noise_seed": 6}
    assert made["4"]["inputs"]["steps"] == 9
    assert {id for id in document if made[id] != document[id]} == {"2", "4"}


def test_keys_of_a_request_that_are_no_nodes_stay():
    inner = {"1": {"class_type": "EmptyLatentImage", "is_changed": [1],
                   "inputs": {"width": 64, "height": 64, "batch_size": 1}}}  # fmt: skip
    document = {"prompt": {**inner, "version": 3}, "client_id": "me"}
    graph = kept(import_document(document).graph)
    assert export_prompt(graph, CATALOG).document == document
    made = export_prompt(changed(graph, "empty_latent_1", width=128), CATALOG).document
    assert made["client_id"] == "me"
    assert made["prompt"]["version"] == 3
    assert made["prompt"]["1"]["is_changed"] == [1]
    assert made["prompt"]["1"]["inputs"]["width"] == 128
    assert document["prompt"]["1"]["inputs"]["width"] == 64


def test_a_graph_from_the_server_keeps_its_ids_in_the_editor():
    document = {"12": {"class_type": "EmptySD3LatentImage",
                       "inputs": {"width": 64, "height": 64, "batch_size": 1}}}  # fmt: skip
    graph = import_document(document).graph
    (made,) = export_workflow(graph, CATALOG).document["nodes"]
    assert (made["id"], made["type"]) == (12, "EmptySD3LatentImage")


@published
def test_published_files_come_back_untouched_touched_and_joined():
    for path in FILES:
        document = json.loads(path.read_text("utf-8"))
        graph = kept(import_document(document).graph)
        export = export_workflow if "nodes" in document else export_prompt
        untouched = export(graph, CATALOG)
        assert untouched.document == document, path.name
        assert untouched.remarks == (), path.name
        for touched in touches(import_document(document).graph):
            made = json.loads(json.dumps(export(touched, CATALOG).document))
            assert made != document, path.name
            back = import_document(made).graph
            assert shape(back, CATALOG) == shape(touched, CATALOG), path.name


def touches(graph):
    """The graph with another value, and with one more node."""
    for id, each in graph.nodes.items():
        numbers = [name for name, value in each.params.items() if type(value) is int]
        if numbers:
            yield changed(graph, id, **{numbers[0]: each.params[numbers[0]] + 1})
            break
    yield graph.with_nodes([node("mine", "core.solid_mask")])


# Subgraphs

INNER = {
    "id": "uuid-1", "name": "Words", "version": 1, "revision": 0,
    "inputs": [{"id": "a", "name": "clip", "type": "CLIP", "linkIds": [1]},
               {"id": "b", "name": "text", "type": "STRING", "linkIds": [2]}],
    "outputs": [{"id": "c", "name": "CONDITIONING", "type": "CONDITIONING", "linkIds": [3]}],
    "nodes": [
        {"id": 50, "type": "CLIPTextEncode", "pos": [0, 0],
         "inputs": [{"name": "clip", "type": "CLIP", "link": 1},
                    {"name": "text", "type": "STRING", "link": 2, "widget": {"name": "text"}}],
         "outputs": [{"name": "CONDITIONING", "type": "CONDITIONING", "links": [3]}],
         "widgets_values": ["inner"]},
    ],
    "links": [
        {"id": 1, "origin_id": -10, "origin_slot": 0, "target_id": 50, "target_slot": 0,
         "type": "CLIP"},
        {"id": 2, "origin_id": -10, "origin_slot": 1, "target_id": 50, "target_slot": 1,
         "type": "STRING"},
        {"id": 3, "origin_id": 50, "origin_slot": 0, "target_id": -20, "target_slot": 0,
         "type": "CONDITIONING"},
    ],
}  # fmt: skip


def instance(id, words, link):
    return {"id": id, "type": "uuid-1", "pos": [400, 100 * id], "strange": id,
            "inputs": [{"name": "clip", "type": "CLIP", "link": link},
                       {"name": "text", "type": "STRING", "widget": {"name": "text"},
                        "link": None}],
            "outputs": [{"name": "CONDITIONING", "type": "CONDITIONING", "links": [link + 10]}],
            "widgets_values": [words]}  # fmt: skip


NESTED = {
    "last_node_id": 9, "last_link_id": 30, "version": 0.4,
    "definitions": {"subgraphs": [INNER]},
    "nodes": [
        {"id": 1, "type": "CheckpointLoaderSimple", "pos": [0, 0], "inputs": [],
         "outputs": [{"name": "MODEL", "type": "MODEL", "links": [3]},
                     {"name": "CLIP", "type": "CLIP", "links": [1, 2]},
                     {"name": "VAE", "type": "VAE", "links": []}],
         "widgets_values": ["a.safetensors"]},
        instance(2, "a pony", 1), instance(3, "blurry", 2),
        {"id": 4, "type": "EmptyLatentImage", "pos": [400, 500], "inputs": [],
         "outputs": [{"name": "LATENT", "type": "LATENT", "links": [4]}],
         "widgets_values": [64, 64, 1]},
        {"id": 5, "type": "KSampler", "pos": [800, 0],
         "inputs": [{"name": "model", "type": "MODEL", "link": 3},
                    {"name": "positive", "type": "CONDITIONING", "link": 11},
                    {"name": "negative", "type": "CONDITIONING", "link": 12},
                    {"name": "latent_image", "type": "LATENT", "link": 4}],
         "outputs": [{"name": "LATENT", "type": "LATENT", "links": []}],
         "widgets_values": [5, "fixed", 20, 8, "euler", "normal", 1]},
    ],
    "links": [[1, 1, 1, 2, 0, "CLIP"], [2, 1, 1, 3, 0, "CLIP"], [3, 1, 0, 5, 0, "MODEL"],
              [11, 2, 0, 5, 1, "CONDITIONING"], [12, 3, 0, 5, 2, "CONDITIONING"],
              [4, 4, 0, 5, 3, "LATENT"]],
    "extra": {},
}  # fmt: skip


def rejoined(graph):
    exported = export_workflow(graph, CATALOG)
    document = json.loads(json.dumps(exported.document))
    assert shape(import_document(document).graph, CATALOG) == shape(graph, CATALOG)
    return theirs(document), document, [remark.text for remark in exported.remarks]


def test_subgraphs_stand_where_a_node_joined():
    graph = kept(import_document(NESTED).graph)
    mine = node("mine", "core.decode_latent", {"latent": "sample_5.latent",
                                               "vae": "load_checkpoint_1.vae"})  # fmt: skip
    now, document, said = rejoined(graph.with_nodes([mine]))
    assert said == []
    assert document["definitions"] == NESTED["definitions"]
    assert (now[2], now[3]) == (instance(2, "a pony", 1), instance(3, "blurry", 2))
    check_wiring(document)
    assert "VAEDecode" in {each["type"] for each in now.values()}


def test_frames_beside_subgraphs_are_those_that_were_changed():
    group = {"title": "All", "bounding": [-50, -100, 1500, 900], "color": "#3f789e"}
    graph = kept(import_document({**NESTED, "groups": [group]}).graph)
    assert [frame["title"] for frame in graph.view["frames"]] == ["Words", "Words", "All"]
    frames = [*graph.view["frames"][:2], {**graph.view["frames"][2], "title": "Most"}]
    changed = replace(graph, view={**graph.view, "frames": frames})
    (made,) = export_workflow(changed, CATALOG).document["groups"]
    assert (made["title"], made["color"]) == ("Most", "#3f789e")


def test_subgraphs_stand_where_what_they_lead_to_is_another():
    graph = kept(import_document(NESTED).graph)
    lora = node("lora", "core.apply_lora",
                {"model": "load_checkpoint_1.model", "clip": "load_checkpoint_1.clip"},
                file="l.safetensors")  # fmt: skip
    sampler = graph.nodes["sample_5"]
    sampler = replace(sampler, inputs={**sampler.inputs, "model": Link("lora", "model")})
    now, document, said = rejoined(graph.with_nodes([lora, sampler]))
    assert said == []
    assert {**now[2], "outputs": 0} == {**instance(2, "a pony", 1), "outputs": 0}
    assert now[5]["type"] == "KSampler"
    assert [item["link"] for item in now[5]["inputs"][1:3]] != [None, None]
    check_wiring(document)
    assert len(document["definitions"]["subgraphs"]) == 1


def test_subgraphs_stand_where_what_leads_to_them_is_another():
    graph = kept(import_document(NESTED).graph)
    clip = node("load_checkpoint_1", "core.load_clip", files=[{"file": "clip", "on": True}])
    nodes = {**graph.nodes, clip.id: clip}
    model = node("model", "core.load_model", file="m.safetensors")
    sampler = nodes["sample_5"]
    links = {**sampler.inputs, "model": Link("model", "model")}
    nodes |= {"model": model, "sample_5": replace(sampler, inputs=links)}
    now, document, said = rejoined(replace(graph, nodes=nodes))
    assert said == []
    (loader,) = [each for each in now.values() if each["type"] == "CLIPLoader"]
    assert loader["outputs"][0]["links"] == [1, 2]
    assert now[2]["inputs"] == instance(2, "a pony", 1)["inputs"]
    check_wiring(document)


def test_a_subgraph_that_was_changed_inside_is_written_out():
    graph = kept(import_document(NESTED).graph)
    (inner,) = [id for id, n in graph.nodes.items() if n.params.get("text") == "a pony"]
    now, document, said = rejoined(changed(graph, inner, text="a unicorn"))
    assert (2 in now, now[3]) == (False, instance(3, "blurry", 2))
    assert said == []
    (words,) = [each for each in now.values() if each["type"] == "CLIPTextEncode"]
    assert words["widgets_values"] == ["a unicorn"]
    both = changed(changed(graph, inner, text="x"), "sample_5", cfg=2.0)
    (other,) = [id for id, n in graph.nodes.items() if n.params.get("text") == "blurry"]
    now, document, said = rejoined(changed(both, other, text="y"))
    assert "definitions" not in document
    assert said == ["the insides of uuid-1, uuid-1 stand there among the other nodes"]


def test_the_output_of_a_subgraph_feeds_what_joined():
    graph = kept(import_document(NESTED).graph)
    (inner,) = [id for id, n in graph.nodes.items() if n.params.get("text") == "a pony"]
    mine = node("mine", "core.zero_prompt", {"conditioning": f"{inner}.conditioning"})
    now, document, said = rejoined(graph.with_nodes([mine]))
    (zero,) = [each for each in now.values() if each["type"] == "ConditioningZeroOut"]
    link = zero["inputs"][0]["link"]
    assert now[2]["outputs"][0]["links"] == [11, link]
    assert said == []
    check_wiring(document)


@pytest.mark.parametrize(("steps", "theirs"), [(0, -1), (3, 3)])
def test_a_sampler_whose_picture_grows(steps, theirs):
    found, said = prompt(
        node("grows", "core.growing_sampler", scale=1.5, steps=steps, method="bislerp")
    )
    wanted = {"scale_ratio": 1.5, "scale_steps": theirs, "upscale_method": "bislerp"}
    assert list(found.values()) == [("SamplerLCMUpscale", wanted)]
    assert said == []
