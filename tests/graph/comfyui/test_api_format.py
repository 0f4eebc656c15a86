from __future__ import annotations

import pytest

from ponystudio.errors import GraphFileError
from ponystudio.graph.comfyui.api_format import looks_like, read
from ponystudio.graph.comfyui.source_graph import Wire

PROMPT = {
    "4": {"class_type": "CheckpointLoaderSimple", "inputs": {"ckpt_name": "a.safetensors"}},
    "3": {
        "class_type": "KSampler",
        "inputs": {"model": ["4", 0], "seed": 1, "listed": {"__value__": ["4", 0]}},
        "_meta": {"title": "Mine"},
        "is_changed": ["x"],
    },
}


@pytest.mark.parametrize(
    "document",
    [
        PROMPT,
        {**PROMPT, "extra": {"a": 1}, "version": 0.4, "extra_data": None},
        {"prompt": PROMPT, "client_id": "x"},
    ],
    ids=["plain", "further keys", "a request"],
)
def test_nodes_with_values_and_wires(document):
    assert looks_like(document)
    found = read(document).nodes
    assert list(found) == ["4", "3"]
    assert found["3"].title == "Mine"
    assert found["3"].inputs == {"model": Wire("4", 0), "seed": 1, "listed": ["4", 0]}


def test_a_list_that_names_no_node_is_a_value():
    document = {"3": {"class_type": "KSampler", "inputs": {"sizes": ["9", 0], "two": [1, 2]}}}
    assert read(document).nodes["3"].inputs == {"sizes": ["9", 0], "two": [1, 2]}


def test_what_is_no_graph():
    for document in ({}, [], None, "text", {"a": {"b": 1}}, {"prompt": "a pony"}):
        assert not looks_like(document)
    with pytest.raises(GraphFileError, match="no object"):
        read({"3": {"class_type": "KSampler", "inputs": [1]}})
