from __future__ import annotations

import json
from dataclasses import replace

import pytest

from ponystudio.api import NodeSpec, ParamSpec
from ponystudio.graph.catalog import Catalog
from ponystudio.graph.generation import infotext_grammar
from ponystudio.graph.generation.generation_graph import graph_of
from ponystudio.graph.generation.infotext import read
from ponystudio.graph.generation.infotext_writer import infotext
from ponystudio.graph.model import Graph, Link, Node
from ponystudio_resources import path as resource

HASH = "0123456789abcdef" * 4

CHECKPOINT = Node("ckpt", "core.load_checkpoint", params={"file": "sub/pony.v1.safetensors"})
SAMPLER = {
    "seed": 2**64 - 1,
    "steps": 20,
    "cfg": 7.0,
    "sampler": "dpmpp_2m",
    "scheduler": "karras",
    "denoise": 1.0,
}


def parse(text: str) -> dict[str, str]:
    """All of a text by name."""
    prompt, negative, fields = infotext_grammar.parse(text)
    return {"Prompt": prompt, "Negative prompt": negative, **fields}


def prompt(id: str, text: str, clip: str = "ckpt", **params: object) -> Node:
    return Node(
        id,
        "core.encode_prompt",
        params={"text": text, "dialect": "a1111", "clip_skip": 0, **params},
        inputs={"clip": Link(clip, "clip")},
    )


def sampler(id: str, latent: str, model: str = "ckpt", **params: object) -> Node:
    return Node(
        id,
        "core.sample",
        params={**SAMPLER, **params},
        inputs={
            "model": Link(model, "model"),
            "positive": Link("positive", "conditioning"),
            "negative": Link("negative", "conditioning"),
            "latent": Link(latent, "latent"),
        },
    )


def finish(latent: str) -> list[Node]:
    return [
        Node(
            "decode",
            "core.decode_latent",
            inputs={"vae": Link("ckpt", "vae"), "latent": Link(latent, "latent")},
        ),
        Node("save", "core.save_image", inputs={"image": Link("decode", "image")}),
    ]


EMPTY = Node("canvas", "core.empty_latent", params={"width": 512, "height": 640, "batch": 1})
PLAIN = Graph.of(
    CHECKPOINT,
    EMPTY,
    prompt("positive", "a (pony:1.2),\nmane"),
    prompt("negative", "blurry, dark"),
    sampler("sampler", "canvas"),
    *finish("sampler"),
)


def by_parts() -> Graph:
    """The plain picture of nodes for the parts of a run."""
    prompts = {"positive": Link("positive", "conditioning")}
    prompts["negative"] = Link("negative", "conditioning")
    model = {"model": Link("ckpt", "model")}
    said = SAMPLER

    def part(id: str, type: str, inputs: dict[str, Link], *names: str) -> Node:
        return Node(id, f"core.{type}", params={name: said[name] for name in names}, inputs=inputs)

    run = {
        "noise": Link("noise", "noise"),
        "guider": Link("guide", "guider"),
        "sampler": Link("choose", "sampler"),
        "sigmas": Link("levels", "sigmas"),
        "latent": Link("canvas", "latent"),
    }
    return Graph.of(
        *(node for node in PLAIN.nodes.values() if node.id != "sampler"),
        part("noise", "random_noise", {}, "seed"),
        part("guide", "guide", {**model, **prompts}, "cfg"),
        part("choose", "choose_sampler", {}, "sampler"),
        part("levels", "make_sigmas", model, "scheduler", "steps", "denoise"),
        part("sampler", "sample_custom", run),
    )


def in_steps() -> Graph:
    """The plain picture of a run in two parts."""
    first = replace(PLAIN.nodes["sampler"], id="first", type="core.sample_steps")
    rest = replace(
        first,
        id="sampler",
        params={**first.params, "add_noise": False},
        inputs={**first.inputs, "latent": Link("first", "latent")},
    )
    others = (node for node in PLAIN.nodes.values() if node.id != "sampler")
    return Graph.of(*others, first, rest)


@pytest.mark.parametrize("graph", [by_parts(), in_steps()], ids=["by parts", "in steps"])
def test_other_ways_to_sample_say_the_same(graph: Graph) -> None:
    assert infotext(graph, "save", size=(512, 640)) == infotext(PLAIN, "save", size=(512, 640))


def test_a_whole_text() -> None:
    text = infotext(
        PLAIN,
        "save",
        size=(512, 640),
        hashes={"sub/pony.v1.safetensors": HASH},
        version="PonyStudio 0.1.0",
    )
    assert text == (
        "a (pony:1.2),\nmane\n"
        "Negative prompt: blurry, dark\n"
        "Steps: 20, Sampler: DPM++ 2M, Schedule type: Karras, CFG scale: 7, "
        "Seed: 18446744073709551615, Size: 512x640, Model hash: 0123456789, Model: pony.v1, "
        'RNG: CPU, Hashes: {"model": "0123456789"}, Version: PonyStudio 0.1.0'
    )


def test_what_is_written_is_read() -> None:
    fields = parse(infotext(PLAIN, "save", size=(512, 640)))
    assert fields["Prompt"] == "a (pony:1.2),\nmane"
    assert fields["Negative prompt"] == "blurry, dark"
    assert fields["Size"] == "512x640"
    assert fields["Seed"] == str(2**64 - 1)


def test_loras_clip_skip_dialect_batch() -> None:
    def lora(id: str, source: str, **params: object) -> Node:
        inputs = {name: Link(source, name) for name in ("model", "clip")}
        return Node(id, "core.apply_lora", params=params, inputs=inputs)

    graph = PLAIN.with_nodes(
        [
            lora("l1", "ckpt", file="style.safetensors", strength=0.8, clip_strength=0.8),
            lora("l2", "l1", file="x/mane, long.pt", strength=1.0, clip_strength=0.5),
            prompt("positive", "pony", "l2", clip_skip=2, dialect="comfyui"),
            sampler("sampler", "canvas", "l2"),
        ]
    )
    hashes = {"style.safetensors": HASH[:12], "x/mane, long.pt": HASH[::-1]}
    text = infotext(graph, "save", size=(512, 640), hashes=hashes, batch=(1, 4))
    fields = parse(text)
    assert fields["Prompt"] == "pony <lora:style:0.8> <lora:mane, long:0.5:1>"
    assert fields["Lora hashes"] == f"style: {HASH[:12]}, mane, long: {HASH[::-1][:10]}"
    assert fields["Clip skip"] == "2"
    assert fields["Prompt dialect"] == "comfyui"
    assert (fields["Batch size"], fields["Batch pos"]) == ("4", "1")


def test_a_stack_tells_its_loras_that_are_on() -> None:
    rows = [
        {"on": True, "file": "style.safetensors", "strength": 0.8, "clip_strength": 0.8},
        {"on": False, "file": "hat.safetensors", "strength": 1.0, "clip_strength": 1.0},
        {"file": "x/mane.pt"},
    ]
    inputs = {name: Link("ckpt", name) for name in ("model", "clip")}
    stack = Node("stack", "core.apply_loras", params={"loras": rows}, inputs=inputs)
    later = Node(
        "later",
        "core.apply_lora",
        params={"file": "tail.pt"},
        inputs={name: Link("stack", name) for name in ("model", "clip")},
    )
    graph = PLAIN.with_nodes(
        [stack, later, prompt("positive", "pony", "later"), sampler("sampler", "canvas", "later")]
    )
    fields = parse(infotext(graph, "save", size=(512, 640), hashes={"x/mane.pt": HASH}))
    assert fields["Prompt"] == "pony <lora:style:0.8> <lora:mane:1> <lora:tail:1>"
    assert fields["Lora hashes"] == f"mane: {HASH[:10]}"
    # Behind a # on the same line they would be a part of a comment.
    graph = graph.with_nodes([prompt("positive", "# a\npony # b", "later")])
    fields = parse(infotext(graph, "save", size=(512, 640)))
    assert fields["Prompt"] == "# a\npony # b\n<lora:style:0.8> <lora:mane:1> <lora:tail:1>"


def test_two_samplers_are_a_hires_fix() -> None:
    graph = PLAIN.with_nodes(
        [
            Node("up", "core.scale_latent_by", inputs={"latent": Link("sampler", "latent")}),
            sampler("second", "up", steps=12, denoise=0.55, seed=5),
            *finish("second"),
        ]
    )
    fields = parse(infotext(graph, "save", size=(768, 960)))
    assert (fields["Size"], fields["Steps"], fields["Seed"]) == ("512x640", "20", str(2**64 - 1))
    assert (fields["Hires upscale"], fields["Hires steps"]) == ("1.5", "12")
    assert fields["Denoising strength"] == "0.55"


def test_defaults_come_from_the_catalog_and_wires_are_not_guessed() -> None:
    spec = NodeSpec("core.sample", 1, "Sample", "", params=(ParamSpec("steps", "int", 25),))
    node = sampler("sampler", "canvas")
    params = {name: value for name, value in node.params.items() if name != "steps"}
    wired = {**node.inputs, "seed": Link("number", "int")}
    graph = PLAIN.with_nodes([Node("sampler", node.type, params=params, inputs=wired)])
    fields = parse(infotext(graph, "save", size=(8, 8), catalog={spec.id: spec}))
    assert fields["Steps"] == "25"
    assert "Seed" not in fields


def test_a_picture_without_a_sampler_has_no_text() -> None:
    graph = Graph.of(
        Node("load", "core.load_image"),
        Node("save", "core.save_image", inputs={"image": Link("load", "image")}),
    )
    assert infotext(graph, "save", size=(8, 8)) == ""
    assert infotext(graph, "nowhere", size=(8, 8)) == ""


def test_a_circle_ends() -> None:
    graph = PLAIN.with_nodes([sampler("sampler", "sampler")])
    assert "Steps: 20" in infotext(graph, "save", size=(8, 8))


def test_a_merge_names_its_models_and_has_no_hash() -> None:
    other = Node("other", "core.load_checkpoint", params={"file": "anime.safetensors"})
    links = {"model": Link("ckpt", "model"), "other": Link("other", "model")}
    merge = Node("merge", "core.merge_models", inputs=links)
    prompts = (prompt("positive", "a pony"), prompt("negative", ""))
    graph = Graph.of(
        *(CHECKPOINT, other, merge, EMPTY, *prompts),
        *(sampler("sampler", "canvas", model="merge"), *finish("sampler")),
    )
    hashes = {"sub/pony.v1.safetensors": HASH, "anime.safetensors": HASH}
    said = parse(infotext(graph, "save", size=(512, 640), hashes=hashes))
    assert said["Model"] == "pony.v1 + anime"
    assert "Model hash" not in said


CATALOG = Catalog.from_json(json.loads(resource("catalog.json").read_text("utf-8")))
MADE = {
    "plain": "",
    "rules": "ENSD: 31337, Eta: 0.5, RNG: NV, Discard penultimate sigma: True",
    "variation": "Variation seed: 9, Variation seed strength: 0.25, Seed resize from: 320x640",
    "hires": "Hires upscale: 1.5, Hires upscaler: Latent, Denoising strength: 0.4, Hires steps: 10",
    "upscaled": "Hires upscale: 2, Hires upscaler: 4x, Denoising strength: 1, Hires sampler: Heun",
    "picture": "Denoising strength: 0.6",
    "refiner": "Refiner: other, Refiner switch at: 0.75",
    "loras": "Card threads: 40960, RNG: GPU",
    "comfyui": "RNG: CPU, Version: PonyStudio 1",
    "noise": "RNG: GPU, Sigma noise: 1.02, Eta: 0.3, Version: PonyStudio 1",
}


@pytest.mark.parametrize("more", MADE.values(), ids=MADE)
def test_what_a_graph_made_is_read_as_the_same_graph(more: str) -> None:
    line = "Steps: 20, Sampler: Euler a, CFG scale: 7, Seed: 5, Size: 512x768, Model: a.v1"
    tags = "<lora:mane:0.5:1> <hypernet:style:0.3>"
    params = read(f"a, {tags} b\nNegative prompt: bad\n{line}, {more}")
    graph = graph_of(params).graph
    size = params.hires.size(512, 768) if params.hires else (512, 768)
    text = infotext(graph, "save", size=size, catalog=CATALOG, version="PonyStudio 1")
    again = graph_of(read(text)).graph
    assert again.nodes == graph.nodes


def test_of_a_batch_by_a1111s_rules_each_picture_has_its_seed() -> None:
    graph = PLAIN.with_nodes([sampler("sampler", "canvas", rules="a1111", seed=2**64 - 1)])
    fields = parse(infotext(graph, "save", size=(512, 640), batch=(2, 4)))
    assert fields["Seed"] == "1"
    assert fields["Rules"] == "a1111"
    fields = parse(infotext(PLAIN, "save", size=(512, 640), batch=(2, 4)))
    assert fields["Seed"] == str(2**64 - 1)


def test_dots_in_names_are_no_suffixes() -> None:
    graph = PLAIN.with_nodes([replace(CHECKPOINT, params={"file": "sub/pony.v1"})])
    assert parse(infotext(graph, "save", size=(8, 8)))["Model"] == "pony.v1"
