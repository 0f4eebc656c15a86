"""Specs of nodes, and which sockets fit."""

from __future__ import annotations

import dataclasses
import json

import pytest

from ponystudio.api import InputSpec, NodeSpec, OutputSpec, ParamSpec, can_feed


def test_what_feeds_what():
    assert can_feed("int", "float")
    assert can_feed("any", "latent")
    assert not can_feed("float", "int")
    assert not can_feed("image", "latent")


ROWS = ParamSpec(
    "stack", "rows", [], fields=(ParamSpec("file", "file", "", kind="loras", affects=("model",)),)
)
SPEC = NodeSpec(
    "t.x",
    2,
    "X",
    "Test",
    inputs=(InputSpec("model", "model", optional=True, affects=("model",)),),
    outputs=(OutputSpec("model", "model", "The model"),),
    params=(ParamSpec("steps", "int", 20, low=1, soft=(1, 60)), ROWS),
    exact=True,
)


def test_json_says_only_what_is_out_of_the_ordinary():
    told = SPEC.to_json()
    assert "effects" not in told
    assert told["params"][0] == {
        "name": "steps",
        "type": "int",
        "default": 20,
        "low": 1,
        "soft": [1, 60],
    }
    assert NodeSpec.from_json(json.loads(json.dumps(told))) == SPEC


def test_sockets_and_params_are_found_by_name():
    assert SPEC.input_by_name["model"].affects == ("model",)
    assert SPEC.output_by_name["model"].title == "The model"
    assert SPEC.param_by_name["stack"] is ROWS
    assert dataclasses.replace(SPEC, params=()).param_by_name == {}


@pytest.mark.parametrize(
    ("type", "socket"),
    [("seed", "int"), ("choice", "text"), ("file", "text"), ("float", "float"), ("bool", "bool")],
)
def test_params_as_sockets(type, socket):
    assert ParamSpec("x", type, None).socket_type == socket
