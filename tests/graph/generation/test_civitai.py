"""civitai's JSON of pictures and of models."""

from __future__ import annotations

import json

import pytest

from helpers import foreign_pictures as foreign
from ponystudio.errors import GraphFileError
from ponystudio.graph.generation import civitai
from ponystudio.graph.generation.generation_params import UsedLora, UsedModel


def read(document):
    return civitai.read(document, {})


def with_meta(**meta):
    return read({**foreign.CIVITAI, "meta": {**foreign.CIVITAI["meta"], **meta}})


def test_a_picture():
    params = read(foreign.CIVITAI)
    assert params.program == "civitai"
    assert (params.prompt, params.negative, params.dialect) == ("a pony", "blurry", "a1111")
    assert params.model == UsedModel("starter", "9f31c2d07a")
    assert params.loras == (UsedLora("ink", 0.7, 0.7, "7a20e4c91f"),)
    assert (params.sampler, params.rules, params.noise) == ("euler_ancestral", "a1111", "cpu")
    assert (params.seed, params.steps, params.cfg) == (77, 25, 6.5)
    assert (params.width, params.height) == (512, 768)
    assert params.remarks == ()


def test_names_as_comfyui_spells_them_mean_its_rules():
    params = with_meta(sampler="dpmpp_2m", scheduler="karras")
    assert (params.sampler, params.scheduler) == ("dpmpp_2m", "karras")
    assert (params.rules, params.dialect) == ("comfyui", "comfyui")


def test_files_that_are_known_by_their_number_alone_have_a_page():
    resources = [
        {"type": "checkpoint", "modelVersionId": 290640},
        {"type": "lora", "weight": 0.8, "modelVersionId": 5, "modelVersionName": "v1"},
    ]
    params = with_meta(Model=None, hashes={}, resources=[], civitaiResources=resources)
    assert params.model.url.endswith("290640")


def test_the_layer_before_the_last_is_what_sdxl_takes_anyway():
    meta = {**foreign.CIVITAI["meta"], "clipSkip": 2}
    assert read({**foreign.CIVITAI, "meta": meta}).clip_skip == 2
    assert read({**foreign.CIVITAI, "meta": meta, "baseModel": "Pony"}).clip_skip == 0


def test_the_size_is_that_of_the_picture_where_it_is_not_told():
    meta = {name: value for name, value in foreign.CIVITAI["meta"].items() if name != "Size"}
    params = read({**foreign.CIVITAI, "width": 640, "height": 960, "meta": meta})
    assert (params.width, params.height) == (640, 960)


def test_a_sidecar_is_its_first_example_with_its_own_file():
    params = read(foreign.SIDECAR)
    assert params.seed == 77
    assert params.loras == (UsedLora("ink.safetensors", 0.7, 0.7, "ab" * 32),)
    assert params.remarks[0].startswith("this is the first example of ink")
    model = {**foreign.SIDECAR, "model": {"name": "Ink", "type": "Checkpoint"}}
    assert read(model).model == UsedModel("ink.safetensors", "ab" * 32)


def test_a_sidecar_without_examples_has_its_words():
    params = read({**foreign.SIDECAR, "images": []})
    assert (params.prompt, params.seed) == ("ink, lines", 0)
    assert params.loras == (UsedLora("ink.safetensors", 1.0, 1.0, "ab" * 32),)
    assert len(params.remarks) == 1


def test_a_graph_of_comfyuis_stands_there_as_a_text_or_apart():
    both = {"prompt": foreign.COMFYUI_PROMPT, "workflow": foreign.COMFYUI_WORKFLOW}
    for comfy in (json.dumps(both), both):
        found = civitai.comfyui_texts({"url": "", "meta": {"comfy": comfy}})
        assert {name: json.loads(text) for name, text in found.items()} == both
    for comfy in ("", "{", "[]", 5, None, {"prompt": 3}):
        assert civitai.comfyui_texts({"url": "", "meta": {"comfy": comfy}}) == {}


def test_nothing_known_is_said_and_other_documents_are_none_of_its():
    for meta in (None, {}, {"prompt": 3}):
        with pytest.raises(GraphFileError, match="meta is empty"):
            read({**foreign.CIVITAI, "meta": meta})
    for document in ({}, [], [1], {"prompt": "a pony"}, {"nodes": []}, 5, None, "a"):
        assert read(document) is None


def test_values_of_other_kinds_are_left_out():
    for value in (None, [], {}, "x" * 3000, -1, 1e999, True, [[[]]], [{"a": 1}], {"a": 1}):
        for name in foreign.CIVITAI["meta"]:
            if name != "prompt":
                assert with_meta(**{name: value}) is not None
        for name in foreign.SIDECAR:
            try:
                read({**foreign.SIDECAR, name: value})
            except GraphFileError:
                pass
