"""Prompts of ComfyUI's server, in which nothing is a mark."""

from __future__ import annotations

import pytest

from ponystudio.graph.comfyui.importer import import_documents


def told(text: str) -> list[str]:
    prompt = {
        "4": {"class_type": "CheckpointLoaderSimple", "inputs": {"ckpt_name": "a.safetensors"}},
        "6": {"class_type": "CLIPTextEncode", "inputs": {"text": text, "clip": ["4", 1]}},
    }
    found = import_documents(prompt=prompt).remarks
    return [remark.text for remark in found if "letters for the server" in remark.text]


@pytest.mark.parametrize("text", ['{"subject": "a pony"}', "a pony // grey", "a /* grey */ pony"])
def test_what_is_left_out_here_is_told(text):
    assert len(told(text)) == 1


@pytest.mark.parametrize("text", ["a (pony:1.2), and/or a hat", r"\{a\}", "a {red|blue} pony"])
def test_of_other_texts_nothing_is_said(text):
    assert told(text) == []
