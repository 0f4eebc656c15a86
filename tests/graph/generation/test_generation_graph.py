from __future__ import annotations

import json
from dataclasses import replace

import pytest

from ponystudio.errors import GraphFileError
from ponystudio.graph.catalog import Catalog
from ponystudio.graph.generation.generation_graph import graph_of
from ponystudio.graph.generation.generation_params import (
    GenerationParams,
    Refiner,
    RuleDetails,
    SecondPass,
    Source,
    UsedLora,
    UsedModel,
)
from ponystudio.graph.model import Link
from ponystudio.graph.validation import check
from ponystudio_resources import path as resource

CATALOG = Catalog.from_json(json.loads(resource("catalog.json").read_text("utf-8")))
PLAIN = GenerationParams(
    prompt="a pony",
    negative="blurry",
    model=UsedModel("pony", "67ab2fd8ec"),
    sampler="dpmpp_2m",
    scheduler="karras",
    steps=25,
    cfg=6.5,
    seed=2**64 - 1,
    width=832,
    height=1216,
    clip_skip=2,
)
HIRES = SecondPass(scale=1.5, denoise=0.4, steps=10)
EVERY = {
    "plain": PLAIN,
    "loras": GenerationParams(
        model=UsedModel(hash="a" * 64),
        loras=(UsedLora("mane", 0.8, 0.5, "0123456789ab"), UsedLora("hat")),
        hypernetworks=(UsedLora("style", 0.5),),
        vae=UsedModel("clear.pt"),
    ),
    "flux": GenerationParams(
        model=UsedModel("flux1-dev"),
        text_encoders=(UsedModel("clip_l"), UsedModel("t5xxl")),
        family="flux",
        vae=UsedModel("ae"),
        guidance=3.5,
        shift=1.15,
        dialect="comfyui",
    ),
    "latent hires": GenerationParams(model=UsedModel("m"), hires=HIRES),
    "hires": GenerationParams(
        model=UsedModel("m"),
        vae=UsedModel("v"),
        guidance=3.5,
        hires=SecondPass(
            width=1024,
            height=768,
            space="picture",
            method="lanczos",
            upscaler=UsedModel("4x"),
            sampler="euler_ancestral",
            scheduler="normal",
            cfg=4.0,
            model=UsedModel("other"),
            negative="worse",
        ),
        loras=(UsedLora("mane"),),
    ),
    "refiner": GenerationParams(model=UsedModel("m"), refiner=Refiner(UsedModel("r"), 0.8)),
    "both": GenerationParams(
        model=UsedModel("m"), hires=HIRES, refiner=Refiner(UsedModel("r"), 0.8), rescale=0.7
    ),
    "parts": GenerationParams(
        model=UsedModel("m"), variation=0.2, variation_seed=7, eta=0.5, s_noise=1.01, noise="gpu"
    ),
    "picture": GenerationParams(model=UsedModel("m"), source=Source(file="a.png", denoise=0.6)),
    "inpaint": GenerationParams(
        model=UsedModel("m"),
        source=Source(
            file="a.png", mask="b.png", masked=True, inverted=True, mask_blur=4, counted="done"
        ),
    ),
    "a1111": GenerationParams(
        model=UsedModel("m"),
        rules="a1111",
        noise="nvidia",
        threads=40960,
        eta=0.5,
        seed_offset=31337,
        details=RuleDetails(half_alphas=True, sigma_max=14.0),
        hires=HIRES,
    ),
    "a1111 parts": GenerationParams(
        model=UsedModel("m"),
        rules="a1111",
        noise="nvidia",
        variation=0.2,
        variation_seed=7,
        resize_from=(512, 640),
        threads=43008,
        hires=HIRES,
    ),
    "a1111 picture": GenerationParams(
        model=UsedModel("m"), rules="a1111", source=Source(file="a.png", denoise=0.6)
    ),
    "a1111 refiner": GenerationParams(
        model=UsedModel("m"),
        rules="a1111",
        source=Source(file="a.png", denoise=0.6),
        refiner=Refiner(UsedModel("r"), 0.5),
    ),
    "batch": GenerationParams(model=UsedModel("m"), batch=4, batch_index=2),
}


@pytest.mark.parametrize("params", EVERY.values(), ids=EVERY)
def test_every_graph_is_whole_and_leads_to_a_saved_picture(params: GenerationParams) -> None:
    graph = graph_of(params).graph
    wrong = [error for error in check(graph, CATALOG) if "no file" not in error.what.lower()]
    assert not wrong, wrong
    for node in graph.nodes.values():
        known = CATALOG[node.type]
        assert set(node.params) <= {param.name for param in known.params}
    read = {source for node in graph.nodes.values() for source in node.sources}
    assert [id for id in graph.nodes if id not in read] == ["save"]
    places = [tuple(graph.view["nodes"][id]["pos"]) for id in graph.nodes]
    assert len(set(places)) == len(places)


@pytest.mark.parametrize("params", EVERY.values(), ids=EVERY)
def test_every_card_stands_to_the_right_of_what_feeds_it(params: GenerationParams) -> None:
    graph = graph_of(params).graph
    columns = {id: graph.view["nodes"][id]["pos"][0] for id in graph.nodes}
    for node in graph.nodes.values():
        assert all(columns[source] < columns[node.id] for source in node.sources)


def test_a_picture_from_words() -> None:
    imported = graph_of(PLAIN)
    nodes = imported.graph.nodes
    assert {id: node.type for id, node in nodes.items()} == {
        "checkpoint": "core.load_checkpoint",
        "positive": "core.encode_prompt",
        "negative": "core.encode_prompt",
        "latent": "core.empty_latent",
        "sampler": "core.sample",
        "decode": "core.decode_latent",
        "save": "core.save_image",
    }
    assert nodes["checkpoint"].params == {"file": "pony"}
    assert nodes["positive"].params == {"text": "a pony", "dialect": "a1111", "clip_skip": 2}
    assert nodes["negative"].params["text"] == "blurry"
    assert nodes["latent"].params == {"width": 832, "height": 1216, "batch": 1}
    assert nodes["sampler"].params == {
        "seed": 2**64 - 1,
        "steps": 25,
        "cfg": 6.5,
        "sampler": "dpmpp_2m",
        "scheduler": "karras",
        "denoise": 1.0,
    }
    assert nodes["sampler"].inputs == {
        "model": Link("checkpoint", "model"),
        "positive": Link("positive", "conditioning"),
        "negative": Link("negative", "conditioning"),
        "latent": Link("latent", "latent"),
    }
    assert imported.graph.models == {"pony": {"kind": "checkpoints", "autov2": "67ab2fd8ec"}}
    assert imported.remarks == ()
    assert imported.mapped == 7


def test_a_stack_of_loras_stands_before_the_prompts() -> None:
    graph = graph_of(EVERY["loras"]).graph
    assert graph.nodes["checkpoint"].params["file"] == "a" * 64
    assert graph.nodes["loras"].params["loras"] == [
        {"on": True, "file": "mane", "strength": 0.8, "clip_strength": 0.5},
        {"on": True, "file": "hat", "strength": 1.0, "clip_strength": 1.0},
    ]
    assert graph.nodes["positive"].inputs["clip"] == Link("loras", "clip")
    assert graph.nodes["sampler"].inputs["model"] == Link("hypernetwork_1", "model")
    assert graph.nodes["decode"].inputs["vae"] == Link("vae", "vae")
    assert graph.models["mane"] == {"kind": "loras", "autov3": "0123456789ab"}
    assert graph.models["a" * 64] == {"kind": "checkpoints", "sha256": "a" * 64}


def test_a_second_pass_over_the_latent() -> None:
    nodes = graph_of(EVERY["latent hires"]).graph.nodes
    assert nodes["enlarge"].params == {
        "width": 768,
        "height": 768,
        "crop": "disabled",
        "method": "bilinear",
    }
    second = nodes["second_pass"]
    assert (second.params["steps"], second.params["denoise"]) == (10, 0.4)
    assert second.params["seed"] == nodes["sampler"].params["seed"]
    assert second.inputs["positive"] == Link("positive", "conditioning")
    assert nodes["decode"].inputs["latent"] == Link("second_pass", "latent")


def test_a_second_pass_over_the_picture_with_a_model_of_its_own() -> None:
    nodes = graph_of(EVERY["hires"]).graph.nodes
    assert nodes["upscaler"].params == {"file": "4x"}
    assert nodes["enlarge"].params["method"] == "lanczos"
    assert (nodes["enlarge"].params["width"], nodes["enlarge"].params["crop"]) == (1024, "center")
    assert nodes["second_pass"].inputs["model"] == Link("hires_loras", "model")
    assert nodes["second_pass"].params["sampler"] == "euler_ancestral"
    assert nodes["hires_negative"].params["text"] == "worse"
    assert nodes["hires_encode"].inputs["vae"] == Link("vae", "vae")


def test_what_is_left_out_where_a_refiner_takes_over_is_told() -> None:
    params = replace(EVERY["a1111 refiner"], variation=0.2, sampler="dpmpp_sde")
    told = [remark.text for remark in graph_of(params).remarks if remark.node == "sampler"]
    assert len(told) == 2
    assert "noise of two seeds" in told[0]
    assert "begins anew with the refiner" in told[1]


def test_a_refiner_takes_over() -> None:
    nodes = graph_of(EVERY["refiner"]).graph.nodes
    first, second = nodes["sampler"].params, nodes["sampler_refined"].params
    assert (first["start"], first["end"], first["leftover"]) == (0, 16, True)
    assert (second["start"], second["add_noise"], second["steps"]) == (16, False, 20)
    both = graph_of(EVERY["both"]).graph.nodes
    assert both["sampler"].type == "core.sample"
    late = both["second_pass"].params
    assert (late["steps"], late["start"], late["end"]) == (25, 15, 23)


def test_by_a1111s_rules() -> None:
    nodes = graph_of(EVERY["a1111"]).graph.nodes
    assert nodes["sampler_rules"].params == {
        "half_alphas": True,
        "sigma_max": 14.0,
        "eta": 0.5,
        "ensd": 31337,
        "threads": 40960,
    }
    first, second = nodes["sampler"], nodes["second_pass"]
    assert first.inputs["model"] == Link("sampler_rules", "model")
    assert (first.params["rules"], first.params["noise"]) == ("a1111", "nvidia")
    assert (second.params["rules"], second.params["steps"]) == ("a1111_hires", 10)
    assert nodes["second_pass_rules"].params["all_steps"]
    over = graph_of(EVERY["a1111 picture"]).graph.nodes["sampler"].params
    assert (over["rules"], over["steps"], over["denoise"]) == ("a1111", 20, 0.6)
    refined = graph_of(EVERY["a1111 refiner"]).graph.nodes["sampler"].params
    assert (refined["rules"], refined["steps"], refined["start"], refined["end"]) == (
        "a1111",
        20,
        7,
        14,
    )


def test_noise_of_two_seeds_and_sizes_on_a_certain_card() -> None:
    nodes = graph_of(EVERY["a1111 parts"]).graph.nodes
    for run in ("sampler", "second_pass"):
        assert nodes[run].type == "core.sample_custom"
        assert nodes[f"{run}_noise"].params == {
            "seed": 0,
            "variation": 0.2,
            "variation_seed": 7,
            "from_width": 512,
            "from_height": 640,
            "threads": 43008,
            "source": "nvidia",
        }
        assert nodes[f"{run}_sigmas"].inputs["model"] == Link(f"{run}_rules", "model")
        assert nodes[f"{run}_guider"].inputs["model"] == Link(f"{run}_rules", "model")
    assert "all_steps" not in nodes["sampler_rules"].params
    assert nodes["second_pass_sigmas"].params["steps"] == 10


@pytest.mark.parametrize("steps", range(1, 60))
def test_a_share_of_the_steps_stays_one_of_as_many(steps: int) -> None:
    for denoise in (0.1, 0.25, 0.5, 0.75, 0.99, 1.0):
        source = Source(file="a", denoise=denoise)
        params = GenerationParams(model=UsedModel("m"), source=source, steps=steps)
        sampler = graph_of(params).graph.nodes["sampler"].params
        done = min(int(min(denoise, 0.999) * steps) + 1, steps)
        assert sampler["steps"] == done
        assert int(done / sampler["denoise"]) == steps


def test_what_is_not_named_is_told() -> None:
    imported = graph_of(GenerationParams(source=Source(masked=True), remarks=("by hand",)))
    said = {(remark.node, remark.text.split(":")[0]) for remark in imported.remarks}
    assert said == {
        ("", "by hand"),
        ("checkpoint", "no model is named"),
        ("picture", "the picture that it was made from is not named"),
        ("mask", "the mask is not named"),
    }


def test_what_a1111_does_by_steps_is_told_of_the_prompt_that_says_it() -> None:
    params = GenerationParams(
        model=UsedModel("m"), prompt="[a:b:.5] AND c", negative="[a|b], [c], \\\\[d|e\\\\]"
    )
    said = [(remark.node, remark.text.split(" is ")[0]) for remark in graph_of(params).remarks]
    assert said == [("positive", "[from:to:when]"), ("positive", "AND"), ("negative", "[a|b]")]
    assert graph_of(replace(params, dialect="comfyui")).remarks == ()


def test_numbers_that_no_graph_holds_are_refused() -> None:
    with pytest.raises(GraphFileError):
        graph_of(GenerationParams(model=UsedModel("m"), cfg=float("nan")))
