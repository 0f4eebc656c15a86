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


@pytest.mark.parametrize("slot", [-1, -9, 4096, 200_000_000])
def test_a_wire_from_no_output_is_left_out_and_told(slot):
    sampler = {"class_type": "KSampler", "inputs": {"model": ["4", slot], "seed": 1}}
    found = read({**PROMPT, "3": sampler})
    assert found.nodes["3"].inputs == {"seed": 1}
    assert found.remarks == (("3", "model comes from no output, and is left out"),)


def test_a_request_in_requests():
    document = PROMPT
    for _ in range(5000):
        document = {"prompt": document}
    assert looks_like(document)
    assert list(read(document).nodes) == ["4", "3"]


def test_what_is_no_graph():
    for document in ({}, [], None, "text", {"a": {"b": 1}}, {"prompt": "a pony"}):
        assert not looks_like(document)
        with pytest.raises(GraphFileError, match="no nodes"):
            read(document)
    with pytest.raises(GraphFileError, match="no object"):
        read({"3": {"class_type": "KSampler", "inputs": [1]}})


@pytest.mark.parametrize(
    ("type", "title", "own"),
    [
        ("CLIPTextEncode", "CLIP Text Encode (Prompt)", ""),
        ("CLIPTextEncode", "CLIP Text Encode (Positive Prompt)", None),
        ("VAEDecode", "VAE Decode", ""),
        ("CheckpointLoaderSimple", "Load Checkpoint", ""),
        ("KSampler", "Second pass", None),
        ("KSampler", 5, "5"),
    ],
)
def test_titles_are_those_that_somebody_gave(type, title, own):
    document = {"1": {"class_type": type, "inputs": {}, "_meta": {"title": title}}}
    assert read(document).nodes["1"].title == (title if own is None else own)


def test_a_million_nodes_are_refused():
    node = {"class_type": "A", "inputs": {}}
    with pytest.raises(GraphFileError, match="more than 100,000 nodes"):
        read({str(i): node for i in range(1_000_000)})
