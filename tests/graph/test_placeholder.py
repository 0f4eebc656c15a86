"""Nodes in the place of those that are not known, and which packs those are of."""

from __future__ import annotations

import pytest

from helpers.drops import CATALOG
from ponystudio.graph.model import Graph, Node
from ponystudio.graph.placeholder import pack_of, stands_for
from ponystudio.graph.validation import check


def test_a_placeholder_knows_the_class_that_it_stands_for():
    assert stands_for(Node("a", "comfyui.Power Lora.Loader")) == "Power Lora.Loader"
    assert stands_for(Node("a", "core.sample")) == ""


@pytest.mark.parametrize(
    ("said", "pack"),
    [
        ({"cnr_id": "impact", "ver": "8.1.2"}, "impact 8.1.2"),
        ({"aux_id": "me/impact", "ver": "0123456789abcdef0123"}, "me/impact 0123456789ab"),
        ({"cnr_id": "impact", "ver": "unknown"}, "impact"),
        ({"cnr_id": "comfy-core", "ver": "0.3.64"}, ""),
        ({"cnr_id": 5}, ""),
        ({"cnr_id": "a\nb" + 99 * "c"}, "a b" + 77 * "c"),
        ("impact", ""),
        (None, ""),
    ],
)
def test_packs_are_told_as_the_file_says_them(said, pack):
    assert pack_of(Node("a", "comfyui.X", extra={"comfyui": said})) == pack


def test_the_check_says_what_of_a_known_class_is_not_known():
    node = Node("a", "comfyui.CLIPLoader", extra={"reason": "the type 'x' is not known"})
    (error,) = check(Graph.of(node), CATALOG)
    wanted = "'CLIPLoader' of ComfyUI is not known here: the type 'x' is not known."
    assert error.what == wanted
    assert "core.load_clip" not in error.remedy


def test_the_check_says_why_it_does_not_run():
    node = Node("a", "comfyui.X", extra={"comfyui": {"cnr_id": "impact", "ver": "8.1"}})
    (error,) = check(Graph.of(node), {})
    assert error.what == "'X' of ComfyUI is not known here; it comes with the node pack impact 8.1."
    assert error.node == "a"
