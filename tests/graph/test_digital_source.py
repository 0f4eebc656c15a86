"""Which pictures are said to be made by a model, wholly or in part."""

from __future__ import annotations

import json

import pytest

import ponystudio_resources
from ponystudio.graph.catalog import Catalog
from ponystudio.graph.digital_source import COMPOSITE, TRAINED, source_type
from ponystudio.graph.model import Graph, Link, Node


def make(id, type, /, **given):
    links = {k: Link(*v) for k, v in given.items() if isinstance(v, tuple)}
    params = {k: v for k, v in given.items() if not isinstance(v, tuple)}
    return Node(id, f"core.{type}", params=params, inputs=links)


CATALOG = Catalog.from_json(
    json.loads(ponystudio_resources.path("catalog.json").read_text("utf-8"))
)
MODEL = make("checkpoint", "load_checkpoint")
PROMPT = make("prompt", "encode_prompt", clip=("checkpoint", "clip"))
PHOTO = make("photo", "load_image", file="holiday.jpg")
MASK = make("mask", "load_mask", file="mask.png")
EMPTY = make("latent", "empty_latent")


def sampler(latent, id="sampler"):
    prompts = dict.fromkeys(("positive", "negative"), ("prompt", "conditioning"))
    return make(id, "sample", model=("checkpoint", "model"), latent=latent, **prompts)


def decoded(latent=("sampler", "latent"), id="decode"):
    return make(id, "decode_latent", vae=("checkpoint", "vae"), latent=latent)


def encoded(image=("photo", "image")):
    return make("encode", "encode_image", vae=("checkpoint", "vae"), image=image)


def of(*nodes, image=("decode", "image")):
    graph = Graph.of(MODEL, PROMPT, *nodes, make("save", "save_image", image=image))
    return source_type(graph, CATALOG, "save")


def test_a_picture_from_noise_is_a_models():
    assert of(EMPTY, sampler(("latent", "latent")), decoded()) == TRAINED


def test_a_photograph_repainted_whole_is_a_models():
    latent = ("encode", "latent")
    assert of(PHOTO, encoded(), sampler(latent), decoded()) == TRAINED


@pytest.mark.parametrize("how", ["mask_latent", "encode_for_inpainting", "fill_for_inpainting"])
def test_a_photograph_repainted_in_part_is_a_composite(how):
    given = {"mask": ("mask", "mask")}
    if how == "mask_latent":
        prepared = [encoded(), make("masked", how, latent=("encode", "latent"), **given)]
    else:
        vae, image = ("checkpoint", "vae"), ("photo", "image")
        prepared = [make("masked", how, vae=vae, image=image, **given)]
    nodes = [PHOTO, MASK, *prepared, sampler(("masked", "latent")), decoded()]
    assert of(*nodes) == COMPOSITE
    # What is painted over as a whole afterwards has nothing of it left.
    assert of(*nodes, sampler(("sampler", "latent"), "again"), decoded(("again", "latent"), "d"),
              image=("d", "image")) == TRAINED  # fmt: skip


def test_a_part_of_a_generated_picture_repainted_stays_a_models():
    masked = make("masked", "mask_latent", latent=("sampler", "latent"), mask=("mask", "mask"))
    nodes = [EMPTY, MASK, sampler(("latent", "latent")), masked]
    nodes += [sampler(("masked", "latent"), "again"), decoded(("again", "latent"))]
    assert of(*nodes) == TRAINED


def test_a_generated_picture_on_a_photograph_is_a_composite():
    both = make("both", "composite_image", image=("photo", "image"), source=("decode", "image"))
    nodes = [EMPTY, PHOTO, sampler(("latent", "latent")), decoded(), both]
    assert of(*nodes, image=("both", "image")) == COMPOSITE


def test_a_photograph_that_only_steers_is_not_in_the_picture():
    """As a control or a style it goes through the prompt, and gives no pixel."""
    steering = make("steer", "apply_controlnet", image=("photo", "image"),
                    positive=("prompt", "conditioning"))  # fmt: skip
    run = sampler(("latent", "latent"))
    steered = Node(run.id, run.type, inputs={**run.inputs, "positive": Link("steer", "positive")})
    assert of(EMPTY, PHOTO, steering, steered, decoded()) == TRAINED


def test_an_upscaler_makes_pixels_and_keeps_the_photograph():
    upscaled = make("up", "upscale_image", upscaler=("u", "upscaler"), image=("photo", "image"))
    nodes = [PHOTO, make("u", "load_upscaler"), upscaled]
    assert of(*nodes, image=("up", "image")) == COMPOSITE


def test_transparency_is_no_mask_for_a_model():
    photo = make("encode", "encode_image", vae=("checkpoint", "vae"), image=("photo", "image"),
                 alpha=("photo", "mask"))  # fmt: skip
    assert of(PHOTO, photo, sampler(("encode", "latent")), decoded()) == TRAINED


def test_nothing_is_claimed_where_no_model_had_a_part():
    smaller = make("small", "scale_image", image=("photo", "image"))
    assert of(PHOTO, smaller, image=("small", "image")) == ""
    models = make(
        "plot", "compare_models", model=("checkpoint", "model"), other=("checkpoint", "model")
    )
    assert of(models, image=("plot", "image")) == ""
    assert source_type(Graph.of(PHOTO), CATALOG, "gone") == ""
