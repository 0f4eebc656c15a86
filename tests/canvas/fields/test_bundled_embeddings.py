"""Which LoRAs a prompt is behind."""

import json

import pytest

import ponystudio_resources
from ponystudio.canvas.fields.file import loras_behind
from ponystudio.graph.catalog import Catalog
from ponystudio.graph.editing.edits import Disconnect, SetMode, SetParam
from ponystudio.graph.model import Graph, Link, Node
from ponystudio.studio.documents.editable_graph import EditableGraph


@pytest.fixture
def document(qapp):
    path = ponystudio_resources.path("catalog.json")

    def node(id, type, clip="", **params):
        inputs = {"clip": Link(clip, "clip")} if clip else {}
        return Node(id, f"core.{type}", params=params, inputs=inputs)

    rows = [{"on": on, "file": name} for on, name in ((True, "b.pt"), (False, "c.pt"), (True, ""))]
    return EditableGraph(
        Graph.of(
            node("checkpoint", "load_checkpoint", file="m.safetensors"),
            node("one", "apply_lora", "checkpoint", file="a.pt"),
            node("stack", "apply_loras", "one", loras=[*rows, {"on": True, "file": "a.pt"}]),
            node("beside", "apply_lora", "checkpoint", file="d.pt"),
            node("prompt", "encode_prompt", "stack", text="a pony"),
        ),
        Catalog.from_json(json.loads(path.read_text("utf-8"))),
    )


def test_those_on_the_way_of_its_clip(document):
    assert loras_behind(document, "prompt") == ("b.pt", "a.pt")
    assert loras_behind(document, "beside") == ("d.pt",)
    assert loras_behind(document, "checkpoint") == ()


def test_what_is_bypassed_brings_nothing_but_passes_on(document):
    document.do(SetMode("stack", "bypassed"), "Bypass")
    assert loras_behind(document, "prompt") == ("a.pt",)
    document.do(Disconnect("prompt", "clip"), "Disconnect")
    assert loras_behind(document, "prompt") == ()


@pytest.mark.parametrize("odd", [None, 1, "x", [1], [{"file": 2}], [{}]])
def test_odd_values_are_passed_over(document, odd):
    document.do(SetParam("stack", "loras", odd), "Set")
    document.do(SetParam("one", "file", odd), "Set")
    assert loras_behind(document, "prompt") == (("x",) if odd == "x" else ())
