"""Which family of models a node works with."""

import json

import pytest

import ponystudio_resources
from ponystudio.canvas.fields.field_context import FieldContext, model_family
from ponystudio.graph.catalog import Catalog
from ponystudio.graph.model import Graph, Link, Node
from ponystudio.studio.documents.editable_graph import EditableGraph
from ponystudio.studio.models.field_services import FieldServices
from ponystudio.studio.models.model_summary import ModelSummary


@pytest.fixture
def document(qapp) -> EditableGraph:
    catalog = ponystudio_resources.path("catalog.json").read_text("utf-8")
    return EditableGraph(
        Graph.of(
            Node("checkpoint", "core.load_checkpoint", params={"file": "pony.safetensors"}),
            Node("lora", "core.apply_lora", inputs={"clip": Link("checkpoint", "clip")}),
            Node("prompt", "core.encode_prompt", inputs={"clip": Link("lora", "clip")}),
            Node("alone", "core.encode_prompt"),
        ),
        Catalog.from_json(json.loads(catalog)),
    )


def test_it_is_that_of_the_checkpoint_upstream(document, monkeypatch) -> None:
    services = FieldServices()
    known = ModelSummary("pony.safetensors", family="sdxl")
    monkeypatch.setattr(
        services.facts, "get", lambda _kind, name: known if name == known.name else None
    )
    try:
        for node, family in (("prompt", "sdxl"), ("alone", ""), ("lora", "sdxl")):
            spec = document.spec(node).params[0]
            assert model_family(FieldContext.of(document, node, spec, services)) == family
    finally:
        services.close()
