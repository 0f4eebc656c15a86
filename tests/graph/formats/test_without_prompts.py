"""Graphs whose prompts stay with their author."""

from __future__ import annotations

import json

import pytest

import ponystudio_resources
from ponystudio.api.spec import NodeSpec, OutputSpec, ParamSpec
from ponystudio.graph.catalog import Catalog
from ponystudio.graph.formats.graph_file import dumps
from ponystudio.graph.formats.without_prompts import without_prompts
from ponystudio.graph.model import Graph, Link, Node

SHIPPED = Catalog.from_json(
    json.loads(ponystudio_resources.path("catalog.json").read_text("utf-8"))
)
PACK = NodeSpec(
    "pack.wild",
    1,
    "Wild",
    "",
    outputs=(OutputSpec("image", "image"),),
    params=(
        ParamSpec("words", "text", ""),
        ParamSpec("prefix", "text", "", file_name=True),
        ParamSpec("rows", "rows", (), fields=(ParamSpec("said", "text", ""),)),
    ),
)
CATALOG = {**SHIPPED, "pack.wild": PACK}


def test_whatever_may_be_a_prompt_is_gone_and_the_rest_stays():
    secret = "a secret fox"
    graph = Graph(
        {
            node.id: node
            for node in (
                Node("checkpoint", "core.load_checkpoint", params={"file": "m.safetensors"}),
                Node("words", "core.text", params={"value": secret}),
                Node("joined", "core.join_texts", params={"a": secret, "b": f"{secret}, hat"}),
                Node("prompt", "core.encode_prompt", params={"text": secret, "clip_skip": 2}),
                Node("unknown", "else.Where", params={"a": [secret, {"b": secret}], "n": 3}),
                Node(
                    "pack",
                    "pack.wild",
                    params={
                        "words": secret,
                        "prefix": "fox",
                        "rows": [{"on": True, "said": secret}],
                        "new": secret,
                    },
                    extra={"was": secret},
                ),
                Node(
                    "save",
                    "core.save_image",
                    params={"prefix": "mine"},
                    inputs={"image": Link("pack", "image")},
                ),
            )
        },
        view={"notes": [{"text": secret}], "nodes": {"save": {"pos": [0, 0]}}},
        extra={"comfyui": {"prompt": {"1": {"inputs": {"text": secret}}}}},
    )
    silent = without_prompts(graph, CATALOG)
    assert "secret" not in dumps(silent, CATALOG)
    assert silent.nodes.keys() == graph.nodes.keys()
    assert silent.nodes["checkpoint"].params == {"file": "m.safetensors"}
    assert silent.nodes["prompt"].params["clip_skip"] == 2
    assert silent.nodes["unknown"].params == {"a": ["", {"b": ""}], "n": 3}
    assert silent.nodes["pack"].params["prefix"] == "fox"
    assert silent.nodes["pack"].params["rows"] == [{"on": True, "said": ""}]
    assert silent.nodes["save"] == graph.nodes["save"]
    assert silent.view == {"nodes": {"save": {"pos": [0, 0]}}}


@pytest.mark.parametrize("param", ["blocks"])
def test_texts_that_are_settings_stay(param):
    graph = Graph.of(Node("merge", "core.merge_models", params={param: "IN00: 0.5"}))
    assert without_prompts(graph, CATALOG).nodes["merge"].params == {param: "IN00: 0.5"}
